"""The fixture ``chance``: what differs from attempt to attempt, and is the same whenever one is examined."""

from __future__ import annotations

import hashlib
import string
from itertools import count
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

_WORD: Final = 1 << 64

_CHARACTERS: Final = string.ascii_lowercase + string.digits

_TOKEN_LENGTH: Final = 12

_NAMES: Final = (
    "quinn", "robin", "sasha", "toni", "yuki", "noor", "jules", "kim", "lou", "mika", "nico", "remy",
)  # fmt: skip
"""Nobody in a lab is called so."""


class Chance:
    """A stream of random choices that only a seed and a key decide.

    Word n of the stream, from 0, is the first eight bytes, most significant first, of the SHA-256 of the
    seed, the key and n in decimal, in UTF-8 with a NUL between each two. A choice among k takes the next word
    that is less than the greatest multiple of k up to 2^64, modulo k. `shuffled` takes such choices from the
    last place to the second (Fisher and Yates). So it is the same on every machine, with every Python.

    Args:
        seed: What everything random of an attempt, or of a running lab, comes from.
        key: Whose stream it is: the id of a check or an exercise.
    """

    def __init__(self, seed: str, key: str) -> None:
        self._seed = seed
        self._key = key
        self._count = count()

    def of(self, key: str) -> Chance:
        """Return a stream of its own, from its beginning: the same to every check that asks with this key."""
        return Chance(self._seed, f"of {key}")

    def below(self, bound: int) -> int:
        """Return a number from 0 on and below a bound.

        Raises:
            ValueError: There is none, or not every one is a word of the stream.
        """
        if not 1 <= bound <= _WORD:
            raise ValueError(f"no number is chosen below {bound}: from 1 to 2^64 it can be")
        while (word := self._word()) >= _WORD - _WORD % bound:
            pass
        return word % bound

    def choice(self, among: Sequence[T]) -> T:
        """Return one of several."""
        return among[self.below(len(among))]

    def shuffled(self, among: Sequence[T]) -> list[T]:
        """Return all of them, in another order."""
        found = list(among)
        for last in range(len(found) - 1, 0, -1):
            other = self.below(last + 1)
            found[last], found[other] = found[other], found[last]
        return found

    def token(self) -> str:
        """Return twelve letters and digits, for a subject or a text: nobody has written them before."""
        return "".join(self.choice(_CHARACTERS) for _ in range(_TOKEN_LENGTH))

    def name(self) -> str:
        """Return the local part of an address that no lab has, as ``quinn-7f3a``."""
        return f"{self.choice(_NAMES)}-{self.below(1 << 16):04x}"

    def _word(self) -> int:
        block = "\0".join((self._seed, self._key, str(next(self._count))))
        return int.from_bytes(hashlib.sha256(block.encode()).digest()[:8])
