"""How tests validate: rules, budgets and an executor whose trainings end at once."""

from __future__ import annotations

from gpscale.comparison.validation import Validation, run_validation
from gpscale.run_dir import RunDir
from tests.comparison.instant import Instant, Scored

SHARES = (0.4, 0.8)
ARMS = ("rule", "width", "random")


def validate(run: RunDir, executor: Instant | None = None, **options: object) -> Validation:
    settings = {"shares": SHARES, "names": ARMS, "seeds": 3, **options}
    return run_validation(run, executor or Scored(), **settings)  # type: ignore[arg-type]
