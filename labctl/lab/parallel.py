"""Work on several hosts at once."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
U = TypeVar("U")


def in_parallel(work: Callable[[T], U], items: Sequence[T]) -> list[U]:
    """Do the same with each of several things, and return when all of it has ended, well or not.

    Raises:
        Exception: What the first of them raised that failed.
    """
    with ThreadPoolExecutor(max_workers=max(len(items), 1)) as pool:
        with uninterrupted():
            futures = [pool.submit(work, each) for each in items]
        return [each.result() for each in futures]


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait: a pool that is interrupted while it starts a thread neither joins it nor ends it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
