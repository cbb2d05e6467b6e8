"""Work on several hosts at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from labctl.interruption import held_back

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
U = TypeVar("U")


def in_parallel(work: Callable[[T], U], items: Sequence[T]) -> list[U]:
    """Do the same with each of several things, and return when all of it has ended, well or not.

    Raises:
        Exception: What the first of them raised that failed.
    """
    with ThreadPoolExecutor(max_workers=max(len(items), 1)) as pool:
        with held_back():
            futures = [pool.submit(work, each) for each in items]
        return [each.result() for each in futures]
