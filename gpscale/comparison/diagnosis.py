"""How far a study can be trusted: what its fit has found of that, and what takes longer, in one place."""

from __future__ import annotations

from typing import Any

from gpscale.comparison.hidden_band import BAND, leave_band_out
from gpscale.comparison.proportions import interval_of_share
from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES
from gpscale.study import Study
from gpscale.surrogate.diagnostics import Diagnostics
from gpscale.surrogate.sensitivity import sensitivity

SCHEMA = 1


def diagnose_study(study: Study, band: tuple[float, float] = BAND) -> dict[str, Any]:
    """Measure what a fit leaves for later, because it takes long.

    Args:
        study: A fitted study.
        band: Lowest and highest c that is hidden from the rule.

    Returns:
        JSON values: `fit`, the fingerprint of the study's fit; `hidden_band`, as `leave_band_out` has it, and
        `sensitivity`, as `Sensitivity.to_dict` has it, both with `missing`: why the study cannot have it, else empty.

    Raises:
        RunDirError: The study has not been fitted.
        UnitError: The band is none.
    """
    try:
        hidden = leave_band_out(study, *band)
    except FitError as error:
        hidden = {"missing": str(error), "verdict": str(error)}
    return {
        "schema": SCHEMA,
        "fit": study.run.fingerprint,
        "hidden_band": hidden,
        "sensitivity": _sensitivity(study),
    }


def overview(study: Study, found: dict[str, Any]) -> dict[str, Any]:
    """Return everything that is known of how far a study can be trusted, as JSON values.

    Args:
        study: A fitted study.
        found: Of `diagnose_study`.

    Returns:
        `coverage` and `on_front`, the rows of the functions of these names; `recalibration` by outcome; `verdicts`;
        `seed_noise` and `fidelity`, None where nothing was repeated or trained for longer; what was found.
    """
    facts = study.facts
    return {
        "study": study.name,
        "verdicts": study.verdicts,
        "coverage": coverage(study),
        "recalibration": {outcome: one.recalibration for outcome, one in _diagnostics(study).items()},
        "on_front": on_front(study),
        "seed_noise": facts["seed_noise"],
        "fidelity": study.fidelity,
        **found,
    }


def coverage(study: Study) -> list[dict[str, Any]]:
    """Return what the intervals of a study's surfaces hold.

    Returns:
        One for each outcome and level: `outcome`, `level`, `n` (trials), `before` and `after` recalibration: `share`
        with `low` and `high` (Wilson's 95 % interval: few trials say little); `after` is None at the level that the
        factor was chosen at.
    """
    rows = []
    for outcome, diagnostics in _diagnostics(study).items():
        for one in diagnostics.coverage:
            held = {"before": _held(one.before, one.n), "after": None if one.after is None else _held(one.after, one.n)}
            rows.append({"outcome": outcome, "level": one.level, "n": one.n, **held})
    return rows


def _held(share: float, n: int) -> dict[str, float]:
    low, high = interval_of_share(share, n)
    return {"share": share, "low": low, "high": high}


def on_front(study: Study) -> list[dict[str, Any]]:
    """Return how likely each finished architecture is on the front of all of them, the likeliest first.

    Returns:
        One for each: `id`, `c`, `macs`, `top1` (as the front is chosen by), `rank` and `probability`; none where the
        study has no Pareto set, or an earlier version of gpscale has fitted it.
    """
    pareto = study.facts["pareto"] or {}
    likely = pareto.get("on_front", {})
    finished = study.finished
    found = [
        {"id": own, "c": c, "macs": macs, "top1": pareto["top1"][own], "rank": pareto["ranks"][own]}
        | {"probability": likely[own]}
        for own, c, macs in zip(finished["id"], finished["c"].tolist(), finished["macs"].tolist(), strict=True)
        if own in likely
    ]
    return sorted(found, key=lambda row: (-row["probability"], row["macs"]))


def _diagnostics(study: Study) -> dict[str, Diagnostics]:
    return {outcome: Diagnostics.from_dict(stored) for outcome, stored in study.facts["diagnostics"].items() if stored}


def _sensitivity(study: Study) -> dict[str, Any]:
    surface = study.joint_surface()
    if surface.names != FACTOR_NAMES:
        reason = f"a sensitivity needs a surface over all four factors; this one has {', '.join(surface.names)}."
        return {"missing": reason, "verdict": f"Which factors matter is not known: {reason}"}
    try:
        macs = study.finished["macs"].to_numpy()
        found = sensitivity(surface, study.space.factors, study.space.macs, macs, study.settings["seed"])
    except FitError as error:
        return {"missing": str(error), "verdict": str(error)}
    return {**found.to_dict(), "missing": ""}
