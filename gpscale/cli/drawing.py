"""Draw the figures of a study, or give the tables behind them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from gpscale.errors import UnknownNameError
from gpscale.factors import check_factor_name
from gpscale.plotting.base import Columns
from gpscale.plotting.catalogue import choose_figures, every, figure, table
from gpscale.plotting.files import FORMATS, KNOWN_FORMATS, write_figure
from gpscale.run_dir import SHIPPED_STUDIES, find_study
from gpscale.stored import write_atomically
from gpscale.study import Study
from gpscale.trial import check_outcome


def plot(
    run: str,
    names: Sequence[str],
    formats: Sequence[str],
    columns: Columns | None,
    outcome: str | None,
    factors: Sequence[str],
    output: Path | None,
    *,
    data: bool,
) -> None:
    """Write figures or their tables and print the files; what is left out is told on standard error.

    Args:
        run: Run directory or shipped study.
        names: Figures, each of which must be possible; none for all that are.
        formats: Endings; none for the usual ones.
        columns: Width; None for each figure's own.
        outcome: `"top1"` or `"top5"`; None for what each figure shows by itself.
        factors: Along which; none for what each figure shows by itself.
        output: Directory to write to; None for the study's own.
        data: Tables instead of figures; that of a single named figure is printed unless `output` is given.
    """
    for kind in formats:
        if kind not in KNOWN_FORMATS:
            raise UnknownNameError.of("format", kind, KNOWN_FORMATS)
    if outcome is not None:
        check_outcome(outcome)
    for factor in factors:
        check_factor_name(factor)
    chosen, left_out = choose_figures(names, outcome, factors)
    study = Study(find_study(run))

    def make(name: str) -> pd.DataFrame | Figure:
        return table(study, name, outcome, factors) if data else figure(study, name, columns, outcome, factors)

    # what was named is made in full before anything is written
    made, missing = ({name: make(name) for name in chosen}, {}) if names else every(make, chosen)
    printed = made.get(chosen[0]) if len(names) == 1 and output is None else None
    if isinstance(printed, pd.DataFrame):
        printed.to_csv(sys.stdout, index=False)
        return
    choices = [*factors, outcome] if outcome else factors
    for name, found in made.items():
        stem = (output or _directory(study)) / "_".join([name, *choices])
        for file in _write(found, stem, formats or FORMATS):
            print(file)
    for name, reason in missing.items():
        print(f"no {name}: {reason}", file=sys.stderr)
    for name, reason in left_out.items():
        print(f"left out {name}: it {reason}", file=sys.stderr)


def _directory(study: Study) -> Path:
    """Return where figures go that nobody placed: to the study's own, but never into the installed package."""
    shipped = study.run.path.parent == SHIPPED_STUDIES
    return Path("figures") / study.name if shipped else study.run.figures


def _write(found: pd.DataFrame | Figure, stem: Path, formats: Sequence[str]) -> list[Path]:
    if isinstance(found, Figure):
        return write_figure(found, stem, formats)
    file = stem.with_name(f"{stem.name}.csv")
    write_atomically(file, found.to_csv(index=False))
    return [file]
