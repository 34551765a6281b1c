"""Bad input: one clear error before any work, exit code 2, no traceback, nothing written."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from gpscale.errors import BudgetError
from gpscale.factors import Factors
from gpscale.run_dir import RunDir, find_study
from gpscale.search_space import SearchSpace
from gpscale.study import Study
from tests.cli.command import ENVIRONMENT, Ran, gpscale_here, gpscale_process
from tests.synthetic_runs import BASE, snapshot, write_run
from tests.training.data.made_images import encoded, picture, write_folder, write_parquet


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A directory of run directories that does not exist."""
    return tmp_path / "runs"


def sweep_file(directory: Path, settings: dict[str, Any] | str) -> Path:
    file = directory / "bad.yaml"
    file.write_text(settings if isinstance(settings, str) else yaml.safe_dump({"base": BASE, "trials": 8, **settings}))
    return file


def assert_refused(ran: Ran, *patterns: str) -> None:
    """Assert one error in words, on standard error alone."""
    assert ran.code == 2, ran
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert ran.err.count("Error: ") == 1, ran.err
    for pattern in patterns:
        assert re.search(pattern, ran.err), (pattern, ran.err)


UNKNOWN_KEYS = {
    "at the top": ({"trails": 8}, "`trails` is no setting.*Did you mean 'trials'"),
    "in a section": ({"recipe": {"epoch": 3}}, "`recipe.epoch` is no setting.*Did you mean 'epochs'"),
    "in the data": ({"data": {"sauce": "digits"}}, "`data.sauce` is no setting.*Did you mean 'source'"),
    "in a bound": ({"space": {"width": {"low": 1, "hihg": 2}}}, "`space.width.hihg` is no setting.*mean 'high'"),
    "in an optional section": (
        {"recipe": {"randaugment": {"magnitud": 3}}},
        "`recipe.randaugment.magnitud` is no setting.*Did you mean 'magnitude'",
    ),
    "in a sampler": ({"sampler": {"name": "line", "factr": "width"}}, "option.*'factr'.*Did you mean 'factor'"),
    "where there are none": ({"sampler": {"name": "random", "c": 1}}, "option.*'random'.*'c'. Known: none"),
}

WRONG_TYPES = {
    "a word for a number": ({"trials": "many"}, r"`trials` must be a whole number\. Got 'many'"),
    "half an epoch": ({"recipe": {"epochs": 2.5}}, r"`recipe\.epochs` must be a whole number\. Got 2\.5"),
    "a number for a section": (
        {"space": 5},
        "`space` must hold settings. Got 5. Write `space:`.*known keys: preset, resolution",
    ),
    "a list for a span": (
        {"band": [0.2, 1.1]},
        r"`band` must hold settings. Got \[0\.2, 1\.1\].*known keys: low, high",
    ),
    "a number for a name": (
        {"base": 200},
        "`base` must be a name such as mobilevitv2_050@64. Got the number 200. Put it in quotes",
    ),
    "a word in a sampler": ({"sampler": {"name": "line", "c": "half"}}, r"`sampler\.c` must be a number\. Got 'half'"),
    "a number for a shape": ({"sampler": {"name": "grid", "shape": 6}}, r"`sampler\.shape`.*Got 6"),
    "a word for two factors": ({"sampler": {"name": "grid", "factors": "width"}}, r"`sampler\.factors`.*Got 'width'"),
    "no number at all": ({"recipe": {"gradient_clip": float("nan")}}, r"`recipe\.gradient_clip`.*Got nan"),
    "an endless band": ({"band": {"low": 0.2, "high": float("inf")}}, r"`band\.high`.*finite.*Got inf"),
    "a name for the images": (
        {"data": "digits"},
        r"`data` must hold settings. Got 'digits'. Write `data: {source: digits}`",
    ),
    "a name for a sampler": (
        {"sampler": "sobool"},
        "`sampler` must hold settings. Got 'sobool'. Write `sampler: {name: sobol}`; known: grid, line, random, sobol",
    ),
    "a name like no sampler": ({"sampler": 5}, "Got 5. Write `sampler: {name: sobol}`"),
    "a base that YAML takes for a number": ("base: 050\n", "Got the number 40. Put it in quotes"),
    "a base left empty": ("base:\n", "`base` must be a name.*Got nothing"),
    "zero trials": ({"trials": 0}, "`trials`.*greater than or equal to 1.*Got 0"),
}

