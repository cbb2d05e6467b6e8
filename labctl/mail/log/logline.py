"""One line of anyone's mail log, whatever wrapped it: syslog, a journal, a container engine, a cluster."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from datetime import tzinfo

_PRIORITY: Final = r"(?:<[0-9]{1,3}>)?"
_CLOCK: Final = r"[0-9]{2}:[0-9]{2}:[0-9]{2}"
_CLASSIC: Final = (
    rf"(?:([0-9]{{4}}) )?([A-Z][a-z]{{2}} [ 0-9]?[0-9]) (?:([0-9]{{4}}) )?({_CLOCK})(\.[0-9]{{1,9}})?"
)
_ISO: Final = (
    rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}(?:[.,][0-9]{{1,9}})?(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})?)"
)
# A host, which Dovecot's own file does not have; a name with what Dovecot puts into it; a process.
_HEAD: Final = (
    r"(?:(?![0-9]{4}-|[^ ]*+(?<=:) )([^ ()\[\]<>]++) )?"
    r"((?=[^ :\[])[^ :\[(<]*+(?:\([^)]*+\))?(?>(?:<[^<>]*+>)*))(?:\[([0-9]{1,10})\])?:(?: |$)(.*)"
)
_CLASSIC_LINE: Final = re.compile(rf"{_PRIORITY}{_CLASSIC} {_HEAD}", re.DOTALL)
_ISO_LINE: Final = re.compile(rf"{_PRIORITY}{_ISO} {_HEAD}", re.DOTALL)
_CLASSIC_STAMP: Final = re.compile(rf"{_PRIORITY}{_CLASSIC}(?: |$)")
_ISO_STAMP: Final = re.compile(rf"{_PRIORITY}{_ISO}(?: |$)")
_ONLY_HEAD: Final = re.compile(_HEAD, re.DOTALL)
# RFC 5424, section 6: priority, version, time, host, name, process, message id, structured data, message.
_RFC_5424: Final = re.compile(
    rf"(?:<[0-9]{{1,3}}>)?1 {_ISO} ([^ ]++) ([^ ]++) ([^ ]++) [^ ]++ "
    r'(?:-|(?>(?:\[(?>(?:[^\]"]++|"(?>(?:[^"\\]++|\\.)*)")*)\])+))(?: (?:\ufeff)?(.*)|$)',
    re.DOTALL,
)
_COMPOSE: Final = re.compile(
    r"(?>(?:\x1b\[[0-9;]*+m)*)([A-Za-z0-9][A-Za-z0-9_.-]*+) *+\| (?>(?:\x1b\[[0-9;]*+m)*)"
)
_POD: Final = re.compile(r"\[pod/([^/\] ]++)/[^\] ]++\] ")
_OF_LABCTL: Final = re.compile(r"[0-9:]{8}\.[0-9]{6} ([a-z0-9-]++) ++")
"""What ``labctl logs`` puts before each line: a time of day, which the line has itself with its date."""
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
_BEFORE: Final = "\0\ufeff"
"""What may stand before a line: a file was cut while a daemon wrote to it; an editor put a mark there."""
_WHOLE: Final = timedelta(seconds=59)
_PID: Final = re.compile("[0-9]{1,10}")
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

    def __init__(self, *, newest: datetime, zone: tzinfo) -> None:
        """Know what the lines do not tell.

        Args:
            newest: When the log was written last: times without a year are not later than a day after.
            zone: Of times that name none.
        """
        self._zone = zone
        self._stamp: tuple[str | None, ...] = ()
        self._at: datetime | None = None
        self._minute: tuple[str | None, ...] = ()
        self._minute_at: datetime | None = None
        """When the minute began; None where its seconds have to be read one by one."""
        self.newest = newest

    @property
    def newest(self) -> datetime:
        """When the log was written last; to be moved on where a log is followed while it grows."""
        return self._newest

    @newest.setter
    def newest(self, newest: datetime) -> None:
        self._newest = newest
        self._latest = (newest + timedelta(days=1)).astimezone(self._zone).replace(tzinfo=None)
        self._stamp = self._minute = ()

    def read(self, line: str) -> LogLine | None:
        """Read one line; None where it is no line of a log at all."""
        if line[:1] in _BEFORE:
            line = line.lstrip(_BEFORE)
        line = line.rstrip("\r\n")
        at, outer = None, ""
        for _ in range(_WRAPPERS):
            if (match := _CLASSIC_LINE.match(line)) is not None:
                year, day, year_behind, clock, fraction, host, name, pid, text = match.groups()
                at = at or self._classic(year or year_behind, day, clock, fraction)
                return LogLine(at, outer or host or "", name, int(pid or 0), text, line)
            if (match := _ISO_LINE.match(line)) is not None:
                stamp, host, name, pid, text = match.groups()
                return LogLine(at or self._iso(stamp), outer or host or "", name, int(pid or 0), text, line)
            if (inside := self._opened(line)) is None:
                break
            told, service, line = inside
            at, outer = at or told, outer or service
        return self._odd(line, at, outer) if line else None

    def time_of(self, line: str) -> datetime | None:
        """Read only a line's time."""
        if line[4:5] == "-" and (match := _ISO_STAMP.match(line)) is not None:
            return self._iso(match[1])
        if (match := _CLASSIC_STAMP.match(line)) is not None:
            year, day, year_behind, clock, fraction = match.groups()
            return self._classic(year or year_behind, day, clock, fraction)
        if (match := _ISO_STAMP.match(line)) is not None:
            return self._iso(match[1])
        read = self.read(line)
        return None if read is None else read.at

    def _opened(self, line: str) -> tuple[datetime | None, str, str] | None:
        """Take a line out of what an engine put around it; None where there is nothing to take off."""
        if (match := _ISO_STAMP.match(line)) is not None:
            cri = _CRI.match(line, match.end())
            return self._iso(match[1]), "", line[cri.end() if cri else match.end() :]
        if (match := _COMPOSE.match(line)) is not None:
            return None, _REPLICA.sub("", match[1]), line[match.end() :]
        if (match := _POD.match(line) or _OF_LABCTL.match(line)) is not None:
            return None, match[1], line[match.end() :]
        if line.startswith('{"log"') and isinstance(inner := (told := _object(line)).get("log"), str):
            return self._iso(told.get("time")), "", inner.lstrip("\0").rstrip("\r\n")
        return None

    def _odd(self, line: str, at: datetime | None, host: str) -> LogLine | None:
        """Read a line that is not in syslog's common form."""
        if line.startswith("{"):
            told = _object(line)
            if _JOURNAL_TIME in told:
                return self._journal(told, at, host)
            at = at or self._iso(told.get("time"))
        elif (match := _RFC_5424.match(line)) is not None:
            stamp, inner, name, pid, text = match.groups()
            return LogLine(at or self._iso(stamp), host or inner, name, _process(pid), text or "", line)
        elif (match := _CLASSIC_STAMP.match(line)) is not None:
            return LogLine(at or self.time_of(line), host, "", 0, line[match.end() :], line)
        elif (match := _ONLY_HEAD.match(line)) is not None and match[3]:
            # Without a time, any prose with a colon looks like a name: a process must stand there.
            inner, name, pid, text = match.groups()
            return LogLine(at, host or inner or "", name, int(pid), text, line)
        return None if at is None else LogLine(at, host, "", 0, line, line)

    def _journal(self, told: dict[str, Any], at: datetime | None, host: str) -> LogLine:
        """Read what ``journalctl -o json`` prints (systemd.journal-fields(7))."""
        name = _plain(told.get("SYSLOG_IDENTIFIER")) or _plain(told.get("_COMM"))
        text = _plain(told.get("MESSAGE")).rstrip("\r\n")
        pid = _process(_plain(told.get("SYSLOG_PID")) or _plain(told.get("_PID")))
        at = at or _of_journal(_plain(told[_JOURNAL_TIME]))
        head = f"{name}[{pid}]: " if pid else f"{name}: "
        return LogLine(
            at, host or _plain(told.get("_HOSTNAME")), name, pid, text, head + text if name else text
        )

    def _classic(self, year: str | None, day: str, clock: str, fraction: str | None) -> datetime | None:
        stamp = (year, day, clock, fraction)
        if stamp != self._stamp:  # most lines come within the same second as the one before
            self._stamp = stamp
            minute, seconds = clock[:5], clock[6:]
            if (year, day, minute) != self._minute:
                self._minute = (year, day, minute)
                first, last = (self._moment(year, day, f"{minute}:{each}", None) for each in ("00", "59"))
                # Where the zone's offset or the year changes meanwhile, each second is read by itself.
                whole = first is not None and last is not None and last - first == _WHOLE
                self._minute_at = first if whole else None
            if self._minute_at is None or fraction is not None or seconds > "59":
                self._at = self._moment(year, day, clock, fraction)
            else:
                self._at = self._minute_at + timedelta(seconds=int(seconds))
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

    def _iso(self, stamp: object) -> datetime | None:
        if not isinstance(stamp, str):
            return None
        try:
            at = datetime.fromisoformat(stamp)
            if at.tzinfo is UTC:
                return at
            return (at if at.tzinfo else at.replace(tzinfo=self._zone)).astimezone(UTC)
        except (ValueError, OverflowError):
            return None


def _object(line: str) -> dict[str, Any]:
    """Return a JSON object; an empty one where the line is none."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _process(pid: str) -> int:
    return int(pid) if _PID.fullmatch(pid) else 0


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
