"""Progress of a sweep: bars on a terminal, plain lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from gpscale.execution import Ended, Event, Progressed, Started
from gpscale.sweep import Plan
from gpscale.trial import Progress, TrialRecord

_PLAIN_SECONDS = 15.0
_JSON_SECONDS = 1.0


class Listener(Protocol):
    """Is told what a sweep does."""

    def plan(self, plan: Plan) -> None:
        """Hear what is about to happen."""
        ...

    def event(self, event: Event) -> None:
        """Hear of one event."""
        ...


@contextmanager
def listener(*, as_json: bool, workers: Callable[[], int]) -> Iterator[Listener]:
    """Yield the listener that suits the output: bars where standard error is a terminal.

    One that is interrupted from the keyboard says how to go on.

    Args:
        as_json: For machines.
        workers: Returns how many trials run at a time; asked when there is a plan, for which it may have been settled.
    """
    from rich.console import Console

    try:
        if as_json:
            yield _JsonLines()
        elif (console := Console(stderr=True)).is_terminal:
            bars = _Bars(console)
            with bars.progress:
                yield bars
        else:
            yield _Lines(workers)
    except KeyboardInterrupt:
        if as_json:
            _json_line("interrupted")
        else:
            _say("Interrupted. What has finished is kept. Run the same command again to go on.")
        raise


class _JsonLines:
    """One JSON document for each event, of those that report progress one a second for each trial."""

    def __init__(self) -> None:
        self._spoke: dict[str, float] = {}

    def plan(self, plan: Plan) -> None:
        _json_line("plan", what=plan.what, trials=len(plan.trials), done=len(plan.done))

    def event(self, event: Event) -> None:
        if isinstance(event, Started):
            _json_line("started", trial=event.trial_id)
        elif isinstance(event, Progressed):
            if time.monotonic() - self._spoke.get(event.progress.trial_id, -_JSON_SECONDS) >= _JSON_SECONDS:
                self._spoke[event.progress.trial_id] = time.monotonic()
                _json_line("progress", **_progress(event.progress))
        elif isinstance(event, Ended):
            top1 = event.record.result.top1 if event.record.result else None
            stopped = event.record.stopped
            _json_line(
                "ended",
                trial=event.record.id,
                state=str(event.record.state),
                top1=top1,
                detail=str(stopped) if stopped else event.record.detail,
            )


class _Lines:
    """One line for each trial that ends, and now and then one for those that run."""

    def __init__(self, workers: Callable[[], int]) -> None:
        self._workers = workers
        self._total = self._ended = 0
        self._spoke = time.monotonic()

    def plan(self, plan: Plan) -> None:
        self._total, self._ended = len(plan.trials), len(plan.done)
        _say(f"{self._total} {plan.what}, {self._ended} done before, {self._workers()} at a time")

    def event(self, event: Event) -> None:
        if isinstance(event, Ended):
            self._ended += 1
            _say(f"[{self._ended}/{self._total}] {_outcome(event.record)}")
        elif isinstance(event, Progressed) and time.monotonic() - self._spoke > _PLAIN_SECONDS:
            self._spoke = time.monotonic()
            now = event.progress
            _say(
                f"  {now.trial_id} epoch {now.epoch}/{now.epochs}, {now.images:,}/{now.images_total:,} images, "
                f"{now.images_per_second:.0f} images/s, loss {now.loss:.3f}{_time_left(now)}"
            )


class _Bars:
    """A bar over trials, and one for each running trial."""

    def __init__(self, console: Any) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._tasks: dict[str, Any] = {}
        self._all: Any = None

    def plan(self, plan: Plan) -> None:
        self._all = self.progress.add_task(plan.what, total=len(plan.trials), completed=len(plan.done), note="")

    def event(self, event: Event) -> None:
        if isinstance(event, Started):
            # one that was lost with its fork server starts again
            if event.trial_id not in self._tasks:
                self._tasks[event.trial_id] = self.progress.add_task(event.trial_id, total=None, note="starting")
        elif isinstance(event, Progressed):
            now = event.progress
            self.progress.update(
                self._tasks[now.trial_id],
                total=now.images_total,
                completed=now.images,
                note=f"{now.images_per_second:.0f} images/s, loss {now.loss:.3f}",
            )
        else:
            task = self._tasks.pop(event.record.id, None)
            if task is not None:
                self.progress.remove_task(task)
            self.progress.advance(self._all)
            self.progress.console.print(_outcome(event.record), highlight=False, markup=False)


def _outcome(record: TrialRecord) -> str:
    if record.stopped is not None:
        return f"{record.id} stopped {record.stopped}"
    if record.result is None:
        return f"{record.id} failed: {record.failure}: {record.detail}"
    seconds = record.measured.get("train_seconds", 0.0) + record.measured.get("evaluate_seconds", 0.0)
    return (
        f"{record.id} top-1 {record.result.top1:.1%}, {record.result.macs / 1e6:,.1f}M MACs, "
        f"{record.trial.architecture['pixels']} px, {seconds:.0f} s"
    )


def _progress(now: Progress) -> dict[str, Any]:
    speed = now.images_per_second
    left = (now.images_total - now.images) / speed if speed > 0 else None
    loss = now.loss if math.isfinite(now.loss) else None
    return {**dataclasses.asdict(now), "loss": loss, "seconds_left": left}


def _time_left(now: Progress) -> str:
    seconds = _progress(now)["seconds_left"]
    return "" if seconds is None else f", {seconds:.0f} s left"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _json_line(event: str, **values: Any) -> None:
    print(json.dumps({"event": event, **values}), file=sys.stderr, flush=True)
