"""The trial table: one row a trial, in a DataFrame that a notebook shows in the units of the field."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gpscale import families
from gpscale.errors import RunDirError
from gpscale.factors import FACTOR_NAMES
from gpscale.run_dir import RunDir
from gpscale.trial import TrialRecord, architecture_key
from gpscale.units import format_macs

TRIAL_COLUMNS = (
    "id", "state", "c", "macs", "params", *FACTOR_NAMES, "pixels", "top1", "top5", "top1_raw", "top5_raw",
    "validation_loss", "train_loss", "epochs", "seed", "seconds", "images_per_second", "reason", "detail",
    "architecture",
)  # fmt: skip
_TRIAL_TYPES = {
    **dict.fromkeys(TRIAL_COLUMNS, "float64"),
    **dict.fromkeys(("id", "state", "reason", "detail", "architecture"), "str"),
    **dict.fromkeys(("macs", "params", "pixels", "seed"), "int64"),
    "epochs": "Int64",  # a trial without a result has none
}

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


def trial_table(run: RunDir, base: families.Base, base_macs: int) -> TrialTable:
    """Return one row for each trial of a run that has ended, ordered by MACs.

    Args:
        run: The run directory.
        base: The base model.
        base_macs: Its multiply-accumulates.

    Returns:
        Columns `TRIAL_COLUMNS`, as `Study.trials` describes them.

    Raises:
        RunDirError: A record is damaged.
    """
    rows = []
    for record in run.records():
        try:
            rows.append(_row(record, base, base_macs))
        except (KeyError, TypeError, ValueError) as error:
            raise RunDirError(
                f"{run.record_file(record.id)} must hold an architecture of {record.trial.family}. Got "
                f"{type(error).__name__}: {error}. Run `gpscale doctor` on the run directory: it moves the trial away."
            ) from None
    table = pd.DataFrame(rows, columns=list(TRIAL_COLUMNS)).astype(_TRIAL_TYPES)
    return TrialTable(table.sort_values(["macs", "id"], ignore_index=True))


def _row(record: TrialRecord, base: families.Base, base_macs: int) -> dict[str, Any]:
    family = families.get(record.trial.family)
    architecture = family.architecture_from_dict(record.trial.architecture)
    row = family.row(architecture)[None]
    macs, params = (int(count[0]) for count in family.count(row, record.trial.num_classes))
    result = dataclasses.asdict(record.result) if record.result else {}
    return {
        **dict(zip(FACTOR_NAMES, family.realised(base, row)[0], strict=True)),
        "architecture": architecture_key(record.trial.architecture),
        **{key: value for key, value in result.items() if key in TRIAL_COLUMNS},
        "id": record.id,
        "state": str(record.state),
        "c": macs / base_macs,
        "macs": macs,
        "params": params,
        "pixels": architecture.pixels,
        "seed": record.trial.seed,
        "seconds": record.measured.get("train_seconds", np.nan) + record.measured.get("evaluate_seconds", np.nan),
        "images_per_second": record.measured.get("images_per_second", np.nan),
        "reason": str(record.failure) if record.failure else record.stopped.rule if record.stopped else "",
        "detail": str(record.stopped) if record.stopped else record.detail,
    }
