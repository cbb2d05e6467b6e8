"""One line of anyone's mail log, whatever wrapped it: syslog, a journal, an engine, a cluster, grep."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labctl.mail.log import head, record
from labctl.mail.log.head import CLASSIC_LINE, CLASSIC_STAMP, ISO_LINE, ISO_STAMP
from labctl.mail.log.stamp import LEADING, STAMP, StampReader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, tzinfo

_COMPOSE: Final = re.compile(
    r"(?>(?:\x1b\[[0-9;]*+m)*)([A-Za-z0-9][A-Za-z0-9_.@-]*+) *+\| (?>(?:\x1b\[[0-9;]*+m)*)"
)
_POD: Final = re.compile(r"\[pod/([^/\] ]++)/[^\] ]++\] ")
_OF_LABCTL: Final = re.compile(r"[0-9:]{8}\.[0-9]{6} ([a-z0-9-]++) ++")
"""What ``labctl logs`` puts before each line: a time of day, which the line has itself with its date."""
_CRI: Final = re.compile(r"(?:stdout|stderr) [FP] ")
_REPLICA: Final = re.compile(r"[-_][0-9]++$")
_AROUND: Final = re.compile(r"(?>(?:[\s>|*#`]++|data: ?|\x1b\[[0-9;]{0,16}[A-Za-z])+)")
"""What indents and quotes a line: letters, chats, tables, events that a server sends, colours."""
_GREP: Final = re.compile(r"(?:[^\s:\"'\[{]{1,256}[:-])?(?:[0-9]{1,10}[:-])?(?=[\[<]?[A-Za-z0-9{\"])")
"""What grep(1) puts before a line: the file and the line's number (``-H``, ``-n``)."""
_BEFORE: Final = "\0\ufeff"
"""What may stand before a line: a file was cut while a daemon wrote to it; an editor put a mark there."""
_QUOTES: Final = ('"', "'")
_PID_LENGTH: Final = 11
_NEAR: Final = 256
"""How far from the beginning of a line a record begins, at most: behind a time and a tag."""
_WRAPPERS: Final = 6  # a line within more than these is none that anyone logs


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log."""

    at: datetime | None
    """In UTC; the outermost time, since an engine's and a journal's counts more than seconds."""
    host: str
    """Empty where the line has none."""
    name: str
    """``postfix/submission/smtpd``, ``dovecot``, ``lmtp(bob@beta.test)<21><session>``; empty for JSON."""
    pid: int
    """0 where the line has none."""
    text: str
    """What follows ``name[pid]: ``."""
    body: str
    """The line without what an engine or a journal put around it."""


class LineReader:
    """Reads the lines of one log."""

    def __init__(self, *, newest: datetime, zone: tzinfo) -> None:
        """Know what the lines do not tell.

        Args:
            newest: When the log was written last: times without a year are not later than a day after.
            zone: Of times that name none.
        """
        self._stamps = StampReader(newest=newest, zone=zone)

    @property
    def newest(self) -> datetime:
        """When the log was written last; to be moved on where a log is followed while it grows."""
        return self._stamps.newest

    @newest.setter
    def newest(self, newest: datetime) -> None:
        self._stamps.newest = newest

    def read(self, line: str) -> LogLine | None:
        """Read one line; None where it is no line of a log at all."""
        if line[:1] in _BEFORE:
            line = line.lstrip(_BEFORE)
        line = line.rstrip("\r\n")
        at, outer = None, ""
        for _ in range(_WRAPPERS):
            if (match := CLASSIC_LINE.match(line)) is not None:
                year, day, year_behind, clock, fraction, *said = match.groups()
                at = at or self._stamps.classic(year or year_behind, day, clock, fraction)
                return _spoken(at, outer, said, line)
            if (match := ISO_LINE.match(line)) is not None:
                stamp, *said = match.groups()
                return _spoken(at or self._stamps.iso(stamp), outer, said, line)
            if (inside := self._opened(line)) is None:
                break
            told, service, line = inside
            at, outer = at or told, outer or service
        return self._odd(line, at, outer) if line else None

    def time_of(self, line: str) -> datetime | None:
        """Read only a line's time."""
        if line[4:5] == "-" and (match := ISO_STAMP.match(line)) is not None:
            return self._stamps.iso(match[1])
        if (match := CLASSIC_STAMP.match(line)) is not None:
            year, day, year_behind, clock, fraction = match.groups()
            return self._stamps.classic(year or year_behind, day, clock, fraction)
        if (match := ISO_STAMP.match(line)) is not None:
            return self._stamps.iso(match[1])
        read = self.read(line)
        return None if read is None else read.at

    def _opened(self, line: str) -> tuple[datetime | None, str, str] | None:
        """Take a line out of what stands around it; None where there is nothing to take off."""
        if (match := ISO_STAMP.match(line)) is not None:
            cri = _CRI.match(line, match.end())
            return self._stamps.iso(match[1]), "", line[cri.end() if cri else match.end() :]
        if (match := _COMPOSE.match(line)) is not None:
            return None, _REPLICA.sub("", match[1]), line[match.end() :]
        if (match := _POD.match(line) or _OF_LABCTL.match(line)) is not None:
            return None, match[1], line[match.end() :]
        if line.startswith('{"log"') and isinstance(
            inner := (told := record.object_of(line)).get("log"), str
        ):
            return self._stamps.iso(told.get("time")), "", inner.lstrip("\0").rstrip("\r\n")
        if (match := _AROUND.match(line)) is not None:
            return None, "", line[match.end() :]
        inner = _unpacked(line)
        return None if inner is None or inner == line else (None, "", inner)

    def _odd(self, line: str, at: datetime | None, host: str) -> LogLine | None:
        """Read a line that is not in syslog's common form."""
        if line.startswith("{"):
            at = at or self._stamps.iso(record.object_of(line).get("time"))
        elif (match := head.RFC_5424.match(line)) is not None:
            stamp, inner, name, pid, text = match.groups()
            pid = pid if pid.isascii() and pid.isdigit() and len(pid) < _PID_LENGTH else None
            return _spoken(at or self._stamps.iso(stamp), host, (inner, name, pid, text or ""), line)
        elif (match := CLASSIC_STAMP.match(line)) is not None and head.anchored(line) is None:
            return LogLine(at or self.time_of(line), host, "", 0, line[match.end() :], line)
        elif (read := self._named(line, at, host)) is not None:
            return read
        return LogLine(at, host, "", 0, line, line) if at is not None or host else None

    def _named(self, line: str, at: datetime | None, host: str) -> LogLine | None:
        """Read a line that names its daemon, or whose words tell it; None where it does not."""
        if (said := head.anchored(line)) is not None:
            told, before = self._before(said.before)
            return LogLine(at or told, host or head.host_in(before), said.name, said.pid, said.text, line)
        rest = line
        if (match := LEADING.match(line)) is not None:
            at, rest = at or self._stamps.found(match)[0], line[match.end() :]
        if (said := head.bare(rest)) is not None:
            return LogLine(at, host, said.name, said.pid, said.text, line)
        if rest is line:
            return None
        if (match := head.ONLY_HEAD.match(rest)) is not None:
            return _spoken(at, host, match.groups(), line)
        return LogLine(at, host, "", 0, rest, line) if at is not None else None

    def _before(self, words: str) -> tuple[datetime | None, str]:
        """Read the times before a daemon's name: the most exact counts; return what follows the last, too."""
        best: tuple[int, datetime | None] = (-1, None)
        end = 0
        for match in STAMP.finditer(words):
            at, exact = self._stamps.found(match)
            if at is not None and exact >= best[0]:
                best = exact, at
            end = match.end()
        return best[1], words[end:].lstrip("])>\"',;|: \t")


