"""Waiting for facts: the only place in labctl that sleeps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.05


def eventually(
    probe: Callable[[], T | None], *, within: float, longest_pause: float = LONGEST_PAUSE
) -> T | None:
    """Ask until there is an answer or the deadline has passed.

    The first questions follow each other closely and the pauses grow, so that a fact that comes soon is
    noticed at once and one that takes long costs little.

    Args:
        probe: Returns the fact, or None while it is not there. What it raises ends the waiting.
        within: Seconds until the deadline. The probe is asked at least once.
        longest_pause: Seconds between two questions, at most.

    Returns:
        The fact, or None where the deadline passed first.
    """
    deadline = time.monotonic() + within
    pause = FIRST_PAUSE
    while (fact := probe()) is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, longest_pause)
    return fact
