"""What a study cannot say."""

from __future__ import annotations

import math

from gpscale.comparison.fidelity import LEAST_TAU
from gpscale.replicates import SeedNoise
from gpscale.study import Study


def limits(study: Study) -> list[str]:
    """Return a sentence for each thing that the study leaves open."""
    return [line for line in (*_of_measuring(study), *_of_reach(study)) if line]


def _of_measuring(study: Study) -> list[str]:
    finished, facts = study.finished, study.facts
    validation = study.run.described_images().get("validation_images")
    top1 = finished["top1"].mean()
    seeds = facts["seed_noise"]["top1"]
    noise = study.joint_surface().noise_estimate
    fidelity = study.fidelity
    stopped = facts["trials"]["stopped"]
    return [
        "One seed a trial: how much a training differs from its repetition was not measured, only estimated by the "
        f"surface ({100 * noise:.2f} points, one standard deviation)."
        if seeds is None
        else f"Trainings of one architecture with other seeds differ by {SeedNoise(**seeds)}; all other trials have "
        "one seed.",
        f"Accuracies are those of {validation:,} validation images, which alone leaves a standard error of "
        f"{100 * math.sqrt(top1 * (1 - top1) / validation):.2f} points. The same images chose the Pareto set, so its "
        "accuracies are somewhat too good."
        if validation
        else "",
        _upsampling(study),
        f"Trainings of {study.settings['recipe']['epochs']} epochs rank architectures also by how fast they start; "
        "how they rank after a full training was not measured. Not for deployment."
        if fidelity is None
        else f"Fidelity below {LEAST_TAU}, or measured on too few trials: not for deployment."
        if not fidelity["for_deployment"]
        else "",
        f"{facts['trials']['failed']} trials failed; what they would have reached is not known."
        if facts["trials"]["failed"]
        else "",
        f"{stopped} trials were stopped early, because earlier ones told that they could not reach the front, and are "
        "not fitted: of architectures as poor as those the surfaces know too little, and expect too much."
        if stopped
        else "",
        f"{facts['trials']['planned'] - len(study.trials)} planned trials have not been trained."
        if facts["trials"]["planned"] > len(study.trials)
        else "",
    ]


def _upsampling(study: Study) -> str:
    side = study.run.described_images().get("stored_pixels")
    if side is None:
        return (
            "The size at which the images were stored is not recorded, so it is not known which trials enlarged them."
        )
    pixels = study.finished["pixels"]
    enlarged = int((pixels > side).sum())
    if not enlarged:
        return ""
    return (
        f"Images are stored at {side} x {side} px and trained at {pixels.min()} to {pixels.max()} px: {enlarged} of "
        f"{len(pixels)} trials saw them enlarged, and pixels beyond {side} bring more computing but no more detail. On "
        "images with detail, resolution is worth more than here."
    )


def _of_reach(study: Study) -> list[str]:
    facts = study.facts
    low, high = facts["c_range"]
    lines = [
        f"Nothing was measured outside c = {low:.3f} to {high:.3f}, nor with another base, other images or another "
        "recipe. On another base the rule is carried over, marked `transferred`, and no accuracy is promised.",
        "MACs are counted; latency, memory and energy on a device were not measured.",
    ]
    if not facts["rule_missing"]:
        first, last = study.rule.fitted_range
        lines.append(
            f"The rule was fitted to points from c = {first:.3f} to {last:.3f}; beyond them it is extrapolated, and "
            "marked so."
        )
    return lines
