"""Models in ONNX, run by ONNX Runtime with all its graph optimisations."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import logging
import warnings
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import nn

from gpscale.errors import DeviceError, MissingPackageError, RuntimeChoiceError
from gpscale.runtimes.base import check_device_name

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

EXTRA = "onnx"
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
INPUT, OUTPUT = "images", "logits"

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def missing_packages() -> list[str]:
    """Return which of the extra's packages are not installed.

    Example:
        >>> set(missing_packages()) <= set(PACKAGES)
        True
    """
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def check_installed() -> None:
    """Check that models can be written to ONNX and run.

    Raises:
        MissingPackageError: A package of the extra is not installed.
    """
    if missing := missing_packages():
        raise MissingPackageError.of("ONNX", " and ".join(missing), EXTRA)


def to_onnx(model: nn.Module, images: torch.Tensor) -> bytes:
    """Write a model as ONNX.

    Args:
        model: In evaluation mode, on the CPU.
        images: What it takes, shape (batch, 3, height, width), float32; the written model takes that shape alone.

    Raises:
        MissingPackageError: A package of the extra is not installed.
        RuntimeChoiceError: torch cannot write the model.
    """
    check_installed()
    with warnings.catch_warnings(), _quiet_exporter():
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                model, (images,), dynamo=True, input_names=[INPUT], output_names=[OUTPUT], verbose=False
            )
        except (RuntimeError, torch.onnx.OnnxExporterError) as error:
            raise RuntimeChoiceError(
                "A model must be one that torch can write as ONNX. Got, of "
                f"{type(model).__name__}: {' '.join(str(error).split())[:300]}. Use --runtime torch to time it, or "
                "another format to export it."
            ) from error
    assert program is not None
    written: bytes = program.model_proto.SerializeToString()
    return written


def inference_session(written: bytes, device: str, threads: int) -> InferenceSession:
    """Load a model in ONNX.

    Args:
        written: The model, as `to_onnx` returns it.
        device: Where to run, one of `DEVICES`.
        threads: Threads of one operator on the CPU.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # what goes wrong is raised as well
    return onnxruntime.InferenceSession(written, options, providers=[_PROVIDERS[device]])


class OnnxSession:
    """A model in ONNX Runtime; see `runtimes.Session`."""

    def __init__(self, session: InferenceSession, images: NDArray[Any], device: str):
        import onnxruntime

        self._session = session
        # inputs and outputs stay on the device, so that copies of them are not timed
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(INPUT, onnxruntime.OrtValue.ortvalue_from_numpy(images, device))
        self._binding.bind_output(OUTPUT, device)

    def run(self) -> None:
        """Run once; returns when the device has finished."""
        self._session.run_with_iobinding(self._binding)

    def outputs(self) -> NDArray[Any]:
        """Run once and return what the model answers, shape (batch, classes), float32."""
        self.run()
        found: NDArray[Any] = self._binding.copy_outputs_to_cpu()[0]
        return found


class Runtime:
    """ONNX Runtime; see `runtimes.Runtime`."""

    def check(self, device: str) -> None:
        """Check that ONNX Runtime is installed and knows the device."""
        check_device_name(device)
        check_installed()
        import onnxruntime

        known = onnxruntime.get_available_providers()
        if _PROVIDERS[device] not in known:
            raise DeviceError(
                f"Device {device} must be one that ONNX Runtime can use. Got a build for {', '.join(known)} alone "
                f"(onnxruntime {onnxruntime.__version__}). Use cpu, or install onnxruntime-gpu."
            )

    def open(self, model: nn.Module, images: NDArray[Any], *, device: str, threads: int) -> OnnxSession:
        """Hand over a model."""
        written = to_onnx(model, torch.from_numpy(images))
        return OnnxSession(inference_session(written, device, threads), images, device)

    def versions(self) -> dict[str, str]:
        """Return the versions of ONNX and its runtime."""
        return {name: importlib.metadata.version(name) for name in PACKAGES}


@contextlib.contextmanager
def _quiet_exporter() -> Any:
    """Silence what the exporter logs of every model."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
