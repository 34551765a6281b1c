"""One clear error for a model that does not fit into memory, whatever ran it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gpscale.benchmark.protocol import Protocol
from gpscale.errors import OutOfMemoryError
from gpscale.families.named import NamedModel

_TOO_LARGE = ("array is too big", "Maximum allowed dimension exceeded")
"""In numpy's messages for images that no memory could hold."""

Result = TypeVar("Result")


def within_memory(
    call: Callable[[], Result], model: NamedModel, protocol: Protocol, device: str
) -> Callable[[], Result]:
    """Return a call with one error for all that runtimes raise when memory is used up.

    Args:
        call: Prepares or runs the model.
        model: It.
        protocol: How it is timed.
        device: Where.

    Returns:
        The call; it raises `OutOfMemoryError` where memory is used up, and all other errors as they are.

    Example:
        >>> from gpscale.benchmark.protocol import PROTOCOLS
        >>> from gpscale.families.named import find_model
        >>> within_memory(lambda: 3, find_model("edgevit_xxs"), PROTOCOLS["msra"], "cpu")()
        3
    """

    def checked() -> Result:
        try:
            return call()
        except Exception as error:
            if not _is_out_of_memory(error):
                raise
            height, width = model.image_size
            several = protocol.batch > 1
            smaller = f"a --batch below {protocol.batch}" if several else "smaller images"
            raise OutOfMemoryError(
                f"{model.name} must fit into the memory of the {device} with {protocol.batch} image"
                f"{'s' if several else ''} of {height} x {width} px at a time. Got: "
                f"{' '.join(str(error).split())[:200] or type(error).__name__}. Take {smaller}, or time fewer models "
                "at a time."
            ) from error

    return checked


def _is_out_of_memory(error: Exception) -> bool:
    # imported here because almost no run gets here
    from gpscale.execution.worker import is_out_of_memory

    # on a CPU ONNX Runtime raises what torch does, and to_onnx an error of ours with its words
    return is_out_of_memory(error) or any(words in str(error) for words in _TOO_LARGE)
