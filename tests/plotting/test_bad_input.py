"""What no figure takes is refused with what it takes; what no accuracy reaches is not drawn."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from gpscale import plotting
from gpscale.errors import UnknownNameError
from gpscale.plotting.catalogue import FIGURES
from gpscale.plotting.labels import percent
from gpscale.study import Study
from gpscale.surrogate.surface import Surface
from gpscale.trial import OUTCOMES
from tests.plotting.conftest import SyntheticStudy

OF_ANY_OUTCOME = [name for name, choices in FIGURES.items() if choices.outcomes == OUTCOMES]


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("columns", [0, 3, "1"])
def test_a_width_of_other_than_one_or_two_columns_is_refused(name: str, columns: Any, study: SyntheticStudy) -> None:
    with pytest.raises(UnknownNameError, match="Unknown number of columns .*. Known: 1, 2."):
        getattr(plotting, f"plot_{name}")(study, columns=columns)


@pytest.mark.parametrize("name", OF_ANY_OUTCOME)
@pytest.mark.parametrize("outcome", ["x", "loss", "top-1", "top11"])
def test_an_unknown_outcome_is_refused_with_the_known(name: str, outcome: str, fitted: Study) -> None:
    for make in (getattr(plotting, f"plot_{name}"), getattr(plotting, f"{name}_data")):
        with pytest.raises(UnknownNameError, match=f"Unknown outcome '{outcome}'. Known: top1, top5."):
            make(fitted, outcome=outcome)


def test_percent_never_leaves_what_an_accuracy_can_be() -> None:
    np.testing.assert_array_equal(percent([-0.2, 0.0, 0.5, 1.0, 1.3]), [0, 0, 50, 100, 100])


@pytest.fixture(scope="module")
def near_perfect(study: SyntheticStudy) -> SyntheticStudy:
    """Trials of up to 100 %, which a surface goes beyond, and leave-one-out intervals that do."""
    finished = study.finished.copy()
    worst = finished["top1"].min()
    finished["top1"] = 1 - 0.6 * np.square(1 - (finished["top1"] - worst) / (finished["top1"].max() - worst))
    names = study.surfaces["top1"].names
    surface = Surface.fit(finished[list(names)], names, finished["top1"], restarts=1)
    stored = study.facts["diagnostics"]["top1"]
    shifted = {
        **stored,
        "measured": finished["top1"].tolist(),
        "joint_left_out": {"mean": finished["top1"].tolist(), "std": [0.1] * len(finished)},
    }
    facts = {**study.facts, "diagnostics": {**study.facts["diagnostics"], "top1": shifted}}
    return dataclasses.replace(study, finished=finished, facts=facts, surfaces={**study.surfaces, "top1": surface})


@pytest.mark.parametrize("name", ["line", "iso_macs", "diagnostics"])
def test_nothing_is_drawn_above_100_percent_but_the_table_keeps_it(name: str, near_perfect: SyntheticStudy) -> None:
    assert getattr(plotting, f"{name}_data")(near_perfect, outcome="top1")["high"].max() > 1
    for ax in getattr(plotting, f"plot_{name}")(near_perfect, outcome="top1").axes:
        assert ax.get_ylim()[1] <= 100
        for drawn in ax.collections:
            assert max((path.vertices[:, 1].max() for path in drawn.get_paths()), default=0) <= 100


def test_the_front_ends_at_100_percent(near_perfect: SyntheticStudy) -> None:
    pareto = {**near_perfect.facts["pareto"]}
    pareto["top1"] = dict(zip(near_perfect.finished["id"], near_perfect.finished["top1"], strict=True))
    study = dataclasses.replace(near_perfect, facts={**near_perfect.facts, "pareto": pareto})
    assert plotting.front_data(study).query("kind == 'trial'")["top1"].max() == 1
    (ax,) = plotting.plot_front(study).axes
    assert ax.get_ylim()[1] == 100
