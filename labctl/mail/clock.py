"""When Postfix tries again, warns and gives up: the rules of qmgr(8), and the settings of postconf(5)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields
from itertools import islice
from typing import TYPE_CHECKING, Final, Self

from labctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
"""Postfix's units of time."""

UNITS: Final = {"delay_warning_time": "h", "maximal_queue_lifetime": "d", "bounce_queue_lifetime": "d"}
"""The unit of a bare number, where it is not seconds: that of the setting's own default in postconf(5)."""

TOLERANCE: Final = 1
"""Seconds by which the queue manager's scan and its delay warning may come early: it counts whole seconds."""

_SPANS: Final = ((86_400, "day", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
_TIME: Final = re.compile(r"([0-9]{1,10})([smhdwSMHDW]?)")


def parse_time(text: str, unit: str = "s") -> float:
    """Read a time in Postfix's notation: ``300s``, ``5m``, ``4h``, ``5d``, ``1w``, or a bare number.

    Args:
        text: The setting's value.
        unit: What a bare number counts; `UNITS` has those of the settings that are not in seconds.

    Raises:
        UsageError: It is no such time.
    """
    if (match := _TIME.fullmatch(text.strip())) is None:
        raise UsageError(
            f"{text!r} is no time as Postfix writes it",
            hint="write a whole number and one of the units s, m, h, d and w, such as 5m",
            detail={"time": text},
        )
    return float(int(match[1]) * SECONDS[match[2].lower() or unit])


@dataclass(frozen=True, slots=True)
class Schedule:
    """The settings that decide when a message is tried, in seconds; the defaults are Postfix's own.

    Moments are seconds after the message's arrival. They are those of a queue manager that makes a queue run
    just then, with a destination that fails at once. Really the queue runs come when they come: a moment may
    be up to one of them earlier or later, and it is later by what the attempts before it took.

    Raises:
        UsageError: There would never be a queue run, or a time is negative.
    """

    queue_run_delay: float = 300.0
    minimal_backoff_time: float = 300.0
    maximal_backoff_time: float = 4000.0
    delay_warning_time: float = 0.0
    maximal_queue_lifetime: float = 432_000.0
    bounce_queue_lifetime: float = 432_000.0

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = getattr(self, setting.name)
            if not 0 <= value < math.inf or (value == 0 and setting.name == "queue_run_delay"):
                raise UsageError(
                    f"{setting.name}={value} makes no schedule",
                    hint="give a time of zero seconds or more, and queue runs that are apart",
                    detail={setting.name: str(value)},
                )

    @classmethod
    def parse(cls, settings: Mapping[str, str]) -> Self:
        """Read settings in Postfix's notation; those that are missing have Postfix's defaults.

        Further settings are left aside: a lab's clock has more than the queue's.

        Raises:
            UsageError: A value is no time.
        """
        names = [setting.name for setting in fields(cls) if setting.name in settings]
        return cls(**{name: parse_time(settings[name], UNITS.get(name, "s")) for name in names})

    def attempts(self) -> Iterator[float]:
        """Return the moments of all attempts, without end, as if the message never expired.

        After an attempt that failed the queue file sleeps for as long as the message is old, but no shorter
        than `minimal_backoff_time` and no longer than `maximal_backoff_time`; the first queue run after that
        takes it up.
        """
        now = 0.0
        while True:
            yield now
            now = self.next_attempt(now)

    def next_attempt(self, failed_at: float) -> float:
        """Return when the attempt after one that failed at this moment is made; see `attempts`."""
        age = math.floor(failed_at)
        due = age + max(self.minimal_backoff_time, min(age, self.maximal_backoff_time))
        run = math.floor(failed_at / self.queue_run_delay)
        return max(run + 1, math.ceil((due - TOLERANCE) / self.queue_run_delay)) * self.queue_run_delay

    def attempt_at(self, n: int) -> float:
        """Return when the n-th retry is made; 0 is the first attempt, at once.

        Raises:
            UsageError: The number is negative.
        """
        if n < 0:
            raise UsageError(f"there is no attempt {n}", hint="count from 0, the first attempt")
        return next(islice(self.attempts(), n, None))

    def warning_at(self) -> float | None:
        """Return when the sender is told of the delay: by the first attempt that fails after the set time.

        None where there is no warning: the setting is 0, or the message expires before.
        """
        if self.delay_warning_time == 0:
            return None
        moment = self._first_attempt_from(self.delay_warning_time - TOLERANCE)
        return moment if moment < self.expires_at() else None

    def expires_at(self, *, bounce: bool = False) -> float:
        """Return when the message is given up: by the first attempt that fails at the end of its lifetime.

        Args:
            bounce: It is itself a notification, with the null sender.
        """
        return self._first_attempt_from(self.lifetime(bounce=bounce))

    def lifetime(self, *, bounce: bool = False) -> float:
        """Return for how long a message is tried, where a notification may have a time of its own."""
        return self.bounce_queue_lifetime if bounce else self.maximal_queue_lifetime

    def _first_attempt_from(self, moment: float) -> float:
        return next(attempt for attempt in self.attempts() if attempt >= moment)


def in_words(seconds: float) -> str:
    """Say a span of time in its two largest units: ``2 s``, ``10 min``, ``1 h 7 min``, ``5 days``."""
    for size, name, smaller, its_name in _SPANS:
        whole, rest = divmod(round(seconds / smaller) * smaller, size)
        if whole:
            plural = "s" if name == "day" and whole > 1 else ""
            return f"{whole} {name}{plural}" + (f" {rest // smaller} {its_name}" if rest else "")
    return f"{round(seconds, 1 if seconds < 10 else None):g} s"  # noqa: PLR2004  # where a tenth still counts