NAMES = {
    "base": ({"base": "mobilevitv2_20@128"}, "'mobilevitv2_20@128'.*Did you mean 'mobilevitv2_200@128'"),
    "base of another size": ({"base": "mobilevit_v2_050@96"}, "Did you mean 'mobilevitv2_050@96'"),
    "base of a size that is none": ({"base": "mobilevit_v2_050@big"}, r"Did you mean 'mobilevitv2_050@\d+'"),
    "base like no other": ({"base": "resnet50@224"}, r"Unknown model 'resnet50@224'.*\)\.$"),
    "base without pixels": (
        {"base": "mobilevitv2_200"},
        r"Unknown model 'mobilevitv2_200' \(write NAME@PIXELS or NAME@HEIGHTxWIDTH\)\. .*mean 'mobilevitv2_200@64'",
    ),
    "base that is not square": ({"base": "mobilevitv2_200@64x128"}, "square.*'mobilevitv2_200@64x128'"),
    "sampler": ({"sampler": {"name": "sobel"}}, "sampler 'sobel'.*grid, line, random, sobol.*mean 'sobol'"),
    "factor": ({"sampler": {"name": "line", "factor": "widht"}}, "factor 'widht'.*Did you mean 'width'"),
    "factor that has bounds": ({"space": {"depth": {"low": 1, "high": 2}}}, "`space.depth` is no setting.*ir_depth"),
    "source": ({"data": {"source": "digit"}}, "data source 'digit'.*Did you mean 'digits'"),
    "preset": ({"space": {"preset": "papers"}}, r"`space\.preset`.*must be default or paper\. Got 'papers'"),
}

IMPOSSIBLE = {
    "bounds reversed": (
        {"space": {"width": {"low": 1.2, "high": 0.6}}},
        r"`space\.width`.*`low` must not exceed `high`.*low=1\.2, high=0\.6.*Swap",
    ),
    "band reversed": ({"band": {"low": 1.1, "high": 0.2}}, r"`band`.*low=1\.1, high=0\.2.*Swap"),
    "bound of zero": ({"space": {"width": {"low": 0, "high": 1}}}, r"`space\.width\.low`.*greater than 0.*Got 0"),
    "bounds that exclude all": (
        {"space": {"resolution": {"low": 1.01, "high": 1.02}}},
        r"`space\.resolution` must allow at least one.*\[1\.01, 1\.02\].*Widen",
    ),
    "a budget that nothing fits": (
        {"band": {"low": 0.001, "high": 0.002}},
        r"band must hold at least one architecture.*29\.0K and 58\.0K.*Widen",
    ),
    "more trials than architectures": (
        {"trials": 5000, "space": {name: {"low": 0.9, "high": 1.1} for name in ("resolution", "width")}},
        "`trials` must not exceed the architectures.*Got trials=5000. Ask for at most",
    ),
    "more trials than levels": (
        {"trials": 50, "sampler": {"name": "line"}},
        "Sampler 'line' has 3 to offer. Got trials=50",
    ),
    "the same factor twice": (
        {"sampler": {"name": "line", "factor": "width", "compensate": "width"}},
        "`sampler`.*must differ.*width, width",
    ),
    "a pixel step": ({"space": {"pixel_step": 7}}, r"`space\.pixel_step` must divide.*\(64\).*Got 7"),
    "classes that the images lack": ({"num_classes": 7}, "`num_classes`.*Got 7, but source 'digits' has 10"),
}

