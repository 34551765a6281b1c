"""Timings that were taken elsewhere, such as on a phone: a CSV file that joins the tables.

| column | meaning |
|---|---|
| `model` | name, as in `gpscale count` |
| `mean_ms` | mean wall time of a run, milliseconds |
| `sd_ms` | its standard deviation over the runs |
| `batch` | images of a run; 1 where it is left out |
| `device`, `runtime`, `threads`, `dtype`, `runs` | on what it was measured, and how often |
| `source` | who measured it |

`model` and `mean_ms` must be there, the others may be left out or empty.
"""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gpscale.errors import GpscaleError, TimingsError, known_and_nearest
from gpscale.families.named import find_model

REQUIRED = ("model", "mean_ms")
COLUMNS = (*REQUIRED, "sd_ms", "batch", "device", "runtime", "threads", "dtype", "runs", "source")


@dataclasses.dataclass(frozen=True)
class ImportedTiming:
    """One line of such a file, with the model's counts.

    Attributes:
        model: Name with its size.
        macs: Multiply-accumulates of one image.
        params: Number of parameters.
        mean_ms: Mean wall time of a run, milliseconds.
        sd_ms: Its standard deviation; None where it is not known.
        batch: Images of a run.
        device: On what; empty where it is not known, as are the others.
        runtime: With what.
        threads: With how many threads.
        dtype: In which precision.
        runs: How often.
        source: Who measured it.
    """

    model: str
    macs: int
    params: int
    mean_ms: float
    sd_ms: float | None
    batch: int
    device: str
    runtime: str
    threads: str
    dtype: str
    runs: str
    source: str

    @property
    def images_per_second(self) -> float:
        """Images over seconds."""
        return 1e3 * self.batch / self.mean_ms

    @property
    def place(self) -> str:
        """Where and how it was taken, in words; timings of one place can be compared with each other."""
        threads = f"{self.threads} thread{'' if self.threads == '1' else 's'}" if self.threads else ""
        batch = f"batch {self.batch}" if self.batch > 1 else ""
        return ", ".join(filter(None, (self.device, self.runtime, threads, self.dtype, batch))) or "elsewhere"

    def to_dict(self) -> dict[str, Any]:
        """Return the timing as JSON values."""
        return {**dataclasses.asdict(self), "images_per_second": self.images_per_second}


def by_place(timings: Sequence[ImportedTiming], models: Sequence[str]) -> dict[str, dict[str, ImportedTiming]]:
    """Sort timings of some models by where they were taken.

    Args:
        timings: Of any models.
        models: Names with their sizes; others are left out.

    Returns:
        Timings by place and model, the places in the order of the timings; of several that one place has of a model,
        the last.

    Example:
        >>> by_place([], ["edgevit_xxs@224"])
        {}
    """
    found: dict[str, dict[str, ImportedTiming]] = {}
    for timing in timings:
        if timing.model in models:
            found.setdefault(timing.place, {})[timing.model] = timing
    return found


def read_timings(file: Path, num_classes: int = 1000) -> list[ImportedTiming]:
    """Read timings from a CSV file.

    Args:
        file: With a header.
        num_classes: Outputs of the classifier, for the counts.

    Raises:
        TimingsError: It is no such file; the message names the line.

    Example:
        >>> read_timings(Path("absent.csv"))
        Traceback (most recent call last):
        gpscale.errors.TimingsError: absent.csv must be a file of timings. Got none. Give its path.
    """
    if not file.is_file():
        raise TimingsError(f"{file} must be a file of timings. Got none. Give its path.")
    try:
        reader = csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines(), strict=True)
        # an empty line is none, but it counts
        lines = [(reader.line_num, line) for line in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise TimingsError(f"{file} must be a CSV file. Got: {error}. Write it with a header and commas.") from None
    if not lines:
        raise TimingsError(f"{file} must hold a header and a line for each model. Got no line. Write one.")
    _check_columns(file, list(reader.fieldnames or ()))
    return [_read(f"{file}, line {number}", line, num_classes) for number, line in lines]


def _check_columns(file: Path, columns: Sequence[str]) -> None:
    for column in columns:
        if columns.count(column) > 1:
            raise TimingsError(f"{file} must have each column once. Got {column!r} twice. Leave one out.")
        if column not in COLUMNS:
            raise TimingsError(f"{file}: {column!r} is no column of timings. {known_and_nearest(column, COLUMNS)}")
    for column in REQUIRED:
        if column not in columns:
            raise TimingsError(f"{file} must have the column {column!r}. Got {', '.join(columns)}. Add it.")


def _read(place: str, line: Mapping[str, Any], num_classes: int) -> ImportedTiming:
    if None in line or None in line.values():
        raise TimingsError(f"{place} must have a value, or none between commas, for each column. Got another number.")
    texts = {column: str(line.get(column, "")).strip() for column in COLUMNS}
    try:
        model = find_model(texts["model"])
        macs, params = model.count(num_classes)
    except GpscaleError as error:
        raise TimingsError(f"{place}: {error}") from error
    return ImportedTiming(
        model=model.name,
        macs=macs,
        params=params,
        mean_ms=_number(place, "mean_ms", texts["mean_ms"], least=1e-9),
        sd_ms=_number(place, "sd_ms", texts["sd_ms"]) if texts["sd_ms"] else None,
        batch=int(_number(place, "batch", texts["batch"] or "1", least=1)),
        **{column: texts[column] for column in ("device", "runtime", "threads", "dtype", "runs", "source")},
    )


def _number(place: str, column: str, text: str, least: float = 0.0) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= least and (column != "batch" or value.is_integer())):
        kind = "a whole number from 1" if column == "batch" else "a number of milliseconds"
        raise TimingsError(f"{place}: {column} must be {kind}. Got {text!r}. Write it with a point.")
    return value
