"""How many trials are enough? What a study would have picked after its first n trials, against what it knows now.

The stored trials are taken in the order of the plan, and in random orders. After n of them surface and rule are fitted
to those n alone (each architecture by its first seed), and asked for each budget B, a share of the base's MACs.

Regret. So that it is a measured number, the pick is restricted to the measured architectures of the whole study with
(1 - window) B <= MACs <= B, whether or not they are among the n: by the surface the one that it expects most of; by the
rule the one nearest to what it asks for at B, in units of its own standard deviation. Regret is the best top-1 measured
among these candidates less that of the pick (means over replicates, where there are any). Budgets with fewer than
`LEAST_CANDIDATES` are left out, and a rule whose trials do not reach to a budget has no pick there. `chance` is the
regret of a candidate drawn by lot.

The best of several measured numbers is on average too good by some of their noise, so regret does not go to zero: it is
compared with the noise between seeds. And n trials that are among the candidates bring their own noise to the fit, so
it is too low when n comes near the number of all.

Recommendation. Over the whole space the same fits recommend an architecture for each budget. `same` is the share of
budgets at which it is the one that all trials give, `lost` what the surface fitted to all trials expects of that one
less the one recommended after n: small long before the last integer has settled.

Intervals are 95 %, of the mean over random orders (Student's t): of other orders of these trials, not of other trials.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t

from gpscale import rules
from gpscale.comparison.early_stopping import replay_stopping
from gpscale.comparison.rule_picks import ground_of
from gpscale.comparison.shares import check_shares
from gpscale.errors import BudgetError, FitError, OutOfRangeError, UnitError
from gpscale.factors import FACTOR_NAMES
from gpscale.replicates import SeedNoise
from gpscale.rules import Ground
from gpscale.stopping import Dominated
from gpscale.study import Study
from gpscale.sweep import SweepConfig, fewest_trials, plan_architectures
from gpscale.sweep.partial import PartialFit, fit_part
from gpscale.trial import architecture_key

SCHEMA = 1
SHARES = (0.25, 0.5, 0.75, 1.0)
FIRST, STEP = 8, 4
ORDERS = 10
WINDOW = 0.3
LEAST_CANDIDATES = 3
ARMS = ("rule", "surface")
KINDS = ("plan", "random")
"""Orders in which the trials are taken."""
_KIND_NAMES = {"plan": "the order of the plan", "random": "random order"}

_BOOTSTRAP = 20
"""Of the rule's band, which is but the unit of distance here."""
_STOP_BOOTSTRAP = 200