BAD_FILES = {
    "nothing": ("", "must hold keys and values.*None"),
    "a list": ("- base\n- trials\n", "must hold keys and values"),
    "no YAML": ("base: [mobilevitv2_050@64\n", "must be YAML"),
    "no base": ("trials: 8\n", "`base` must be set"),
    "a key twice": (
        "base: mobilevitv2_050@64\ntrials: 4\ntrials: 5\n",
        "`trials` must be set once. Got it on lines 2 and 3. Remove one.",
    ),
    "a key of a section twice": (
        "base: mobilevitv2_050@64\nrecipe:\n  epochs: 4\n  ema: false\n  epochs: 5\n",
        "`recipe.epochs` must be set once. Got it on lines 3 and 5",
    ),
    "a section twice": (
        "data: {source: digits}\nbase: mobilevitv2_050@64\ndata: {source: digits}\n",
        "`data` must be set once. Got it on lines 1 and 3",
    ),
}


@pytest.mark.parametrize("case", UNKNOWN_KEYS)
def test_an_unknown_key_is_refused_with_the_nearest_key(case: str, tmp_path: Path, runs: Path) -> None:
    settings, pattern = UNKNOWN_KEYS[case]
    assert_refused(gpscale_here("sweep", sweep_file(tmp_path, settings), "--runs", runs), pattern)
    assert not runs.exists()


@pytest.mark.parametrize("case", WRONG_TYPES)
def test_a_wrong_type_is_refused_with_its_key_and_value(case: str, tmp_path: Path, runs: Path) -> None:
    settings, pattern = WRONG_TYPES[case]
    assert_refused(gpscale_here("sweep", sweep_file(tmp_path, settings), "--runs", runs), pattern)
    assert not runs.exists()


@pytest.mark.parametrize("case", NAMES)
def test_an_unknown_name_is_refused_with_the_known_ones(case: str, tmp_path: Path, runs: Path) -> None:
    settings, pattern = NAMES[case]
    assert_refused(gpscale_here("sweep", sweep_file(tmp_path, settings), "--runs", runs), pattern)
    assert not runs.exists()


@pytest.mark.parametrize("command", ["sweep", "dry run"])
@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_an_impossible_sweep_is_refused(case: str, command: str, tmp_path: Path, runs: Path) -> None:
    settings, pattern = IMPOSSIBLE[case]
    options = ["--dry-run"] if command == "dry run" else []
    assert_refused(gpscale_here("sweep", sweep_file(tmp_path, settings), "--runs", runs, *options), pattern)
    assert not runs.exists()


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_is_no_sweep_is_refused(case: str, tmp_path: Path, runs: Path) -> None:
    text, pattern = BAD_FILES[case]
    assert_refused(gpscale_here("sweep", sweep_file(tmp_path, text), "--runs", runs), pattern)
    assert not runs.exists()


def test_every_fault_of_a_sweep_file_is_named_at_once(tmp_path: Path, runs: Path) -> None:
    file = sweep_file(tmp_path, {"trails": 8, "trials": "many", "recipe": {"epoch": 1}})
    assert_refused(gpscale_here("sweep", file, "--runs", runs), "`trails`", "`trials`", r"`recipe\.epoch`")


def test_a_sweep_file_that_is_not_there_is_refused(tmp_path: Path, runs: Path) -> None:
    assert_refused(gpscale_here("sweep", tmp_path / "absent.yaml", "--runs", runs), "absent.yaml.*No such file")
    assert not runs.exists()


