"""The errors a user can meet. Each is a `GpscaleError` and a builtin error of its kind.

A message has one sentence with what must hold, one with what was got, one with what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GpscaleError(Exception):
    """Base of every error that gpscale raises on purpose."""


class UnitError(GpscaleError, ValueError):
    """A quantity such as `macs="500M"` cannot be read."""


class FactorError(GpscaleError, ValueError):
    """A factor or a bound of a factor is not legal."""


class UnknownNameError(GpscaleError, LookupError):
    """A name of a family, model, study, sampler, factor ... is not known."""

    @classmethod
    def of(cls, kind: str, name: object, known: Iterable[str]) -> UnknownNameError:
        """Make the error for an unknown `name`, listing what is known and the nearest match.

        Args:
            kind: What the name should have been, for example `"sampler"`.
            name: What was got.
            known: Every legal name.
        """
        return cls(f"Unknown {kind} {name!r}. {known_and_nearest(name, known)}")


class SpaceError(GpscaleError, ValueError):
    """A search space is empty or cannot be drawn from."""


class BudgetError(GpscaleError, ValueError):
    """No architecture fits the budget of MACs."""


class OutOfRangeError(GpscaleError, ValueError):
    """A budget lies outside the range that a study has measured."""


class SweepFileError(GpscaleError, ValueError):
    """A sweep file is not legal."""


class DataError(GpscaleError, ValueError):
    """Images are missing, corrupt or too few."""


class RunDirError(GpscaleError, RuntimeError):
    """A run directory cannot be used: another sweep's, locked, or damaged."""


class FitError(GpscaleError, ValueError):
    """Too few or unusable trials to fit a surface, a Pareto set or a rule."""


class TrainingError(GpscaleError, RuntimeError):
    """A training cannot go on: its loss is no longer finite."""


class PretrainedError(GpscaleError, ValueError):
    """Pretrained weights were asked for where none exist."""


def known_and_nearest(name: object, known: Iterable[str]) -> str:
    """Say which names are known and which is nearest to `name`."""
    names = sorted(known)
    nearest = difflib.get_close_matches(str(name), names, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    return f"Known: {', '.join(names) or 'none'}.{hint}"
