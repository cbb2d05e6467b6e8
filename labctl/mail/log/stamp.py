"""The times of lines, in whatever form programs write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from labctl.mail.log import undated
from labctl.mail.log.months import month_of

if TYPE_CHECKING:
    from datetime import tzinfo

_EAST: Final = {
    0: "Z UTC GMT WET",
    1: "BST WEST CET MEZ",
    2: "CEST MESZ EET SAST",
    3: "EEST MSK",
    5: "PKT",
    5.5: "IST",
    7: "WIB",
    8: "HKT SGT AWST",
    9: "JST KST",
    10: "AEST",
    11: "AEDT",
    12: "NZST",
    13: "NZDT",
    -3: "BRT ART",
    -4: "AST EDT",
    -5: "EST CDT",
    -6: "CST MDT",
    -7: "MST PDT",
    -8: "PST AKDT",
    -9: "AKST",
    -10: "HST",
}
"""Hours east of Greenwich, and what such zones are called (tz database); the log's own comes first."""
_HOURS: Final = {name: hours for hours, names in _EAST.items() for name in names.split()}
_YEAR: Final = "[12][0-9]{3}"
_CLOCK: Final = (
    "(?P<clock>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)(?P<fraction>[.,][0-9]{1,9})?"
    "(?P<half> ?[AaPp][Mm](?![a-z]))?"
    rf"(?: ?(?P<zone>[+-][0-9]{{2}}:?[0-9]{{2}}|(?:{'|'.join(_HOURS)})(?![\w.:-])))?"
)
_MONTH: Final = "(?P<month>(?:[^\\W\\d_]|[\udc80-\udcff]){2,12}\\.?|[0-9]{1,2}[月월])"
_BEFORE_CLOCK: Final = "(?:, ?| @ | at |[T_ ]| {2})"
_FORMS: Final = {
    "name": rf"(?:(?P<year>{_YEAR})[ /.-])?{_MONTH}[ /.-] ?(?P<day>[0-9]{{1,2}})(?:,? (?P<before>{_YEAR}))?"
    rf"{_BEFORE_CLOCK}{_CLOCK}(?: (?P<behind>{_YEAR})(?![0-9.:/-]))?",
    "day": rf"(?P<day>[0-9]{{1,2}})\.?[ /.-]{_MONTH}(?:[ /.-](?P<year>{_YEAR}))?"
    rf"(?:{_BEFORE_CLOCK}|:){_CLOCK}",
    "number": rf"(?P<year>{_YEAR})[./-](?P<month>[0-9]{{1,2}})[./-](?P<day>[0-9]{{1,2}})"
    rf"{_BEFORE_CLOCK}{_CLOCK}",
    "local": rf"(?P<first>[0-9]{{1,2}})(?P<point>[./-])(?P<second>[0-9]{{1,2}})[./-](?P<year>{_YEAR})"
    rf"(?:{_BEFORE_CLOCK}|:){_CLOCK}",
    "basic": rf"(?P<year>{_YEAR})(?P<month>[01][0-9])(?P<day>[0-3][0-9])(?:[T_-]|{_BEFORE_CLOCK})"
    rf"(?:(?P<digits>[0-9]{{6}})(?P<universal>Z)?|{_CLOCK})",
    "tai": "@(?P<tai>[0-9a-f]{24})",
    "epoch": r"(?P<epoch>[12][0-9]{9}(?:[0-9]{3}|[0-9]{6}|[0-9]{9})?(?:\.[0-9]{1,9})?)(?![\w.:/@%-])",
    "boot": r"\[ *(?P<boot>[0-9]{1,9}\.[0-9]{1,9})\]",
}
_EACH: Final = {form: re.compile(pattern) for form, pattern in _FORMS.items()}
_ALL: Final = "|".join(
    f"(?P<{form}>{re.sub('[?]P<[a-z]+>', '?:', pattern)})" for form, pattern in _FORMS.items()
)
STAMP: Final = re.compile(rf"(?<![A-Za-z0-9])(?:{_ALL})")
"""Finds times; the group that matched names the form."""
LEADING: Final = re.compile(
    rf"[\[(<\"]?(?:(?:[^\W\d_]{{2,12}}\.?,? )?(?:{_ALL}))[\])>\"]?[:,;|]?(?:[ \t]+|$)"
)
"""A time at a line's beginning, with a day of the week and brackets where there are any."""
_LEAP_DAYS_APART: Final = 9  # years: there is none in 1900
_WHOLE: Final = timedelta(seconds=59)
_NOON: Final = 12
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TAI: Final = (1 << 62) + 10
"""What a TAI64 label of 1970 counts (cr.yp.to/libtai/tai64.html), without the leap seconds since."""


