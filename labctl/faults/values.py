"""What the values of faults' parameters may be: each check returns what is wrong with one, or None."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

Check: TypeAlias = Callable[[str], str | None]


def _like(pattern: str, expected: str) -> Check:
    known = re.compile(pattern)
    return lambda value: None if known.fullmatch(value) else f"expected {expected}"


name: Final = _like(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?",
    "a name, such as beta.test",
)
"""A domain's, a host's or a service's name (RFC 1123, 2.1)."""

address: Final = _like(r"[A-Za-z0-9._+=-]{1,64}@[a-z0-9.-]{1,253}", "a mail address, such as bob@beta.test")
"""A mail address that can stand in a table of Postfix's as it is."""

status: Final = _like(r"[45]\.[0-9]{1,3}\.[0-9]{1,3}", "a status code, such as 5.7.1 or 4.3.0")
"""An enhanced status code of a refusal (RFC 3463)."""

code: Final = _like(r"[45][0-5][0-9]", "a reply code, from 400 to 559")
"""A reply code of a refusal (RFC 5321, 4.2)."""

text: Final = _like(
    r"[A-Za-z0-9](?:[A-Za-z0-9 .,:;!?'()/@+_-]{0,198}[A-Za-z0-9.!?)])?",
    "up to 200 letters, digits and marks like . , : ! ?",
)
"""A reply's text: main.cf gives braces and dollar signs a meaning."""


def number(lowest: int, highest: int) -> Check:
    """Return a check for a whole number."""

    def check(value: str) -> str | None:
        fits = re.fullmatch(r"0|[1-9][0-9]{0,11}", value) is not None and lowest <= int(value) <= highest
        return None if fits else f"expected a whole number from {lowest} to {highest}"

    return check
