"""Does the rule beat the habit? Picks of several rules, trained with the same seeds, scored on the test images.

>>> from gpscale.comparison.validation import DEFAULT_RULES
>>> DEFAULT_RULES
('rule', 'surface', 'width', 'tinynet', 'random')
"""

from gpscale.comparison.validation.running import run_validation
from gpscale.comparison.validation.validation import Validation
from gpscale.comparison.validation.version import DEFAULT_RULES, Version, plan_version

__all__ = ["DEFAULT_RULES", "Validation", "Version", "plan_version", "run_validation"]
