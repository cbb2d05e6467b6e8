"""What the values of faults' parameters may be: each check returns what is wrong with one, or None."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_ADDRESS: Final = re.compile(r"[A-Za-z0-9._+=-]{1,64}@[a-z0-9.-]{1,253}")
_STATUS: Final = re.compile(r"[45]\.[0-9]{1,3}\.[0-9]{1,3}")
_CODE: Final = re.compile(r"[45][0-5][0-9]")
_TEXT: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 .,:;!?'()/@+_-]{0,198}[A-Za-z0-9.!?)])?")


def name(value: str) -> str | None:
    """Check a domain's, a host's or a service's name (RFC 1123, 2.1)."""
    return None if _NAME.fullmatch(value) else "expected a name, such as beta.test"


def address(value: str) -> str | None:
    """Check a mail address that can stand in a table of Postfix's as it is."""
    return None if _ADDRESS.fullmatch(value) else "expected a mail address, such as bob@beta.test"


def status(value: str) -> str | None:
    """Check an enhanced status code of a refusal (RFC 3463)."""
    return None if _STATUS.fullmatch(value) else "expected a status code, such as 5.7.1 or 4.3.0"


def code(value: str) -> str | None:
    """Check a reply code of a refusal (RFC 5321, 4.2)."""
    return None if _CODE.fullmatch(value) else "expected a reply code, from 400 to 559"


def text(value: str) -> str | None:
    """Check a reply's text: main.cf gives braces and dollar signs a meaning."""
    return None if _TEXT.fullmatch(value) else "expected up to 200 letters, digits and marks like . , : ! ?"


def number(lowest: int, highest: int) -> Callable[[str], str | None]:
    """Return a check for a whole number."""

    def check(value: str) -> str | None:
        fits = re.fullmatch(r"0|[1-9][0-9]{0,11}", value) is not None and lowest <= int(value) <= highest
        return None if fits else f"expected a whole number from {lowest} to {highest}"

    return check
