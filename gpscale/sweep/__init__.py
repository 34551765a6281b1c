"""A sweep: one file is one experiment; plan, train, fit, select, draw."""

from gpscale.sweep.config import SweepConfig
from gpscale.sweep.driver import Plan, check, prepare, run_sweep
from gpscale.sweep.fit import fewest_trials, fit_run
from gpscale.sweep.plan import count_classes, plan_architectures, plan_trials

__all__ = [
    "Plan",
    "SweepConfig",
    "check",
    "count_classes",
    "fewest_trials",
    "fit_run",
    "plan_architectures",
    "plan_trials",
    "prepare",
    "run_sweep",
]
