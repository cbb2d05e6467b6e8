"""What logs no longer hold: one that begins after a message came to its host does not tell of its end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from labctl.mail.state import MessageState
from labctl.trace.journey.hop import Note, NoteKind
from labctl.trace.journey.world import address_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from labctl.mail.log.delivery import RecipientState
    from labctl.mail.log.queuefile import Copy
    from labctl.trace.journey.hop import Hop
    from labctl.trace.journey.world import World


def log_cut(host: str, begins: datetime) -> str:
    """Say that a host's log has lost what was before a time."""
    return f"the log of {host} begins at {begins.isoformat(' ', 'seconds')[:19]} UTC: older lines are gone"


def known(
    recipient: RecipientState, copy: Copy | None, message_id: str | None, world: World
) -> RecipientState:
    """Tell what is known of a copy where logs are cut off.

    That of the next host may have lost the lines that would tell where it is, and of its arrival in the
    mailbox only the MDA's may still tell.

    Args:
        recipient: Where the MTAs' logs say that it is.
        copy: The last attempt that they tell of.
        message_id: The message's Message-ID.
        world: When the logs begin, and what came into mailboxes.
    """
    state = recipient.state
    if state is not MessageState.RELAYED and state is not MessageState.UNKNOWN:
        return recipient
    if world.saved and (message_id, recipient.address.casefold()) in world.saved:
        return replace(recipient, state=MessageState.DELIVERED, reason=None)
    if state is MessageState.RELAYED and copy is not None and (lost := lost_by(copy.relay, copy.at, world)):
        return replace(recipient, state=MessageState.UNKNOWN, reason=log_cut(*lost))
    return recipient


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
