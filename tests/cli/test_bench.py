"""`gpscale bench` on tiny models."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import torch

from tests.cli.command import gpscale_here

QUICK = ["--runs", "2", "--warm-up", "0"]
MODELS = ["mobilenetv1_025@32", "mobilenetv3_small_050@32"]


def test_bench_prints_a_row_for_each_model_and_what_it_was_measured_on() -> None:
    ran = gpscale_here("bench", *MODELS, "--protocol", "edgevit", *QUICK)
    assert ran.code == 0, ran
    assert "edgevit: batch 1, 1 thread, float32, 0 runs to warm up, 2 timed in 2 rounds" in ran.out
    assert "Pan et al. (2022)" in ran.out
    assert f"torch {torch.__version__}" in ran.out
    # a second table has the processor times where others use the cores meanwhile
    table = ran.out.partition("times of a run in ms")[0]
    rows = [line.split() for line in table.splitlines() if line.strip().startswith("mobilenet")]
    assert [row[0] for row in rows] == MODELS
    assert rows[0][-4:] == ["1.00", "(1.00", "to", "1.00)"]
    assert "energy: " in ran.out
    assert f"preparing {MODELS[1]}" in ran.err


def test_bench_prints_json_for_machines() -> None:
    ran = gpscale_here("bench", MODELS[0], "--protocol", "msra", "--batch", 2, "--threads", 1, *QUICK, "--json")
    values = json.loads(ran.out)
    assert values["protocol"]["fold"] is True
    assert values["protocol"]["batch"] == 2
    assert values["models"][0]["batch_norms"] == {"folded": 27, "left": 0}
    assert sum(map(len, values["models"][0]["runs_ms"])) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nope@64"], "Unknown model 'nope@64'"),
        (["timm:resnet5"], "Nearest: resnet50"),
        (["edgevit_xxs@100"], "Take 96 or 128"),
        ([MODELS[0], "--protocol", "edgvit"], "Did you mean 'edgevit'"),
        ([MODELS[0], "--runtime", "onnxrt"], "Did you mean 'onnxruntime'"),
        ([MODELS[0], "--device", "gpu"], "Known: cpu, cuda"),
    ],
)
def test_bench_refuses_what_cannot_be_with_one_error(arguments: list[str], words: str) -> None:
    ran = gpscale_here("bench", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
    assert ran.err.count("Error: ") == 1


def test_bench_without_a_card_or_onnxruntime_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "DeviceError" in gpscale_here("bench", MODELS[0], "--device", "cuda").err
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    ran = gpscale_here("bench", MODELS[0], "--runtime", "onnxruntime")
    assert (ran.code, ran.out) == (2, "")
    assert 'pip install "gpscale[onnx]"' in ran.err


def test_bench_by_operator_prints_classes_and_operators_and_draws_them(tmp_path: Path) -> None:
    file = tmp_path / "operators.svg"
    ran = gpscale_here("bench", *MODELS, "--by-operator", "--figure", file, *QUICK)
    assert ran.code == 0, ran
    assert "unassigned: in no operator" in ran.out
    assert f"{MODELS[1]}: the 10 that take longest" in ran.out
    assert "conv2d" in ran.out
    assert f"wrote {file}" in ran.err
    assert file.read_text().startswith("<?xml")
    values = json.loads(gpscale_here("bench", MODELS[0], "--by-operator", "--json", *QUICK).out)
    (found,) = values["operators"]
    assert sum(found["by_class_ms"].values()) + found["unassigned_ms"] == pytest.approx(found["profiled_ms"])


def test_bench_takes_resolutions_as_a_list_of_numbers(tmp_path: Path) -> None:
    file = tmp_path / "growth.png"
    ran = gpscale_here("bench", "mobilenetv1_025", *QUICK, "--figure", file, "--resolutions", 32, 64, 96, "--json")
    assert ran.code == 0, ran
    (growth,) = json.loads(ran.out)["growth"]
    assert [size["pixels"] for size in growth["sizes"]] == [32, 64, 96]
    assert growth["interval"][0] <= growth["exponent"] <= growth["interval"][1]
    assert file.stat().st_size > 0
    plain = gpscale_here("bench", "mobilenetv1_025", *QUICK, "--resolutions", 32, 64)
    assert "32 px" in plain.out


def test_bench_joins_timings_of_another_device(tmp_path: Path) -> None:
    file = tmp_path / "phone.csv"
    file.write_text("model,mean_ms,device\nmobilevitv2_200@128,4.58,iPhone 12\n")
    alone = gpscale_here("bench", "--import", file, "--num-classes", 10)
    assert alone.code == 0, alone
    assert "17.4M" in alone.out
    assert "iPhone 12" in alone.out
    file.write_text(f"model,mean_ms\nmobilevitv2_200@128,4.58\n{MODELS[1]},0.5\n{MODELS[1].split('@')[0]}@64,0.9\n")
    both = json.loads(gpscale_here("bench", *MODELS, *QUICK, "--import", file, "--json").out)
    assert [[other["mean_ms"] for other in row["elsewhere"]] for row in both["models"]] == [[], [0.5]]
    assert [row["mean_ms"] for row in both["imported"]] == [4.58, 0.5, 0.9]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "must have a model, or timings to --import"),
        ([MODELS[0], "--by-operator", "--resolutions", "32", "64"], "one thing at a time"),
        ([MODELS[0], "--by-operator", "--runtime", "onnxruntime"], "--by-operator is of --runtime torch"),
        ([MODELS[0], "--figure", "x.png"], "must come with --by-operator or --resolutions"),
        ([MODELS[0], "--by-operator", "--figure", "x.jpg"], "must end in one of .png, .svg, .pdf"),
        (["mobilenetv1_025", "--resolutions", "32"], "at least two sizes"),
        (["--import", "absent.csv"], "absent.csv must be a file of timings"),
        ([MODELS[0], "--threads", "100000"], "--threads must be at most the usable cores. Got 100000"),
        ([MODELS[0], "--no-fold", "--runtime", "onnxruntime"], "ONNX Runtime always folds"),
    ],
)
def test_options_that_do_not_go_together_are_refused_with_one_error(arguments: list[str], words: str) -> None:
    ran = gpscale_here("bench", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
    assert ran.err.count("Error: ") == 1
