"""A model that does not fit into memory is one error that says what to do."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from gpscale.benchmark.memory import within_memory
from gpscale.benchmark.protocol import protocol_of
from gpscale.errors import OutOfMemoryError, RuntimeChoiceError
from gpscale.families.named import find_model
from tests.cli.command import gpscale_here

MODEL = find_model("mobilenetv1_025@224x64")


def run_that_fails_with(error: Exception, batch: int) -> None:
    def fail() -> None:
        raise error

    within_memory(fail, MODEL, protocol_of("gpscale", batch=batch), "cpu")()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
        RuntimeError(
            "Error in execution: ... bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 1"
        ),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeChoiceError("A model must be one that torch can write as ONNX. Got, of X: std::bad_alloc."),
    ],
    ids=["Python", "torch", "ONNX Runtime", "a card", "the exporter"],
)
def test_whatever_says_that_memory_is_used_up_is_one_error(error: Exception) -> None:
    with pytest.raises(
        OutOfMemoryError,
        match=r"mobilenetv1_025@224x64 must fit .* cpu with 16 images of 224 x 64 px .* --batch below 16",
    ) as raised:
        run_that_fails_with(error, 16)
    assert raised.value.__cause__ is error


def test_a_single_image_has_no_smaller_batch() -> None:
    with pytest.raises(OutOfMemoryError, match=r"with 1 image of .* Got: MemoryError. Take smaller images"):
        run_that_fails_with(MemoryError(), 1)


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="^mat1 and mat2 shapes cannot be multiplied$"):
        run_that_fails_with(RuntimeError("mat1 and mat2 shapes cannot be multiplied"), 1)


@pytest.mark.parametrize("batch", [10**12, 10**18, 10**30])
def test_bench_refuses_a_batch_that_no_memory_holds_with_one_error(batch: int) -> None:
    ran = gpscale_here("bench", "mobilenetv1_025@32", "--batch", batch, "--runs", 1)
    assert (ran.code, ran.out) == (2, "")
    assert f"OutOfMemoryError: mobilenetv1_025@32 must fit into the memory of the cpu with {batch} images" in ran.err
    assert ran.err.count("Error: ") == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux keeps a limit on addresses")
def test_a_run_that_meets_the_limit_of_the_process_names_model_and_batch() -> None:
    code = """
import resource
from pathlib import Path
from gpscale.benchmark import bench, protocol_of
from gpscale.errors import OutOfMemoryError
bench(["mobilenetv1_025@32"], protocol_of("gpscale", runs=1, warm_up=0))  # loads what must be loaded
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 300 * 2**20,) * 2)
try:
    bench(["mobilenetv1_025@224"], protocol_of("gpscale", runs=1, warm_up=0, batch=200))
except OutOfMemoryError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith(
        "mobilenetv1_025@224 must fit into the memory of the cpu with 200 images of 224 x 224 px"
    )
    assert "can't allocate memory" in ran.stdout
