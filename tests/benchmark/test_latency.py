"""Models timed against each other: what is recorded, and what is refused before any work."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from gpscale.benchmark import Benchmark, Protocol, bench
from gpscale.benchmark.energy import EnergyMeter
from gpscale.benchmark.latency import Timed
from gpscale.benchmark.timing import Timing
from gpscale.errors import DeviceError, ImageSizeError, UnknownNameError

QUICK = Protocol("quick", "median", batch=2, runs=3, rounds=2, warm_up=1, fold=True)
MODELS = ["mobilenetv1_025@32", "timm:test_resnet@32x64"]


def test_every_model_has_its_runs_and_counts_and_the_conditions_are_recorded() -> None:
    threads = torch.get_num_threads()
    state = torch.random.get_rng_state()
    found = bench(MODELS, QUICK, num_classes=5)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [row.model for row in found.rows] == MODELS
    assert [len(row.timing.seconds) for row in found.rows] == [3, 3]
    assert all(row.timing.batch == 2 and row.timing.seconds.min() > 0 for row in found.rows)
    assert found.rows[0].folded == (27, 0)
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    conditions = values["conditions"]
    assert (conditions["device"], conditions["dtype"], conditions["threads"]) == ("cpu", "float32", 1)
    assert conditions["versions"]["torch"] == str(torch.__version__)
    assert conditions["processor"]
    assert conditions["load_average"].keys() == {"before", "after"}
    assert values["protocol"]["batch"] == 2
    assert values["models"][0]["over_first"] == {"median": 1.0, "low": 1.0, "high": 1.0}
    assert values["models"][0]["cpu_over_first"] == {"median": 1.0, "low": 1.0, "high": 1.0}
    assert [len(part) for part in values["models"][1]["runs_cpu_ms"]] == [2, 1]
    assert values["cores_shared"] is found.shared
    assert values["models"][0]["macs"] == found.rows[0].macs
    assert values["energy"]["counter"] or values["energy"]["reason"].startswith("not measurable here")


def test_onnxruntime_times_the_same_models() -> None:
    found = bench(MODELS[:1], QUICK, runtime="onnxruntime", num_classes=5)
    assert found.rows[0].folded is None
    assert "onnxruntime" in found.conditions["versions"]
    assert np.isfinite(found.rows[0].timing.mean)


@pytest.mark.parametrize(
    ("device", "threads", "own", "shared"),
    [("cpu", 1, 0.5, True), ("cpu", 1, 0.9, False), ("cpu", 2, 0.5, False), ("cuda", 1, 0.5, False)],
)
def test_cores_were_shared_if_a_single_thread_on_the_cpu_had_to_wait(
    device: str, threads: int, own: float, shared: bool
) -> None:
    timing = Timing(((1.0,),), ((own,),))
    rows = (Timed("a", 1, 1, Timing(((1.0,),), ((1.0,),))), Timed("b", 1, 1, timing))
    found = Benchmark(Protocol("x", "mean", threads=threads), {"device": device}, rows, EnergyMeter("", None))
    assert found.shared is shared


def test_nothing_is_built_before_all_is_known_to_be_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    with pytest.raises(UnknownNameError, match="nope"):
        bench([MODELS[0], "nope@64"], QUICK, tell=built.append)
    with pytest.raises(ImageSizeError):
        bench([MODELS[0], "timm:efficientformer_l1@100"], QUICK, tell=built.append)
    with pytest.raises(UnknownNameError, match="runtime"):
        bench(MODELS, QUICK, runtime="tf", tell=built.append)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError):
        bench(MODELS, QUICK, device="cuda", tell=built.append)
    assert built == []
