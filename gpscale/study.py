"""Study: the facade over one run directory or one shipped study."""

from __future__ import annotations

import dataclasses
import functools
import html
import logging
import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from gpscale import families, recommender
from gpscale.errors import BudgetError, FitError, OutOfRangeError, RunDirError
from gpscale.factors import FACTOR_NAMES, Bounds
from gpscale.plotting.methods import PlotMethods
from gpscale.recommendation import Recommendation
from gpscale.replicates import averaged
from gpscale.rules.gp_rule import GPRule
from gpscale.run_dir import RunDir, find_study
from gpscale.search_space import SearchSpace
from gpscale.stored import opening_comment, read_stored
from gpscale.surrogate.surface import Fixed, Surface
from gpscale.surrogate.views import SurfaceGrid, SurfaceLine, SurfaceProfile
from gpscale.training.curve import CurveRow, read_curve
from gpscale.trial import TrialState, check_outcome
from gpscale.trial_table import TrialTable, trial_table
from gpscale.units import format_macs, parse_macs

if TYPE_CHECKING:
    from gpscale.surrogate.diagnostics import Diagnostics

logger = logging.getLogger(__name__)

_MAIN_COLUMNS = ("id", "state", "c", "macs", "params", *FACTOR_NAMES, "pixels", "top1", "top5", "epochs", "reason")
_SECTIONS = ("base", "trials", "seed", "data", "recipe")
"""Settings that every sweep file of a run has written out, whatever else a later version has added."""


@dataclasses.dataclass(frozen=True)
class BaseModel:
    """The base of a study, counted with the study's number of classes.

    Attributes:
        name: For example `"mobilevitv2_050@64"`.
        architecture: Its integers.
        macs: Multiply-accumulates of one image.
        params: Parameters.
    """

    name: str
    architecture: families.Architecture
    macs: int
    params: int


