"""The numbers behind the answer: surfaces, front, rule, longer trainings."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpscale.comparison.rule_picks import ground_of, try_pick
from gpscale.factors import FACTOR_NAMES
from gpscale.recommendation import Interval
from gpscale.report.answer import integers_of
from gpscale.report.markdown import table
from gpscale.report.trust import coverage_table
from gpscale.rules import Pick
from gpscale.study import Study
from gpscale.units import format_macs

SHARES = (0.25, 0.5, 0.75, 1.0)
_BUDGETS = 40

ON_FRONT = (
    "On the front: how likely it is, by the surface, that no finished architecture with as many MACs or fewer is "
    "better, were the noise of all trainings averaged away."
)
_COVERAGE = (
    "How many unseen trials the intervals hold, as fitted and as they are printed; in brackets the 95 % interval of "
    "that share, for the trials are few. Where they are recalibrated, the other trials say how wide each one's is."
)

_VALUES = {
    "mean": "",
    "first": " They were chosen by the top-1 of their first seed.",
    "posterior": " They were chosen by the mean of the surface, not by what was measured.",
}


def surfaces(study: Study) -> str:
    """Return how well the surfaces predict trials that they have not seen, beside MACs alone."""
    rows, verdicts = [], []
    for outcome, scores in study.facts["diagnostics"].items():
        name = outcome.replace("top", "top-")
        if scores is None:
            verdicts.append(f"There is no surface of {name}: it is the same in all trials.")
            continue
        for model, title in (("joint", "surface"), ("log_macs", "MACs alone")):
            gain = f"{scores['nlpd_gain']:+.2f} ± {scores['nlpd_gain_error']:.2f}" if model == "joint" else ""
            rows.append([f"{name}, {title}", *_scores(scores[model]), gain])
    header = ["", "RMSE, points", "NLPD, nats", "Spearman", "inside the 95 % interval, as fitted", "gain, nats a trial"]
    return "\n\n".join(
        [
            "Each trial is predicted from the others, by the surface and by a Gaussian process that knows nothing but "
            "MACs. RMSE and NLPD (negative log density) are better when lower; the gain is that of the surface in log "
            "density, with its standard error.",
            table(header, rows),
            *verdicts,
            *study.verdicts,
            _COVERAGE,
            table(*coverage_table(study)),
        ]
    )


def front(study: Study) -> str:
    """Return the Pareto set and what its front spans."""
    facts = study.facts["pareto"]
    if facts is None:
        return f"There is no Pareto set: {study.facts['rule_missing']}"
    ends = study.finished.set_index("id").loc[facts["front"], "c"]
    said = (
        f"{len(facts['front'])} trials have rank 1 (no other one has both fewer MACs and a higher top-1); on that "
        f"front c runs from {ends.min():.3f} to {ends.max():.3f}. Of the {facts['inside']} trials inside the band "
        f"NSGA-III keeps {facts['share']:.0%}: these {len(facts['survivors'])}."
        f"{_VALUES[facts['values']]}"
    )
    rows = [
        [
            f"{row['c']:.3f}",
            format_macs(row["macs"]),
            f"{row['top1']:.1%}",
            str(row["pixels"]),
            *(f"{row[name]:.2f}" for name in FACTOR_NAMES),
            str(row["rank"]),
            f"{row['on_front']:.0%}" if "on_front" in row else "-",
        ]
        for row in study.pareto.to_dict("records")
    ]
    header = ["c", "MACs", "top-1", "px", "r", "d_i", "d_m", "w", "rank", "on the front"]
    return f"{said}\n\n{table(header, rows)}\n\n{ON_FRONT}"


def rule(study: Study) -> str:
    """Return the rule at a few budgets, and what it recommends there."""
    if study.facts["rule_missing"]:
        return f"There is no rule: {study.facts['rule_missing']}"
    summary = study.summary(SHARES)
    rows = [
        [f"{row['c']:.2f}{'*' if row['extrapolated'] else ''}", *(_band(*row[name]) for name in FACTOR_NAMES)]
        for row in summary["rule"]
    ]
    beyond = any(row["extrapolated"] for row in summary["rule"])
    return "\n\n".join(
        [
            "The factors that the rule asks for, as multiples of the base (resolution r, inverted-residual depth d_i, "
            f"attention depth d_m, width w), with their 95 % bands ({study.rule.band_from}). It is fitted to "
            f"{study.rule.follows}." + (" Rows with * lie beyond these." if beyond else ""),
            table(["c", "r", "d_i", "d_m", "w"], rows),
            "The architectures closest to it that fit each budget, and the top-1 that one training of them is expected "
            "to reach.",
            table(["budget", "MACs", "build", "top-1"], [_recommended(row) for row in summary["recommendations"]]),
            _beside_the_surface(study),
        ]
    )


def _beside_the_surface(study: Study) -> str:
    """Say what the rule's picks are expected to lose against the best of the whole space."""
    ground, surface = ground_of(study), study.joint_surface()
    low, high = study.rule.fitted_range
    ratios, lost = np.geomspace(low, high, _BUDGETS), []
    for c in ratios:
        found = [try_pick(name, ground, round(c * study.base.macs)) for name in ("rule", "surface")]
        own, best = (
            Interval.predicted(surface, pick.built.factors).mean if isinstance(pick, Pick) else np.nan for pick in found
        )
        lost.append(100 * (best - own))
    worst = int(np.nanargmax(lost))
    return (
        f'The surface expects {np.nanmean(lost):.2f} points more of its own picks (`method="surface"`) than of the '
        f"rule's, on average over {_BUDGETS} budgets evenly spaced in log c; at most {lost[worst]:.2f}, at c = "
        f"{ratios[worst]:.2f}. A rule is smooth, and lies between two shapes where both are nearly as good."
    )


