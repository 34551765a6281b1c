"""The commands that read a study, in words and as JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import gpscale
from gpscale.cli import executors
from gpscale.cli.executors import ExecutorOptions
from gpscale.execution import LocalExecutor
from gpscale.recommendation import Recommendation
from gpscale.recommender import recommend
from gpscale.study import Study
from tests.cli.command import gpscale_here
from tests.synthetic_runs import snapshot, write_run

REPOSITORY = Path(gpscale.__file__).parents[1]


def test_recommend_prints_what_the_function_returns(fitted: Study) -> None:
    options = ["recommend", "--macs", "20M", "--study", fitted.run.path, "--method", "surface", "--num-classes", 3]
    expected = recommend("20M", study=fitted.run.path, method="surface", num_classes=3)
    plain, as_json = gpscale_here(*options), gpscale_here(*options, "--json")
    assert (plain.code, plain.err, as_json.code, as_json.err) == (0, "", 0, "")
    assert plain.out == f"{expected}\n"
    assert Recommendation.from_dict(json.loads(as_json.out)) == expected


def test_recommend_without_a_study_asks_the_shipped_one() -> None:
    ran = gpscale_here("recommend", "--macs", "500M", "--json")
    found = json.loads(ran.out)
    assert found["study"] == "cifar10_96px"
    assert 0.97 * 500e6 <= found["macs"] <= 500e6


def test_recommend_takes_another_base(fitted: Study) -> None:
    ran = gpscale_here("recommend", "--macs", "1G", "--study", fitted.run.path, "--base", "mobilevitv2_200@128")
    assert ran.code == 0
    assert "base          mobilevitv2_200@128" in ran.out
    assert "transferred" in ran.out


def test_status_says_how_far_a_sweep_is(fitted: Study) -> None:
    plain = gpscale_here("status", fitted.run.path)
    assert plain.code == 0
    assert "known_rule: base mobilevitv2_050@64, 40 trials planned: 38 finished, 2 failed" in plain.out
    assert "no sweep is running here" in plain.out
    assert plain.out.count("diverged: TrainingError: the loss is nan") == 2
    assert "best top-1 so far: " in plain.out
    assert json.loads(gpscale_here("status", fitted.run.path, "--json").out) == fitted.status()


def test_status_of_a_sweep_that_has_only_begun(tmp_path: Path) -> None:
    run = write_run(tmp_path / "young", trials=8, finished=0)
    ran = gpscale_here("status", run.path)
    assert (ran.code, ran.err) == (0, "")
    assert "8 trials planned: 8 pending" in ran.out
    assert "best" not in ran.out


def test_fit_writes_the_fits_and_prints_front_rule_and_recommendations(tmp_path: Path) -> None:
    run = write_run(tmp_path / "fits", trials=10, failed=[3], fit={"pareto_share": 0.6})
    plain = gpscale_here("fit", run.path)
    assert (plain.code, plain.err) == (0, "")
    study = Study(run)
    for words in ("9 trials finished, 1 failed", "leave-one-out RMSE", "Pareto set: ", "Rule: ", "Recommendations"):
        assert words in plain.out
    for row in study.pareto.itertuples():
        assert f"{row.c:.3f}" in plain.out
    assert f"figures: {run.figures}" in plain.out
    assert (run.figures / "front.png").stat().st_size > 1000
    written = snapshot(run.path)
    as_json = gpscale_here("fit", run.path, "--json")
    assert json.loads(as_json.out) == json.loads(json.dumps(Study(run).summary()))
    assert snapshot(run.path) == written


def test_fit_of_a_line_says_why_there_is_no_rule(tmp_path: Path) -> None:
    sampler = {"name": "line", "compensate": ["width", "ir_depth", "vit_depth"]}
    run = write_run(tmp_path / "line", trials=6, sampler=sampler)
    ran = gpscale_here("fit", run.path)
    assert ran.code == 0
    assert "No rule: sampler 'line' holds MACs fixed" in ran.out
    assert "Recommendations" not in ran.out


@pytest.mark.parametrize("name", ["quickstart", "cifar10", "paper_imagenet100"])
def test_space_describes_every_sweep_of_the_project(name: str) -> None:
    file = REPOSITORY / "sweeps" / f"{name}.yaml"
    ran = gpscale_here("space", file)
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(gpscale_here("space", file, "--json").out)
    assert f"{found['architectures']:,} architectures within the bounds" in ran.out
    assert f"{found['feasible']:,} of them" in ran.out
    assert ("exclude the base itself" in ran.out) == (name == "paper_imagenet100")
    for words in ("\npixels\n", "\nir_blocks\n", "\nvit_layers\n", "\nwidth\n", "never in the band"):
        assert words in ran.out


def test_space_follows_overrides(tmp_path: Path) -> None:
    file = REPOSITORY / "sweeps" / "quickstart.yaml"
    found = json.loads(gpscale_here("space", file, "--set", "space.width={low: 1, high: 1}", "--json").out)
    assert found["factors"]["width"]["levels"] == 1


def test_a_dry_run_prints_the_plan_and_a_time_and_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text("base: mobilevitv2_050@32\ntrials: 5\ndata: {train_images: 100}\nrecipe: {batch_size: 4}\n")
    runs = tmp_path / "runs"
    options = ["sweep", file, "--runs", runs, "--dry-run", "--workers", 2, "--trials", 6]
    plain = gpscale_here(*options)
    assert (plain.code, plain.err) == (0, "timing 3 models ...\n")
    assert "base mobilevitv2_050@32: 6 trials, 0 of them done, 6 to train" in plain.out
    assert "images: 100 train, " in plain.out
    assert "6,000 training images over all epochs and pending trials" in plain.out
    assert "with 2 workers" in plain.out
    found = json.loads(gpscale_here(*options, "--json").out)
    assert (found["trials"], found["workers"], found["train_images"]) == (6, 2, 100)
    assert found["seconds"] > 0
    assert not runs.exists()


def test_a_dry_run_on_a_graphics_card_counts_on_one_trial_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "training_device", lambda: "cuda")
    file = tmp_path / "tiny.yaml"
    file.write_text("base: mobilevitv2_050@32\ntrials: 5\ndata: {train_images: 100}\nrecipe: {batch_size: 4}\n")
    options = ["sweep", file, "--runs", tmp_path / "runs", "--dry-run"]
    ran = gpscale_here(*options)
    assert "with 1 worker, from a calibration" in ran.out
    assert executors.ONE_AT_A_TIME in ran.out
    chosen = gpscale_here(*options, "--workers", 3)
    assert "with 3 workers, from a calibration" in chosen.out
    assert executors.ONE_AT_A_TIME not in chosen.out


def test_a_dry_run_fetches_no_images_and_tells_what_is_known_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = "{source: mnist, root: data, download: true, train_images: 100}"
    Path("absent.yaml").write_text(f"base: mobilevitv2_050@32\ntrials: 6\ndata: {data}\nrecipe: {{batch_size: 4}}\n")
    ran = gpscale_here("sweep", "absent.yaml", "--dry-run", "--workers", 2, "--set", "num_classes=10")
    assert (ran.code, ran.err) == (0, "timing 3 models ...\n")
    assert "mnist is not in data yet: the sweep will fetch it, a dry run does not" in ran.out
    assert "images: at most 100 train, unknown validate; at most 6,000 training images over" in ran.out
    assert "minutes with 2 workers, evaluations left out, from a calibration" in ran.out
    uncounted = gpscale_here("sweep", "absent.yaml", "--dry-run")
    assert (uncounted.code, uncounted.out) == (2, "")
    assert re.match(
        "DataError: Only a sweep fetches images.*`num_classes`.*'mnist' is not in 'data' yet", uncounted.err
    )
    assert gpscale_here("space", "absent.yaml").err == uncounted.err
    assert [path.name for path in tmp_path.iterdir()] == ["absent.yaml"]


def test_a_dry_run_for_a_cluster_says_whose_speed_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExecutorOptions, "make", lambda self: LocalExecutor(workers=3))
    file = tmp_path / "tiny.yaml"
    file.write_text("base: mobilevitv2_050@32\ntrials: 5\ndata: {train_images: 100}\nrecipe: {batch_size: 4}\n")
    words = "this is the speed of this machine; nodes of a cluster may be faster or slower"
    for executor in ("local", "ray"):
        ran = gpscale_here("sweep", file, "--dry-run", "--executor", executor)
        assert (words in ran.out) == (executor == "ray")


def test_a_doctor_that_only_looks_takes_a_shipped_name() -> None:
    ran = gpscale_here("doctor", "quickstart", "--dry-run")
    assert (ran.code, ran.err) == (0, "")


def test_levels_never_in_the_band_are_runs(tmp_path: Path) -> None:
    file = REPOSITORY / "sweeps" / "quickstart.yaml"
    found = gpscale_here("space", file, "--set", "band={low: 0.05, high: 0.06}").out
    [width] = [line for line in found.splitlines() if line.split()[:1] == ["width"] and " to " in line]
    assert re.search(r"\d\.\d{3} to \d\.\d{3} \(\d+ levels\)$", width.rstrip()), width
