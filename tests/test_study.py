from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gpscale
from gpscale import families
from gpscale.counting import count_module
from gpscale.errors import FitError, RunDirError, UnknownNameError
from gpscale.execution import StoredTrials
from gpscale.factors import FACTOR_NAMES
from gpscale.plotting.catalogue import FIGURES
from gpscale.run_dir import RunDir
from gpscale.study import Study
from gpscale.sweep import fit_run
from gpscale.training.curve import CURVE_FILE, CurveRow, write_curve
from gpscale.trial_table import TRIAL_COLUMNS
from gpscale.units import format_macs
from tests.synthetic_runs import BASE, SLOPES, write_run

ROWS = [CurveRow(epoch, 100 * epoch, 2.0, 1.5, 0.1 * epoch, 0.5, 1.4, 0.125, 0.6) for epoch in (1, 2)]
TEXTS = ("id", "state", "reason", "detail", "architecture")
COUNTS = ("macs", "params", "pixels", "seed")


def line_sampler(**options: object) -> dict[str, object]:
    return {"name": "line", "factor": "resolution", "compensate": ["width", "ir_depth", "vit_depth"], **options}


def assert_types(table: pd.DataFrame) -> None:
    assert tuple(table.columns) == TRIAL_COLUMNS
    for name in TRIAL_COLUMNS:
        kind = table[name].dtype
        if name in TEXTS:
            assert pd.api.types.is_string_dtype(kind), name
        elif name in COUNTS or name == "epochs":
            assert pd.api.types.is_integer_dtype(kind), name
        else:
            assert kind == np.float64, name


def test_the_public_name_is_the_study() -> None:
    assert gpscale.Study is Study


def test_trials_are_one_row_each_in_order_of_macs(fitted: Study) -> None:
    table = fitted.trials
    assert_types(table)
    assert len(table) == 40
    assert table["macs"].is_monotonic_increasing
    assert table["id"].is_unique
    np.testing.assert_allclose(table["c"], table["macs"] / fitted.base.macs)
    assert set(table["state"]) == {"finished", "failed"}
    np.testing.assert_allclose(table["pixels"], table["resolution"] * 64)


def test_failed_trials_have_a_reason_and_no_accuracy(fitted: Study) -> None:
    failed = fitted.trials[fitted.trials["state"] == "failed"]
    assert list(failed["reason"]) == ["diverged", "diverged"]
    assert failed["detail"].str.contains("loss is nan").all()
    assert failed[["top1", "top5", "epochs"]].isna().all(axis=None)
    assert failed[list(FACTOR_NAMES)].notna().all(axis=None)
    assert len(fitted.finished) == 38
    assert fitted.finished[["top1", "top5", "epochs", "seconds"]].notna().all(axis=None)
    assert (fitted.finished["reason"] == "").all()


@pytest.mark.parametrize(("finished", "failed"), [(0, []), (2, [0, 1])])
def test_the_columns_and_types_do_not_depend_on_what_has_ended(
    finished: int, failed: list[int], tmp_path: Path
) -> None:
    study = Study(write_run(tmp_path / "young", trials=8, finished=finished, failed=failed))
    assert_types(study.trials)
    assert len(study.trials) == finished
    assert len(study.finished) == 0


def test_what_is_fitted_says_in_one_line_what_it_is(fitted: Study) -> None:
    surface = fitted.joint_surface()
    profile = surface.profile("width", fitted.finished[list(surface.names)].to_numpy())
    said = {
        fitted.rule: "GPRule(c 0.2",
        fitted.diagnostics: "Diagnostics(The top-1 surface knows more than MACs do",
        surface: "Surface(top1 over resolution, ir_depth, vit_depth, width; 38 observations)",
        fitted.surface("width", size=7): "SurfaceLine(slice of the joint top1 surface over width",
        fitted.surface("width", "resolution", size=7): "SurfaceGrid(slice of the joint top1 surface over width and",
        profile: "SurfaceProfile(best top1 of 38 architectures at each width",
    }
    for fit, start in said.items():
        assert str(fit) == repr(fit)
        assert repr(fit).startswith(start)
        assert len(repr(fit)) < 200
        assert "\n" not in repr(fit)


def test_the_base_is_counted_with_the_classes_of_the_images(fitted: Study) -> None:
    assert fitted.base.name == BASE
    assert fitted.num_classes == 10
    model = families.get("mobilevitv2").build(fitted.base.architecture, 10)
    assert (fitted.base.macs, fitted.base.params) == count_module(model, (64, 64))


def test_a_study_says_what_it_is(fitted: Study) -> None:
    assert repr(fitted) == "Study('known_rule': base mobilevitv2_050@64, 29.0M MACs; trials: 38 finished, 2 failed)"
    page = fitted._repr_html_()
    assert "38 finished" in page
    assert "<table" in page


