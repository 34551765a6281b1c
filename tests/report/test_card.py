"""The card says what the study's files say, and nothing that they do not."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from gpscale import families, rules
from gpscale.comparison.fidelity import run_fidelity
from gpscale.errors import RunDirError
from gpscale.factors import FACTOR_NAMES, Factors
from gpscale.recommendation import Interval, Recommendation
from gpscale.report import answer
from gpscale.report.card import card, write_card
from gpscale.run_dir import RunDir, shipped_studies
from gpscale.stored import write_json
from gpscale.study import Study
from gpscale.sweep import fit_run
from gpscale.units import format_macs
from tests.cli.command import gpscale_here
from tests.comparison.instant import Instant, write_study
from tests.synthetic_runs import write_run


def copy_of(study: Study, path: Path) -> RunDir:
    shutil.copytree(study.run.path, path)
    return RunDir(path)


def section(text: str, title: str) -> str:
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_first_section_says_what_to_build_for_half_the_macs_and_how_sure_that_is(fitted: Study) -> None:
    first = section(card(fitted), "What to build for half the MACs")
    budget = fitted.base.macs // 2
    for method in ("rule", "surface"):
        found = fitted.recommend(budget, base=fitted.base.name, method=method)
        integers = found.architecture.to_dict()
        assert f"pixels {integers['pixels']}, " in first
        assert f"channels {' '.join(map(str, integers['channels']))}, " in first
        assert f"c = {found.c:.3f}, {format_macs(found.params)} parameters" in first
        assert f"a top-1 of {found.top1}" in first
    within = fitted.finished[fitted.finished["macs"] <= budget]
    assert f"Best of the {len(within)} trials measured within that budget: top-1 {within['top1'].max():.1%}" in first
    own = fitted.finished[(fitted.finished[list(FACTOR_NAMES)] == 1.0).all(axis=1)]["top1"].item()
    assert f"The base itself reached {own:.1%}" in first
    assert "better than their MACs alone do: the proportions matter" in first
    found = fitted.diagnostics
    last = found.coverage[-1]
    assert (
        f"{last.before:.0%} of those trials were inside their 95 % intervals as fitted; here they are recalibrated, "
        f"{found.recalibration:.2f} times as wide."
    ) in first
    assert first.rstrip().endswith("Not for deployment.")


def test_an_architecture_with_the_macs_of_the_base_is_not_taken_for_it(fitted: Study) -> None:
    study = Study(fitted.run)
    other = study.finished["top1"].idxmin()
    assert study.finished.loc[other, "width"] != 1.0
    study.finished.loc[other, "macs"] = study.base.macs
    own = fitted.finished[(fitted.finished[list(FACTOR_NAMES)] == 1.0).all(axis=1)]["top1"].item()
    assert f"The base itself reached {own:.1%}" in card(study)


def test_the_command_that_is_printed_gives_what_to_build(
    fitted: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a shipped study has that name, too
    run = copy_of(fitted, tmp_path / "runs" / "quickstart")
    monkeypatch.chdir(tmp_path)
    for study in (Study("runs/quickstart"), Study(run), Study("quickstart")):
        first = section(card(study), "What to build for half the MACs")
        [command] = re.findall("`(gpscale recommend .*?)`", first)
        ran = gpscale_here(*shlex.split(command)[1:], "--json")
        found = Recommendation.from_dict(json.loads(ran.out))
        assert found == study.recommend(study.base.macs // 2, base=study.base.name)
        integers = found.architecture.to_dict()
        assert f"pixels {integers['pixels']}, " in first
        assert f"channels {' '.join(map(str, integers['channels']))}, " in first


def test_it_says_whether_what_to_build_was_trained_and_what_is_at_an_end_of_the_space(fitted: Study) -> None:
    pick, finished, space = fitted.recommend(fitted.base.macs // 2), fitted.finished, fitted.space
    said = answer.how_sure(fitted, pick)
    assert "No trial has that architecture" in said
    trial = finished.loc[finished["top1"].idxmax()]
    factors = Factors(*trial[list(FACTOR_NAMES)].astype(float))
    architecture = families.get("mobilevitv2").architecture_from_dict(json.loads(trial["architecture"]))
    trained = dataclasses.replace(pick, architecture=architecture, factors=factors)
    assert f"That architecture was trained: top-1 {trial['top1']:.1%}." in answer.how_sure(fitted, trained)
    lowest, highest = space.factors.min(axis=0), space.factors.max(axis=0)
    at_ends = dataclasses.replace(pick, factors=Factors(1.0, float(lowest[1]), 1.0, float(highest[3])))
    both = (finished["ir_depth"] == lowest[1]) & (finished["width"] == highest[3])
    said = answer.how_sure(fitted, at_ends)
    assert "d_i is the lowest and w is the highest of the search space: what lies beyond was not tried." in said
    assert f"Of the {len(finished)} trials {both.sum()} have that" in said
    inside = dataclasses.replace(pick, factors=Factors(1.0, 1.0, 1.0, 1.0))
    assert "of the search space" not in answer.how_sure(fitted, inside)


def test_it_says_what_the_rule_is_expected_to_lose_against_the_surface(fitted: Study) -> None:
    told = section(card(fitted), "The rule")
    mean, worst, c = (
        float(number) for number in re.findall(r"expects ([0-9.]+) points.*most ([0-9.]+), at c = ([0-9.]+)\.", told)[0]
    )
    assert 0 <= mean <= worst
    low, high = fitted.rule.fitted_range
    assert low - 0.01 <= c <= high + 0.01
    losses = []
    for ratio in np.geomspace(low, high, 40):
        own, best = (
            fitted.recommend(round(ratio * fitted.base.macs), base=fitted.base.name, method=method).top1.mean
            for method in ("rule", "surface")
        )
        losses.append(100 * (best - own))
    assert (mean, worst) == pytest.approx((np.mean(losses), max(losses)), abs=0.006)


def usual_habit(text: str) -> str:
    [line] = [line for line in text.splitlines() if line.startswith("- The usual habit, ")]
    return line


def test_what_to_build_is_compared_with_width_alone(fitted: Study) -> None:
    budget, space = fitted.base.macs // 2, fitted.space
    closed = rules.pick(rules.get("width"), rules.Ground(space), budget).built
    usual = Interval.predicted(fitted.joint_surface(), closed.factors)
    text = card(fitted)
    assert f"({Factors(*closed.factors)}; {format_macs(closed.macs)} MACs)" in usual_habit(text)
    assert f"a top-1 of {usual}" in usual_habit(text)
    alone = np.flatnonzero((space.factors[:, :3] == 1.0).all(axis=1) & (space.macs <= budget))[-1]
    assert not np.array_equal(space.factors[alone], closed.factors)
    share = space.macs[alone] / budget
    assert f"as it is ({Factors(*space.factors[alone])}; {format_macs(space.macs[alone])} MACs, {share:.1%} of" in text


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (-1, ": it is better, if the surface is right."),
        (0, ": the habit is better, if the surface is right. Build that instead."),
        (None, ": a tie, this study does not tell which of them is better."),
    ],
)
def test_the_interval_of_the_difference_decides(fitted: Study, place: int | None, words: str) -> None:
    budget, space, surface = fitted.base.macs // 2, fitted.space, fitted.joint_surface()
    closed = rules.pick(rules.get("width"), rules.Ground(space), budget).built.factors
    # whatever their MACs: larger ones are surely better, smaller ones surely worse
    rows = np.linspace(0, len(space) - 1, 200).astype(int)
    weights = np.column_stack([np.eye(len(rows)), -np.ones(len(rows))])
    gains, stds = surface.contrast(np.vstack([space.factors[rows], closed]), weights)
    surprise = gains / stds
    chosen = rows[np.argmin(np.abs(surprise)) if place is None else np.argsort(surprise)[place]]
    pick = dataclasses.replace(
        fitted.recommend(budget, base=fitted.base.name),
        architecture=space.architecture(int(chosen)),
        factors=Factors(*space.factors[chosen].tolist()),
    )
    line = answer._usual_habit(fitted, pick)[0]
    assert line.endswith(words)
    drawn = surface.draw(np.vstack([space.factors[chosen], closed]), 20_000, np.random.default_rng(0))
    differences = 100 * (drawn[:, 0] - drawn[:, 1])
    gain, low, high = (float(number) for number in re.findall(r"[+-][0-9]+[.][0-9]+", line))
    scale = differences.std()
    assert gain == pytest.approx(differences.mean(), abs=0.05 * scale + 0.05)
    assert (low, high) == pytest.approx(np.quantile(differences, [0.025, 0.975]), abs=0.1 * scale + 0.05)


def test_a_space_without_the_base_has_no_usual_habit(tmp_path: Path) -> None:
    space = {"vit_depth": {"low": 0.4, "high": 0.8}}
    study = fit_run(write_run(tmp_path / "shallow", trials=12, space=space, fit={"pareto_share": 0.5}), figures=False)
    assert usual_habit(card(study)).endswith("has nothing within that budget in the study's space.")


def test_surfaces_front_and_rule_are_those_of_the_fit(fitted: Study) -> None:
    text, facts = card(fitted), fitted.facts
    scores = section(text, "How well the surfaces predict")
    for outcome in ("top1", "top5"):
        of = facts["diagnostics"][outcome]
        name = outcome.replace("top", "top-")
        joint, alone = of["joint"], of["log_macs"]
        assert f"| {name}, surface | {100 * joint['rmse']:.2f} | {joint['nlpd']:.2f} | " in scores
        assert f"| {name}, MACs alone | {100 * alone['rmse']:.2f} | {alone['nlpd']:.2f} | " in scores
        assert f"| {of['nlpd_gain']:+.2f} ± {of['nlpd_gain_error']:.2f} |" in scores
        assert of["verdict"] in scores
    front = section(text, "Accuracy against MACs")
    first_rank = fitted.finished[fitted.finished["id"].isin(facts["pareto"]["front"])]["c"]
    assert f"{len(first_rank)} trials have rank 1" in front
    assert f"c runs from {first_rank.min():.3f} to {first_rank.max():.3f}" in front
    assert front.count("\n| ") == 1 + len(fitted.pareto)
    rule = section(text, "The rule")
    for row in fitted.summary()["rule"]:
        mean, low, high = row["width"]
        assert f"{mean:.2f} ({low:.2f} to {high:.2f}) |" in rule
    assert [f"| c = {c} |" in rule for c in ("0.25", "0.5", "0.75", "1")] == [True] * 4


def test_failed_trials_are_counted_listed_and_named_as_a_limit(fitted: Study) -> None:
    text = card(fitted)
    made = section(text, "How it was made")
    assert "| trials | 40 planned, 38 finished, 2 failed; 2 diverged |" in made
    failed = fitted.trials[fitted.trials["state"] == "failed"]
    for trial_id in failed["id"]:
        assert f"- trial {trial_id} " in made
    assert "2 trials failed" in section(text, "What it cannot say")
    assert "planned trials have not been trained" not in text


def test_hardware_dates_and_cost_are_those_of_the_records(tmp_path: Path) -> None:
    run = write_run(tmp_path / "timed", trials=8)
    for place, record in enumerate(list(run.records())):
        values = record.to_dict()
        values["measured"] |= {
            "train_seconds": 3000.0 + 100 * place, "evaluate_seconds": 100.0, "threads": 2, "device": "cpu",
            "cpu": "Some CPU" if place else "Another CPU", "torch": "9.9",
            "started": f"2030-01-0{place + 1}T00:00:00+00:00", "ended": f"2030-01-0{place + 2}T00:00:00+00:00",
        }  # fmt: skip
        write_json(run.record_file(record.id), values)
    made = section(card(fit_run(run, figures=False)), "How it was made")
    assert "| processor | Another CPU (1 trial), Some CPU (7 trials) |" in made
    assert "| threads a trial | 2 |" in made
    assert "| torch | 9.9 |" in made
    # 8 trials of 3100 to 3800 seconds on two threads
    assert "| cost | 15.3 thread hours of training and evaluation |" in made
    assert "| seconds a trial | 3100 to 3800 |" in made
    assert "| when | 2030-01-01 to 2030-01-09 |" in made


def test_what_is_not_recorded_is_said_to_be_so(fitted: Study, tmp_path: Path) -> None:
    run = copy_of(fitted, tmp_path / "copy")
    data = json.loads(run.provenance_file.read_text())["data"]
    write_json(run.provenance_file, {"data": {key: data[key] for key in ("classes", "fingerprint")}})
    made = section(card(Study(run)), "How it was made")
    for row in ("processor", "device", "torch", "when", "stored size"):
        assert f"| {row} | not recorded |" in made
    assert "to train: not recorded, to validate: not recorded" in made


def test_the_recipe_is_shown_beside_the_defaults_that_it_leaves(tmp_path: Path) -> None:
    run = write_run(tmp_path / "own", trials=8, recipe={"epochs": 3, "flip": False})
    made = section(card(fit_run(run, figures=False)), "How it was made")
    assert "| recipe | epochs 3, batch_size 128, learning_rate 0.002, " in made
    assert "(theirs) | epochs 3 (10), flip False (True) |" in made


@pytest.mark.parametrize(
    ("side", "words"),
    [
        (32, "Images are stored at 32 x 32 px and trained at 32 to 128 px: {n} of 38 trials saw them enlarged"),
        (512, None),
        (None, "The size at which the images were stored is not recorded"),
    ],
)
def test_images_that_are_enlarged_are_a_limit(fitted: Study, tmp_path: Path, side: int | None, words: str) -> None:
    run = copy_of(fitted, tmp_path / "copy")
    provenance = json.loads(run.provenance_file.read_text())
    provenance["data"] |= {"validation_images": 400} | ({"stored_pixels": side} if side else {})
    write_json(run.provenance_file, provenance)
    limits = section(card(Study(run)), "What it cannot say")
    assert ("Images are stored" in limits) == (side == 32)
    if words:
        assert words.format(n=(fitted.finished["pixels"] > 32).sum()) in limits
    else:
        assert "not recorded" not in limits
    assert "Accuracies are those of 400 validation images" in limits


def test_intervals_that_hold_too_few_trials_are_called_too_narrow(fitted: Study, tmp_path: Path) -> None:
    run = copy_of(fitted, tmp_path / "copy")
    facts = json.loads(run.study_file.read_text())
    # as an earlier version has left them
    stored = facts["diagnostics"]["top1"]
    del stored["recalibration"]
    stored["joint_left_out"]["std"] = [0.3 * std for std in stored["joint_left_out"]["std"]]
    write_json(run.study_file, facts)
    text, held = card(Study(run)), Study(run).diagnostics.coverage[-1].before
    assert held < 0.8
    words = f"{held:.0%} of those trials were inside their 95 % intervals: the intervals are too narrow."
    assert words in section(text, "What to build for half the MACs")
    assert "an earlier version of gpscale left them so; `gpscale fit` recalibrates them." in text


def test_longer_trainings_are_shown_with_their_verdict_and_cost(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study", fit={"pareto_share": 0.5})
    fit_run(run, figures=False)
    study = run_fidelity(run, Instant(), trials=8)
    text, values = card(study), study.fidelity
    assert values is not None
    shown = section(text, "Do longer trainings rank alike?")
    for row in values["trials"]:
        assert (
            f"| {row['id']} | {row['c']:.3f} | {row['depth']} | {row['top1']:.1%} | {row['long_top1']:.1%} |" in shown
        )
    assert values["verdict"] in shown
    assert values["verdict"] in section(text, "What to build for half the MACs")
    assert "ot for deployment" not in text
    assert "| seconds a longer training | 44 to 44 |" in text
    # 12 short trainings of 11 seconds and 8 long ones of 44
    assert "| cost | 0.1 thread hours of training and evaluation in all |" in text


def test_rankings_that_change_are_a_limit(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study")
    fit_run(run, figures=False)
    study = run_fidelity(run, Instant(lambda macs: 0.9 - macs / 100), trials=8)
    assert "Fidelity below 0.6, or measured on too few trials: not for deployment." in card(study)


def test_the_question_opens_the_card_and_the_notes_are_quoted_below_their_heading(
    fitted: Study, tmp_path: Path
) -> None:
    run = copy_of(fitted, tmp_path / "copy")
    text = run.sweep_file.read_text()
    run.sweep_file.write_text(f"# How should it shrink?\n# Costs an hour.\n{text}")
    assert "## How it was chosen" not in card(Study(run))
    run.notes_file.write_text("# Pilot\n\nThree rates.\n\n```\n# no heading\n```\n")
    lines = card(Study(run)).splitlines()
    assert lines[:3] == ["# copy", "", "> How should it shrink? Costs an hour."]
    start = lines.index("## How it was chosen")
    assert lines[start + 1 : start + 8] == ["", "### Pilot", "", "Three rates.", "", "```", "# no heading"]


def test_a_study_without_a_rule_says_why(tmp_path: Path) -> None:
    sampler = {"name": "line", "compensate": ["width", "ir_depth", "vit_depth"]}
    study = fit_run(write_run(tmp_path / "line", trials=6, sampler=sampler), figures=False)
    text = card(study)
    assert "it recommends nothing: sampler 'line' holds MACs fixed" in section(text, "What to build for half the MACs")
    assert "There is no rule: sampler 'line'" in section(text, "The rule")
    assert "There is no Pareto set" in section(text, "Accuracy against MACs")


def test_figures_are_links_beside_the_card(fitted: Study, tmp_path: Path) -> None:
    run = copy_of(fitted, tmp_path / "copy")
    for name in ("front", "rule", "iso_macs", "curves"):
        (run.figures / f"{name}.png").parent.mkdir(exist_ok=True)
        (run.figures / f"{name}.png").write_bytes(b"")
    text = card(Study(run))
    assert "![front](figures/front.png)" in section(text, "Accuracy against MACs")
    assert "![rule](figures/rule.png)" in section(text, "The rule")
    others = section(text, "More figures").split()
    assert others == ["![curves](figures/curves.png)", "![iso", "macs](figures/iso_macs.png)"]
    assert "figures/" not in card(fitted)


def test_the_same_study_gives_the_same_bytes(fitted: Study, tmp_path: Path) -> None:
    run = copy_of(fitted, tmp_path / fitted.name)
    assert write_card(Study(run)) == run.card_file
    first = run.card_file.read_bytes()
    write_card(Study(RunDir(run.path)))
    assert run.card_file.read_bytes() == first
    # all but where the study lies
    assert first.decode() == card(fitted).replace(fitted.run.reference, run.reference)


def test_a_study_that_was_not_fitted_has_no_card(tmp_path: Path) -> None:
    run = write_run(tmp_path / "young", trials=6)
    with pytest.raises(RunDirError, match="Run `gpscale fit`"):
        write_card(Study(run))
    assert not run.card_file.exists()


@pytest.mark.parametrize("name", shipped_studies())
def test_the_card_of_a_shipped_study_is_up_to_date(name: str) -> None:
    study = Study(name)
    assert study.run.card_file.read_text() == card(study)
