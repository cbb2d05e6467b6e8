"""Parameters in the text of Postfix's ``main.cf``.

Source: postconf(5): "name = value" on one logical line, which goes on in lines that begin with white space,
behind comments and empty lines too; and of several values the last one counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAIN_CF: Final = "/etc/postfix/main.cf"
"""Where an MTA has it."""

_MORE_LINES: Final = r"(?:(?:\n[ \t]*(?:#.*)?)*\n[ \t]+[^\s#].*)*"
"""The further lines of a logical line."""


def settings_in(main_cf: bytes, names: Iterable[str]) -> dict[str, str | None]:
    """Return the values of parameters as they are written; None where one is not set."""
    text = _text(main_cf)
    found: dict[str, str | None] = {}
    for name in names:
        values = re.findall(rf"^{name}\s*=[ \t]*(.*{_MORE_LINES})", text, flags=re.MULTILINE)
        found[name] = values[-1] if values else None
    return found


def with_settings(main_cf: bytes, settings: Mapping[str, str | None]) -> bytes:
    """Set parameters: each wherever it stands, or at the end; one whose value is None is taken out."""
    text = _text(main_cf)
    for name, value in settings.items():
        everywhere = re.compile(rf"^{name}\s*=.*{_MORE_LINES}", flags=re.MULTILINE)
        if value is None:
            text = re.sub(rf"{everywhere.pattern}\n?", "", text, flags=re.MULTILINE)
            continue
        line = f"{name} = {value}".rstrip()
        text, replaced = everywhere.subn(line.replace("\\", r"\\"), text)
        if not replaced:
            text = f"{text.rstrip()}\n{line}\n"
    return text.encode("utf-8", "surrogateescape")


def _text(main_cf: bytes) -> str:
    return main_cf.decode("utf-8", "surrogateescape")