@pytest.mark.parametrize(
    ("override", "pattern"),
    [
        ("trials", "--set needs KEY=VALUE.*'trials'"),
        ("recipe.epoch=3", "`recipe.epoch` is no setting.*Did you mean 'epochs'"),
        ("recipe.epochs=soon", r"`recipe\.epochs`.*Got 'soon'"),
        ("trials.all=3", "'trials' is a value, not a section"),
        ("band=[0.2", "--set needs a YAML value"),
        ("band={low: 0.2, low: 0.3}", "`low` must be set once. Got it on line 1, 2 times"),
    ],
)
def test_a_bad_override_is_refused(override: str, pattern: str, tmp_path: Path, runs: Path) -> None:
    file = sweep_file(tmp_path, {})
    assert_refused(gpscale_here("sweep", file, "--runs", runs, "--set", override), pattern)
    assert not runs.exists()


def bad_images(root: Path) -> Iterator[tuple[str, dict[str, Any], tuple[str, ...]]]:
    """Make bad data sets; yield what each is, its settings, and what the error says."""
    yield "root not set", {"source": "folder"}, (r"`data\.root` must say.*Set it",)
    yield "missing", {"source": "folder", "root": str(root / "no")}, (r"`data\.root` must be a directory.*no'",)
    (root / "empty").mkdir(parents=True)
    yield "empty folder", {"source": "folder", "root": str(root / "empty")}, ("one folder for each class",)
    yield "empty parquet", {"source": "parquet", "root": str(root / "empty")}, (r"train\*\.parquet.*has none",)
    yield "absent cifar10", {"source": "cifar10", "root": str(root / "empty")}, ("'cifar10' must lie complete",)
    write_folder(root / "single", classes=("cat",))
    yield "one class", {"source": "folder", "root": str(root / "single")}, ("at least two classes.*'cat'",)
    write_folder(root / "few", per_class=1)
    yield "one image a class", {"source": "folder", "root": str(root / "few")}, ("at least 2 images.*'cat'.*has 1",)
    write_folder(root / "torn")
    for name in ("cat/00001.png", "dog/00004.png"):
        (root / "torn" / name).write_bytes(b"no picture")
    torn = ("decodable. Got 2 of 12", re.escape("cat/00001.png, dog/00004.png"), "Remove or replace")
    yield "undecodable", {"source": "folder", "root": str(root / "torn")}, torn
    (root / "corrupt").mkdir()
    (root / "corrupt" / "train.parquet").write_bytes(b"PAR1 but no more")
    yield "corrupt parquet", {"source": "parquet", "root": str(root / "corrupt")}, ("readable Parquet file",)
    images = [encoded(picture(seed)) for seed in range(6)]
    write_parquet(root / "mixed" / "train.parquet", [*images[:5], b"no picture"], [0, 1] * 3, ["cat", "dog"])
    yield "undecodable row", {"source": "parquet", "root": str(root / "mixed")}, ("Got 1 of 6.*train.parquet row 5",)


IMAGE_CASES = (
    "root not set", "missing", "empty folder", "empty parquet", "absent cifar10", "one class", "one image a class",
    "undecodable", "corrupt parquet", "undecodable row",
)  # fmt: skip


@pytest.mark.parametrize("case", IMAGE_CASES)
def test_bad_images_are_refused_and_leave_nothing(case: str, tmp_path: Path, runs: Path) -> None:
    cases = {name: (settings, patterns) for name, settings, patterns in bad_images(tmp_path / "images")}
    settings, patterns = cases[case]
    file = sweep_file(tmp_path, {"data": settings, "trials": 6})
    assert_refused(gpscale_here("sweep", file, "--runs", runs), *patterns)
    assert not runs.exists()


def test_bad_images_leave_the_other_runs_alone(tmp_path: Path, runs: Path) -> None:
    write_run(runs / "good", trials=3)
    before = snapshot(runs)
    write_folder(tmp_path / "torn")
    (tmp_path / "torn" / "cat" / "00001.png").write_bytes(b"no picture")
    file = sweep_file(tmp_path, {"data": {"source": "folder", "root": str(tmp_path / "torn")}})
    assert_refused(gpscale_here("sweep", file, "--runs", runs), "Got 1 of 12")
    assert snapshot(runs) == before


