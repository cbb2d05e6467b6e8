"""One line of anyone's mail log, whatever wrapped it: syslog, a journal, a container engine, a cluster."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from datetime import tzinfo

_PRIORITY: Final = r"(?:<[0-9]{1,3}>)?+"
_CLOCK: Final = r"[0-9]{2}:[0-9]{2}:[0-9]{2}"
_CLASSIC: Final = (
    rf"(?:([0-9]{{4}}) )?+([A-Z][a-z]{{2}} [ 0-9]?[0-9]) (?:([0-9]{{4}}) )?+({_CLOCK})(\.[0-9]{{1,9}})?+"
)
_ISO: Final = (
    rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}(?:[.,][0-9]{{1,9}})?+(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})?+)"
)
# A host, which Dovecot's own file does not have; a name with what Dovecot puts into it; a process.
_HEAD: Final = (
    r"(?:(?![0-9]{4}-|[^ ]*+(?<=:) )([^ ()\[\]<>]++) )?+"
    r"((?=[^ :\[])[^ :\[(<]*+(?:\([^)]*+\))?+(?:<[^<>]*+>)*+)(?:\[([0-9]{1,10})\])?+:(?: |$)(.*)"
)
_CLASSIC_LINE: Final = re.compile(rf"{_PRIORITY}{_CLASSIC} {_HEAD}", re.DOTALL)
_ISO_LINE: Final = re.compile(rf"{_PRIORITY}{_ISO} {_HEAD}", re.DOTALL)
_CLASSIC_STAMP: Final = re.compile(rf"{_PRIORITY}{_CLASSIC}(?: |$)")
_ISO_STAMP: Final = re.compile(rf"{_PRIORITY}{_ISO}(?: |$)")
_ONLY_HEAD: Final = re.compile(_HEAD, re.DOTALL)
# RFC 5424, section 6: priority, version, time, host, name, process, message id, structured data, message.
_RFC_5424: Final = re.compile(
    rf"(?:<[0-9]{{1,3}}>)?+1 {_ISO} ([^ ]++) ([^ ]++) ([^ ]++) [^ ]++ "
    r'(?:-|(?:\[(?:[^\]"]++|"(?:[^"\\]++|\\.)*+")*+\])++)(?: (?:\ufeff)?(.*)|$)',
    re.DOTALL,
)
_COMPOSE: Final = re.compile(r"(?:\x1b\[[0-9;]*+m)*+([A-Za-z0-9][A-Za-z0-9_.-]*+) *+\| (?:\x1b\[[0-9;]*+m)*+")
_POD: Final = re.compile(r"\[pod/([^/\] ]++)/[^\] ]++\] ")
_CRI: Final = re.compile(r"(?:stdout|stderr) [FP] ")
_REPLICA: Final = re.compile(r"[-_][0-9]++$")
_MONTHS: Final = {
    "Jan": 1,
    "Feb": 2,
    "Mar": 3,
    "Apr": 4,
    "May": 5,
    "Jun": 6,
    "Jul": 7,
    "Aug": 8,
    "Sep": 9,
    "Oct": 10,
    "Nov": 11,
    "Dec": 12,
}
_LEAP_DAYS_APART: Final = 9  # years: there is none in 1900
_WRAPPERS: Final = 4  # a line within more than these is none that anyone logs
_JOURNAL_TIME: Final = "__REALTIME_TIMESTAMP"


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

    def __init__(self, *, newest: datetime, zone: tzinfo, host: str = "") -> None:
        """Know what the lines do not tell.

        Args:
            newest: When the log was written last: times without a year are not later than a day after.
            zone: Of times that name none.
            host: Of lines that name none.
        """
        self._zone = zone
        self._host = host
        self._stamp: tuple[str | None, ...] = ()
        self._at: datetime | None = None
        self.newest = newest

    @property
    def newest(self) -> datetime:
        """When the log was written last; to be moved on where a log is followed while it grows."""
        return self._newest

    @newest.setter
    def newest(self, newest: datetime) -> None:
        self._newest = newest
        self._latest = (newest + timedelta(days=1)).astimezone(self._zone).replace(tzinfo=None)
        self._stamp = ()

    def read(self, line: str) -> LogLine | None:
        """Read one line; None where it is no line of a log at all."""
        if line[:1] == "\0":  # a file that was cut while a daemon still wrote to it
            line = line.lstrip("\0")
        line = line.rstrip("\r\n")
        if (match := _CLASSIC_LINE.match(line)) is not None:
            year, day, year_behind, clock, fraction, host, name, pid, text = match.groups()
            at = self._classic(year or year_behind, day, clock, fraction)
            return LogLine(at, host or self._host, name, int(pid or 0), text, line)
        if (match := _ISO_LINE.match(line)) is not None:
            stamp, host, name, pid, text = match.groups()
            return LogLine(self._iso(stamp), host or self._host, name, int(pid or 0), text, line)
        return self._unwrap(line, None, "", _WRAPPERS) if line else None

    def time_of(self, line: str) -> datetime | None:
        """Read only a line's time."""
        line = line.lstrip("\0")
        if (match := _CLASSIC_STAMP.match(line)) is not None:
            year, day, year_behind, clock, fraction = match.groups()
            return self._classic(year or year_behind, day, clock, fraction)
        if (match := _ISO_STAMP.match(line)) is not None:
            return self._iso(match[1])
        if line.startswith(_JOURNAL_TIME + "="):
            return _of_journal(line[len(_JOURNAL_TIME) + 1 :].strip())
        read = self.read(line)
        return None if read is None else read.at

    def _unwrap(  # noqa: PLR0911  # one for each form
        self, line: str, at: datetime | None, host: str, left: int
    ) -> LogLine | None:
        """Take off one wrapper after the other; `at` and `host` are what the outer ones told."""
        if left and (match := _COMPOSE.match(line) or _POD.match(line)) is not None:
            outer = host or _REPLICA.sub("", match[1])
            return self._unwrap(line[match.end() :], at, outer, left - 1)
        if line.startswith("{"):
            return self._json(line, at, host, left)
        if (match := _RFC_5424.match(line)) is not None:
            stamp, inner, name, pid, text = match.groups()
            process = int(pid) if pid.isascii() and pid.isdigit() and len(pid) <= _LONGEST_PID else 0
            return LogLine(at or self._iso(stamp), host or inner, name, process, text or "", line)
        if (match := _ISO_LINE.match(line) or _CLASSIC_LINE.match(line)) is not None:
            stamp_at = self.time_of(line) if at is None else at
            *_, inner, name, pid, text = match.groups()
            return LogLine(stamp_at, host or inner or self._host, name, int(pid or 0), text, line)
        if left and (match := _ISO_STAMP.match(line)) is not None:
            rest = line[match.end() :]
            if (cri := _CRI.match(rest)) is not None:
                rest = rest[cri.end() :]
            return self._unwrap(rest, at or self._iso(match[1]), host, left - 1)
        if (match := _CLASSIC_STAMP.match(line)) is not None:
            at = at or self.time_of(line)
            return LogLine(at, host or self._host, "", 0, line[match.end() :], line)
        match = _ONLY_HEAD.match(line)
        # Without a time, any prose with a colon looks like a name: a process must stand there.
        if match is not None and (match[3] or (at is not None and not match[1])):
            inner, name, pid, text = match.groups()
            return LogLine(at, host or inner or self._host, name, int(pid or 0), text, line)
        if at is None and not host:
            return None
        return LogLine(at, host or self._host, "", 0, line, line)

    def _json(self, line: str, at: datetime | None, host: str, left: int) -> LogLine | None:
        """Read an object of Docker's ``json-file``, of a journal, or of the lab's resolver."""
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            return None if at is None else LogLine(at, host or self._host, "", 0, line, line)
        if _JOURNAL_TIME in told:
            return self._journal(told, at, host)
        stamp = told.get("time")
        at = at or (self._iso(stamp) if isinstance(stamp, str) else None)
        inner = told.get("log")
        if left and isinstance(inner, str):
            return self._unwrap(inner.lstrip("\0").rstrip("\r\n"), at, host, left - 1)
        return LogLine(at, host or self._host, "", 0, line, line)

    def _journal(self, told: dict[str, Any], at: datetime | None, host: str) -> LogLine:
        """Read what ``journalctl -o json`` prints (systemd.journal-fields(7))."""
        name = _plain(told.get("SYSLOG_IDENTIFIER")) or _plain(told.get("_COMM"))
        text = _plain(told.get("MESSAGE")).rstrip("\r\n")
        pid = _plain(told.get("SYSLOG_PID")) or _plain(told.get("_PID"))
        process = int(pid) if pid.isascii() and pid.isdigit() and len(pid) <= _LONGEST_PID else 0
        at = at or _of_journal(_plain(told.get(_JOURNAL_TIME)))
        host = host or _plain(told.get("_HOSTNAME")) or self._host
        head = f"{name}[{process}]: " if process else f"{name}: "
        return LogLine(at, host, name, process, text, head + text if name else text)

    def _classic(self, year: str | None, day: str, clock: str, fraction: str | None) -> datetime | None:
        stamp = (year, day, clock, fraction)
        if stamp != self._stamp:  # most lines come within the same second as the one before
            self._at = self._moment(year, day, clock, fraction)
            self._stamp = stamp
        return self._at

    def _moment(self, year: str | None, day: str, clock: str, fraction: str | None) -> datetime | None:
        """Return a classic time; without a year, in the latest in which it is not later than the log."""
        month = _MONTHS.get(day[:3])
        if month is None:
            return None
        numbers = (
            month,
            int(day[4:]),
            int(clock[:2]),
            int(clock[3:5]),
            min(int(clock[6:]), 59) if clock[6:] == "60" else int(clock[6:]),  # a leap second
            int((fraction or ".0")[1:7].ljust(6, "0")),
        )
        latest = self._latest.year
        for candidate in [int(year)] if year else range(latest, max(latest - _LEAP_DAYS_APART, 0), -1):
            try:
                local = datetime(candidate, *numbers)  # noqa: DTZ001  # its zone comes next
                if year or local <= self._latest:
                    return local.replace(tzinfo=self._zone).astimezone(UTC)
            except (ValueError, OverflowError):
                continue  # no such day in that year
        return None

    def _iso(self, stamp: str) -> datetime | None:
        try:
            at = datetime.fromisoformat(stamp)
            if at.tzinfo is UTC:
                return at
            return (at if at.tzinfo else at.replace(tzinfo=self._zone)).astimezone(UTC)
        except (ValueError, OverflowError):
            return None


_LONGEST_PID: Final = 10


def _plain(value: object) -> str:
    """Return a journal's field: a text, bytes as numbers, or several of them, of which the first counts."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        return ""
    try:
        return bytes(value).decode("utf-8", "surrogateescape")
    except (TypeError, ValueError):
        return value[0] if isinstance(value[0], str) else ""


def _of_journal(microseconds: str) -> datetime | None:
    """Return a journal's time: microseconds since 1970."""
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(microseconds[:20]))
    except (ValueError, OverflowError):
        return None
