"""What people read of mail: ``send``, ``inbox``, ``queue``, ``dig``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.report.plain import harmless, one_line
from labctl.report.table import size, table

if TYPE_CHECKING:
    from labctl.commands.dig import Dug
    from labctl.commands.inbox import Inbox
    from labctl.commands.queue import HostQueue, Queues
    from labctl.commands.send import Sent
    from labctl.mail.dsn import Dsn
    from labctl.mail.mailbox import MailboxMessage


def send(result: Sent) -> str:
    """Tell what the server said and what became of the message."""
    lines = [
        f"{result.message_id} is {result.state}.",
        f"  {result.from_} -> {', '.join(result.to)}",
        f"  the server said: {one_line(result.reply)}",
    ]
    lines.extend(
        f"  {each.address}: {each.state}, {one_line(each.reason)} (log of {each.host})"
        for each in result.recipients
        if each.reason is not None
    )
    if not result.as_wished and result.waited_for is not None:
        lines.append(f"  It was waited for {result.waited_for}; labctl queue tells what still waits.")
    return "\n".join(lines)


def inbox(result: Inbox) -> str:
    """Show a mailbox."""
    if not result.messages:
        return f"{result.address} has no messages."
    rows = [
        (
            str(each.uid),
            f"{each.date:%d %b %H:%M:%S}" if each.date else "",
            one_line(each.from_, 40),
            one_line(each.subject, 60),
            " ".join(each.flags),
            size(each.size),
        )
        for each in result.messages
    ]
    shown = table(("UID", "DATE", "FROM", "SUBJECT", "FLAGS", "SIZE"), rows)
    reports = [_report(each, each.dsn) for each in result.messages if each.dsn is not None]
    end = (
        "Downloaded, and deleted on the server."
        if result.deleted
        else f"Read by {result.protocol.upper()}; the mail stays on the server."
    )
    return "\n\n".join((f"{result.address}, {result.protocol.upper()}", shown, *reports, end))


def queue(result: Queues) -> str:
    """Show the queues."""
    return "\n\n".join(_queue(each) for each in result.hosts)


def dig(result: Dug) -> str:
    """Show an answer."""
    lines = [harmless(f"{result.name} {result.type} {each}") for each in result.records]
    return "\n".join(lines) if lines else f"{harmless(result.name)} {result.type}: {result.rcode}, no records"


def _report(message: MailboxMessage, dsn: Dsn) -> str:
    lines = [f"{message.uid} is a delivery status notification by {one_line(str(dsn.reporting_mta))}:"]
    for each in dsn.recipients:
        lines.append(f"  {one_line(each.address)}: {one_line(each.action)}, {one_line(each.status)}")
        if each.diagnostic_code:
            lines.append(f"    {one_line(each.diagnostic_code)}")
    return "\n".join(lines)


def _queue(host: HostQueue) -> str:
    head = f"{host.host}: {host.state}"
    if host.state != "ready":
        return head
    if not host.messages:
        return f"{host.host}: the queue is empty"
    rows = [
        (
            each.queue_id,
            each.queue_name,
            f"{each.arrival_time:%H:%M:%S}",
            one_line(each.sender or "<>", 40),
            one_line(recipient.address, 40),
            one_line(recipient.delay_reason or "", 100),
        )
        for each in host.messages
        for recipient in each.recipients
    ]
    return f"{host.host}\n" + table(("QUEUE ID", "QUEUE", "SINCE", "FROM", "TO", "REASON"), rows)
