"""Learning curves: which trials are drawn, and what of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gpscale.errors import FitError
from gpscale.plotting import curves_data, plot_curves
from tests.plotting.conftest import EPOCHS, SyntheticStudy


def test_the_table_has_every_epoch_of_every_trial(study: SyntheticStudy) -> None:
    table = curves_data(study, "top5")
    assert len(table) == EPOCHS * len(study.finished)
    own, stored = (part.sort_values(["id", "epoch"]) for part in (table, study.curves))
    for name, column in (("loss", "validation_loss"), ("accuracy", "top5"), ("ema_loss", "ema_validation_loss")):
        np.testing.assert_array_equal(own[name], stored[column])
    np.testing.assert_array_equal(own["ema_accuracy"], stored["ema_top5"])


def test_the_chosen_trials_are_spread_over_c(large_study: SyntheticStudy) -> None:
    table = curves_data(large_study, count=5)
    chosen = table[table["chosen"]].drop_duplicates("id")["c"].to_numpy()
    assert len(chosen) == 5
    everything = large_study.finished["c"]
    assert (chosen[0], chosen[-1]) == (everything.min(), everything.max())
    steps = np.diff(np.log(chosen))
    assert steps.max() < 1.5 * steps.min()


def test_at_fixed_macs_trials_are_told_apart_by_the_factor_that_varied(line_study: SyntheticStudy) -> None:
    table = curves_data(line_study)
    assert table["resolution"].is_monotonic_increasing
    labels = [text.get_text() for text in plot_curves(line_study).axes[0].texts]
    assert len(labels) == table.loc[table["chosen"], "id"].nunique()
    assert all(label.startswith("$r$ = ") for label in labels)


def test_no_more_trials_are_chosen_than_there_are(line_study: SyntheticStudy) -> None:
    assert curves_data(line_study, count=99)["chosen"].all()


def test_averaged_weights_are_solid_and_the_weights_themselves_dashed(study: SyntheticStudy) -> None:
    figure = plot_curves(study)
    table = curves_data(study)
    for ax, name, unit in zip(figure.axes, ("loss", "accuracy"), (1, 100), strict=True):
        dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
        assert len(dashed) == 4
        raw = table[table["chosen"]].groupby("id", sort=False)[name].apply(list)
        for line, values in zip(dashed, raw, strict=True):
            np.testing.assert_allclose(line.get_ydata(), np.array(values) * unit)
    assert "solid: averaged weights (EMA), dashed: the weights themselves" in figure.get_suptitle().replace("\n", " ")


def test_without_an_average_there_is_one_line_a_trial(study: SyntheticStudy) -> None:
    curves = study.curves.copy()
    for name in ("validation_loss", "top1", "top5"):
        curves[f"ema_{name}"] = curves[name]
    figure = plot_curves(dataclasses.replace(study, curves=curves))
    assert not [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert "no EMA was kept" in figure.get_suptitle().replace("\n", " ")


def test_axes_carry_units(study: SyntheticStudy) -> None:
    losses, accuracies = plot_curves(study, "top5").axes
    assert (losses.get_xlabel(), losses.get_ylabel()) == ("epoch", "validation loss (nats)")
    assert accuracies.get_ylabel() == "validation top-5 (%)"


def test_a_study_without_curves_is_refused(study: SyntheticStudy) -> None:
    with pytest.raises(FitError, match="need a finished trial with a `curve.csv`"):
        curves_data(dataclasses.replace(study, curves=study.curves.iloc[:0]))