@pytest.mark.parametrize(
    ("setting", "pattern"),
    [
        ("seed=1", "holds another: `seed` is 0 there, 1 here"),
        ("recipe.epochs=2", "`recipe.epochs` is 10 there, 2 here"),
        ("base=mobilevitv2_075@64", "`base` is 'mobilevitv2_050@64' there"),
        ("space.width={low: 0.5, high: 1.0}", r"`space\.width"),
    ],
)
def test_the_run_directory_of_another_sweep_is_refused(setting: str, pattern: str, tmp_path: Path, runs: Path) -> None:
    write_run(runs / "bad", trials=8)
    before = snapshot(runs)
    file = sweep_file(tmp_path, {"fit": {"bootstrap": 5}})
    assert_refused(gpscale_here("sweep", file, "--runs", runs, "--set", setting), pattern, "--name")
    assert snapshot(runs) == before


def test_a_run_directory_that_was_begun_with_other_images_is_refused(tmp_path: Path, runs: Path) -> None:
    write_run(runs / "bad", trials=8)
    before = snapshot(runs)
    refused = gpscale_here("sweep", sweep_file(tmp_path, {"trials": 9}), "--runs", runs)
    assert_refused(refused, "same images.*fingerprint synthetic.*--name")
    after = snapshot(runs)
    assert after == before


def test_a_directory_of_other_files_is_refused(tmp_path: Path, runs: Path) -> None:
    (runs / "bad").mkdir(parents=True)
    (runs / "bad" / "thesis.tex").write_text("mine")
    assert_refused(gpscale_here("sweep", sweep_file(tmp_path, {}), "--runs", runs), "holds other files.*--name")
    assert snapshot(runs) == {"bad/thesis.tex": b"mine"}


def test_a_run_directory_that_is_a_file_is_refused(tmp_path: Path, runs: Path) -> None:
    runs.mkdir()
    (runs / "bad").write_text("mine")
    assert_refused(gpscale_here("sweep", sweep_file(tmp_path, {}), "--runs", runs), "is a file.*--name")


def test_a_place_that_may_not_be_written_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    ran = gpscale_here("sweep", sweep_file(tmp_path, {}), "--runs", tmp_path / "file" / "runs")
    assert_refused(ran, r"StorageError: .*file/runs/bad must be writable\. Got: Not a directory\. Mend its place")


def test_a_second_driver_is_refused(tmp_path: Path, runs: Path) -> None:
    write_run(runs / "bad", trials=8)
    holds = (
        "import sys; from gpscale.run_dir import RunDir\n"
        "with RunDir(sys.argv[1]).locked(): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", holds, str(runs / "bad")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=ENVIRONMENT, **pipes) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        before = snapshot(runs)
        ran = gpscale_here("sweep", sweep_file(tmp_path, {"trials": 9}), "--runs", runs)
        assert_refused(ran, "Only one sweep may run.*Another one is running.*--name")
        assert snapshot(runs) == before
        holder.communicate()


def test_too_few_finished_trials_are_refused(runs: Path) -> None:
    run = write_run(runs / "few", trials=8, finished=7, failed=[1, 4])
    before = snapshot(runs)
    assert_refused(gpscale_here("fit", run.path), "at least 6 finished trials. Got 5. Run more trials")
    assert snapshot(runs) == before


def test_a_run_without_any_trial_is_refused(runs: Path) -> None:
    run = write_run(runs / "none", trials=8, finished=0)
    assert_refused(gpscale_here("fit", run.path), "at least 6 finished trials. Got 0")


