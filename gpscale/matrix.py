"""What each family can do, tried out: counted, trained a step, written as ONNX, timed, used for its feature maps.

Each is tried with the family's smallest stock model at 64 pixels and ten classes, on scikit-learn's digits.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gpscale.benchmark.allocator import freed_memory_kept
from gpscale.benchmark.latency import SEED
from gpscale.benchmark.timing import time_in_turns
from gpscale.counting import count_module
from gpscale.errors import MissingPackageError
from gpscale.export import base as formats
from gpscale.export.deployable import find_deployable
from gpscale.export.parity import answer_of, compare
from gpscale.export.pictures import read_pictures
from gpscale.families import base as families
from gpscale.families.named import FamilyModel, find_model
from gpscale.threads import torch_threads
from gpscale.units import format_macs

if TYPE_CHECKING:
    from torch import Tensor, nn

PIXELS = 64
CLASSES = 10
IMAGES = 16
"""That a model is trained on."""
COMPARED_IMAGES = 100
"""That a model in ONNX is compared with torch's on."""
STRIDES = (4, 8, 16, 32)

_LEARNING_RATE = 1e-3
_RUNS, _ROUNDS, _WARM_UP = 10, 2, 2


@dataclasses.dataclass(frozen=True)
class Cell:
    """One thing that a family can do, or cannot.

    Attributes:
        works: Whether it does; None where it cannot be tried here.
        text: What was found, or why it was not.
    """

    works: bool | None
    text: str


@dataclasses.dataclass
class _Tried:
    """A family's model on its way through the columns."""

    model: FamilyModel
    images: Tensor
    labels: Tensor
    trained: nn.Module | None = None

    def deployed(self) -> nn.Module:
        """Return the form that is deployed, after the training step where there was one."""
        built = self.model.build(CLASSES) if self.trained is None else self.trained
        return self.model.inference_form(built.eval()).eval()


def try_families(
    names: Sequence[str] = (), tell: Callable[[str], None] = lambda text: None
) -> Iterator[tuple[str, dict[str, Cell]]]:
    """Try every column of the matrix on families.

    Args:
        names: Families; none for all.
        tell: Called with what is being done.

    Yields:
        Family, and its cells by column, in the order of `COLUMNS`.

    Raises:
        UnknownNameError: There is no such family.

    Example:
        >>> ((name, cells),) = try_families(["mobilenetv1"])
        >>> cells["count"].works, cells["feature maps"].text
        (True, '4, 8, 16, 32')
    """
    import torch

    chosen = [families.get(name).name for name in names] or families.names()
    images, labels = _digits()
    for name in chosen:
        tell(f"trying {name} ...")
        with torch.random.fork_rng(), torch_threads(1):  # the global generator belongs to the caller
            torch.manual_seed(SEED)
            tried = _Tried(_smallest(name), images, labels)
            cells = {column: _cell(column, tried) for column in COLUMNS}
        yield name, cells


def _cell(column: str, tried: _Tried) -> Cell:
    try:
        return COLUMNS[column](tried)
    except MissingPackageError as error:
        return Cell(None, str(error))
    except Exception as error:  # whatever is wrong with one family is a cell of the table
        return Cell(False, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")


def _count(tried: _Tried) -> Cell:
    closed, counted = tried.model.count(CLASSES), count_module(tried.deployed(), tried.model.image_size)
    if closed != counted:
        return Cell(False, f"closed form {closed}, torch's counter {counted}")
    return Cell(True, f"{format_macs(closed[0])} MACs")


def _train(tried: _Tried) -> Cell:
    import torch
    from torch.nn.functional import cross_entropy

    model = tried.model.build(CLASSES).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE)
    before = cross_entropy(model(tried.images), tried.labels)
    before.backward()
    without = [
        name for name, value in model.named_parameters() if value.grad is None or not value.grad.isfinite().all()
    ]
    if without:
        return Cell(False, f"no finite gradient of {', '.join(without[:3])}")
    optimizer.step()
    with torch.no_grad():
        after = cross_entropy(model(tried.images), tried.labels)
    tried.trained = model
    return Cell(bool(after.isfinite()), f"loss {float(before.detach()):.2f} to {float(after):.2f}")


def _onnx(tried: _Tried) -> Cell:
    """Write the model as `gpscale export` does, and compare by the same rule.

    With weights that one training step has hardly moved, images would get the same logits whatever a conversion did.
    """
    import torch

    writer = formats.get("onnx")
    writer.check_installed()
    model = find_deployable(tried.model.name, None, CLASSES).build()
    pictures = read_pictures("digits", COMPARED_IMAGES, PIXELS)
    images = pictures.normalised(PIXELS, pictures.mean(), pictures.std())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        writer.write(model, torch.from_numpy(images[:1]), {}, file)
        parity = compare(answer_of(model), writer.open(file), images)
    others = "" if parity.same_class == parity.images else f", another class for {parity.images - parity.same_class}"
    return Cell(parity.holds, f"difference {parity.difference:.0e} of {parity.largest:.2g}{others}")


def _bench(tried: _Tried) -> Cell:
    from gpscale import runtimes

    session = runtimes.get("torch").open(tried.deployed(), tried.images[:1].numpy(), device="cpu", threads=1)
    with freed_memory_kept():
        timing = time_in_turns({"model": session.run}, _RUNS, _ROUNDS, _WARM_UP)["model"]
    return Cell(True, f"{1e3 * timing.percentiles['p50']:.1f} ms")


def _feature_maps(tried: _Tried) -> Cell:
    import torch

    family = families.get(tried.model.base.family)
    with torch.inference_mode():
        maps = family.feature_maps(tried.model.build(CLASSES).eval(), tried.images[:1])
    wrong = [stride for stride, one in maps.items() if one.shape[2:] != (PIXELS // stride, PIXELS // stride)]
    if wrong or tuple(maps) != family.feature_strides:
        return Cell(False, f"maps of another size at strides {wrong}")
    none = [str(stride) for stride in STRIDES if stride not in maps]
    lacking = f" (not {', '.join(none)}: its stem has stride {min(maps)})" if none else ""
    return Cell(True, f"{', '.join(map(str, maps))}{lacking}")


COLUMNS: dict[str, Callable[[_Tried], Cell]] = {
    "count": _count,
    "train a step": _train,
    "ONNX": _onnx,
    "bench": _bench,
    "feature maps": _feature_maps,
}
"""What is tried, by its name."""


def _smallest(name: str) -> FamilyModel:
    """Return the family's stock model with the fewest MACs, at `PIXELS`."""
    stock = dict.fromkeys(base.split("@")[0] for base in families.get(name).stock_bases)
    models: list[Any] = [find_model(f"{model}@{PIXELS}") for model in stock]
    found: FamilyModel = min(models, key=lambda model: model.count(CLASSES)[0])
    return found


def _digits() -> tuple[Tensor, Tensor]:
    """Return digits, float32 (IMAGES, 3, PIXELS, PIXELS), -1 to 1, and their classes, int64 (IMAGES,)."""
    import torch

    from gpscale.training.data.decoding import decoded
    from gpscale.training.data.sources.base import SourceRequest, open_source

    source = open_source(SourceRequest("digits"))
    indices = np.arange(IMAGES)
    pixels = np.stack([decoded(item, PIXELS) for item in source.items(indices)]).astype(np.float32)
    images = torch.from_numpy(pixels / 127.5 - 1).permute(0, 3, 1, 2).contiguous()
    return images, torch.from_numpy(source.labels[indices])