class Study(PlotMethods):
    """A sweep's results and all that is fitted on them.

    Attributes:
        run: Its run directory.

    Raises:
        UnknownNameError: There is no such study.

    Example:
        >>> Study().base.name
        'mobilevitv2_050@96'
    """

    def __init__(self, study: str | os.PathLike[str] | RunDir | None = None) -> None:
        """Open a study.

        Args:
            study: A run directory or the name of a shipped study; None for the default one.
        """
        self.run = study if isinstance(study, RunDir) else find_study(study)

    def __repr__(self) -> str:
        states = self.trials["state"].value_counts()
        counts = ", ".join(f"{count} {state}" for state, count in states.items())
        base = f"base {self.base.name}, {format_macs(self.base.macs)} MACs"
        return f"Study({self.name!r}: {base}; trials: {counts or 'none'})"

    def _repr_html_(self) -> str:
        lines = [f"<b>{html.escape(repr(self))}</b>"]
        if self.run.study_file.exists():
            lines += [html.escape(verdict) for verdict in self.verdicts]
        return "".join(f"<p>{line}</p>" for line in lines) + self.trials.html(_MAIN_COLUMNS, rows=12)

    @property
    def name(self) -> str:
        """Name of the run directory or shipped study."""
        return self.run.name

    @functools.cached_property
    def settings(self) -> Mapping[str, Any]:
        """The sweep file with all defaults, as nested dictionaries.

        Raises:
            RunDirError: The file is damaged.
        """
        try:
            values = yaml.safe_load(self.run.sweep_file.read_text())
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            raise RunDirError(
                f"{self.run.sweep_file} must hold YAML. Got: {error}. Put the file back as it was."
            ) from None
        missing = [name for name in _SECTIONS if not isinstance(values, dict) or name not in values]
        if missing:
            raise RunDirError(
                f"{self.run.sweep_file} must hold every setting of the sweep. It lacks {', '.join(missing)}. Put the "
                "file back as it was, or run the sweep again."
            )
        return dict(values)

    @functools.cached_property
    def question(self) -> str:
        """The comment that opens the sweep file: what the study asks; empty where there is none."""
        return opening_comment(self.run.sweep_file.read_text())

    @functools.cached_property
    def num_classes(self) -> int:
        """Classes of the images."""
        return len(self.run.described_images()["classes"])

    @functools.cached_property
    def base(self) -> BaseModel:
        """The base model with its MACs and parameters."""
        base = families.parse_base(self.settings["base"])
        family = families.get(base.family)
        macs, params = family.count(family.row(base.architecture)[None], self.num_classes)
        return BaseModel(base.name, base.architecture, int(macs[0]), int(params[0]))

    @functools.cached_property
    def space(self) -> SearchSpace:
        """The search space of the sweep; needs the study to be fitted."""
        facts = self.facts
        return SearchSpace.enumerate(
            facts["base"],
            Bounds.from_dict(facts["bounds"]),
            pixel_step=facts["pixel_step"],
            num_classes=facts["num_classes"],
        )

    @functools.cached_property
    def trials(self) -> TrialTable:
        """One row for each trial that has ended, ordered by MACs.

        Columns: `TRIAL_COLUMNS`; accuracies are fractions in [0, 1], `macs` multiply-accumulates of one image, `c` the
        same over the base's, the four factors realised, `seconds` of training and evaluation, `architecture` its
        integers as JSON.
        """
        return trial_table(self.run, families.parse_base(self.settings["base"]), self.base.macs)

    @property
    def trainings(self) -> pd.DataFrame:
        """The rows of `trials` that have a result: one row a training, replicates among them."""
        return self.trials[self.trials["state"] == TrialState.FINISHED].reset_index(drop=True)

    @functools.cached_property
    def finished(self) -> pd.DataFrame:
        """One row for each architecture that has a result: the mean over its replicates, where there are any.

        Columns: those of `trials`; `trainings`, how many the accuracies, losses and speed are the mean of, and
        `seconds` the sum of; `top1_first`, top-1 of the first seed alone, which `id` and `seed` are of.
        """
        return averaged(self.trainings)

    @functools.cached_property
    def curves(self) -> pd.DataFrame:
        """The learning curves: one row a finished trial and epoch, `id`, `c`, then the columns of `curve.csv`.

        Accuracies are fractions in [0, 1], losses nats; what begins with `ema_` is of the averaged weights. Trials
        without a curve have no rows; nor have those whose curve is damaged, which a warning names.
        """
        rows: list[dict[str, Any]] = []
        for trial in self.finished[["id", "c", "epochs"]].to_dict("records"):
            try:
                curve = read_curve(self.run.trial(trial["id"]), trial["epochs"])
            except RunDirError as error:
                # one of many: not worth the end of a sweep
                logger.warning("A learning curve is left out. %s", error)
                continue
            rows += [{"id": trial["id"], "c": trial["c"], **dataclasses.asdict(row)} for row in curve]
        return pd.DataFrame(rows, columns=["id", "c", *(field.name for field in dataclasses.fields(CurveRow))])

    @functools.cached_property
    def facts(self) -> Mapping[str, Any]:
        """What the last fit found, as JSON values.

        Raises:
            RunDirError: The study has not been fitted, or by another version of gpscale.
        """
        return self.run.read_facts()

    @functools.cached_property
    def rule(self) -> GPRule:
        """The scaling rule.

        Raises:
            RunDirError: The study has not been fitted.
            FitError: Its design gives no rule.
        """
        if self.facts["rule_missing"]:
            raise FitError(f"Study {self.name!r} has no rule: {self.facts['rule_missing']}")
        return read_stored(self.run.rule_file, "a scaling rule", GPRule.from_dict)

    @property
    def diagnostics(self) -> Diagnostics:
        """How well the surface of top-1 predicts a trial it has not seen, beside a GP on log MACs alone."""
        from gpscale.surrogate.diagnostics import Diagnostics

        return Diagnostics.from_dict(self.facts["diagnostics"]["top1"])

    @functools.cached_property
    def fidelity(self) -> Mapping[str, Any] | None:
        """How trials that were trained for longer rank beside the study's own; None where none were.

        JSON values, as `gpscale fidelity` wrote them: `trials` (one for each that was chosen, with `c`, `depth`, and
        top-1 after the study's training and after the long one, fractions in [0, 1]), `overall` and `within` (Kendall's
        tau over all and within bins of c), `verdict` (one sentence).
        """
        if not self.run.fidelity_file.exists():
            return None
        values: Mapping[str, Any] = read_stored(self.run.fidelity_file, "a comparison of rankings", dict)
        return values

    @functools.cached_property
    def diagnosis(self) -> Mapping[str, Any] | None:
        """What `gpscale diagnose` found of this fit, as JSON values; None where it was not run since.

        `hidden_band` (`comparison.hidden_band`) and `sensitivity` (`surrogate.sensitivity`), each with `missing`: why
        the study cannot have it, else empty.
        """
        return self._found_of_this_fit(self.run.diagnostics_file)

    @functools.cached_property
    def regret(self) -> Mapping[str, Any] | None:
        """What `gpscale regret` found of this fit, as JSON values (`comparison.regret`); None where not run since."""
        return self._found_of_this_fit(self.run.regret_file)

    def _found_of_this_fit(self, file: Path) -> Mapping[str, Any] | None:
        if not file.exists():
            return None
        values: Mapping[str, Any] = read_stored(file, "what was found of a fit", dict)
        return values if values.get("fit") == self.run.fingerprint else None

    @functools.cached_property
    def pareto(self) -> pd.DataFrame:
        """The Pareto set: the surviving trials ordered by MACs, with `rank` (1 = not dominated) and `on_front`.

        `on_front` is how likely it is, by the surface, that no finished architecture with as many MACs or fewer is
        better, were the noise of all trainings averaged away. Ranks are by measured top-1, or by what else the sweep's
        `fit.pareto_values` says.
        """
        if self.facts["pareto"] is None:
            raise FitError(f"Study {self.name!r} has no Pareto set: {self.facts['rule_missing']}")
        ranks = pd.Series(self.facts["pareto"]["ranks"], name="rank")
        chosen = self.finished[self.finished["id"].isin(self.facts["pareto"]["survivors"])]
        chosen = chosen.assign(rank=chosen["id"].map(ranks)).reset_index(drop=True)
        # fits of an earlier version have no probabilities
        likely = self.facts["pareto"].get("on_front")
        return chosen.assign(on_front=chosen["id"].map(likely)) if likely else chosen

    def joint_surface(self, outcome: str = "top1") -> Surface:
        """Return the fitted surface of `"top1"` or `"top5"` over the factors that the sweep varied.

        Raises:
            UnknownNameError: `outcome` is neither.
            FitError: There is no surface of top-5, because it was the same in all trials.
        """
        check_outcome(outcome)
        if self.facts["diagnostics"][outcome] is None:
            raise FitError(f"Study {self.name!r} has no surface of {outcome}: it is the same in all trials. Use top1.")
        return read_stored(self.run.surface_file(outcome), "a surface", Surface.from_dict)

    def surface(
        self,
        x: str,
        y: str | None = None,
        *,
        outcome: str = "top1",
        fixed: Fixed = 1.0,
        size: int = 500,
    ) -> SurfaceLine | SurfaceGrid:
        """Cut a slice of the joint surface along one factor or two; MACs vary along it.

        Args:
            x: Factor of the first axis.
            y: Factor of the second axis; None for a line.
            outcome: `"top1"` or `"top5"`.
            fixed: Where the other factors are held: by name (absent ones at 1), or all at one value; within what the
                trials span, or 1.
            size: Points a side, >= 2.

        Raises:
            UnknownNameError: A name is no factor.
            FitError: A factor did not vary in the sweep, or `size` is below 2.
            FactorError: A value of `fixed` is no positive number.
            OutOfRangeError: A value of `fixed` lies outside what the trials span.

        Example:
            >>> Study().surface("resolution", "width", size=50).mean.shape
            (50, 50)
        """
        surface = self.joint_surface(outcome)
        return surface.line(x, size, fixed) if y is None else surface.grid(x, y, size, fixed)

    def iso_macs(
        self, factor: str, macs: str | float, *, tolerance: float = 0.03, outcome: str = "top1"
    ) -> SurfaceProfile:
        """Find the best that the joint surface promises at each level of a factor, at about fixed MACs.

        Args:
            factor: The factor.
            macs: Multiply-accumulates to hold, a number or a string such as `"15M"`.
            tolerance: Largest relative distance from them, of all architectures in the sweep's space.
            outcome: `"top1"` or `"top5"`.

        Raises:
            FitError: No architecture has such MACs, or the sweep did not vary that factor.
        """
        held = parse_macs(macs)
        surface = self.joint_surface(outcome)
        if surface.names != FACTOR_NAMES:
            raise FitError(
                f"An iso-MAC profile needs a surface over all four factors. Study {self.name!r} has one over "
                f"{' and '.join(surface.names)}, at fixed MACs already. Use `surface` for it."
            )
        candidates = self.space.feasible((1 - tolerance) * held, (1 + tolerance) * held)
        if not len(candidates):
            low, high = (format_macs(macs) for macs in (self.space.macs.min(), self.space.macs.max()))
            raise FitError(
                f"An iso-MAC profile needs architectures of the MACs that it holds. Got {format_macs(held)}, within "
                f"{tolerance:.0%}, but the space of study {self.name!r} spans {low} to {high}. Hold others, or raise "
                "`tolerance`."
            )
        return surface.profile(factor, candidates.factors)

    def summary(self, shares: Sequence[float] = (0.25, 0.5, 0.75, 1.0)) -> dict[str, Any]:
        """Return what the last fit found, as JSON values.

        Args:
            shares: Reduction factors c to print the rule at and to recommend for.
        """
        facts = self.facts
        summary = {
            **facts,
            "study": self.name,
            "verdicts": self.verdicts,
            "rule": [],
            "recommendations": [],
            "fidelity": self.fidelity,
        }
        if facts["pareto"] is not None:
            summary["pareto_set"] = self.pareto.to_dict("records")
        if not facts["rule_missing"]:
            summary["rule"] = [row for c in shares if (row := self._rule_row(c)) is not None]
            summary["recommendations"] = [self._recommendation_row(c) for c in shares]
        return summary

    def status(self) -> dict[str, Any]:
        """Return how far the sweep is, as JSON values; also while it runs."""
        running = self.run.is_locked()
        states = self.trials["state"].value_counts().to_dict()
        begun = [trial_id for trial_id in self.run.trial_ids() if not self.run.record_file(trial_id).exists()]
        states[str(TrialState.RUNNING if running else TrialState.INTERRUPTED)] = len(begun)
        # replicates are planned when the trials have ended
        ended = int((self.trials["seed"] == self.settings["seed"]).sum())
        states[str(TrialState.PENDING)] = max(0, self.settings["trials"] - ended - len(begun))
        finished = self.finished
        best = finished.nlargest(1, "top1")[["top1", "macs", "c"]].to_dict("records")
        return {
            "study": self.name,
            "base": self.base.name,
            "planned": self.settings["trials"],
            "running": running,
            "trials": states,
            "failures": self._reasons(TrialState.FAILED),
            "stops": self._reasons(TrialState.STOPPED),
            "best": best[0] if best else None,
        }

    def _reasons(self, state: TrialState) -> list[dict[Hashable, Any]]:
        return self.trials.loc[self.trials["state"] == state, ["id", "reason", "detail"]].to_dict("records")

    @property
    def verdicts(self) -> list[str]:
        """What the last fit says of its surfaces, two sentences each: what they know, and what their intervals hold."""
        from gpscale.surrogate.diagnostics import Diagnostics

        found = [Diagnostics.from_dict(scores) for scores in self.facts["diagnostics"].values() if scores]
        return [sentence for one in found for sentence in (one.verdict, one.calibration)]

    def _rule_row(self, c: float) -> dict[str, Any] | None:
        try:
            found = self.rule.predict([c])
        except OutOfRangeError:
            return None
        bands = zip(FACTOR_NAMES, found.factors[0], found.low[0], found.high[0], strict=True)
        return {
            "c": c,
            "extrapolated": self.rule.extrapolated(c),
            **{name: [float(mean), float(low), float(high)] for name, mean, low, high in bands},
        }

    def _recommendation_row(self, c: float) -> dict[str, Any]:
        try:
            return {"c": c, **self.recommend(c * self.base.macs, base=self.base.name).to_dict()}
        except (BudgetError, OutOfRangeError) as error:
            return {"c": c, "error": str(error)}

    def recommend(self, macs: str | float, **options: Any) -> Recommendation:
        """Recommend an architecture for a budget by this study; options as in `gpscale.recommend`."""
        return recommender.recommend(macs, study=self.run.reference, **options)