def test_constant_accuracies_are_refused(runs: Path) -> None:
    run = write_run(runs / "constant", trials=8, law=lambda c, factors: 0.1)
    before = snapshot(runs)
    assert_refused(gpscale_here("fit", run.path), "top1 must differ between trials. Got 0.1 in all 8. Train longer")
    assert snapshot(runs) == before


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("trials/{id}/record.json", "record.json must hold JSON"),
        ("sweep.yaml", "sweep.yaml"),
        ("provenance.json", "provenance.json must hold JSON"),
    ],
)
@pytest.mark.parametrize("command", ["fit", "status"])
def test_a_damaged_file_of_a_run_is_refused_and_named(command: str, file: str, pattern: str, runs: Path) -> None:
    run = write_run(runs / "damaged", trials=8)
    (run.path / file.format(id=run.trial_ids()[0])).write_text("{base: [")
    assert_refused(gpscale_here(command, run.path), pattern)


@pytest.mark.parametrize("command", ["status", "fit"])
def test_an_unknown_run_is_refused_with_the_shipped_studies(command: str) -> None:
    assert_refused(gpscale_here(command, "quickstrat"), "'quickstrat'.*quickstart.*Did you mean 'quickstart'")


@pytest.mark.parametrize("command", ["fit", "fidelity", "doctor"])
def test_a_shipped_study_is_not_written_into_by_its_name(command: str) -> None:
    before = snapshot(find_study("quickstart").path)
    ran = gpscale_here(command, "quickstart")
    assert_refused(
        ran, "RunDirError: .*'quickstart', which ships with gpscale.*such as runs.quickstart, or of a copy of"
    )
    assert snapshot(find_study("quickstart").path) == before


@pytest.mark.parametrize("macs", ["lots", "0", "-5M", "nan", "inf", "5 apples", "1e999", ""])
def test_macs_that_are_no_number_are_refused(macs: str) -> None:
    ran = gpscale_here("recommend", f"--macs={macs}")
    assert_refused(ran, f"macs must be a positive number.*Got {macs!r}.*500M")


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        (["--macs", "1G"], r"--macs 1G is c = 34\.5 of --base.*holds c 0\.2.*Leave --base out.*largest.*--macs 3"),
        (["--macs", "1M"], r"--macs 1M is c = 0\.0345.*The smallest that fits this base: --macs \d\.\d+M\.$"),
        (["--macs", "20"], r"--macs 20 is 20 multiply-accumulates; did you mean 20M\? The smallest.*: --macs"),
    ],
)
def test_a_budget_outside_the_range_is_refused_with_the_range(fitted: Study, options: list[str], pattern: str) -> None:
    ran = gpscale_here("recommend", *options, "--study", fitted.run.path, "--base", BASE)
    assert_refused(ran, "OutOfRangeError", pattern)
    assert "gpscale.recommend" not in ran.err


@pytest.mark.parametrize("base", [[], ["--base", BASE]])
@pytest.mark.parametrize("macs", ["1", "20", "1M", "900G"])
def test_the_budget_that_a_refusal_suggests_is_answered(fitted: Study, macs: str, base: list[str]) -> None:
    options = ["--study", fitted.run.path, *base]
    suggested = re.search(r"--macs (\S+)\.$", gpscale_here("recommend", "--macs", macs, *options).err.strip())
    assert suggested is not None
    assert re.fullmatch(r"[\d.]{1,4}[KMG]", suggested[1])
    assert gpscale_here("recommend", "--macs", suggested[1], *options).code == 0


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        (["--base", "mobilevitv2@64"], "'mobilevitv2@64' .write NAME@PIXELS.*Did you mean"),
        (["--method", "guess"], "method 'guess'.*rule, surface"),
        (["--study", "cifar11"], "'cifar11'"),
    ],
)
def test_an_unknown_base_method_or_study_is_refused(fitted: Study, options: list[str], pattern: str) -> None:
    ran = gpscale_here("recommend", "--macs", "20M", "--study", fitted.run.path, *options)
    assert_refused(ran, pattern)