def _spoken(at: datetime | None, outer: str, said: Sequence[str | None], body: str) -> LogLine:
    """Put a line together from a host, a name, a process and a text."""
    host, name, pid, text = said
    assert name is not None
    assert text is not None
    return LogLine(
        at, outer or head.host_of(host), head.speaker(name, text), int(pid or 0), head.said(text), body
    )


def _unpacked(line: str) -> str | None:
    """Take a line out of quotes, out of a row of a table, or out of a record; None where it is in none."""
    if line.startswith("{"):
        return record.unwrapped(record.object_of(line))
    if line.startswith(_QUOTES):
        quote = line[0]
        if quote == '"' and (row := record.of_columns(record.columns(line))) is not None:
            return row
        return line[1:].rstrip(", ").removesuffix(quote).replace(f"\\{quote}", quote)
    if (begin := line.find('{"', 0, _NEAR)) > 0 and line.endswith("}") and head.anchored(line) is None:
        inner = record.unwrapped(record.object_of(line[begin:]))
        match = LEADING.match(line)
        return inner if inner is None or match is None or STAMP.match(inner) else match[0] + inner
    if (match := _GREP.match(line)) is not None and match.end():
        inner = line[match.end() :]
        if LEADING.match(inner) is not None or head.bare(inner) is not None or inner.startswith("{"):
            return inner
    return None
