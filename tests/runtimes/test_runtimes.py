"""What every runtime must do; a new runtime is tested by being named."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from torch import nn

from gpscale import runtimes
from gpscale.errors import DeviceError, MissingPackageError, RuntimeChoiceError, UnknownNameError
from gpscale.families.named import find_model
from gpscale.runtimes import RUNTIMES

IMAGES = np.random.default_rng(0).standard_normal((3, 3, 32, 32), dtype=np.float32)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_session_answers_as_the_model_does(runtime: str) -> None:
    torch.manual_seed(0)
    model = find_model("mobilenetv1_025@32").build(5).eval()
    with torch.no_grad():
        expected = model(torch.from_numpy(IMAGES)).numpy()
    session = runtimes.get(runtime).open(model, IMAGES, device="cpu", threads=1)
    session.run()
    found = session.outputs()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_runtime_says_its_versions(runtime: str) -> None:
    assert runtime in runtimes.get(runtime).versions()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_device_that_is_not_there_is_refused(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    chosen = runtimes.get(runtime)
    chosen.check("cpu")
    with pytest.raises(DeviceError, match="Device cuda must be .* Use cpu, or install"):
        chosen.check("cuda")
    with pytest.raises(UnknownNameError, match="Did you mean 'cuda'"):
        chosen.check("cudo")


def test_without_onnxruntime_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else object())
    with pytest.raises(MissingPackageError, match=r"ONNX needs onnxruntime\. .*gpscale\[onnx\]"):
        runtimes.get("onnxruntime").check("cpu")


class Unwritable(nn.Module):
    """A model that depends on the values of its images."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if float(x.sum()) > 0 else -x


def test_a_model_that_cannot_be_written_as_onnx_is_refused() -> None:
    with pytest.raises(RuntimeChoiceError, match="Unwritable.*Use --runtime torch"):
        runtimes.get("onnxruntime").open(Unwritable(), IMAGES, device="cpu", threads=1)