def test_a_surface_over_two_factors_is_a_slice_with_its_observations(fitted: Study) -> None:
    grid = fitted.surface("resolution", "width", size=20)
    assert grid.mean.shape == grid.std.shape == (20, 20)
    assert grid.names == ("resolution", "width")
    assert grid.observations.shape == (38, 2)
    assert grid.fixed == {"ir_depth": 1.0, "vit_depth": 1.0}
    low, high = fitted.finished["width"].min(), fitted.finished["width"].max()
    assert (grid.y[0], grid.y[-1]) == (low, high)
    assert grid.x[0] == fitted.finished["resolution"].min()
    # the law rewards width where resolution is that of the base
    middle = np.argmin(np.abs(grid.x - 1.0))
    assert grid.mean[-1, middle] > grid.mean[0, middle]


def test_a_surface_over_one_factor_is_a_line(fitted: Study) -> None:
    line = fitted.surface("width", size=30, outcome="top5", fixed={"resolution": 0.75})
    assert line.mean.shape == (30,)
    assert line.fixed == {"resolution": 0.75, "ir_depth": 1.0, "vit_depth": 1.0}
    assert line.outcome == "top5"
    assert "MACs vary" in line.label


def test_the_default_grid_has_500_points_a_side(fitted: Study) -> None:
    assert fitted.surface("resolution", "width").mean.shape == (500, 500)


def test_a_surface_over_no_factor_is_refused(fitted: Study) -> None:
    with pytest.raises(UnknownNameError, match="factor 'depth'.*Known"):
        fitted.surface("depth")


def test_an_iso_macs_profile_has_the_best_of_each_level_at_those_macs(fitted: Study) -> None:
    profile = fitted.iso_macs("resolution", "15M")
    near = np.abs(fitted.space.macs / 15e6 - 1) <= 0.03
    assert list(profile.levels) == sorted(set(fitted.space.factors[near, 0]))
    expected = fitted.joint_surface().predict(fitted.space.factors[near]).mean
    for level, mean in zip(profile.levels, profile.mean, strict=True):
        assert mean == pytest.approx(expected[fitted.space.factors[near, 0] == level].max(), abs=1e-12)
    # at half of the MACs the law's best is r = 0.5 ** 0.3 = 0.81, between these two
    assert set(profile.levels[np.argsort(profile.mean)[-2:]]) == {0.75, 1.0}


def test_an_iso_macs_profile_where_nothing_is_is_refused(fitted: Study) -> None:
    low, high = (format_macs(macs) for macs in (fitted.space.macs.min(), fitted.space.macs.max()))
    with pytest.raises(
        FitError, match=f"Got 15,000.0M, within 3%, but the space of study 'known_rule' spans {low} to {high}"
    ):
        fitted.iso_macs("resolution", "15G")


def test_the_pareto_set_is_a_fifth_of_the_finished_trials_by_macs(fitted: Study) -> None:
    table = fitted.pareto
    inside = ((fitted.finished["c"] >= 0.2) & (fitted.finished["c"] <= 1.1)).sum()
    assert len(table) == np.ceil(0.2 * inside)
    assert table["macs"].is_monotonic_increasing
    assert set(table["rank"]) <= {1, 2, 3}
    best = fitted.finished.nlargest(1, "top1")["id"].iloc[0]
    assert best in set(table["id"])
    first = table[table["rank"] == 1]
    assert first["top1"].is_monotonic_increasing


def test_the_rule_follows_the_trials(fitted: Study) -> None:
    low, high = fitted.rule.c_range
    assert (low, high) == (fitted.finished["c"].min(), fitted.finished["c"].max())
    found = fitted.rule.predict([0.5])
    for position, name in enumerate(FACTOR_NAMES):
        assert found.low[0, position] < 0.5 ** SLOPES[name] < found.high[0, position], name


def test_the_diagnostics_say_that_the_factors_matter(fitted: Study) -> None:
    assert fitted.diagnostics.n == 38
    assert fitted.diagnostics.outcome == "top1"
    assert fitted.diagnostics.knows_more_than_macs
    assert fitted.diagnostics.joint.rmse < fitted.diagnostics.log_macs.rmse


def test_a_summary_is_json_without_nan_and_has_what_a_reader_wants(fitted: Study) -> None:
    summary = json.loads(json.dumps(fitted.summary(), allow_nan=False))
    assert summary["study"] == "known_rule"
    assert summary["trials"] == {"planned": 40, "finished": 38, "failed": 2, "stopped": 0}
    assert [row["c"] for row in summary["rule"]] == [0.25, 0.5, 0.75, 1.0]
    assert [row["c"] for row in summary["recommendations"]] == [0.25, 0.5, 0.75, 1.0]
    assert all(row["macs"] <= row["budget"] for row in summary["recommendations"])
    assert len(summary["pareto_set"]) == len(fitted.pareto)
    # of either outcome, what its surface knows and what its intervals hold
    assert len(summary["verdicts"]) == 4
    assert summary["rule"][1]["resolution"][0] == fitted.rule.predict([0.5]).factors[0, 0]


