"""Where a message can be: the stations of its path."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.mail.log.delivery import RecipientState
    from labctl.trace.journey.hop import Notice


class StationKind(StrEnum):
    """Who had the message, or was asked about it."""

    SENDER = "sender"
    MTA = "MTA"
    FILTER = "filter"
    DNS = "DNS"
    MDA = "MDA"
    READER = "reader"


class Mark(StrEnum):
    """What is true of a station, or of the way to it."""

    PASSED = "passed"
    HERE = "here"
    """The message is there, and stays."""
    WAITING = "waiting"
    """The message is there, and is to go on."""
    FAILED = "failed"
    NOT_REACHED = "not-reached"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Station:
    """One station of a message's path."""

    kind: StationKind
    name: str
    """A host's name, or an address."""
    state: Mark
    says: str = ""
    """What it did, in a few words."""
    lines: tuple[str, ...] = ()
    """Short facts."""
    queue_id: str | None = None
    hops: tuple[int, ...] = ()
    """Its evidence: indexes into the hops that the path is of."""
    link: Mark = Mark.PASSED
    """The way to it from the station before."""


@dataclass(frozen=True, slots=True)
class Path:
    """The way of one recipient's copy, or of several that went the same way; or a notification's."""

    recipients: tuple[RecipientState, ...]
    stations: tuple[Station, ...]
    loop: tuple[int, int] | None = None
    """From which station it came back to which one."""
    rounds: int = 0
    """How often it came back."""
    notice: Notice | None = None
    """The notification whose way back it is; its stations' evidence lies in the notice's own hops."""


@dataclass(slots=True)
class Draft:
    """A station of which more is still to be learnt."""

    kind: StationKind
    name: str
    state: Mark = Mark.PASSED
    says: str = ""
    lines: list[str] = field(default_factory=list)
    queue_id: str | None = None
    hops: list[int] = field(default_factory=list)
    link: Mark = Mark.PASSED

    def done(self) -> Station:
        """Return it as it is now."""
        return Station(
            self.kind,
            self.name,
            self.state,
            self.says,
            tuple(dict.fromkeys(line for line in self.lines if line)),
            self.queue_id,
            tuple(dict.fromkeys(sorted(self.hops))),
            self.link,
        )
