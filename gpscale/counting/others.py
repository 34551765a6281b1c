"""What other counters make of a model: fvcore and ptflops, beside which papers' counts were made.

Each has its own notion of what counts, so that their numbers differ from torch's and none of them is wrong: ptflops
(here over operators, not over modules) adds one for each output that has a bias; fvcore adds normalisations and
pooling, and leaves out attention where a model leaves it to torch's fused operator.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import io
import logging
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gpscale.errors import MissingPackageError, UnknownNameError

if TYPE_CHECKING:
    from torch import nn


@dataclasses.dataclass(frozen=True)
class Counter:
    """Another counter.

    Attributes:
        count: Returns its multiply-accumulates of a model at an image size.
        notion: In what they differ from ours.
    """

    count: Callable[[nn.Module, tuple[int, int]], int]
    notion: str


def count_with(counter: str, model: nn.Module, image_size: tuple[int, int]) -> int:
    """Return the multiply-accumulates of one image as another counter has them.

    Args:
        counter: One of `COUNTERS`.
        model: Any image model, on the CPU; it is run once.
        image_size: Height and width of the input, pixels.

    Raises:
        MissingPackageError: The counter's package is not installed.
        UnknownNameError: There is no such counter.

    Example:
        >>> count_with("fvcor", None, (64, 64))
        Traceback (most recent call last):
        gpscale.errors.UnknownNameError: Unknown counter 'fvcor'. Known: fvcore, ptflops. Did you mean 'fvcore'?
    """
    if counter not in COUNTERS:
        raise UnknownNameError.of("counter", counter, COUNTERS)
    if not installed(counter):
        raise MissingPackageError.of(f"Counting with {counter}", counter, "counters")
    # both report every module and operator that they do not know
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return COUNTERS[counter].count(model.eval(), image_size)
    finally:
        logging.disable(disabled)


def installed(counter: str) -> bool:
    """Say whether a counter's package is installed."""
    return importlib.util.find_spec(counter) is not None


def _fvcore(model: nn.Module, image_size: tuple[int, int]) -> int:
    import torch
    from fvcore.nn import FlopCountAnalysis

    return int(FlopCountAnalysis(model, torch.zeros(1, 3, *image_size)).total())


def _ptflops(model: nn.Module, image_size: tuple[int, int]) -> int:
    from ptflops import get_model_complexity_info
    from torch.nn.attention import SDPBackend, sdpa_kernel

    options: dict[str, Any] = {"as_strings": False, "print_per_layer_stat": False, "verbose": False, "backend": "aten"}
    # the fused kernels of attention are operators that it does not know
    with sdpa_kernel(SDPBackend.MATH):
        return int(get_model_complexity_info(model, (3, *image_size), **options)[0])


COUNTERS = {
    "fvcore": Counter(_fvcore, "with normalisations and pooling, without fused attention"),
    "ptflops": Counter(_ptflops, "with one for each output that has a bias"),
}
"""What counts, by the name of its package; both are in the extra `counters`."""
