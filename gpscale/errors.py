"""The errors a user can meet. Each is a `GpscaleError` and a builtin error of its kind.

A message has one sentence with what must hold, one with what was got, one with what to do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable


class GpscaleError(Exception):
    """Base of every error that gpscale raises on purpose.

    Example:
        >>> from gpscale import recommend
        >>> try:
        ...     recommend("lots")
        ... except GpscaleError as error:
        ...     print(type(error).__name__)
        UnitError
    """


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


class ImageSizeError(GpscaleError, ValueError):
    """A family cannot take images of that many pixels."""


class OutOfRangeError(GpscaleError, ValueError):
    """A budget lies outside the range that a study has measured."""


@dataclasses.dataclass(frozen=True)
class Reach:
    """Which budgets a study has a recommendation for.

    Attributes:
        study: Name of the study.
        c_range: Lowest and highest reduction factor that it holds.
        base: Name of the base that was asked for, and its multiply-accumulates; None where none was.
        other_base: Name of a base that takes the budget where that one does not; None where there is none.
        least, largest: Ends of the budgets of that base, or of all where none was asked for, as people write them.
        nearest: The budget nearest to the one that was asked for.
    """

    study: str
    c_range: tuple[float, float]
    base: tuple[str, int] | None
    other_base: str | None
    least: str
    largest: str
    nearest: str


class UnmeasuredBudgetError(OutOfRangeError):
    """A study has no recommendation for a budget.

    Attributes:
        reach: Which budgets it has one for.
    """

    reach: Reach

    @classmethod
    def of(cls, message: str, reach: Reach) -> UnmeasuredBudgetError:
        """Make the error with a message for callers in Python, and what others need to word it."""
        made = cls(message)
        made.reach = reach
        return made


class SweepFileError(GpscaleError, ValueError):
    """A sweep file is not legal."""


class DataError(GpscaleError, ValueError):
    """Images are missing, corrupt or too few."""


class RunDirError(GpscaleError, RuntimeError):
    """A run directory cannot be used: another sweep's, locked, or damaged."""


class StorageError(GpscaleError, OSError):
    """A file cannot be written: its disk is full, or its directory may not be written."""

    @classmethod
    def of(cls, path: object, error: OSError) -> StorageError:
        """Make the error for a file that could not be written.

        Args:
            path: The file.
            error: What the operating system said; its `errno` is kept.
        """
        # imported here because almost no run of a command gets here
        import errno

        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        remedy = "Make room on its disk" if full else "Mend its place or its permissions, or choose another place"
        made = cls(
            f"{path} must be writable. Got: {error.strerror or error}. {remedy}, then run the same command again: "
            "nothing that was finished is lost."
        )
        made.errno = error.errno
        return made


class FitError(GpscaleError, ValueError):
    """Too few or unusable trials to fit a surface, a Pareto set or a rule."""


class TrainingError(GpscaleError, RuntimeError):
    """A training cannot go on: its loss is no longer finite."""


class TooManyFailuresError(GpscaleError, RuntimeError):
    """A sweep was stopped because more of its trials failed than it may lose."""


class ClusterError(GpscaleError, RuntimeError):
    """A cluster cannot be reached, or cannot run trials."""


class ExecutorError(GpscaleError, ValueError):
    """The settings of an executor do not go together."""


class DeviceError(GpscaleError, RuntimeError):
    """A device that a model should run on is not there."""


class OutOfMemoryError(GpscaleError, MemoryError):
    """A model does not fit into the memory of its device."""


class RuntimeChoiceError(GpscaleError, ValueError):
    """A runtime cannot run a model, or cannot run it so."""


class ModelFileError(GpscaleError, ValueError):
    """A file of a recommendation or of weights is not legal, or not of the model that it is used with."""


class ExportError(GpscaleError, ValueError):
    """A model cannot be exported, or cannot be exported so."""


class ParityError(GpscaleError, RuntimeError):
    """An exported model does not answer as torch does."""


class TimingsError(GpscaleError, ValueError):
    """A file of timings is not legal."""


class MissingTrialError(GpscaleError, LookupError):
    """A stored study does not hold a trial that it is asked for."""


class PretrainedError(GpscaleError, ValueError):
    """Pretrained weights were asked for where none exist."""


class MissingPackageError(GpscaleError, ImportError):
    """A package that only an extra of gpscale installs is not there."""

    @classmethod
    def of(cls, what: str, package: str, extra: str) -> MissingPackageError:
        """Make the error for a part of gpscale whose package is not installed.

        Args:
            what: What needs it, for example `"gpscale.explore"`.
            package: Its name for pip.
            extra: The extra of gpscale that installs it.
        """
        return cls(f'{what} needs {package}. Got none installed. Run: pip install "gpscale[{extra}]"')


def known_and_nearest(name: object, known: Iterable[str]) -> str:
    """Say which names are known and which is nearest to `name`."""
    names = sorted(known)
    return f"Known: {', '.join(names) or 'none'}.{nearest_to(name, names)}"


def nearest_to(name: object, known: Iterable[str]) -> str:
    """Ask, after a space, whether the known name nearest to `name` was meant; empty where none is near."""
    # imported here because almost no run of a command gets here
    import difflib

    nearest = difflib.get_close_matches(str(name), sorted(known), n=1)
    return f" Did you mean {nearest[0]!r}?" if nearest else ""
