"""How many trials may fail before a sweep gives up."""

from __future__ import annotations

from gpscale.errors import TooManyFailuresError
from gpscale.execution import Ended, Event
from gpscale.run_dir import RunDir
from gpscale.trial import TrialRecord


class FailureLimit:
    """Counts the trials that fail, over all plans of one run of a sweep."""

    def __init__(self, run: RunDir, most: int | None) -> None:
        """Start at none.

        Args:
            run: Where the trials lie.
            most: Failure at which the sweep stops, >= 1; None for never.
        """
        self._run, self._most = run, most
        self._failed: list[TrialRecord] = []

    def hear(self, event: Event) -> None:
        """Hear what an executor says.

        Raises:
            TooManyFailuresError: One trial too many has failed.
        """
        if not isinstance(event, Ended) or event.record.failure is None:
            return
        self._failed.append(event.record)
        if len(self._failed) == self._most:
            raise self._error()

    def _error(self) -> TooManyFailuresError:
        reasons = sorted({str(record.failure) for record in self._failed})
        last = self._failed[-1]
        return TooManyFailuresError(
            f"A sweep stops when --max-failures of its trials have failed. Got {len(self._failed)} "
            f"({', '.join(reasons)}), the last one {last.id}: {last.detail}. Look at "
            f"{self._run.trial(last.id) / 'log.txt'}, mend the cause, and run the sweep again with "
            f"{' '.join(f'--retry {reason}' for reason in reasons)}."
        )