def fidelity(study: Study) -> str:
    """Return how the rankings compare after longer trainings."""
    values = study.fidelity
    if values is None:
        return "Not measured. `gpscale fidelity` trains some of the trials for longer and compares the rankings."
    rows = [
        [
            row["id"],
            f"{row['c']:.3f}",
            str(row["depth"]),
            f"{row['top1']:.1%}" if row["top1"] is not None else "-",
            f"{row['long_top1']:.1%}" if row["long_top1"] is not None else row["reason"] or row["state"],
        ]
        for row in sorted(values["trials"], key=lambda row: (row["c"], row["id"]))
    ]
    bins = values["within"]["bins"] if values["within"] else []
    within = [
        [
            f"{bin['c_low']:.3f} to {bin['c_high']:.3f}",
            str(bin["n"]),
            str(bin["concordant"]),
            str(bin["discordant"]),
        ]
        for bin in bins
    ]
    parts = [
        f"{len(rows)} trials, spread over c and depth (blocks and layers), were chosen to be trained again for "
        f"{values['long_epochs']} epochs in place of {values['epochs']}, everything else the same.",
        table(["trial", "c", "depth", f"{values['epochs']} epochs", f"{values['long_epochs']} epochs"], rows),
        values["verdict"],
    ]
    if within:
        parts.append("Pairs of trials from the same bin of c, where size does not decide:")
        parts.append(table(["c", "trials", "pairs in the same order", "in opposite orders"], within))
    return "\n\n".join(parts)


def _scores(scores: dict[str, float]) -> list[str]:
    return [
        f"{100 * scores['rmse']:.2f}",
        f"{scores['nlpd']:.2f}",
        f"{scores['spearman']:.2f}",
        f"{scores['coverage']:.0%}",
    ]


def _band(mean: float, low: float, high: float) -> str:
    return f"{mean:.2f} ({low:.2f} to {high:.2f})"


def _recommended(row: dict[str, Any]) -> list[str]:
    if "error" in row:
        return [f"c = {row['c']:g}", "-", row["error"], "-"]
    top1 = row["top1"]
    return [
        f"c = {row['c']:g}",
        format_macs(row["macs"]),
        ", ".join(integers_of(row["architecture"])),
        f"{top1['mean']:.1%} ({top1['low']:.1%} to {top1['high']:.1%})" if top1 else "-",
    ]
