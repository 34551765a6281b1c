"""How many threads numerical libraries have, for as long as something needs another number.

Their threads wait for each other by spinning. Where another program has a core, too, the one that spins holds up the
one that is waited for, and small matrices, which gain nothing from a second thread, suffer most: on two cores that were
busy already, the fit of a study of 24 trials took 312 seconds with two threads and 14 with one. One thread also makes
the numbers independent of how many cores a machine has.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Give BLAS and, where it is loaded, torch one thread, and leave their numbers as they were.

    Example:
        >>> import torch
        >>> with one_thread():
        ...     torch.get_num_threads()
        1
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield


@contextlib.contextmanager
def torch_threads(count: int | None = None) -> Iterator[None]:
    """Give torch so many threads, and leave their number as it was.

    Args:
        count: Threads of one operator; None leaves the number, which what runs inside may then change.

    Example:
        >>> import torch
        >>> before = torch.get_num_threads()
        >>> with torch_threads(1):
        ...     torch.get_num_threads()
        1
        >>> torch.get_num_threads() == before
        True
    """
    import torch

    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
