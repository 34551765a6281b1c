"""Other counters differ from ours in what they say they do."""

from __future__ import annotations

import importlib.util
import logging

import pytest
from torch import nn

from gpscale.counting import count_module
from gpscale.counting.others import COUNTERS, count_with
from gpscale.errors import MissingPackageError, UnknownNameError

BARE = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 5, bias=False))


@pytest.mark.parametrize("counter", COUNTERS)
def test_all_counters_agree_on_convolutions_and_linear_layers_without_bias(counter: str) -> None:
    assert count_with(counter, BARE, (8, 8)) == count_module(BARE, (8, 8))[0]


def test_ptflops_adds_one_for_each_output_that_has_a_bias() -> None:
    biased = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    assert count_with("ptflops", biased, (8, 8)) == count_module(biased, (8, 8))[0] + 8 * 6 * 6


def test_fvcore_adds_normalisations() -> None:
    normalised = nn.Sequential(BARE[0], nn.BatchNorm2d(8))
    assert count_with("fvcore", normalised, (8, 8)) == count_module(normalised, (8, 8))[0] + 2 * 8 * 6 * 6


def test_a_counter_prints_nothing_and_leaves_logging_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    before = logging.root.manager.disable
    for counter in COUNTERS:
        count_with(counter, BARE, (8, 8))
    assert logging.root.manager.disable == before
    assert capfd.readouterr() == ("", "")


def test_an_unknown_counter_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="Known: fvcore, ptflops. Did you mean 'ptflops'"):
        count_with("ptflop", BARE, (8, 8))


@pytest.mark.parametrize("counter", COUNTERS)
def test_a_counter_that_is_not_installed_names_the_extra(counter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=rf"needs {counter}.*gpscale\[counters\]"):
        count_with(counter, BARE, (8, 8))
