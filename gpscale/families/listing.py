"""Every named model with its counts, beside what papers print of it."""

from __future__ import annotations

import dataclasses
from typing import Any

from gpscale.families.base import get, names, parse_base
from gpscale.families.prints import PRINTS, Print, agrees
from gpscale.units import parse_macs


@dataclasses.dataclass(frozen=True)
class Listed:
    """A named model, and one print of it where there is any.

    Attributes:
        model: Name with pixels.
        family: Name of the family.
        pixels: Side of the square image.
        num_classes: Outputs of the classifier.
        params: Number of parameters.
        macs: Multiply-accumulates of one image.
        form: `"deployed"`, or `"trained"` where that has other counts.
        printed: What a paper prints of it.
    """

    model: str
    family: str
    pixels: int
    num_classes: int
    params: int
    macs: int
    form: str = "deployed"
    printed: Print | None = None

    def gap(self, what: str) -> float | None:
        """Return a count over what is printed, less 1; None where nothing is printed.

        Args:
            what: `"params"` or `"macs"`.
        """
        text = getattr(self.printed, what, "")
        return getattr(self, what) / parse_macs(text) - 1 if text else None

    @property
    def reproduced(self) -> bool:
        """Whether all that is printed has the digits of the counts; so where nothing is."""
        return all(agrees(getattr(self, what), text) for what in ("params", "macs") if (text := self._printed(what)))

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        values = dataclasses.asdict(self)
        if self.printed is not None:
            gaps = {f"{what}_gap": self.gap(what) for what in ("params", "macs")}
            values["printed"] |= {**gaps, "reproduced": self.reproduced}
        return values

    def _printed(self, what: str) -> str:
        return getattr(self.printed, what, "")


def list_models(num_classes: int = 1000, family: str | None = None, *, trained: bool = False) -> list[Listed]:
    """List the stock models of the families, and those that papers print.

    Args:
        num_classes: Outputs of the classifier; prints of another number of classes are listed with their own.
        family: Name of the only family to list; None lists all.
        trained: List the form that is trained as well where its counts differ; they are torch's, which takes seconds.

    Returns:
        By family, and by name and pixels within it; a model with several prints has a row for each.

    Raises:
        UnknownNameError: There is no such family.

    Example:
        >>> row = list_models(family="edgevit")[0]
        >>> row.model, row.macs, row.printed.params
        ('edgevit_s@224', 1911021792, '11.1M')
    """
    rows: list[Listed] = []
    for name in names() if family is None else [get(family).name]:
        stock = dict.fromkeys(get(name).stock_bases)
        printed = [one for one in PRINTS if parse_base(one.model).family == name]
        here = [_counted(one.model, one.num_classes, one) for one in printed]
        held = {one.model for one in here if one.num_classes == num_classes}
        here += [_counted(model, num_classes) for model in stock if model not in held]
        if trained:
            here += [row for model in stock if (row := _trained(model, num_classes)) is not None]
        rows += sorted(here, key=lambda row: (row.model.split("@")[0], row.pixels, row.num_classes, row.form))
    return rows


def _counted(model: str, num_classes: int, printed: Print | None = None) -> Listed:
    base = parse_base(model)
    family = get(base.family)
    macs, params = family.count(family.row(base.architecture)[None], num_classes)
    return Listed(
        base.name, family.name, base.architecture.pixels, num_classes, int(params[0]), int(macs[0]), printed=printed
    )


def _trained(model: str, num_classes: int) -> Listed | None:
    """Return the form of a model that is trained, None where it has the counts of the deployed one."""
    import torch

    from gpscale.counting import count_module

    base, deployed = parse_base(model), _counted(model, num_classes)
    with torch.device("meta"):
        built = get(base.family).build(base.architecture, num_classes)
    macs, params = count_module(built, (deployed.pixels, deployed.pixels))
    if (macs, params) == (deployed.macs, deployed.params):
        return None
    return dataclasses.replace(deployed, macs=macs, params=params, form="trained")
