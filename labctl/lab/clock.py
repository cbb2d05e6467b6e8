"""A lab's clock: Postfix's times in the real world and here, as its definition pairs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from labctl.mail.clock import Schedule

if TYPE_CHECKING:
    from labctl.lab.definition import LabDefinition

DEFAULTS: Final = {
    "queue_run_delay": ("300s", "1s"),
    "minimal_backoff_time": ("300s", "1s"),
    "maximal_backoff_time": ("4000s", "4s"),
    "delay_warning_time": ("4h", "3s"),
    "maximal_queue_lifetime": ("5d", "10s"),
    "bounce_queue_lifetime": ("5d", "10s"),
}
"""The real world's value and the topology's own; the warning is off by default, and 4 h on many a server."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The rules of time of the real world and of a lab."""

    real: Schedule
    lab: Schedule

    @classmethod
    def of(cls, definition: LabDefinition) -> Self:
        """Return a lab's clock."""
        own = {name: (pair.real, pair.lab) for name, pair in definition.clock.items()}
        pairs = {name: own.get(name, pair) for name, pair in DEFAULTS.items()}
        return cls(
            Schedule.parse({name: real for name, (real, _) in pairs.items()}),
            Schedule.parse({name: lab for name, (_, lab) in pairs.items()}),
        )
