from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpscale
from gpscale import families
from gpscale.counting import count_module
from gpscale.errors import FitError, OutOfRangeError, RunDirError, UnitError, UnknownNameError
from gpscale.factors import Factors
from gpscale.recommendation import BEST_OF_MANY, Recommendation
from gpscale.recommender import FittedStudy, recommend
from gpscale.run_dir import RunDir
from gpscale.search_space import SearchSpace
from gpscale.stored import write_json
from gpscale.study import Study
from gpscale.sweep import fit_run
from tests.cli.command import ENVIRONMENT
from tests.synthetic_runs import BASE, CLASSES, best_on_the_rule, write_run

SHARES = st.floats(0.21, 1.09)


def budget(study: Study, share: float) -> int:
    return round(share * study.base.macs)


def allowed(study: Study, macs: int) -> SearchSpace:
    """All architectures that use 97 % to 100 % of a budget, found without the search of the package."""
    space = study.space
    return space.take(np.flatnonzero((space.macs <= macs) & (space.macs >= 0.97 * macs)))


@settings(max_examples=60, deadline=None)
@given(share=SHARES, method=st.sampled_from(["rule", "surface"]))
def test_a_recommendation_is_never_above_its_budget_and_uses_it(fitted: Study, share: float, method: str) -> None:
    macs = budget(fitted, share)
    found = fitted.recommend(macs, method=method)
    assert 0.97 * macs <= found.macs <= macs
    family = families.get(found.family)
    counted = family.count(family.row(found.architecture)[None], CLASSES)
    assert (found.macs, found.params) == (counted[0][0], counted[1][0])


@pytest.mark.parametrize("share", [0.22, 0.37, 0.5, 0.81, 1.05])
def test_the_rule_takes_the_architecture_nearest_to_it_in_its_own_standard_deviations(
    fitted: Study, share: float
) -> None:
    macs = budget(fitted, share)
    found = fitted.recommend(macs)
    proposed = fitted.rule.predict([macs / fitted.base.macs])
    np.testing.assert_allclose(list(found.requested), proposed.factors[0], rtol=1e-12)
    candidates = allowed(fitted, macs)
    away = np.abs(np.log(candidates.factors) - np.log(proposed.factors[0])) / proposed.log_std[0]
    own = np.abs(np.log(list(found.factors)) - np.log(proposed.factors[0])) / proposed.log_std[0]
    assert (own**2).sum() == pytest.approx((away**2).sum(axis=1).min(), rel=1e-12)


@pytest.mark.parametrize("share", [0.22, 0.37, 0.5, 0.81, 1.05])
def test_the_surface_takes_the_architecture_with_the_best_expected_accuracy(fitted: Study, share: float) -> None:
    macs = budget(fitted, share)
    found = fitted.recommend(macs, method="surface")
    expected = fitted.joint_surface().predict(allowed(fitted, macs).factors).mean
    assert found.top1 is not None
    assert found.top1.mean == pytest.approx(expected.max(), rel=1e-12)
    assert found.top1.mean >= fitted.recommend(macs).top1.mean  # type: ignore[union-attr]


@pytest.mark.parametrize("method", ["rule", "surface"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 1.0])
def test_what_is_recommended_is_truly_among_the_best_for_the_budget(fitted: Study, share: float, method: str) -> None:
    macs = budget(fitted, share)
    found = fitted.recommend(macs, method=method)
    candidates = allowed(fitted, macs)
    truth = [best_on_the_rule(c, Factors(*row)) for c, row in zip(candidates.c, candidates.factors, strict=True)]
    assert np.mean(np.array(truth) < best_on_the_rule(found.c, found.factors)) > 0.9


def test_the_predicted_accuracy_is_that_of_the_law(fitted: Study) -> None:
    found = fitted.recommend(budget(fitted, 0.6))
    assert found.top1 is not None
    assert found.top1_reason == ""
    assert 0 <= found.top1.low < found.top1.mean < found.top1.high <= 1
    assert found.top1.mean == pytest.approx(0.75 + 0.1 * np.log(0.6), abs=0.03)


def test_the_studys_own_base_is_taken_inside_its_range(fitted: Study) -> None:
    found = fitted.recommend("20M")
    assert (found.base, found.transferred) == (BASE, False)
    assert found.base_macs == fitted.base.macs
    assert found.c == found.macs / fitted.base.macs


