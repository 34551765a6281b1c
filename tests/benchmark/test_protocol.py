"""Protocols are those of the papers."""

from __future__ import annotations

import pytest

from gpscale.benchmark.protocol import PROTOCOLS, Protocol, protocol_of
from gpscale.errors import RuntimeChoiceError, UnknownNameError


def test_the_protocols_of_the_papers_are_what_the_papers_say() -> None:
    edgevit, msra, former = (PROTOCOLS[name] for name in ("edgevit", "msra", "efficientformer"))
    assert (edgevit.batch, edgevit.runs, edgevit.fold, edgevit.statistic) == (1, 50, False, "mean and sd")
    assert (msra.batch, msra.threads, msra.fold, msra.statistic) == (16, 1, True, "images/s")
    assert (former.batch, former.runs, former.statistic) == (1, 1000, "mean")
    assert all(protocol.source for protocol in (edgevit, msra, former))


def test_a_changed_field_replaces_the_protocols_and_none_keeps_it() -> None:
    changed = protocol_of("msra", batch=None, threads=4, fold=False)
    assert (changed.batch, changed.threads, changed.fold) == (16, 4, False)


@pytest.mark.parametrize("field", ["batch", "threads", "runs", "rounds"])
def test_a_number_below_one_is_refused(field: str) -> None:
    with pytest.raises(RuntimeChoiceError, match=f"{field} must be at least 1. Got 0"):
        protocol_of("gpscale", **{field: 0})


def test_warming_up_may_be_left_out_but_not_less() -> None:
    assert Protocol("x", "mean", warm_up=0).warm_up == 0
    with pytest.raises(RuntimeChoiceError, match="warm_up must not be negative"):
        Protocol("x", "mean", warm_up=-1)


def test_an_unknown_protocol_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'efficientformer'"):
        protocol_of("efficientforme")
