"""How latency grows with the resolution: measured at several sizes, and the exponent that fits."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from gpscale.benchmark.latency import Benchmark, Tell, Timed, bench
from gpscale.benchmark.protocol import Protocol
from gpscale.errors import RuntimeChoiceError

_CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Growth:
    """How a model's latency grows: as the side of its images to the power of `exponent`.

    Attributes:
        model: Name without a size.
        pixels: Sides of the images, ascending.
        rows: The model at each.
        exponent: Fitted by least squares on logarithms of medians; 2 is in proportion to the number of pixels.
        interval: Its 95 % interval; None of two sizes.
        macs_exponent: That of the MACs.
        cpu_exponent: That of medians of processor time.
    """

    model: str
    pixels: tuple[int, ...]
    rows: tuple[Timed, ...]
    exponent: float
    interval: tuple[float, float] | None
    macs_exponent: float
    cpu_exponent: float

    @property
    def medians(self) -> list[float]:
        """Median seconds of a run at each size."""
        return [row.timing.percentiles["p50"] for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        """Return the growth as JSON values."""
        return {
            "model": self.model,
            "exponent": self.exponent,
            "interval": self.interval,
            "macs_exponent": self.macs_exponent,
            "cpu_exponent": self.cpu_exponent,
            "sizes": [
                {"pixels": side, "macs": row.macs, "params": row.params, **row.timing.to_dict()}
                for side, row in zip(self.pixels, self.rows, strict=True)
            ],
        }


def measure_growth(
    models: Sequence[str],
    pixels: Sequence[int],
    protocol: Protocol,
    *,
    runtime: str = "torch",
    device: str = "cpu",
    num_classes: int = 1000,
    tell: Tell = lambda text: None,
) -> tuple[Benchmark, list[Growth]]:
    """Time models at several sizes, all in turns.

    Args:
        models: Names without a size, as in `families.named.find_model`.
        pixels: Sides of square images, at least two.
        protocol: How they are timed.
        runtime: One of `runtimes.RUNTIMES`.
        device: `"cpu"` or `"cuda"`.
        num_classes: Outputs of the classifier.
        tell: Called with what is being done.

    Raises:
        GpscaleError: As in `bench`; a model cannot take one of the sizes.
        RuntimeChoiceError: A name has a size, or there are fewer than two.

    Example:
        >>> from gpscale.benchmark import protocol_of
        >>> quick = protocol_of("gpscale", runs=1, warm_up=0)
        >>> _, (growth,) = measure_growth(["mobilenetv1_025"], [32, 64], quick)
        >>> growth.pixels, round(growth.macs_exponent, 1)
        ((32, 64), 1.7)
    """
    sides = sorted(set(pixels))
    if len(sides) < 2:
        raise RuntimeChoiceError(f"Growth needs at least two sizes of images. Got {list(pixels)}. Name another.")
    names = list(dict.fromkeys(models))
    for name in names:
        if "@" in name:
            raise RuntimeChoiceError(
                f"Models that are timed at several resolutions must be named without a size. Got {name!r}. Write "
                f"{name.split('@')[0]!r}."
            )
    timed = bench(
        [f"{name}@{side}" for name in names for side in sides],
        protocol,
        runtime=runtime,
        device=device,
        num_classes=num_classes,
        tell=tell,
    )
    found = []
    for number, name in enumerate(names):
        rows = timed.rows[number * len(sides) : (number + 1) * len(sides)]
        medians = [row.timing.percentiles["p50"] for row in rows]
        exponent, interval = fit_exponent(sides, medians)
        macs_exponent, _ = fit_exponent(sides, [row.macs for row in rows])
        cpu_exponent, _ = fit_exponent(sides, [row.timing.processor.percentiles["p50"] for row in rows])
        found.append(Growth(name, tuple(sides), rows, exponent, interval, macs_exponent, cpu_exponent))
    return timed, found


def fit_exponent(sides: Sequence[int], values: Sequence[float]) -> tuple[float, tuple[float, float] | None]:
    """Fit `value = a side^b` by least squares on logarithms.

    Returns:
        The exponent b, and its 95 % interval (Student's t); None of two points, which a line always meets.

    Example:
        >>> fit_exponent([1, 2], [3.0, 12.0])
        (2.0, None)
    """
    x, y = np.log(np.array(sides, dtype=np.float64)), np.log(np.array(values, dtype=np.float64))
    x, y = x - x.mean(), y - y.mean()
    exponent = float(x @ y / (x @ x))
    if len(x) == 2:
        return exponent, None
    from scipy.stats import t

    freedom = len(x) - 2
    error = np.sqrt(((y - exponent * x) ** 2).sum() / freedom / (x @ x))
    reach = float(t.ppf((1 + _CONFIDENCE) / 2, freedom) * error)
    return exponent, (exponent - reach, exponent + reach)
