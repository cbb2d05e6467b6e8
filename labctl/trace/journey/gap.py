"""What logs no longer hold: one that begins after a message came to its host does not tell of its end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from labctl.mail.state import MessageState
from labctl.trace.journey.hop import HopEvent, Note, NoteKind
from labctl.trace.journey.world import address_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from labctl.mail.log.delivery import RecipientState
    from labctl.trace.journey.hop import Hop
    from labctl.trace.journey.world import World


def log_cut(host: str, begins: datetime) -> str:
    """Say that a host's log has lost what was before a time."""
    return f"the log of {host} begins at {begins.isoformat(' ', 'seconds')[:19]} UTC: older lines are gone"


def untold(recipient: RecipientState, hops: Sequence[Hop], world: World) -> RecipientState:
    """Tell that the logs do not tell where a copy is whose next host has lost the lines that would."""
    if recipient.state is not MessageState.RELAYED:
        return recipient
    for hop in hops:
        if hop.event is HopEvent.RELAYED and (hop.at, hop.host) == (recipient.at, recipient.host):
            for host, begins in _lost(hop, world):
                return replace(recipient, state=MessageState.UNKNOWN, reason=log_cut(host, begins))
    return recipient


def found(recipient: RecipientState, message_id: str | None, world: World) -> RecipientState:
    """Tell that a copy came into its mailbox where only the MDA's log still says so."""
    lost = recipient.state in {MessageState.RELAYED, MessageState.UNKNOWN}
    if not lost or (message_id, recipient.address.casefold()) not in world.saved:
        return recipient
    return replace(recipient, state=MessageState.DELIVERED, reason=None)


def gaps(hops: Sequence[Hop], world: World) -> Iterator[Note]:
    """Tell which hosts that a message came through have lost lines of that time."""
    for host, begins in dict.fromkeys(lost for hop in hops for lost in _lost(hop, world)):
        yield Note(NoteKind.LOG_CUT, log_cut(host, begins))


def lost_by(peer: str, at: datetime, world: World) -> tuple[str, datetime] | None:
    """Say whether a host has lost the lines of a time.

    Args:
        peer: The host as another one's log names it: ``mx.beta.test[203.0.113.20]:25``.
        at: The time.
        world: The lab.

    Returns:
        Its name and when its log begins; None where it is none of the lab's, or has those lines.
    """
    if not world.begins:
        return None
    host = world.hosts.get(address_in(peer), "")
    begins = world.begins.get(host)
    return (host, begins) if begins is not None and at < begins else None


def _lost(hop: Hop, world: World) -> Iterator[tuple[str, datetime]]:
    for peer in ("relay", "client"):
        if (found := lost_by(str(hop.detail.get(peer, "")), hop.at, world)) is not None:
            yield found
