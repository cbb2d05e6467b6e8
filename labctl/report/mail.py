"""What people read of mail: ``send``, ``inbox``, ``dig``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from labctl.mail.meaning.notification import explain_recipient
from labctl.mail.state import MessageState, is_final
from labctl.report.layout.plain import LONGEST, one_line
from labctl.report.layout.table import size, table

if TYPE_CHECKING:
    from labctl.commands.dig import Dug
    from labctl.commands.inbox import Inbox
    from labctl.commands.send import Sent
    from labctl.mail.client.mailbox import MailboxMessage
    from labctl.mail.content.dsn import Dsn, DsnRecipient
    from labctl.mail.log.delivery import RecipientState

_SENTENCE: Final = re.compile(r"(?<=[.])\s+(?=[A-Z])")


def send(result: Sent) -> str:
    """Tell what the server said and what became of the message."""
    lines = [
        f"{one_line(result.message_id)}: {result.state}",
        f"  {one_line(result.from_)} -> {one_line(', '.join(result.to))}",
        f"  the server said: {one_line(result.reply, 500)}",
    ]
    lines.extend(
        f"  {_fate(each)}"
        for each in result.recipients
        if each.reason is not None or result.waited_for is not None
    )
    if (end := _what_now(result)) is not None:
        lines.append(f"  {end}")
    return "\n".join(lines)


def inbox(result: Inbox, width: int | None = 80) -> str:
    """Show a mailbox; where `width` is None, nothing in its table is cut."""
    count = len(result.messages)
    title = f"{one_line(result.address)}, by {result.protocol.upper()}"
    if not count:
        return f"{title}: no messages."
    rows = [
        (
            str(each.uid),
            f"{each.date:%d %b %H:%M:%S}" if each.date else "",
            one_line(each.from_, LONGEST if width is None else 40),
            one_line(each.subject, LONGEST if width is None else 60),
            one_line(" ".join(each.flags), LONGEST if width is None else 40),
            size(each.size),
        )
        for each in result.messages
    ]
    head = ("NO." if result.protocol == "pop3" else "UID", "DATE (UTC)", "FROM", "SUBJECT", "FLAGS", "SIZE")
    reports = [_report(each, each.dsn) for each in result.messages if each.dsn is not None]
    end = "Deleted on the server." if result.deleted else "The mail stays on the server."
    total = f"{count} message{'' if count == 1 else 's'}"
    return "\n\n".join((f"{title}: {total}\n{table(head, rows)}", *reports, end))


def dig(result: Dug) -> str:
    """Show an answer."""
    name = one_line(result.name, 300)
    lines = [f"{name} {result.type} {one_line(each, 1000)}" for each in result.records]
    if result.rcode != "NOERROR" or not lines:
        lines.append(f"{name} {result.type}: {result.rcode}{'' if lines else ', no records'}")
    return "\n".join(lines)


def _fate(recipient: RecipientState) -> str:
    """Tell one recipient's state, and in whose words."""
    address = one_line(recipient.address)
    if recipient.original.casefold() != recipient.address.casefold():
        address += f" (for {one_line(recipient.original)})"
    fate = f"{address}: {recipient.state}"
    if recipient.reason is not None:
        fate += f", {one_line(recipient.reason, 500)}"
    return fate + (f" [{one_line(recipient.host)}]" if recipient.host else "")


def _what_now(result: Sent) -> str | None:
    if result.waited_for is None:
        if result.state is MessageState.QUEUED:
            return (
                "Queued is not delivered: labctl queue shows what waits, --wait delivered waits for the end."
            )
        return None
    if result.as_wished:
        return None
    if is_final(result.state):
        return f"Waited for {result.waited_for}, in vain: {result.state} is final."
    return (
        f"Waited for {result.waited_for}, which did not come in time: "
        "labctl queue shows what waits and why, --timeout waits longer."
    )


def _report(message: MailboxMessage, dsn: Dsn) -> str:
    about = f", about {one_line(dsn.original_message_id)}" if dsn.original_message_id else ""
    reporter = one_line(dsn.reporting_mta or "an unnamed MTA")
    lines = [f"{message.uid} is a delivery status notification by {reporter}{about}:"]
    for each in dsn.recipients:
        lines.extend(f"  {line}" for line in _reported(each))
    return "\n".join(lines)


def _reported(recipient: DsnRecipient) -> list[str]:
    head = f"{one_line(recipient.address)}: {one_line(recipient.action)}, {one_line(recipient.status)}"
    if recipient.remote_mta:
        head += f", at {one_line(recipient.remote_mta)}"
    if recipient.will_retry_until:
        head += f", tried again until {recipient.will_retry_until:%d %b %H:%M:%S}"
    said = [f"  {one_line(recipient.diagnostic_code, 500)}"] if recipient.diagnostic_code else []
    meaning = explain_recipient(recipient)
    plain = _SENTENCE.split(meaning.text, maxsplit=1)[0]
    return [head, *said, f"  That means: {plain}", f"  Look at next: {one_line(meaning.next[0], 300)}"]
