"""The names of the months, as programs write them into logs in the language of their host.

``months.txt`` has a line for each month: the words of the C library's locales (``abmon``, ``mon`` and their
alternatives of glibc 2.36) in lower case, without points. Where languages differ about a word, the one with
more speakers has it: ``lis`` is Polish, not Croatian.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

_LAST: Final = 12
_SIGNS: Final = ("月", "월")


def month_of(word: str) -> int | None:
    """Return the number of the month that a word names; None where it names none.

    Args:
        word: A name, whole or short, with or without a point, in upper or lower case; or, as in Chinese,
            Japanese and Korean, a number with the sign for a month behind it.
    """
    word = word.casefold().rstrip(".")
    if word.endswith(_SIGNS):
        number = int(word[:-1]) if word[:-1] in _NUMBERS else 0
        return number or None
    if any("\udc80" <= each <= "\udcff" for each in word):  # bytes that are no UTF-8 are mostly Latin-1
        word = word.encode("utf-8", "surrogateescape").decode("latin-1").casefold()
    return _names().get(word)


_NUMBERS: Final = frozenset(str(number) for number in range(1, _LAST + 1))


@cache
def _names() -> dict[str, int]:
    text = files(__package__).joinpath("months.txt").read_text(encoding="utf-8")
    return {name: number for number, names in enumerate(text.splitlines(), 1) for name in names.split()}