def test_rules_are_not_shown_where_nothing_was_measured(fitted: Study) -> None:
    far = ["rules", fitted.run.path, "--macs", "1G"]
    assert_refused(gpscale_here(*far), "OutOfRangeError: A budget must lie in c .* Got c = 34.5. Choose .*M MACs")
    ran = gpscale_here(*far, "--macs", "15M")
    assert ran.code == 0
    assert ran.out.count("n/a: c = 34.5 is outside the trials, c 0.2") == 1
    assert "15.0M MACs" in ran.out


def test_a_recommendation_of_a_study_without_fits_says_how_to_make_them(runs: Path) -> None:
    run = write_run(runs / "raw", trials=8)
    assert_refused(gpscale_here("recommend", "--macs", "20M", "--study", run.path), "study.json.*gpscale fit")


def test_a_budget_that_no_architecture_fits_names_the_smallest() -> None:
    space = SearchSpace.enumerate(BASE, num_classes=10)
    with pytest.raises(BudgetError, match=r"fits 1\.0M MACs; the smallest .* has 1\.\dM.*Raise the budget"):
        space.nearest(Factors(), "1M")
    assert np.isclose(space.macs[0], 1e6, rtol=1.0)


@pytest.mark.parametrize(
    "arguments",
    [
        ["count", "mobilevitv2_xxl"],
        ["count", "resnet@64"],
        ["count", "mobilevitv2_200@0"],
        ["recommend", "--macs", "lots"],
        ["sweep", "absent.yaml"],
    ],
)
def test_the_command_as_a_process_refuses_without_a_traceback(arguments: list[str], tmp_path: Path) -> None:
    ran = gpscale_process(*arguments, cwd=tmp_path)
    assert_refused(ran)
    assert snapshot(tmp_path) == {}


def test_nothing_of_a_refused_sweep_keeps_the_next_one_from_starting(tmp_path: Path, runs: Path) -> None:
    root = write_folder(tmp_path / "torn")
    good = (root / "cat" / "00001.png").read_bytes()
    (root / "cat" / "00001.png").write_bytes(b"no picture")
    file = sweep_file(tmp_path, {"data": {"source": "folder", "root": str(root)}})
    assert_refused(gpscale_here("sweep", file, "--runs", runs), "Got 1 of 12")
    (root / "cat" / "00001.png").write_bytes(good)
    with RunDir(runs / "bad").locked():
        assert_refused(gpscale_here("sweep", file, "--runs", runs), "Only one sweep may run")


def test_a_plan_too_small_to_fit_is_announced_before_it_is_trained(tmp_path: Path, runs: Path) -> None:
    ran = gpscale_here("sweep", sweep_file(tmp_path, {"trials": 3}), "--runs", runs, "--dry-run")
    assert ran.code == 0
    assert "3 trials will be trained but not fitted: that takes at least 6" in ran.err


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
@pytest.mark.parametrize("minutes", ["0", "-5", "nan"])
def test_a_timeout_that_leaves_no_time_is_refused(tmp_path: Path, runs: Path, minutes: str, more: list[str]) -> None:
    ran = gpscale_here("sweep", sweep_file(tmp_path, {}), "--runs", runs, "--timeout", minutes, *more)
    assert_refused(ran, f"--timeout must be a positive number of minutes. Got {float(minutes):g}")
    assert not runs.exists()


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_an_unknown_reason_to_retry_is_refused(tmp_path: Path, runs: Path, more: list[str]) -> None:
    ran = gpscale_here("sweep", sweep_file(tmp_path, {}), "--runs", runs, "--retry", "crash", *more)
    assert_refused(ran, "'crash'.*Did you mean 'crashed'")
    assert not runs.exists()


def test_a_name_that_leaves_the_runs_is_refused(tmp_path: Path, runs: Path) -> None:
    ran = gpscale_here("sweep", sweep_file(tmp_path, {}), "--runs", runs, "--name", "../elsewhere")
    assert_refused(ran, "must be a plain name")
    assert not runs.exists()
