"""Takes the decisions of a stopping rule so that the records do not depend on workers, or on who ends first.

A trial is settled when it and all earlier ones of the plan have ended. Its record is then a function of its learning
curve and of the settled records and curves before it: it counts as stopped at the first epoch after which the rule says
so, even where it was trained further in the meantime, or to its end. What was trained beyond stays in its curve, and is
told in `measured`.

A trial that runs can be stopped only when all earlier ones are settled. With many workers that is late: they save less
than one, and have the same records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gpscale import families
from gpscale.errors import RunDirError
from gpscale.execution import Ended, Event, Executor, Progressed, Started
from gpscale.run_dir import RunDir
from gpscale.stopping import Dominated, Trained
from gpscale.training.checkpoint import remove_checkpoint
from gpscale.training.curve import CURVE_FILE, CurveRow, read_curve
from gpscale.trial import Stop, Trial, TrialRecord, TrialState


class Settling:
    """Settles the trials of one plan in order."""

    def __init__(self, trials: Sequence[Trial], run: RunDir, rule: Dominated) -> None:
        """Settle what has ended before.

        Args:
            trials: The plan.
            run: Where the records lie; those of trials that count as stopped are written anew.
            rule: Says who is to stop.

        Raises:
            RunDirError: A record or a curve there is damaged.
        """
        self._trials, self._run, self._rule = trials, run, rule
        self._place = 0
        self._earlier: list[Trained] = []
        self._running: set[str] = set()
        self._heard: set[str] = set()
        self._epoch = 0
        for _ in self._settled():
            pass

    def hear(self, event: Event, executor: Executor) -> Iterator[Event]:
        """Hear what an executor says, stop the trial that is to stop, and yield what may be told.

        That is every event, but the end of a trial only when it is settled, with the record that stays.

        Args:
            event: From the executor's `run`.
            executor: Is asked to stop a trial.
        """
        match event:
            case Started(trial_id):
                self._running.add(trial_id)
                yield event
            case Progressed():
                yield event
            case Ended(record):
                self._running.discard(record.id)
                self._heard.add(record.id)
                for settled in self._settled():
                    if settled.id in self._heard:
                        yield Ended(settled)
        if self._place < len(self._trials) and self._trials[self._place].id in self._running:
            self._look_at_running(self._trials[self._place], event, executor)

    def _look_at_running(self, trial: Trial, event: Event, executor: Executor) -> None:
        """Stop the earliest trial that is not settled, if it has come to an epoch that says so."""
        if isinstance(event, Progressed):
            if event.progress.trial_id != trial.id or event.progress.epoch == self._epoch:
                return
            self._epoch = event.progress.epoch
        rows = read_curve(self._run.trial(trial.id))
        stop = self._judge(trial, rows)
        if stop is not None:
            executor.stop(_stopped(trial, stop, None, rows))

    def _settled(self) -> Iterator[TrialRecord]:
        """Settle all that can be, in order, and yield their records."""
        while self._place < len(self._trials):
            trial = self._trials[self._place]
            record = None if trial.id in self._running else self._run.record(trial.id)
            settled = record and self._settle(trial, record)
            if settled is None:
                return
            self._place, self._epoch = self._place + 1, 0
            yield settled

    def _settle(self, trial: Trial, record: TrialRecord) -> TrialRecord | None:
        """Write the record that stays, and return it; None for a trial that must be trained further after all."""
        rows = self._curve(record)
        if record.stopped is not None and len(rows) < record.measured["trained"]["epochs"]:
            # the curve is lost, and no other decision rests on it: the one that does stays
            return record
        stop, trained = self._judge(trial, rows), _as_trained(record)
        settled = trained if stop is None else _stopped(trial, stop, trained, rows)
        if settled is None:
            # an earlier trial has a new record, because it was run again
            self._run.record_file(trial.id).unlink()
            return None
        if settled != record:
            self._run.write_record(settled)
        if settled.stopped is not None:
            remove_checkpoint(self._run.trial(trial.id))
            self._run.remove_leftovers(trial.id)
        elif settled.result is not None:
            whole = len(rows) == settled.result.epochs
            curve = np.array([row.ema_top1 for row in rows]) if whole else None
            self._earlier.append(Trained(settled.result.macs, settled.result.top1, curve))
        return settled

    def _curve(self, record: TrialRecord) -> list[CurveRow]:
        """Read the learning curve of a trial that has ended.

        Raises:
            RunDirError: It is damaged; or that of a finished training is lost, on which decisions about later trials
                rest.
        """
        directory = self._run.trial(record.id)
        # what was taken from elsewhere may have come without
        if record.result is None or "replayed_from" in record.measured:
            return read_curve(directory)
        rows = read_curve(directory, record.result.epochs)
        if not rows:
            raise RunDirError(
                f"{directory / CURVE_FILE} must exist, for later trials are stopped by it. It does not. Run `gpscale "
                "doctor` on the run directory: it moves the trial away, and the sweep trains it again."
            )
        return rows

    def _judge(self, trial: Trial, rows: Sequence[CurveRow]) -> Stop | None:
        family = families.get(trial.family)
        row = family.row(family.architecture_from_dict(trial.architecture))
        macs = int(family.count(row[None], trial.num_classes)[0][0])
        return self._rule.judge(macs, [row.ema_top1 for row in rows], trial.recipe["epochs"], self._earlier)


def _stopped(trial: Trial, stop: Stop, trained: TrialRecord | None, rows: Sequence[CurveRow]) -> TrialRecord:
    """Return the record of a trial that counts as stopped.

    Args:
        trial: The trial.
        stop: Where and why.
        trained: The record that its training has left; None if it was ended before.
        rows: Its learning curve, as far as it was trained.
    """
    measured: dict[str, Any] = dict(trained.measured) if trained else {}
    values = trained.to_dict() if trained else {}
    measured["trained"] = {"epochs": len(rows), "result": values.get("result"), "failure": values.get("failure")}
    return TrialRecord(trial.id, trial, None, stopped=stop, measured=measured)


def _as_trained(record: TrialRecord) -> TrialRecord | None:
    """Return the record that the training has left, also of a trial that counts as stopped; None if it left none."""
    if record.stopped is None:
        return record
    measured = dict(record.measured)
    trained = measured.pop("trained")
    if trained["result"] is None and trained["failure"] is None:
        return None
    state = TrialState.FAILED if trained["result"] is None else TrialState.FINISHED
    return TrialRecord.from_dict({**record.to_dict(), **trained, "state": state, "stopped": None, "measured": measured})