def test_a_run_with_the_name_of_a_shipped_study_answers_itself(
    fitted: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(fitted.run.path, tmp_path / "quickstart")
    monkeypatch.chdir(tmp_path)
    found = Study(RunDir("quickstart")).recommend("15M")
    assert found.base == fitted.base.name != Study("quickstart").base.name


def test_a_summary_beyond_the_range_says_so_in_place_of_a_recommendation(fitted: Study) -> None:
    summary = fitted.summary([0.05, 0.5, 3.0])
    assert [row["c"] for row in summary["rule"]] == [0.5]
    assert ["error" in row for row in summary["recommendations"]] == [True, False, True]
    assert "is c=3 of base" in summary["recommendations"][2]["error"]


def test_a_summary_holds_a_budget_that_no_architecture_of_the_space_fits(tmp_path: Path) -> None:
    # every architecture inside the bounds is larger than the base, which is a trial all the same
    narrow = {name: {"low": 1.0, "high": 1.5} for name in ("resolution", "ir_depth", "vit_depth")}
    run = write_run(
        tmp_path / "large", trials=8, band={"low": 0.9, "high": 2.5}, fit={"pareto_share": 0.6},
        space={**narrow, "width": {"low": 1.1, "high": 1.4}},
    )  # fmt: skip
    rows = fit_run(run, figures=False).summary([1.0, 2.0])["recommendations"]
    assert "no architecture of mobilevitv2 fits" in rows[0]["error"]
    assert rows[1]["macs"] <= rows[1]["budget"]


def test_a_study_at_fixed_macs_has_a_surface_and_no_rule(tmp_path: Path) -> None:
    study = fit_run(write_run(tmp_path / "line", trials=6, sampler=line_sampler()), figures=False)
    assert study.surface("resolution").mean.shape == (500,)
    assert study.facts["surface_names"] == ["resolution"]
    for name in ("rule", "pareto"):
        with pytest.raises(FitError, match="sampler 'line' holds MACs fixed"):
            getattr(study, name)
    with pytest.raises(FitError, match="this surface has resolution"):
        study.surface("width")
    assert study.diagnostics.n == 6
    summary = json.loads(json.dumps(study.summary(), allow_nan=False))
    assert (summary["rule"], summary["recommendations"]) == ([], [])
    assert "holds MACs fixed" in summary["rule_missing"]


def test_a_study_that_is_not_fitted_says_how_to_fit_it(tmp_path: Path) -> None:
    study = Study(write_run(tmp_path / "raw", trials=8))
    for name in ("rule", "pareto", "diagnostics", "space"):
        with pytest.raises(RunDirError, match=r"study\.json must exist.*gpscale fit"):
            getattr(study, name)
    assert len(study.trials) == 8


def test_a_fit_of_another_version_is_refused_and_fitting_again_mends_it(tmp_path: Path) -> None:
    run = write_run(tmp_path / "old", trials=8)
    fit_run(run, figures=False)
    stored = json.loads(run.study_file.read_text())
    run.study_file.write_text(json.dumps({**stored, "schema": 1}))
    with pytest.raises(RunDirError, match=r"must be of schema 4\. Got 1.*Run `gpscale fit .*old`"):
        _ = Study(run).facts
    with pytest.raises(RunDirError, match=r"must be of schema 4\. Got 1"):
        gpscale.recommend(macs="15M", study=run.path)
    assert fit_run(run, figures=False).facts["schema"] == 4


@pytest.mark.parametrize("outcome", ["top1", "top5"])
def test_the_left_out_predictions_are_those_of_the_trials_that_are_named(fitted: Study, outcome: str) -> None:
    measured = fitted.finished.set_index("id")[outcome]
    stored = fitted.facts["diagnostics"][outcome]
    assert stored["measured"] == measured[fitted.facts["surface_ids"]].tolist()
    assert len(stored["joint_left_out"]["mean"]) == len(measured)


def test_learning_curves_are_those_of_the_finished_trials_that_have_one(tmp_path: Path) -> None:
    run = write_run(tmp_path / "curves", trials=8, failed=[2], recipe={"epochs": 2})
    study = Study(run)
    assert study.curves.empty
    with_curve = [study.finished["id"][1], *study.trials.query("state == 'failed'")["id"]]
    for trial_id in with_curve:
        write_curve(run.trial(trial_id), ROWS)
    curves = Study(run).curves
    assert curves["id"].tolist() == with_curve[:1] * 2
    assert curves["c"].tolist() == [study.finished["c"][1]] * 2
    assert curves["epoch"].tolist() == [1, 2]
    assert curves["ema_top1"].tolist() == [0.125, 0.125]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"\xff\xfe" + content, id="no text"),
        pytest.param(lambda content: content[: content.rindex(b"\n", 0, -1) + 1], id="without its last epoch"),
        pytest.param(lambda content: content[:-20], id="cut short"),
    ],
)
def test_a_damaged_learning_curve_is_left_out_with_a_word(
    tmp_path: Path, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    run = write_run(tmp_path / "curves", trials=8, recipe={"epochs": 2})
    for trial_id in run.trial_ids():
        write_curve(run.trial(trial_id), ROWS)
    damaged, *whole = run.trial_ids()
    file = run.trial(damaged) / CURVE_FILE
    file.write_bytes(damage(file.read_bytes()))
    assert sorted(set(Study(run).curves["id"])) == whole
    [said] = caplog.messages
    assert str(file) in said
    assert "gpscale doctor" in said
    assert len(fit_run(run).finished) == 8


@pytest.mark.parametrize("content", ["{}", "[]", '{"data": null}', '{"data": {"fingerprint": "x", "classes": []}}'])
def test_a_provenance_of_another_shape_is_an_error_that_names_it(tmp_path: Path, content: str) -> None:
    run = write_run(tmp_path / "run", trials=8)
    run.provenance_file.write_text(content)
    for read in (lambda: Study(run).status(), lambda: fit_run(run), lambda: StoredTrials(run).images):
        with pytest.raises(RunDirError, match=r"provenance\.json must hold the provenance .*gpscale doctor"):
            read()


def test_an_architecture_that_is_none_of_its_family_is_an_error_that_names_the_record(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", trials=8)
    file = run.record_file(run.trial_ids()[0])
    values = json.loads(file.read_text())
    values["identity"]["architecture"] = {"pixels": 64}
    file.write_text(json.dumps(values))
    with pytest.raises(RunDirError, match=r"record\.json must hold an architecture of mobilevitv2\. .*gpscale doctor"):
        Study(run).status()


def test_a_sweep_file_that_was_cut_off_is_an_error_that_says_what_it_lacks(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", trials=8)
    text = run.sweep_file.read_text()
    run.sweep_file.write_text(text[: text.index("recipe:")])
    with pytest.raises(RunDirError, match=r"sweep\.yaml must hold every setting .* lacks recipe\."):
        Study(run).status()


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_a_method_of_a_study(name: str, fitted: Study) -> None:
    if name == "curves":
        with pytest.raises(FitError, match=r"curve\.csv"):
            fitted.plot_curves()
        return
    if name == "regret":
        with pytest.raises(FitError, match="Run `gpscale regret`"):
            fitted.plot_regret()
        return
    figure = getattr(fitted, f"plot_{name}")(columns=1)
    assert figure.get_size_inches()[0] == pytest.approx(3.3)
    assert fitted.name in figure.get_suptitle()


def test_one_factor_alone_is_no_surface(fitted: Study) -> None:
    with pytest.raises(FitError, match="needs two factors. Got 'width' alone"):
        fitted.plot_surface("width")


def test_status_of_a_sweep_that_has_ended(fitted: Study) -> None:
    status = json.loads(json.dumps(fitted.status(), allow_nan=False))
    assert (status["running"], status["planned"]) == (False, 40)
    assert status["trials"] == {"finished": 38, "failed": 2, "interrupted": 0, "pending": 0}
    assert [failure["reason"] for failure in status["failures"]] == ["diverged", "diverged"]
    assert status["best"]["top1"] == fitted.finished["top1"].max()


def test_status_tells_running_from_interrupted_trials(tmp_path: Path) -> None:
    run = write_run(tmp_path / "half", trials=8, finished=3)
    run.trial("0123456789abcdef").mkdir()
    assert Study(run).status()["trials"] == {"finished": 3, "interrupted": 1, "pending": 4}
    with RunDir(run.path).locked():
        status = Study(run).status()
    assert status["running"] is True
    assert status["trials"] == {"finished": 3, "running": 1, "pending": 4}
    assert Study(run).status()["running"] is False


def test_status_before_any_trial_has_ended(tmp_path: Path) -> None:
    status = Study(write_run(tmp_path / "young", trials=8, finished=0)).status()
    assert status["trials"] == {"interrupted": 0, "pending": 8}
    assert status["best"] is None
    assert status["failures"] == []


def test_a_study_can_be_opened_by_path_by_its_name_in_runs_or_as_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "runs" / "mine", trials=3)
    monkeypatch.chdir(tmp_path)
    assert Study(run.path).name == Study(str(run.path)).name == Study("mine").name == Study(run).name == "mine"
    assert Study().name == Study("cifar10_96px").name == "cifar10_96px"
    with pytest.raises(UnknownNameError, match="'yours'.*Known"):
        Study("yours")
