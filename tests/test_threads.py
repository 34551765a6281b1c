"""Threads of numerical libraries."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from gpscale.surrogate import fit
from gpscale.surrogate.posterior import GPPosterior
from gpscale.threads import one_thread, torch_threads


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    with torch_threads(2), threadpool_limits(limits=2):
        yield


def counts() -> set[int]:
    return {torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())}


def test_one_thread_is_all_that_blas_and_torch_have_until_it_ends() -> None:
    assert counts() == {2}
    with one_thread():
        assert counts() == {1}
    assert counts() == {2}


def test_the_number_comes_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), one_thread():
        _ = 1 / 0
    with pytest.raises(ZeroDivisionError), torch_threads(1):
        _ = 1 / 0
    assert counts() == {2}


def test_fits_draws_and_grids_have_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[int]] = []
    optimise, joint = fit._optimise, GPPosterior.joint
    monkeypatch.setattr(fit, "_optimise", lambda mll: (seen.append(counts()), optimise(mll))[1])
    predict = GPPosterior._predict_slab
    monkeypatch.setattr(
        GPPosterior, "_predict_slab", lambda self, *slab: (seen.append(counts()), predict(self, *slab))[1]
    )
    monkeypatch.setattr(GPPosterior, "joint", lambda self, x: (seen.append(counts()), joint(self, x))[1])
    inputs = np.linspace(0, 1, 8)[:, None]
    posterior = fit.fit_posterior(inputs, np.sin(6 * inputs[:, 0]), restarts=1)
    posterior.draw(inputs, 3, np.random.default_rng(0))
    posterior.predict(np.linspace(0, 1, 1000)[:, None])
    assert seen == [{1}, {1}, {1}]
    assert counts() == {2}