@pytest.mark.parametrize(("macs", "base"), [("500M", "mobilevitv2_150@128"), ("1.5G", "mobilevitv2_125@256")])
def test_a_budget_beyond_the_own_base_goes_to_the_stock_base_with_c_nearest_to_a_half(
    fitted: Study, macs: str, base: str
) -> None:
    found = fitted.recommend(macs)
    c = {}
    for name in families.get("mobilevitv2").stock_bases:
        family, stock = families.get("mobilevitv2"), families.parse_base(name)
        c[name] = found.budget / int(family.count(family.row(stock.architecture)[None], CLASSES)[0][0])
    assert min(c, key=lambda name: abs(c[name] - 0.5)) == found.base == base
    assert found.transferred
    assert found.top1 is None
    assert "trained base mobilevitv2_050@64" in found.top1_reason
    assert 0.97 * found.budget <= found.macs <= found.budget
    assert found.architecture.pixels % (families.parse_base(base).architecture.pixels // 4) == 0


@pytest.mark.parametrize("macs", ["20M", "500M", "1.5G"])
def test_the_default_study_answers_any_usual_budget(macs: str) -> None:
    found = gpscale.recommend(macs)
    assert 0.97 * found.budget <= found.macs <= found.budget
    assert (found.top1 is None) == found.transferred
    assert bool(found.top1_reason) == found.transferred
    assert found.study == "cifar10_96px"


def test_a_base_of_ones_own_can_be_named(fitted: Study) -> None:
    found = fitted.recommend("20M", base="mobilevitv2_075@64")
    assert (found.base, found.transferred, found.top1) == ("mobilevitv2_075@64", True, None)
    assert found.c == pytest.approx(0.32, abs=0.02)
    own = fitted.recommend("20M", base=BASE)
    assert own == fitted.recommend("20M")


def test_beyond_the_pareto_points_a_recommendation_is_marked_extrapolated(tmp_path: Path) -> None:
    # accuracy peaks at c = 0.6, so that nothing above it is worth its MACs
    run = write_run(
        tmp_path / "peaked",
        trials=16,
        law=lambda c, factors: 0.7 - 0.1 * abs(np.log(c / 0.6)),
        fit={"rule_from": "trials"},
    )
    study = fit_run(run, figures=False)
    assert study.rule.fitted_range[1] < 0.9
    assert study.recommend(budget(study, 0.45)).extrapolated is False
    assert study.recommend(budget(study, 1.0)).extrapolated is True
    assert "extrapolated" in str(study.recommend(budget(study, 1.0)))


SUGGESTED = re.compile(r"gpscale\.recommend\(.*\)(?=[.,])")


@pytest.mark.parametrize(
    ("macs", "options"),
    [
        ("50M", {"base": BASE}),
        ("500M", {"base": BASE}),
        ("20M", {"base": "mobilevitv2_200@256"}),
        ("20M", {"base": "mobilevitv2_200@256", "num_classes": 1000}),
        ("1M", {}),
        ("1M", {"base": BASE}),
        ("900G", {"num_classes": 3}),
    ],
)
def test_a_budget_outside_the_range_is_an_error_that_prints_a_call_that_works(
    fitted: Study, macs: str, options: dict[str, object]
) -> None:
    with pytest.raises(OutOfRangeError, match=r"c in \[0\.2\d, 1\.\d\d\]") as caught:
        recommend(macs, study=fitted.run.path, **options)  # type: ignore[arg-type]
    suggested = SUGGESTED.search(str(caught.value))
    assert suggested is not None, caught.value
    found = eval(suggested[0], {"gpscale": gpscale})
    assert isinstance(found, Recommendation)
    assert found.study == fitted.name
    assert found.num_classes == options.get("num_classes", CLASSES)
    if "Leave `base` out" in str(caught.value):
        left_out = {key: value for key, value in options.items() if key != "base"}
        assert recommend(macs, study=fitted.run.path, **left_out) == found  # type: ignore[arg-type]
        assert found.budget == gpscale.units.parse_macs(macs)


def test_other_classes_are_counted_and_leave_no_prediction(fitted: Study) -> None:
    found = fitted.recommend("20M", num_classes=1000)
    family = families.get(found.family)
    assert found.macs == family.count(family.row(found.architecture)[None], 1000)[0][0] <= found.budget
    assert found.params == family.count(family.row(found.architecture)[None], 1000)[1][0]
    assert found.top1 is None
    assert "trained on 10 classes, not 1000" in found.top1_reason
    assert not found.transferred


@pytest.mark.parametrize(("macs", "options"), [("20M", {}), ("500M", {}), ("20M", {"num_classes": 3})])
def test_a_recommendation_survives_json(fitted: Study, macs: str, options: dict[str, int]) -> None:
    found = fitted.recommend(macs, **options)
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert Recommendation.from_dict(json.loads(text)) == found


@pytest.mark.parametrize("options", [{}, {"num_classes": 3, "method": "surface"}])
def test_the_model_that_is_built_has_the_macs_and_parameters_that_were_promised(
    fitted: Study, options: dict[str, object]
) -> None:
    found = fitted.recommend("9M", **options)
    pixels = found.architecture.pixels
    assert count_module(found.build(), (pixels, pixels)) == (found.macs, found.params)


def test_a_recommendation_prints_what_gets_built(fitted: Study) -> None:
    found = fitted.recommend("20M")
    text = str(found)
    for part in ("20.0M", found.base, "r=", "channels", "95 % interval", f"{found.c:.3f}"):
        assert part in text
    assert "transferred" not in text
    transferred = str(fitted.recommend("500M"))
    assert "not predicted: study 'known_rule' trained base" in transferred
    assert "its gain here is not measured" in transferred


def test_a_recommendation_says_what_speaks_against_relying_on_it(fitted: Study, tmp_path: Path) -> None:
    found = fitted.recommend("20M")
    assert found.cautions == (
        "whether longer trainings than those of study 'known_rule' rank alike is not measured",
        BEST_OF_MANY,
    )
    assert all(f"caution       {caution}" in str(found) for caution in found.cautions)
    assert BEST_OF_MANY not in fitted.recommend("500M").cautions
    doubtful = RunDir(shutil.copytree(fitted.run.path, tmp_path / "doubtful"))
    facts = dict(doubtful.read_facts())
    facts["diagnostics"]["top1"]["knows_more_than_macs"] = False
    write_json(doubtful.study_file, facts)
    for compared, sound, caution in (
        (
            1,
            False,
            ["whether longer trainings than those of study 'doubtful' rank alike is not settled: 1 of 2 have ended"],
        ),
        (2, False, ["longer trainings do not confirm the ranking of study 'doubtful': not for deployment"]),
        (2, True, []),
    ):
        write_json(doubtful.fidelity_file, {"trials": [{}, {}], "compared": compared, "for_deployment": sound})
        said = recommend("20M", study=doubtful.path).cautions
        assert said[0] == "study 'doubtful' is not shown to know more than MACs do: its proportions may be luck"
        assert list(said[1:-1]) == caution


def test_in_a_notebook_a_recommendation_is_a_table(fitted: Study) -> None:
    table = fitted.recommend("500M")._repr_html_()
    assert table.startswith("<table>")
    assert table.count("<tr>") == table.count("</tr>") == len(str(fitted.recommend("500M")).splitlines())
    assert "&#x27;known_rule&#x27;" in table


def test_a_study_that_is_fitted_again_answers_anew(tmp_path: Path) -> None:
    settings = {"trials": 10, "fit": {"pareto_share": 0.5}}
    run = write_run(tmp_path / "grows", finished=8, **settings)
    before = fit_run(run, figures=False).recommend("20M")
    write_run(tmp_path / "grows", **settings)
    after = fit_run(run, figures=False).recommend("20M")
    assert before.requested != after.requested


@pytest.mark.parametrize("classes", [0, -1])
def test_fewer_than_one_class_is_refused(classes: int) -> None:
    with pytest.raises(UnitError, match="num_classes must be at least 1"):
        gpscale.recommend("20M", num_classes=classes)


def test_unknown_names_are_refused(fitted: Study) -> None:
    with pytest.raises(UnknownNameError, match="method 'best'.*rule, surface"):
        fitted.recommend("20M", method="best")
    with pytest.raises(UnknownNameError, match="'mobilevitv2_50@64'.*mobilevitv2 .mobilevitv2_050@64.*Did you mean"):
        fitted.recommend("20M", base="mobilevitv2_50@64")
    with pytest.raises(UnknownNameError, match="run directory 'nowhere'"):
        gpscale.recommend("20M", study="nowhere")


def test_a_study_without_fits_or_without_a_rule_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match=r"study\.json must exist.*gpscale fit"):
        recommend("20M", study=write_run(tmp_path / "raw", trials=8).path)
    run = write_run(tmp_path / "line", trials=6, sampler={"name": "line", "compensate": ["width", "ir_depth"]})
    fit_run(run, figures=False)
    with pytest.raises(FitError, match="needs a study with a rule.*'line' has none: sampler 'line' holds MACs fixed"):
        recommend("20M", study=run.path)


def test_a_transferred_base_keeps_as_many_pixel_steps(fitted: Study) -> None:
    study = FittedStudy.load(fitted.run)
    assert study.space(families.parse_base("mobilevitv2_100@128"), 10).pixel_step == 32
    assert study.space(families.parse_base("mobilevitv2_100@66"), 10).pixel_step == 66


def test_a_recommendation_needs_no_torch_pandas_scipy_or_pydantic(fitted: Study) -> None:
    program = (
        "import sys, gpscale; found = gpscale.recommend('20M', study=sys.argv[1]); found.to_dict(); str(found)\n"
        "print(*({'torch', 'pandas', 'scipy', 'pydantic', 'matplotlib', 'yaml', 'timm'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program, str(fitted.run.path)]
    ran = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert ran.stdout == "\n"
