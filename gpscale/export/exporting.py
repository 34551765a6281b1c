"""Export a model: write it, read it back, compare it with torch on real images, time it, and only then name it."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import io
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpscale.atomic import TEMPORARY_SUFFIX, becomes
from gpscale.benchmark.allocator import freed_memory_kept
from gpscale.benchmark.protocol import PROTOCOLS
from gpscale.benchmark.timing import Timing, time_in_turns
from gpscale.errors import ExportError, GpscaleError, StorageError
from gpscale.execution.machine import cpu_model, versions
from gpscale.export import base
from gpscale.export.base import Answer, Format
from gpscale.export.deployable import Deployable, find_deployable
from gpscale.export.parity import Parity, answer_of, check_parity, compare
from gpscale.export.pictures import read_pictures
from gpscale.threads import torch_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

PROTOCOL = PROTOCOLS["gpscale"]
"""How exported models are timed beside torch."""
IMAGES = 100
"""Real images that parity is checked on, unless another number is asked for."""

_PACKAGES = ("gpscale", "torch", "timm", "numpy")

Tell = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Latency:
    """Times of the exported model and of torch's, taken in turns.

    Attributes:
        exported: Of the exported model.
        torch: Of torch's.
        processor: What both ran on.
    """

    exported: Timing
    torch: Timing
    processor: str

    @property
    def cpu(self) -> tuple[float, float]:
        """Median processor times of a run of the exported model and of torch's, seconds."""
        return self.exported.processor.percentiles["p50"], self.torch.processor.percentiles["p50"]

    @property
    def shared(self) -> bool:
        """Whether others have used the processor meanwhile."""
        return self.exported.shared or self.torch.shared

    def to_dict(self) -> dict[str, Any]:
        """Return the times as JSON values."""
        exported_cpu, torch_cpu = self.cpu
        ratio = dict(zip(("median", "low", "high"), self.exported.ratio_to(self.torch), strict=True))
        return {
            "processor": self.processor,
            "protocol": PROTOCOL.describe(),
            "exported": self.exported.to_dict(),
            "torch": self.torch.to_dict(),
            "over_torch": ratio,
            "cpu_ms": {"exported": 1e3 * exported_cpu, "torch": 1e3 * torch_cpu},
            "cpu_over_torch": exported_cpu / torch_cpu,
            "shared": self.shared,
        }


