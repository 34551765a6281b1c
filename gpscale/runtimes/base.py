"""What a runtime is, and how to add one.

1. Write `runtimes/<name>.py` with a class that has every member of `Runtime`; what it imports beside numpy is imported
   inside its methods, and belongs to an extra if gpscale does not need it.
2. Name it in `RUNTIMES`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol, cast

from gpscale.errors import UnknownNameError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

RUNTIMES = {"torch": "gpscale.runtimes.torch_eager", "onnxruntime": "gpscale.runtimes.onnx_runtime"}
"""Modules by the names of their runtimes; each has a class `Runtime`."""

DEVICES = ("cpu", "cuda")


class Session(Protocol):
    """A model that is ready to run on given images.

    Example:
        >>> import numpy as np
        >>> from torch import nn
        >>> images = np.zeros((2, 3, 8, 8), dtype=np.float32)
        >>> session: Session = get("torch").open(nn.Flatten(), images, device="cpu", threads=1)
        >>> session.run()
        >>> session.outputs().shape
        (2, 192)
    """

    def run(self) -> None:
        """Run once on the images; returns when the device has finished."""
        ...

    def outputs(self) -> NDArray[Any]:
        """Run once and return what the model answers, shape (batch, classes), float32."""
        ...


class Runtime(Protocol):
    """Something that runs models.

    Example:
        >>> runtime: Runtime = get("torch")
        >>> runtime.check("cpu")
        >>> sorted(runtime.versions())
        ['torch']
    """

    def check(self, device: str) -> None:
        """Check that models can run on a device of `DEVICES`.

        Raises:
            DeviceError: The device is not there.
            MissingPackageError: The runtime is not installed.
        """
        ...

    def open(self, model: nn.Module, images: NDArray[Any], *, device: str, threads: int) -> Session:
        """Hand over a model.

        Args:
            model: In evaluation mode, in the form that is deployed, on the CPU.
            images: Shape (batch, 3, height, width), float32.
            device: Where to run.
            threads: Threads of one operator on the CPU.

        Raises:
            RuntimeChoiceError: The runtime cannot take the model.
        """
        ...

    def versions(self) -> dict[str, str]:
        """Return the versions of what runs the models."""
        ...


def get(name: str) -> Runtime:
    """Return the runtime of that name.

    Raises:
        UnknownNameError: There is none.

    Example:
        >>> get("tvm")
        Traceback (most recent call last):
        gpscale.errors.UnknownNameError: Unknown runtime 'tvm'. Known: onnxruntime, torch.
    """
    if name not in RUNTIMES:
        raise UnknownNameError.of("runtime", name, RUNTIMES)
    return cast(Runtime, importlib.import_module(RUNTIMES[name]).Runtime())


def check_device_name(device: str) -> None:
    """Check that there is such a kind of device.

    Raises:
        UnknownNameError: There is none.
    """
    if device not in DEVICES:
        raise UnknownNameError.of("device", device, DEVICES)
