"""Models run by torch, operator by operator, as they are written."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from gpscale.errors import DeviceError
from gpscale.runtimes.base import check_device_name


class TorchSession:
    """A model and its images on their device; see `runtimes.Session`."""

    def __init__(self, model: nn.Module, images: NDArray[Any], device: str, threads: int):
        self._images = torch.from_numpy(images).to(device)
        self._model = model.to(device)
        self._threads = threads
        self._device = device

    def run(self) -> None:
        """Run once; returns when the device has finished."""
        self._forward()

    def outputs(self) -> NDArray[Any]:
        """Run once and return what the model answers, shape (batch, classes), float32."""
        found: NDArray[Any] = self._forward().float().cpu().numpy()
        return found

    def _forward(self) -> torch.Tensor:
        # torch has one number of threads for all models of a process
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        with torch.inference_mode():
            found: torch.Tensor = self._model(self._images)
        if self._device == "cuda":
            torch.cuda.synchronize()
        return found


class Runtime:
    """torch; see `runtimes.Runtime`."""

    def check(self, device: str) -> None:
        """Check that torch can use the device."""
        check_device_name(device)
        if device == "cuda" and not torch.cuda.is_available():
            raise DeviceError(
                "Device cuda must be a graphics card that torch can use. "
                f"Got none (torch {torch.__version__}). Use cpu, or install torch for your card."
            )

    def open(self, model: nn.Module, images: NDArray[Any], *, device: str, threads: int) -> TorchSession:
        """Hand over a model."""
        return TorchSession(model, images, device, threads)

    def versions(self) -> dict[str, str]:
        """Return the version of torch."""
        return {"torch": str(torch.__version__)}
