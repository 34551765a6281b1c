"""When a trial need not be trained to its end: as far as earlier trials tell, it cannot reach the front any more.

The MACs of a trial are known before it is trained, so what it has to beat is known too: the best final top-1 that was
reached with as many MACs or fewer. A decision about a trial rests on its own learning curve and on trials that stand
earlier in the plan and were trained to their end; not on when or where any of them ran.

How optimistic: `Dominated` adds to the top-1 that a trial has after an epoch the most that a trial may still gain. That
is the largest gain that was seen from there, or, if it is higher, the one-sided 99 % prediction bound of one more gain,
mean + t(0.99, n - 1) sd sqrt(1 + 1/n). It was chosen on the learning curves of the two shipped studies (30 trials of 2
epochs; 24 of 8), each replayed in 300 random orders, by how many of the orders lose a part of the front:

    bound                            MACs saved    orders that lose
    largest gain                     16 %; 35 %    0 %; 61 %
    larger of it and t at 95 %       15 %; 25 %    0 %; 25 %
    largest gain + 1 sd              13 %; 19 %    0 %; 7 %
    larger of it and t at 99 %       13 %; 17 %    0 %; 0.3 %

That is with one worker, and of 24 or 30 trials, 8 of which must be trained to their end first.

Known biases. A trial that was stopped tells nothing of gains, so the bound rests on those that did well. And because
stopped trials are not fitted, surfaces know less of what is bad, and their predictions there revert to the mean.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gpscale.trial import Stop

LEAST_TRIALS = 8
"""How many earlier trials a bound needs at least."""

_LEVEL = 0.99


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """A trial that was trained to its end.

    Attributes:
        macs: Multiply-accumulates of one image.
        top1: Final top-1, a fraction in [0, 1].
        curve: Top-1 after each epoch, EMA weights, (epochs,) float64 in [0, 1]; None where it is not known, and the
            trial then counts for the front alone.
    """

    macs: int
    top1: float
    curve: npt.NDArray[np.float64] | None


class Dominated:
    """Stops a trial whose optimistic final top-1 is below what the front already has at the trial's MACs.

    Example:
        >>> earlier = [Trained(10, 0.5, np.array([0.3, 0.5])) for _ in range(8)]
        >>> print(Dominated().judge(10, [0.2], 2, earlier))
        after epoch 1 of 2: top-1 20.0%, in the end at best 40.0%; the front has 50.0% at its MACs
        >>> Dominated().judge(9, [0.2], 2, earlier) is None
        True
    """

    name = "dominated"

    def judge(self, macs: int, curve: Sequence[float], epochs: int, earlier: Sequence[Trained]) -> Stop | None:
        """Return where a trial is to stop: after the first epoch that says so; None while it is to go on.

        Args:
            macs: Multiply-accumulates of one image.
            curve: Its top-1 after each epoch so far, EMA weights, (epochs so far,) in [0, 1].
            epochs: Of the whole training; nothing is left to stop after the last.
            earlier: The trials before it in the plan that were trained to their end.
        """
        reached = [trial.top1 for trial in earlier if trial.macs <= macs]
        curves = [trial.curve for trial in earlier if trial.curve is not None]
        if not reached or len(curves) < LEAST_TRIALS:
            return None
        front = max(reached)
        for place, top1 in enumerate(curve[: epochs - 1]):
            # epoch by epoch, so that no rounding depends on how far the trial has come
            optimistic = min(1.0, top1 + _most(np.array([known[-1] - known[place] for known in curves])))
            if optimistic < front:
                return Stop(self.name, place + 1, epochs, float(top1), optimistic, front, len(curves))
        return None


def _most(gains: npt.NDArray[np.float64]) -> float:
    """Return the most that one more trial may gain.

    Args:
        gains: What trials gained from an epoch to the end, (n,) float64 in [-1, 1].
    """
    # imported here because scipy takes long, and most sweeps stop nothing
    from scipy.special import stdtrit

    n = len(gains)
    reach = float(stdtrit(n - 1, _LEVEL)) * math.sqrt(1 + 1 / n)
    return float(max(gains.max(), gains.mean() + reach * gains.std(ddof=1)))
