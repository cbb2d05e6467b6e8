"""The states of a message and of each recipient's copy."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


class MessageState(StrEnum):
    """What is true of a message or of one recipient's copy, from the unhappiest to the happiest."""

    REJECTED = "rejected"
    BOUNCED = "bounced"
    EXPIRED = "expired"
    DISCARDED = "discarded"
    UNKNOWN = "unknown"
    HELD = "held"
    DEFERRED = "deferred"
    SUBMITTED = "submitted"
    QUEUED = "queued"
    RELAYED = "relayed"
    """A next host accepted it whose log is not here, or does not tell yet."""
    DELIVERED = "delivered"


_HAPPINESS: Final = {state: rank for rank, state in enumerate(MessageState)}
_FINAL: Final = frozenset(
    {
        MessageState.REJECTED,
        MessageState.BOUNCED,
        MessageState.EXPIRED,
        MessageState.DISCARDED,
        MessageState.DELIVERED,
    }
)


def is_final(state: MessageState) -> bool:
    """Whether nothing more will happen to a copy in that state.

    ``relayed`` is not final: the next host's log may still tell. ``held`` is not: an operator may release it.
    """
    return state in _FINAL


def contradicts(state: MessageState, wanted: MessageState) -> bool:
    """Whether waiting for a wanted state is in vain, now that there is this one."""
    return is_final(state) and state is not wanted


def least_happy(states: Iterable[MessageState]) -> MessageState:
    """Return the state of a message from those of its recipients; unknown where there are none."""
    return min(states, key=_HAPPINESS.__getitem__, default=MessageState.UNKNOWN)
