"""Who says which seed an attempt was handed out with, and how that is told."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

OWN_WORD: Final = "the seed is the attempt's own word (--seeds ROSTER compares it with what was handed out)"
UNLISTED: Final = "the roster has no seed for this attempt, which is graded by its own word"


class SeedFrom(StrEnum):
    """Who says which seed an attempt was handed out with."""

    ROSTER = "roster"
    """The teacher."""
    ATTEMPT = "attempt"
    """Its own ``labctl.toml``."""
    DRAWN = "drawn"
    """Nobody: it is made of what was handed in."""
