"""How many trials share a graphics card: found by training a few at a time, because memory and speed both decide.

One small network leaves most of a card idle, so that several at a time get more done; from some number on they only
wait for each other, or no longer fit. The number is doubled as long as that pays.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import wait
from typing import IO, TYPE_CHECKING

from gpscale.execution.base import Job
from gpscale.execution.fork_server import ForkServer
from gpscale.execution.worker import count_trial, new_training

if TYPE_CHECKING:
    from gpscale.training.loop import Training

LEAST_GAIN = 1.1
"""Twice as many trials must train so many times as many images a second."""

TRAIN_SECONDS = 3.0
WARM_UP_STEPS = 3
"""Steps that choose kernels and fill the allocator's pool."""

LONGEST_SECONDS = 120.0
"""After which a number of trials counts as too many: something hangs."""

_READY = b"ready"


def find_workers(
    jobs: Sequence[Job],
    most: int,
    preload: Sequence[str],
    environment: Mapping[str, str],
    seconds: float = TRAIN_SECONDS,
    longest: float = LONGEST_SECONDS,
) -> int:
    """Return how many trials at a time train the most images a second on the device that trials train on.

    Args:
        jobs: What will run, at least one; those with the most multiply-accumulates are tried.
        most: Most trials at a time.
        preload: Modules that the processes need.
        environment: Variables of the processes, on top of this one's.
        seconds: How long each number of trials is tried, after a warm-up.
        longest: Seconds that a number of trials may take in all.

    Returns:
        At least 1, which stands also where not even one trial works: its record will say why.
    """
    costly = sorted(jobs, key=lambda job: count_trial(job.trial)[0], reverse=True)[:most]
    counts = [1 << power for power in range(len(costly).bit_length())]
    if len(counts) == 1:
        return 1
    with contextlib.ExitStack() as stack:
        gates = [_pipe(stack) for _ in counts]
        answers, said = _pipe(stack)
        server = ForkServer(preload, environment, keep=[said.fileno(), *(begin.fileno() for begin, _ in gates)])
        stack.callback(server.close)
        places = iter(gates)

        def speed(count: int) -> float | None:
            begin, release = next(places)
            try:
                for place, job in enumerate(costly[:count]):
                    server.start(str(place), _train, job, begin.fileno(), said.fileno(), seconds)
                return _gather(server, answers, release, count, time.monotonic() + longest)
            except EOFError:
                # the server was killed, often for lack of memory
                return None

        return most_productive(speed, counts)


def most_productive(speed: Callable[[int], float | None], counts: Sequence[int]) -> int:
    """Return the number of trials at a time after which more do not pay.

    Args:
        speed: Images a second of so many trials together; None where they do not fit.
        counts: Numbers to try, ascending, the first of which is taken whatever its speed.

    Example:
        >>> most_productive({1: 100.0, 2: 180.0, 4: 190.0, 8: 400.0}.get, [1, 2, 4, 8])
        2
    """
    best, fastest = counts[0], speed(counts[0])
    for count in counts[1:]:
        found = None if fastest is None else speed(count)
        if fastest is None or found is None or found < LEAST_GAIN * fastest:
            break
        best, fastest = count, found
    return best


def _pipe(stack: contextlib.ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    """Return both ends of a pipe, which the stack closes, if they are not closed before."""
    read_end, write_end = os.pipe()
    return (
        stack.enter_context(os.fdopen(read_end, "rb", buffering=0)),
        stack.enter_context(os.fdopen(write_end, "wb", buffering=0)),
    )


def _gather(server: ForkServer, answers: IO[bytes], release: IO[bytes], count: int, deadline: float) -> float | None:
    """Let the processes train when all are ready; return the sum of what they say, None where one has failed."""
    ready, running, total, failed = 0, count, 0.0, False
    while running:
        found = wait([server.connection, answers.fileno()], None if failed else max(0.0, deadline - time.monotonic()))
        # before the exit of the process that has written it
        if answers.fileno() in found:
            for line in os.read(answers.fileno(), 1 << 16).split():
                if line == _READY:
                    ready += 1
                    if ready == count:
                        release.close()
                else:
                    total += float(line)
        status = 0
        if server.connection in found:
            _, status = server.next_exit()
            running -= 1
        if not failed and (status or not found):
            failed = True
            # those that wait would wait for ever
            for place in range(count):
                server.kill(str(place))
    return None if failed else total


def _train(job: Job, begin: int, said: int, seconds: float) -> None:
    """Be one of the trials: get ready, wait for the others, and say how many images a second were trained."""
    import torch

    # that it does not fit is one of the answers, and not for the terminal
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    torch.set_num_threads(1)
    training = new_training(job)
    steps = _endless(training)
    for _ in range(WARM_UP_STEPS):
        next(steps)
    # a validation takes room of its own, which a trial then keeps
    training.finish_epoch()
    training.position.epoch = 0
    steps = _endless(training)
    os.write(said, _READY + b"\n")
    # its end, when all are ready
    os.read(begin, 1)
    start, taken = time.perf_counter(), 0
    while not taken or time.perf_counter() - start < seconds:
        next(steps)
        taken += 1
    training.read_losses()
    elapsed = time.perf_counter() - start
    if training.position.parts > 1:
        raise MemoryError("A whole batch does not fit beside the other trials.")
    os.write(said, f"{taken * training.batch_size / elapsed}\n".encode())


def _endless(training: Training) -> Iterator[None]:
    """Take the steps of the first epoch again and again."""
    while True:
        yield from training.steps()
        training.position.step = 0