@dataclasses.dataclass(frozen=True)
class Exported:
    """A model that was exported.

    Attributes:
        file: Where it is; some formats make a folder.
        format: Name of the format.
        size: Bytes.
        model: What was exported.
        data: Where the images were from.
        parity: How alike it and torch's answer; None where it cannot be run here.
        latency: How fast it and torch's are; None where it cannot be run here.
        why_not_run: Why it cannot be run here; empty where it can.
        said: What there is to say of the file; see `Format.write`.
        versions: Of what wrote and ran it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "model.pt"
        ...     found: Exported = export_model("mobilenetv1_025@32", "torchscript", file, images=2, num_classes=10)
        >>> found.parity.images, found.parity.same_class
        (2, 2)
    """

    file: Path
    format: str
    size: int
    model: Deployable
    data: str
    parity: Parity | None
    latency: Latency | None
    why_not_run: str
    said: dict[str, Any]
    versions: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return what was done as JSON values."""
        macs, params = self.model.chosen.count(self.model.num_classes)
        return {
            "file": str(self.file),
            "format": self.format,
            "bytes": self.size,
            "model": self.model.chosen.name,
            "family": self.model.chosen.family,
            "architecture": self.model.chosen.architecture.to_dict(),
            "num_classes": self.model.num_classes,
            "macs": macs,
            "params": params,
            "weights": str(self.model.weights) if self.model.weights is not None else None,
            "data": self.data,
            "parity": self.parity.to_dict() if self.parity is not None else None,
            "latency": self.latency.to_dict() if self.latency is not None else None,
            "why_not_run": self.why_not_run or None,
            "details": {name: value for name, value in self.said.items() if name != "summary"},
            "versions": self.versions,
        }


def export_model(
    model: str,
    format: str,
    output: Path,
    *,
    weights: Path | None = None,
    data: str = "digits",
    images: int = IMAGES,
    num_classes: int | None = None,
    tell: Tell = lambda text: None,
) -> Exported:
    """Export a model.

    Args:
        model: Its name, or the path of a recommendation (`.json`).
        format: One of `FORMATS`.
        output: File to write; one that is there is replaced when all is well.
        weights: Weights file of that architecture; None for random weights.
        data: Where the images of the comparison are from; see `read_pictures`. They are normalised as in the training
            of the weights; for random weights, by their own mean and standard deviation.
        images: How many.
        num_classes: As for `find_deployable`.
        tell: Called with what is being done.

    Raises:
        DataError: The images are missing, or too few.
        ExportError: The format cannot hold the model, or has other endings; the weights are another model's.
        ImageSizeError: The family cannot take images of that size.
        MissingPackageError: What writes the format is not installed.
        ModelFileError: The weights or the recommendation cannot be read.
        ParityError: The exported model answers otherwise than torch's; nothing is written.
        StorageError: The file cannot be written.
        UnknownNameError: There is no such model, format or source of images.
    """
    chosen = base.get(format)
    _check_output(output, chosen)
    chosen.check_installed()
    found = find_deployable(model, weights, num_classes)
    pictures = read_pictures(data, images, found.pixels)
    mean, std = (
        (found.trained.mean, found.trained.std) if found.trained is not None else (pictures.mean(), pictures.std())
    )
    inputs = pictures.normalised(found.pixels, mean, std)
    tell(f"building {found.chosen.name} ...")
    built = found.build()
    with _staged(output) as file, torch_threads():
        tell(f"writing {chosen.title} ...")
        said = _write(chosen, built, inputs[:1], found.facts(), file, found.chosen.name)
        parity, latency = _run(chosen, built, inputs, file, tell) if not chosen.why_not_run else (None, None)
        size = sum(part.stat().st_size for part in (file, *file.rglob("*")) if part.is_file())
    packages = {name: version for name, version in versions().items() if name in _PACKAGES}
    return Exported(
        output, format, size, found, data, parity, latency, chosen.why_not_run, said, {**packages, **chosen.versions()}
    )


def _write(
    chosen: Format, built: nn.Module, images: NDArray[Any], facts: dict[str, str], file: Path, name: str
) -> dict[str, Any]:
    import torch

    try:
        with _quiet():
            return chosen.write(built, torch.from_numpy(images), facts, file)
    except (GpscaleError, OSError):
        raise
    except Exception as error:  # each library has errors of its own for what it cannot hold
        raise ExportError(
            f"{chosen.title} must be able to hold the model. Got, of {name}: {type(error).__name__}: "
            f"{' '.join(str(error).split())[:300]}. Take another --format."
        ) from error


def _run(chosen: Format, built: nn.Module, inputs: NDArray[Any], file: Path, tell: Tell) -> tuple[Parity, Latency]:
    """Compare the file with torch's model, and time both.

    Raises:
        ParityError: They answer differently.
    """
    import torch

    torch.set_num_threads(PROTOCOL.threads)
    with _quiet():
        exported = chosen.open(file)
    ours = answer_of(built)
    tell(f"comparing with torch on {len(inputs)} images ...")
    parity = compare(ours, exported, inputs)
    check_parity(parity, f"{chosen.title} in {file.name}")
    tell("timing ...")
    return parity, _time(exported, ours, inputs[:1])


def _time(exported: Answer, ours: Answer, image: NDArray[Any]) -> Latency:
    calls = {"exported": lambda: exported(image), "torch": lambda: ours(image)}
    with freed_memory_kept():
        timings = time_in_turns(calls, PROTOCOL.runs, PROTOCOL.rounds, PROTOCOL.warm_up)
    return Latency(timings["exported"], timings["torch"], cpu_model())


def _check_output(output: Path, chosen: Format) -> None:
    if output.suffix.lower() not in chosen.suffixes:
        raise ExportError(
            f"A file of {chosen.title} must end in {' or '.join(chosen.suffixes)}. Got {output}. "
            f"Write {output.with_suffix(chosen.suffixes[0]).name}, for example."
        )
    if output.exists() and output.is_dir() != chosen.is_folder:
        raise ExportError(
            f"What {chosen.title} replaces must be a {'folder' if chosen.is_folder else 'file'} too. Got {output}, "
            "which is not. Take another name."
        )
    if not output.parent.is_dir():
        raise ExportError(
            f"The folder of --output must be there. Got {output}, where {output.parent} is none. Make it, or take "
            "another."
        )


@contextlib.contextmanager
def _staged(output: Path) -> Iterator[Path]:
    """Yield a path of the same name in a folder beside; what is there takes the name `output` if all goes well.

    A format may write several files, or a folder; `atomic_file` is for one. Folders that killed exports of the same
    name have left are removed.
    """
    try:
        _remove_leftovers(output)
        with (
            tempfile.TemporaryDirectory(TEMPORARY_SUFFIX, f".{output.name}.", output.parent) as folder,
            _held(Path(folder)),
        ):
            staged = Path(folder) / output.name
            yield staged
            if output.is_dir():
                output.rename(Path(folder) / "replaced")
            # a folder made for the owner alone does not make its content private
            staged.replace(output)
    except OSError as error:
        if isinstance(error, GpscaleError):
            raise
        raise StorageError.of(output, error) from error


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold a folder for this process, and yield whether no other holds it; the hold goes with the process."""
    # imported here because Windows lacks it
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(handle)


def _remove_leftovers(output: Path) -> None:
    """Remove the folders of earlier exports of the same name whose processes were killed."""
    for folder in output.parent.glob(f".{glob.escape(output.name)}.*{TEMPORARY_SUFFIX}/"):
        if becomes(folder.name) == output.name:
            with _held(folder) as abandoned:
                if abandoned:
                    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drop what converters log, warn and draw of every model; whoever exports one can do nothing about it."""
    disabled = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
