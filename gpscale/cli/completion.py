"""What the shell offers on the tab key; each list is made when it is asked for."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import get_args


def studies(incomplete: str) -> list[str]:
    """Return the shipped studies, and what `runs` does."""
    from gpscale.run_dir import shipped_studies

    return sorted([*_matching(incomplete, shipped_studies()), *runs(incomplete)])


def studies_and_comparisons(incomplete: str) -> list[str]:
    """Return what `studies` does, and the comparisons that ship and those below `runs`."""
    from gpscale.comparison.comparison_list import list_comparisons

    names = [entry.name for entry in list_comparisons(Path("runs"))]
    return sorted([*studies(incomplete), *_matching(incomplete, names)])


def runs(incomplete: str) -> list[str]:
    """Return the run directories below `runs`, and those whose path, or whose parent's, begins so."""
    if incomplete.endswith(os.sep) and os.path.isfile(f"{incomplete}sweep.yaml"):
        return [incomplete]
    begun = f"{glob.escape(incomplete or os.path.join('runs', ''))}*"
    # a level further down only where there is none: a run directory may hold another
    files = glob.glob(os.path.join(begun, "sweep.yaml")) or glob.glob(os.path.join(begun, "*", "sweep.yaml"))
    return sorted(os.path.dirname(file) for file in files)


def reasons(incomplete: str) -> list[str]:
    """Return the reasons for which a trial can fail."""
    from gpscale.trial import FailureReason

    return _matching(incomplete, [str(reason) for reason in FailureReason])


def bases(incomplete: str) -> list[str]:
    """Return the stock base models."""
    from gpscale import families

    return _matching(incomplete, [base for name in families.names() for base in families.get(name).stock_bases])


def families(incomplete: str) -> list[str]:
    """Return the families there are."""
    from gpscale.families import names

    return _matching(incomplete, names())


def scaling_rules(incomplete: str) -> list[str]:
    """Return the scaling rules."""
    from gpscale.rules import names

    return _matching(incomplete, names())


def methods(incomplete: str) -> list[str]:
    """Return the ways to recommend."""
    from gpscale.recommendation import Method

    return _matching(incomplete, list(get_args(Method)))


def formats(incomplete: str) -> list[str]:
    """Return the formats that models are exported in."""
    from gpscale.export import FORMATS

    return _matching(incomplete, list(FORMATS))


def figures(incomplete: str) -> list[str]:
    """Return the figures there are."""
    from gpscale.plotting.catalogue import FIGURES

    return _matching(incomplete, list(FIGURES))


def factors(incomplete: str) -> list[str]:
    """Return the factors there are."""
    from gpscale.factors import FACTOR_NAMES

    return _matching(incomplete, list(FACTOR_NAMES))


def _matching(incomplete: str, names: list[str]) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})
