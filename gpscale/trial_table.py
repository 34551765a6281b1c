"""The trial table: a DataFrame that a notebook shows in the units of the field."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from gpscale.factors import FACTOR_NAMES
from gpscale.units import format_macs

MOST_ROWS = 20
"""Longer tables are shown by their beginning and end."""

_ID_LENGTH = 8

_FORMATS: dict[str, Callable[..., str]] = {
    **dict.fromkeys(("top1", "top5", "top1_raw", "top5_raw"), "{:.1%}".format),
    **dict.fromkeys(("c", *FACTOR_NAMES, "validation_loss", "train_loss"), "{:.3f}".format),
    **dict.fromkeys(("macs", "params"), format_macs),
    **dict.fromkeys(("seconds", "images_per_second"), "{:,.0f}".format),
    "id": lambda text: text[:_ID_LENGTH],
    "epochs": "{:.0f}".format,
}


class TrialTable(pd.DataFrame):
    """Trials, one a row; in a notebook accuracies are percent, MACs and parameters millions, and ids short.

    Columns that say nothing, such as the reasons of failures where none failed, are not shown. The values stay what
    they are: fractions and numbers. Tables made from this one are shown the same way if their rows are still trials,
    which is to say that they have ids.

    Example:
        >>> table = TrialTable({"id": ["52e409dd"], "macs": [14_600_000], "top1": [0.4321], "reason": [""]})
        >>> "14.6M" in table._repr_html_() and "43.2%" in table._repr_html_()
        True
    """

    @property
    def _constructor(self) -> type[TrialTable]:
        return TrialTable

    def _repr_html_(self) -> str | None:
        if "id" in self.columns and pd.api.types.is_string_dtype(self["id"]):
            return self.html(list(self.columns))
        # a summary or a part, whose numbers may mean anything
        return super()._repr_html_()  # type: ignore[misc, no-any-return]

    def html(self, columns: Sequence[str], rows: int = MOST_ROWS) -> str:
        """Return a table for a page.

        Args:
            columns: Which, in this order; empty ones are left out.
            rows: Most to write.
        """
        said = [name for name in columns if self.empty or not self[name].isin(["", None]).all()]
        # pandas writes an absent integer as <NA>, whatever it is told
        integers = {name: "float64" for name in said if self[name].dtype == "Int64"}
        return (
            pd.DataFrame(self[said])
            .astype(integers)
            .to_html(
                max_rows=rows,
                formatters={name: _FORMATS[name] for name in said if name in _FORMATS},
                na_rep="",
                show_dimensions=True,
                notebook=True,
            )
        )