class StampReader:
    """Reads the times of one log."""

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

    def classic(self, year: str | None, day: str, clock: str, fraction: str | None) -> datetime | None:
        """Read a time of RFC 3164: ``Nov 24`` and ``10:00:00``."""
        stamp = (year, day, clock, fraction)
        if stamp != self._stamp:  # most lines come within the same second as the one before
            self._stamp = stamp
            minute, seconds = clock[:5], clock[6:]
            if (year, day, minute) != self._minute:
                self._minute = (year, day, minute)
                first, last = (self._classic(year, day, f"{minute}:{each}", None) for each in ("00", "59"))
                # Where the zone's offset or the year changes meanwhile, each second is read by itself.
                whole = first is not None and last is not None and last - first == _WHOLE
                self._minute_at = first if whole else None
            if self._minute_at is None or fraction is not None or seconds > "59":
                self._at = self._classic(year, day, clock, fraction)
            else:
                self._at = self._minute_at + timedelta(seconds=int(seconds))
        return self._at

    def iso(self, stamp: object) -> datetime | None:
        """Read a time of ISO 8601 or RFC 3339."""
        if not isinstance(stamp, str):
            return None
        try:
            at = datetime.fromisoformat(stamp)
            if at.tzinfo is UTC:
                return at
            return (at if at.tzinfo else at.replace(tzinfo=self._zone)).astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    def found(self, match: re.Match[str]) -> tuple[datetime | None, int]:
        """Read what `STAMP` or `LEADING` found: the time, and how exact it is, to be compared."""
        form = match.lastgroup or ""
        parts = _EACH[form].fullmatch(match[form])
        assert parts is not None  # the same pattern found it
        told = parts.groupdict()
        try:
            match form:
                case "tai":
                    seconds, nanoseconds = int(told["tai"][:16], 16) - _TAI, int(told["tai"][16:], 16)
                    return _EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000), 3
                case "epoch":
                    return of_epoch(told["epoch"]), 3
                case "boot":
                    return undated.since_boot(float(told["boot"])), 0
            return self._told(told)
        except (ValueError, OverflowError):
            return None, 0

    def _told(self, told: dict[str, str | None]) -> tuple[datetime | None, int]:
        """Read a date and a time of day by their parts."""
        year = told["year"] or told.get("before") or told.get("behind")
        clock = told["clock"] or ":".join(re.findall("..", told.get("digits") or ""))
        if told["half"]:  # by a clock of twelve hours
            hour, _, rest = clock.partition(":")
            clock = f"{int(hour) % _NOON + _NOON * ('p' in told['half'].casefold())}:{rest}"
        zone = self._zone_of(told["zone"] or told.get("universal"))
        exact = (2 if zone is not None else 0) + (told["fraction"] is not None)
        days = self._days(told)
        moments = (self._moment(year, day, clock, told["fraction"], zone) for day in days)
        return next((each for each in moments if each is not None), None), exact

    def _days(self, told: dict[str, str | None]) -> list[tuple[int, int]]:
        """Return which months and days may be meant, the likeliest first."""
        if (first := told.get("first")) is not None:
            days = [(int(told["second"] or 0), int(first)), (int(first), int(told["second"] or 0))]
            return days[::-1] if told["point"] == "/" else days
        word, day = told["month"] or "", int(told["day"] or 0)
        month = int(word) if word.isascii() and word.isdigit() else month_of(word)
        return [] if month is None else [(month, day)]

    def _zone_of(self, name: str | None) -> tzinfo | None:
        if name is None:
            return None
        if name[0] in "+-":
            offset = timedelta(hours=int(name[1:3]), minutes=int(name[-2:]))
            return timezone(-offset if name[0] == "-" else offset)
        here = {self._zone.tzname(datetime(2000, month, 1)) for month in (1, 7)}  # noqa: DTZ001  # of any year
        return self._zone if name in here else timezone(timedelta(hours=_HOURS[name]))

    def _classic(self, year: str | None, day: str, clock: str, fraction: str | None) -> datetime | None:
        month = month_of(day[:3])
        return None if month is None else self._moment(year, (month, int(day[4:])), clock, fraction)

    def _moment(
        self,
        year: str | None,
        date: tuple[int, int],
        clock: str,
        fraction: str | None,
        zone: tzinfo | None = None,
    ) -> datetime | None:
        """Return a moment; without a year, in the latest in which it is not later than the log."""
        hour, minute, *seconds = map(int, clock.split(":"))
        numbers = (
            *date,
            hour,
            minute,
            min(seconds[0], 59) if seconds == [60] else sum(seconds),  # a leap second
            int((fraction or ".0")[1:7].ljust(6, "0")),
        )
        latest = self._latest.year
        for candidate in [int(year)] if year else range(latest, max(latest - _LEAP_DAYS_APART, 0), -1):
            try:
                local = datetime(candidate, *numbers)  # noqa: DTZ001  # its zone comes next
                if year or local <= self._latest:
                    return local.replace(tzinfo=zone or self._zone).astimezone(UTC)
            except (ValueError, OverflowError):
                continue  # no such day in that year
        return None


def of_epoch(number: str | float) -> datetime | None:
    """Read how many seconds passed since 1970; or how many thousandths, millionths or billionths of one."""
    try:
        whole, _, fraction = str(number).partition(".")
        unit = max(len(whole.lstrip("-")) - 10, 0) // 3 * 3
        seconds, rest = divmod(int(whole), 10**unit)
        micros = rest * 10**6 // 10**unit + int((fraction[:6] if unit == 0 else "").ljust(6, "0") or 0)
        return _EPOCH + timedelta(seconds=seconds, microseconds=micros)
    except (ValueError, OverflowError):
        return None
