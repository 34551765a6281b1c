"""The parts behind panels: MACs along slices, marks, reasons, and what is loaded when."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import gpscale.explore
from gpscale.errors import FitError, MissingPackageError
from gpscale.explore import Reason, show
from gpscale.explore.marks import held_text
from gpscale.factors import FACTOR_NAMES
from gpscale.plotting.mac_contours import Costs
from gpscale.plotting.slices import fading
from gpscale.study import Study


def run(code: str) -> str:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("names", [("width", "resolution"), ("ir_depth", "width"), ("vit_depth",)])
def test_costs_are_those_of_the_architectures(names: tuple[str, ...], fitted: Study) -> None:
    space, costs = fitted.space, Costs(fitted.space)
    for index in np.random.default_rng(0).integers(len(space), size=20):
        values = dict(zip(FACTOR_NAMES, space.factors[index], strict=True))
        over = costs.over(names, {name: value for name, value in values.items() if name not in names})
        at = tuple(int(np.searchsorted(costs.levels[name], values[name] - 1e-9)) for name in reversed(names))
        assert over[at] == space.c[index]


def test_costs_between_levels_are_those_of_the_nearest_level(fitted: Study) -> None:
    costs = Costs(fitted.space)
    held = {"ir_depth": 1.0, "vit_depth": 1.0, "resolution": 1.0}
    near = {**held, "resolution": 1.05}
    np.testing.assert_array_equal(costs.over(("width",), near), costs.over(("width",), held))


def test_a_trial_fades_with_its_distance_from_the_slice(fitted: Study) -> None:
    surface = fitted.joint_surface()
    on_it = dict(zip(surface.names, surface.observations[7], strict=True))
    strength = fading(surface, {name: on_it[name] for name in ("ir_depth", "vit_depth")})
    assert strength[7] == strength.max() == 1.0
    assert strength.min() == 0.15
    distance = np.abs(np.log(surface.observations[:, 1:3] / surface.observations[7, 1:3])).max(axis=1)
    assert strength[np.argmax(distance)] < 0.5


def test_where_factors_are_held_is_written_with_their_symbols() -> None:
    assert held_text({"ir_depth": 1.0, "vit_depth": 1.5}) == "$d_i$ = 1.00, $d_m$ = 1.50"


def test_show_gives_the_thing_or_the_reason_and_hides_no_other_error() -> None:
    def fail(error: Exception) -> None:
        raise error

    assert show(max, [1, 3], default=0) == 3
    reason = show(fail, FitError("A rule needs more than <6> trials."))
    assert isinstance(reason, Reason)
    assert str(reason) == "A rule needs more than <6> trials."
    assert reason._repr_html_() == "<p><i>Not for this study:</i> A rule needs more than &lt;6&gt; trials.</p>"
    with pytest.raises(ZeroDivisionError):
        show(fail, ZeroDivisionError())


def test_without_ipywidgets_the_error_names_the_extra() -> None:
    code = (
        "import sys\nsys.modules['ipywidgets'] = None\nimport gpscale.explore\n"
        f"from gpscale.errors import {MissingPackageError.__name__} as Missing\n"
        "try:\n    from gpscale.explore import contours\nexcept Missing as error:\n    print(error)"
    )
    assert run(code) == 'gpscale.explore needs ipywidgets. Got none installed. Run: pip install "gpscale[notebook]"\n'


def test_importing_the_room_loads_nothing_else() -> None:
    names = ("ipywidgets", "numpy", "matplotlib", "pandas")
    assert run(f"import sys, gpscale.explore\nprint([name for name in {names} if name in sys.modules])") == "[]\n"


def test_every_name_of_the_room_can_be_had() -> None:
    for name in gpscale.explore.__all__:
        assert getattr(gpscale.explore, name).__name__ == name
    with pytest.raises(AttributeError, match="'contour'"):
        _ = gpscale.explore.contour
