"""Families side by side: scaled to the same budgets, trained with one recipe, scored on the test images, timed.

>>> from gpscale.comparison.side_by_side import ComparisonConfig
>>> ComparisonConfig.from_values({"budgets": ["20M"]}).seeds
2
"""

from gpscale.comparison.side_by_side.comparison import Comparison
from gpscale.comparison.side_by_side.running import run_comparison
from gpscale.comparison.side_by_side.settings import ComparisonConfig

__all__ = ["Comparison", "ComparisonConfig", "run_comparison"]
