"""What a mistyped name may have meant."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST: Final = 3
_LIKENESS: Final = 0.5
"""As near as ``down-mta`` is to ``mta-down``."""
_LONGEST: Final = 100
"""No name that labctl knows is longer; what is, was not mistyped."""


def near(word: str, known: Iterable[str]) -> list[str]:
    """Return the names that are near to a word: those that begin with it, else those that resemble it.

    Args:
        word: What was typed; upper and lower case are the same.
        known: The names there are.

    Returns:
        At most three, the nearest first; none where nothing is near.
    """
    wanted = word.casefold()
    if not wanted or len(wanted) > _LONGEST:
        return []
    by_key = {each.casefold(): each for each in known}
    begun = sorted((key for key in by_key if key.startswith(wanted)), key=len)
    found = begun or get_close_matches(wanted, by_key, n=_MOST, cutoff=_LIKENESS)
    return [by_key[key] for key in found[:_MOST]]


def question(names: Iterable[str]) -> str:
    """Return ``; did you mean 'a' or 'b'?``, to be put behind an error's message; nothing for no names."""
    quoted = [repr(each) for each in names]
    if not quoted:
        return ""
    *others, last = quoted
    listed = f"{', '.join(others)} or {last}" if others else last
    return f"; did you mean {listed}?"
