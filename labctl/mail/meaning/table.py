"""The tables of meanings, which are data: TOML files beside this module, read when first needed."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_GAP: Final = " … "


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: what something means, before what is known of the case is filled in."""

    title: str
    text: str
    cause: str
    next: tuple[str, ...]
    sources: tuple[str, ...]
    outlook: bool = True
    """Whether the code's first digit tells what comes next."""

    @classmethod
    def of(cls, row: Mapping[str, Any], *, default: Entry | None = None, also: tuple[str, ...] = ()) -> Entry:
        """Read a row; what it does not say is the default's."""
        lists = {name: row.get(name, getattr(default, name, ())) for name in ("next", "sources")}
        words = {name: row.get(name, getattr(default, name, "")) for name in ("title", "text", "cause")}
        sources = dict.fromkeys((*lists["sources"], *also))
        return cls(
            **words, next=tuple(lists["next"]), sources=tuple(sources), outlook=row.get("outlook", True)
        )


@dataclass(frozen=True, slots=True)
class StatusTable:
    """Enhanced status codes: the classes, the subjects, and the codes that are registered."""

    classes: Mapping[str, Entry]
    given_up: Mapping[str, str]
    """What a class means where nobody tries again."""
    subjects: Mapping[str, Entry]
    codes: Mapping[str, Mapping[str, Entry]]
    """By ``subject.detail``, then by class, where ``*`` stands for every other one."""


@dataclass(frozen=True, slots=True)
class ReplyTable:
    """SMTP reply codes: by the first digit, and by all three."""

    classes: Mapping[str, Entry]
    codes: Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words to be found in a text in this order, whatever stands between them."""

    parts: tuple[re.Pattern[str], ...]

    @classmethod
    def of(cls, text: str) -> Phrase:
        """Read ``words … more words``; a ``*`` at the end of words lets the last one go on."""
        return cls(tuple(_pattern(part) for part in text.split(_GAP)))

    def is_in(self, text: str) -> bool:
        """Whether a text holds the words."""
        position = 0
        for part in self.parts:
            if (match := part.search(text, position)) is None:
                return False
            position = match.end()
        return True


@dataclass(frozen=True, slots=True)
class Saying:
    """What servers say in some words, and its meaning."""

    phrases: tuple[Phrase, ...]
    is_good: bool
    """Whether they say it of success."""
    entry: Entry


def _pattern(words: str) -> re.Pattern[str]:
    """Make literal words a pattern that begins and ends at the border of a word."""
    before = r"(?<!\w)" if words[0].isalnum() else ""
    after = "" if words.endswith("*") else r"(?!\w)" if words[-1].isalnum() else ""
    return re.compile(before + re.escape(words.rstrip("*")) + after)


@cache
def status_table() -> StatusTable:
    """Return the table of enhanced status codes."""
    content = _read("status")
    also = (content["registry"],)
    codes: dict[str, Mapping[str, Entry]] = {}
    for code, row in content["code"].items():
        general = Entry.of(row, also=also)
        variants = {"2": row.get("success"), "4": row.get("transient")}
        own = {digit: Entry.of(each, default=general) for digit, each in variants.items() if each}
        codes[code] = {"*": general, **own}
    return StatusTable(
        classes=dict(_entries(content["class"])),
        given_up={digit: row.get("given_up", row["text"]) for digit, row in content["class"].items()},
        subjects=dict(_entries(content["subject"])),
        codes=codes,
    )


@cache
def reply_table() -> ReplyTable:
    """Return the table of SMTP reply codes."""
    content = _read("reply")
    return ReplyTable(dict(_entries(content["class"])), dict(_entries(content["code"])))


@cache
def sayings() -> tuple[Saying, ...]:
    """Return the table of servers' own words, the special ones first."""
    rows = _read("text")["text"]
    return tuple(
        Saying(tuple(map(Phrase.of, row["match"])), row.get("good", False), Entry.of(row)) for row in rows
    )


@cache
def state_table() -> Mapping[str, Entry]:
    """Return the table of a message's states."""
    return dict(_entries(_read("state")["state"]))


@cache
def action_table() -> Mapping[str, Entry]:
    """Return the table of what reports say was done."""
    return dict(_entries(_read("state")["action"]))


def _entries(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Entry]]:
    return ((key, Entry.of(row)) for key, row in rows.items())


def _read(name: str) -> dict[str, Any]:
    """Read a table; in a zipped package it is no path of the file system."""
    content = files("labctl.mail.meaning").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(content)