FloatArray = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
Figures = dict[str, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class _Laid:
    """What every order is replayed on.

    Attributes:
        study: The study.
        config: Its sweep.
        ground: Its space.
        first: The first training of each of n architectures, in the order of the plan.
        factors: Their realised factors, (n, 4) float64.
        top1: What was measured, mean over replicates; (n,) float64, fractions.
        counts: After how many trials a pick is made, ascending; the last is n.
        candidates: Of each budget, as a share of the base's MACs, the places of those that a pick is made from.
    """

    study: Study
    config: SweepConfig
    ground: Ground
    first: pd.DataFrame
    factors: FloatArray
    top1: FloatArray
    counts: Sequence[int]
    candidates: Mapping[float, Places]


def replay_regret(
    study: Study,
    *,
    shares: Sequence[float] = SHARES,
    orders: int = ORDERS,
    window: float = WINDOW,
    seed: int = 0,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, Any]:
    """Replay a study's trials and tell how the regret of its picks falls.

    Args:
        study: A fitted study with a rule.
        shares: Budgets as shares of the base's MACs.
        orders: How many random orders, >= 2.
        window: Part of a budget that a candidate may leave unused, in (0, 1).
        seed: Of the random orders.
        tell: Called after each fit with how many are done, and of how many.

    Returns:
        JSON values. `rows`: one for each `arm` (`rule`, `surface`), `kind` of order (`plan`, `random`) and number of
        `trials`, with `regret` (a fraction; `low` and `high`, its interval, None in the order of the plan), `same` and
        `lost`, all of them means over budgets and orders, None where there was no pick; `orders` counts those that had
        one. `chance`; `noise` (standard deviation of one training, a fraction) and its `noise_source` (`seeds`, or
        `surface` where no seeds were repeated); `enough` and `settled`: by arm and kind from how many trials on
        the regret is no more than the noise, and the recommendations are those of all trials; None where that is not so
        after all of them; `shares` that were used, `left_out`; `stop`: the share of MACs that `--stop dominated` saves
        (`value`, `low`, `high`), or why that is not known (`missing`); `recommendation` and `verdict`: one sentence
        each.

    Raises:
        FitError: The study has no rule, or too few trials, or no budget has candidates.
        RunDirError: It has not been fitted.
        UnitError: An option is not legal.
    """
    _check(shares, orders, window)
    laid = _lay(study, shares, window)
    total, generator = len(laid.top1), np.random.default_rng(seed)
    # the order of the plan, then random ones
    drawn = [np.arange(total), *(generator.permutation(total) for _ in range(orders))]
    final = _fit(laid, drawn[0])
    aims = {arm: _recommended(laid, final, arm) for arm in ARMS}
    found: list[Figures] = []
    for place, order in enumerate(drawn):
        kind = KINDS[min(place, 1)]
        for k, n in enumerate(laid.counts, start=1):
            found += [{"kind": kind, **row} for row in _judged(laid, order[:n], final, aims)]
            tell(place * len(laid.counts) + k, len(drawn) * len(laid.counts))
    return _summary(laid, found, {"orders": orders, "window": window, "seed": seed}, shares)


def _summary(
    laid: _Laid, found: Sequence[Figures], options: Mapping[str, Any], shares: Sequence[float]
) -> dict[str, Any]:
    study, table = laid.study, pd.DataFrame(found)
    of = {(arm, kind): _rows(table, arm, kind) for arm in ARMS for kind in KINDS}
    noise, source = _noise(study)
    enough, settled = (
        {arm: {kind: _from_then_on(of[arm, kind], name, holds) for kind in KINDS} for arm in ARMS}
        for name, holds in (("regret", lambda regret: regret <= noise), ("same", lambda share: share == 1))
    )
    chance = [float(laid.top1[places].max() - laid.top1[places].mean()) for places in laid.candidates.values()]
    values = {
        "schema": SCHEMA,
        "fit": study.run.fingerprint,
        "study": study.name,
        "trials": len(laid.top1),
        **options,
        "shares": list(laid.candidates),
        "left_out": [share for share in shares if share not in laid.candidates],
        "noise": noise,
        "noise_source": source,
        "chance": float(np.mean(chance)),
        "rows": [row for rows in of.values() for row in rows],
        "enough": enough,
        "settled": settled,
        "stop": _saved(study),
    }
    return {**values, "recommendation": _recommendation(values), "verdict": _verdict(values)}


def _check(shares: Iterable[float], orders: int, window: float) -> None:
    check_shares(shares)
    if orders < 2:
        raise UnitError(f"--orders must be at least 2, for an interval. Got {orders}. Take {ORDERS}.")
    if not 0 < window < 1:
        raise UnitError(f"--window must be a part of the budget, above 0 and below 1. Got {window:g}. Take {WINDOW}.")


def _lay(study: Study, shares: Sequence[float], window: float) -> _Laid:
    if study.facts["rule_missing"]:
        raise FitError(f"A regret needs a study with a rule. {study.run.path} has none: {study.facts['rule_missing']}")
    config = SweepConfig.load(study.run.sweep_file)
    finished = _in_order(study, config)
    counts = _counts(len(finished), fewest_trials(config))
    macs = finished["macs"].to_numpy(dtype=np.int64)
    fitting = {
        share: np.flatnonzero((macs <= share * study.base.macs) & (macs >= (1 - window) * share * study.base.macs))
        for share in shares
    }
    candidates = {share: found for share, found in fitting.items() if len(found) >= LEAST_CANDIDATES}
    if not candidates:
        raise FitError(
            f"A regret needs a budget with at least {LEAST_CANDIDATES} measured architectures that use "
            f"{1 - window:.0%} to 100% of it. Got at most {max(map(len, fitting.values()))}. Ask for others, or raise "
            "--window."
        )
    return _Laid(
        study=study,
        config=config,
        ground=ground_of(study),
        first=study.trainings.set_index("id", drop=False).loc[finished["id"]].reset_index(drop=True),
        factors=finished[list(FACTOR_NAMES)].to_numpy(dtype=np.float64),
        top1=finished["top1"].to_numpy(dtype=np.float64),
        counts=counts,
        candidates=candidates,
    )


def _in_order(study: Study, config: SweepConfig) -> pd.DataFrame:
    """Return the finished architectures in the order of the plan; what is no longer planned comes last."""
    planned = [architecture_key(one.to_dict()) for one in plan_architectures(config, study.num_classes)]
    places = {text: place for place, text in enumerate(planned)}
    finished = study.finished
    return finished.assign(place=[places.get(text, len(places)) for text in finished["architecture"]]).sort_values(
        ["place", "id"]
    )


def _counts(total: int, fewest: int) -> list[int]:
    """Return after how many trials a pick is made: every `STEP` from `FIRST`, and after all of them."""
    counts = [*range(max(FIRST, fewest), total, STEP), total]
    if len(counts) < 2:
        raise FitError(
            f"A regret needs more than {max(FIRST, fewest)} finished trials, to leave some out. Got {total}. Run the "
            "sweep further."
        )
    return counts


def _fit(laid: _Laid, places: Places) -> PartialFit:
    factor = laid.study.joint_surface().recalibration
    return fit_part(laid.first.iloc[places], laid.config, laid.study.num_classes, _BOOTSTRAP, factor)


def _judged(laid: _Laid, places: Places, final: PartialFit, aims: Mapping[str, Mapping[float, int]]) -> list[Figures]:
    """Return what each arm makes of the trials at some places; nothing where no surface can be fitted to them."""
    try:
        fit = _fit(laid, places)
    except FitError:
        return []
    return [
        {
            "arm": arm,
            "trials": len(places),
            "regret": _regret(laid, fit, arm),
            **_agreement(laid, final, _recommended(laid, fit, arm), aims[arm]),
        }
        for arm in ARMS
    ]


def _regret(laid: _Laid, fit: PartialFit, arm: str) -> float:
    """Return the mean regret over the budgets, a fraction of images; NaN where there was no pick at any."""
    found = []
    for share, places in laid.candidates.items():
        factors, top1 = laid.factors[places], laid.top1[places]
        if arm == "surface":
            picked = int(np.argmax(fit.surface.predict(factors).mean))
        elif fit.rule is not None and fit.rule.c_range[0] <= share <= fit.rule.c_range[1]:
            asked = fit.rule.predict(share)
            distance = (np.log(factors) - np.log(asked.factors[0])) / asked.log_std[0]
            picked = int(np.argmin(np.square(distance).sum(axis=1)))
        else:
            continue
        found.append(float(top1.max() - top1[picked]))
    return float(np.mean(found)) if found else math.nan


def _recommended(laid: _Laid, fit: PartialFit, arm: str) -> dict[float, int]:
    """Return for each budget the index in the space of what a fit recommends; budgets that it cannot serve are out."""
    ground = dataclasses.replace(laid.ground, gp=fit.rule, surface=fit.surface)
    found = {}
    for share in laid.candidates:
        try:
            found[share] = rules.pick(rules.get(arm), ground, round(share * ground.space.base_macs)).index
        except (BudgetError, FitError, OutOfRangeError):
            continue
    return found


def _agreement(laid: _Laid, final: PartialFit, own: Mapping[float, int], aim: Mapping[float, int]) -> dict[str, float]:
    """Return how far recommendations agree with those of all trials, over the budgets that have both."""
    shares = [share for share in aim if share in own]
    if not shares:
        return {"same": math.nan, "lost": math.nan}
    pairs = np.array([(aim[share], own[share]) for share in shares])
    expected = final.surface.predict(laid.ground.space.factors[pairs.ravel()]).mean.reshape(pairs.shape)
    return {"same": float(np.mean(pairs[:, 0] == pairs[:, 1])), "lost": float(np.mean(expected[:, 0] - expected[:, 1]))}


def _rows(table: pd.DataFrame, arm: str, kind: str) -> list[Figures]:
    """Return the means over the orders of one arm and kind, by the number of trials."""
    own = table[(table["arm"] == arm) & (table["kind"] == kind)]
    return [
        {"arm": arm, "kind": kind, "trials": n, **_means(own[own["trials"] == n])}
        for n in sorted(own["trials"].unique().tolist())
    ]


def _means(table: pd.DataFrame) -> Figures:
    regrets = table["regret"].dropna().to_numpy()
    row: Figures = {"orders": len(regrets), "low": None, "high": None}
    for name in ("regret", "same", "lost"):
        known = table[name].dropna()
        row[name] = float(known.mean()) if len(known) else None
    if len(regrets) > 1:
        reach = float(t.ppf(0.975, len(regrets) - 1) * regrets.std(ddof=1) / math.sqrt(len(regrets)))
        # no regret is below zero
        row |= {"low": max(0.0, float(regrets.mean()) - reach), "high": float(regrets.mean()) + reach}
    return row


def _from_then_on(rows: Sequence[Figures], name: str, holds: Callable[[float], bool]) -> int | None:
    """Return from how many trials on a figure is known and holds; None where it does not after the last."""
    enough = None
    for row in reversed(rows):
        if row[name] is None or not holds(row[name]):
            break
        enough = row["trials"]
    return enough


def _noise(study: Study) -> tuple[float, str]:
    seeds = study.facts["seed_noise"]["top1"]
    if seeds is not None:
        return SeedNoise(**seeds).std, "seeds"
    return study.joint_surface().noise_estimate, "surface"


def _saved(study: Study) -> dict[str, Any]:
    try:
        found = replay_stopping(study.run, Dominated(), bootstrap=_STOP_BOOTSTRAP)
    except FitError as error:
        return {"missing": str(error)}
    return {**found["saved"], "missing": ""}


def _verdict(values: Mapping[str, Any]) -> str:
    """Say in one sentence how many trials are enough."""
    source = "the noise between seeds" if values["noise_source"] == "seeds" else "the noise that the surface sees"
    stop = values["stop"]
    saves = (
        "what --stop dominated would have saved is not known"
        if stop["missing"]
        else f"--stop dominated would have saved {stop['value']:.0%} of the MACs of training (95 % interval "
        f"{stop['low']:.0%} to {stop['high']:.0%})"
    )
    return (
        f"Of {values['trials']} trials, so many were enough to keep regret within {source} "
        f"({100 * values['noise']:.2f} points): {_by_arm(values['enough'], values['trials'])}; {saves}."
    )


def _recommendation(values: Mapping[str, Any]) -> str:
    """Say in one sentence when the recommendation stopped changing."""
    return (
        "The recommendation over the whole space stopped changing at any budget after so many: "
        f"{_by_arm(values['settled'], values['trials'])}."
    )


def _by_arm(counts: Mapping[str, Mapping[str, int | None]], total: int) -> str:
    words = {None: "not even all", total: "only all"}
    return "; ".join(
        f"by the {arm} "
        + ", ".join(f"{words.get(counts[arm][kind], counts[arm][kind])} in {_KIND_NAMES[kind]}" for kind in KINDS)
        for arm in ARMS
    )
