"""A lab's clock: Postfix's times in the real world and here, as its definition pairs them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from labctl.mail.clock import Schedule, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.lab.blueprint.definition import LabDefinition

DEFAULTS: Final = {
    "queue_run_delay": ("300s", "1s"),
    "minimal_backoff_time": ("300s", "2s"),
    "maximal_backoff_time": ("4000s", "4s"),
    "delay_warning_time": ("4h", "3s"),
    "maximal_queue_lifetime": ("5d", "10s"),
    "bounce_queue_lifetime": ("5d", "10s"),
}
"""The real world's value and the topology's own; the warning is off by default, and 4 h on many a server."""

_PATIENCE: Final = {
    "connect_timeout": "30s",
    "helo_timeout": "300s",
    "mail_timeout": "300s",
    "rcpt_timeout": "300s",
    "data_init_timeout": "120s",
    "data_xfer_timeout": "180s",
    "data_done_timeout": "600s",
}
PATIENCE: Final = {
    **{f"{agent}_{name}": value for agent in ("smtp", "lmtp") for name, value in _PATIENCE.items()},
    "lmtp_connect_timeout": "0s",
    "lmtp_lhlo_timeout": "300s",
}
"""How long the real world's delivery agents wait for a host that says nothing: Postfix's own defaults."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The rules of time of the real world and of a lab."""

    real: Schedule
    lab: Schedule
    patience: Mapping[str, float] = field(default_factory=dict)
    """In the real world: seconds by setting; 0 is as long as the kernel tries."""

    @classmethod
    def of(cls, definition: LabDefinition) -> Self:
        """Return a lab's clock."""
        own = {name: (pair.real, pair.lab) for name, pair in definition.clock.items()}
        pairs = {name: own.get(name, pair) for name, pair in DEFAULTS.items()}
        return cls(
            Schedule.parse({name: real for name, (real, _) in pairs.items()}),
            Schedule.parse({name: lab for name, (_, lab) in pairs.items()}),
            {name: parse_time(own.get(name, (default, ""))[0]) for name, default in PATIENCE.items()},
        )
