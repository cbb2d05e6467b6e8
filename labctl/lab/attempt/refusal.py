"""What a daemon says of a configuration that it can't use: which file, which line, and what is wrong there.

The words are those of Postfix 3.10 (msg_fatal, and ``postconf`` of master.cf), of Dovecot 2.4's doveconf and
master, and of CoreDNS 1.14 with its plugin ``file``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labctl.lab.blueprint.maincf import MAIN_CF

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST: Final = 1000
"""Characters of a line that are looked at; it may be a student's, who may have written any number."""

_MOST: Final = 400
"""Characters of a line that are shown."""

_MOST_WARNINGS: Final = 3

_MAIN_FILES: Final = {
    "postmap": MAIN_CF,
    "postfix/master": MAIN_CF,
    "postconf": "/etc/postfix/master.cf",
    "doveconf": "/etc/dovecot/dovecot.conf",
    "master": "/etc/dovecot/dovecot.conf",
}
"""What each program was reading where it names no file."""

_MACROS: Final = "macro processing error"
"""What postconf says of main.cf too, whichever of the two it was to read."""

_GOES_ON: Final = r"(?: - doveconf execution fallback is disabled)?$"
"""What Dovecot's master adds, which goes on with what it had."""

_PROGRAM: Final = r"(?<![\w/-])(?P<program>[a-z][a-z/-]*)(?:\[[0-9]+\])?"

_FORMS: Final = tuple(
    re.compile(form)
    for form in (
        # CoreDNS: a zone's file, and where in it or in one that it includes.
        (
            r'failed to parse file "(?P<path>[^"]+)" for origin \S+ with error (?P<place>[^:]*): '
            r"(?P<reason>.*?)(?: at line: (?P<line>[0-9]+):[0-9]+)?$"
        ),
        r'file "(?P<path>[^"]+)" (?P<reason>has no SOA record for origin .*)',
        r"(?P<path>/[^\s:]+):(?P<line>[0-9]+) - (?P<reason>Error during parsing: .*)",
        # Dovecot
        (
            rf"{_PROGRAM}: (?:Fatal|Error): .*?"
            r"(?P<reason>Missing '}' \(section started at (?P<path>/[^\s:]+):(?P<line>[0-9]+)\))"
        ),
        (
            rf"{_PROGRAM}: (?:Fatal|Error): .*?Error in configuration file (?P<path>/\S+?)"
            rf"(?: line (?P<line>[0-9]+))?: (?P<reason>.*?){_GOES_ON}"
        ),
        rf"{_PROGRAM}: Error: (?:Failed to read config(?:uration)?: )+(?P<reason>.*?){_GOES_ON}",
        rf"{_PROGRAM}: Fatal: (?P<reason>.*)",
        # Postfix: a file's line, a file, or only what is wrong.
        rf"{_PROGRAM}: fatal: (?:file )?(?P<path>/[^\s,:]+)(?:[,:] line (?P<line>[0-9]+))?: (?P<reason>.*)",
        rf"{_PROGRAM}: fatal: (?P<reason>.*)",
    )
)
"""The more telling a form, the sooner it is tried."""


_WARNING: Final = re.compile(r"\bwarning: (?P<path>/[^\s,:]+), line (?P<line>[0-9]+): (?P<reason>.*)")
"""What Postfix says of a table's line that it leaves out."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a daemon said.

    Args:
        reason: What is wrong.
        path: The file in the container, where the daemon names one or reads but one.
        line: Its line, where one is named.
        said: The daemon's own words, a line each.
    """

    reason: str
    path: str | None
    line: int | None
    said: str


def refusal(log: Sequence[str], *, warnings: bool = False) -> Refusal | None:
    """Find the last words of a daemon about a configuration that it can't use.

    Args:
        log: The lines of its log, or what a program said that reads the same files.
        warnings: Whether a warning that names a file and a line is one too, as of a check that failed.

    Returns:
        What it said, or None where it said nothing of that kind.
    """
    forms = (*_FORMS, _WARNING) if warnings else _FORMS
    for n in range(len(log) - 1, -1, -1):
        for form in forms:
            if found := form.search(log[n][:_LONGEST]):
                return _refusal(found, log[:n])
    return None


def _refusal(found: re.Match[str], before: Sequence[str]) -> Refusal:
    told = found.groupdict()
    program = told.get("program")
    path, line = told.get("path"), told.get("line")
    elsewhere = told.get("place") not in {None, path}
    return Refusal(
        reason=shown(told["reason"]),
        path=path or (MAIN_CF if told["reason"] == _MACROS else _MAIN_FILES.get(program or "")),
        line=int(line) if line and not elsewhere else None,
        said="\n".join(shown(each) for each in (*_warnings(program, before), found.string)),
    )


def _warnings(program: str | None, before: Sequence[str]) -> list[str]:
    """Return what the same program said just before: Postfix tells there what its last words are about."""
    found: list[str] = []
    for line in reversed(before):
        if program is None or not line.startswith(f"{program}: warning: ") or len(found) == _MOST_WARNINGS:
            break
        found.insert(0, line)
    return found


def shown(text: str) -> str:
    """Return a line as it can be shown to anybody: short, and nothing in it but what is printed."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    text = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text.strip())
    return text if len(text) <= _MOST else f"{text[:_MOST]} […]"
