"""Explaining what a notification says of one recipient."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from labctl.mail.content.dsn import DsnAction
from labctl.mail.meaning.explanation import explain_action, explain_status, is_known
from labctl.mail.meaning.meaning import Meaning

if TYPE_CHECKING:
    from labctl.mail.content.dsn import DsnRecipient

_TROUBLE: Final = (DsnAction.FAILED, DsnAction.DELAYED, DsnAction.UNDELIVERABLE)
_NOTHING: Final = Meaning(
    subject="",
    title="nothing is said",
    text="The report names this recipient, and does not say what became of the message.",
    cause="A report that was damaged on its way, or a system that tells no more.",
    next=("read the report's own words", "ask the postmaster of the host that reports"),
    sources=("RFC 3464, section 2.3",),
)


def explain_recipient(recipient: DsnRecipient) -> Meaning:
    """Explain what a notification says of one recipient: why it failed or waits, else what was done."""
    action = explain_action(recipient.action)
    if action is not None and recipient.action not in _TROUBLE:
        return action
    said = recipient.diagnostic_code or ""
    if not recipient.status and not is_known(said):
        if action is None:
            return _NOTHING
        return (
            replace(action, next=("read what the report says in words", *action.next[1:])) if said else action
        )
    return explain_status(
        recipient.status,
        said,
        address=recipient.address,
        host=recipient.remote_mta or "",
        given_up=recipient.action == DsnAction.FAILED,
    )
