"""Postfix's log: lines into entries, entries into events.

Every pattern is linear in the length of the line, whatever the line holds: what stands in a log was partly
written by strangers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labctl.mail.logevent import (
    Accepted,
    ConnectionLost,
    Delivery,
    Discarded,
    Event,
    Expired,
    Held,
    NonDelivery,
    NotificationKind,
    Pipelined,
    Queued,
    Received,
    Rejected,
    Released,
    Removed,
)
from labctl.mail.queueid import QUEUE_ID_PATTERN, next_queue_id
from labctl.mail.reply import EnhancedStatus, SmtpReply

if TYPE_CHECKING:
    from collections.abc import Callable

_STAMP: Final = (
    r"(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}"  # Nov 24 10:00:00 (RFC 3164)
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}(?:Z|[+-][0-9:]{4,6}))"  # RFC 3339, as rsyslog writes it
)
_LINE: Final = re.compile(
    rf"(?:<[0-9]{{1,3}}>)?(?P<stamp>{_STAMP}) (?P<host>[^ ]++) "
    r"(?P<name>[^\[ :]++)(?:\[(?P<pid>[0-9]{1,10})\])?: "
    rf"(?:(?P<queue_id>{QUEUE_ID_PATTERN}): )?(?P<text>.*)",
    re.DOTALL,
)

# A mailbox as Postfix logs it (info_log_address_format = external): a quoted local part may hold anything.
_MAILBOX: Final = r'((?:"(?:[^"\\]++|\\.)*+"|[^"<>]++)*+)'
_DELIVERY: Final = re.compile(
    rf"to=<{_MAILBOX}>, (?:orig_to=<{_MAILBOX}>, )?relay=([^,]*+)(?:, (?!delay=)[a-z_]++=[^,]*+)*+"
    r", delay=([0-9.]{1,20}), delays=([0-9./]{1,80})(?:, (?!dsn=)[a-z_]++=[^,]*+)*+"
    r", dsn=([0-9.]{1,11}), status=([A-Za-z-]++)(?: \((.*))?",
    re.DOTALL,
)
_ACCEPTED: Final = re.compile(
    rf"from=<{_MAILBOX}>, size=([0-9]{{1,19}}), nrcpt=([0-9]{{1,10}}) \(queue active\)"
)
_EXPIRED: Final = re.compile(rf"from=<{_MAILBOX}>, status=(force-)?expired, ")
_CLIENT: Final = re.compile(r"client=([^,]*+)(?:, sasl_method=[^,]*+)?(?:, sasl_username=([^,]*+))?")
_PICKUP: Final = re.compile(rf"uid=[0-9]++ from=<{_MAILBOX}>(?: orig_id=({QUEUE_ID_PATTERN}))?")
_NOTIFICATION: Final = re.compile(
    rf"(sender|postmaster) (non-delivery|delay|delivery status) notification: ({QUEUE_ID_PATTERN})"
)
_VERDICT: Final = re.compile(r"(?:NOQUEUE: )?(?:milter-)?(reject|hold|discard): ")
_SENDER: Final = re.compile(rf"; from=<{_MAILBOX}>(?: to=<{_MAILBOX}>)?")
_TRAILER: Final = re.compile(r" proto=[A-Z]++(?: helo=<[^>]*+>)?(?: sasl_[a-z]++=[^ ]++)*+(?:: )?")
_LOST: Final = re.compile(
    r"(?:NOQUEUE: )?(lost connection|timeout) after ([A-Z-]++)(?: \([0-9]++ bytes\))? from (.*)", re.DOTALL
)
_PIPELINED: Final = re.compile(
    r"(?:NOQUEUE: )?improper command pipelining after ([A-Z-]++) from ([^\[]*+\[[^\]]*+\]): (.*)", re.DOTALL
)
_CODE: Final = re.compile(r"[2-5][0-9]{2} ")


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of Postfix's log."""

    stamp: str
    """The time as the line has it: whole seconds, mostly without year and zone."""
    host: str
    """The first label of the host's name."""
    syslog_name: str
    """``postfix``, ``postfix/submission``: all but the program."""
    program: str
    """The daemon: smtp, smtpd, qmgr, cleanup."""
    pid: int
    """0 where the line has none."""
    queue_id: str | None
    text: str


def parse_line(line: str) -> LogEntry | None:
    """Read one line; None where it is not in syslog's form."""
    if (match := _LINE.match(line)) is None:
        return None
    stamp, host, name, pid, queue_id, text = match.groups()
    syslog_name, _, program = name.rpartition("/")
    return LogEntry(stamp, host, syslog_name or name, program, int(pid or 0), queue_id, text.rstrip("\r\n"))


def parse_event(entry: LogEntry) -> Event | None:
    """Tell what an entry says happened; None where it says nothing of a message's fate."""
    parser = _BY_PROGRAM.get(entry.program)
    if parser is not None:
        return parser(entry)
    # Delivery agents are many, and master.cf names them as it likes: the line's form tells.
    return _delivery(entry) if entry.queue_id is not None and entry.text.startswith("to=<") else None


def event_of(line: str) -> Event | None:
    """Read one line straight to its event; None where it has none."""
    entry = parse_line(line)
    return None if entry is None else parse_event(entry)


def _delivery(entry: LogEntry) -> Delivery | None:
    assert entry.queue_id is not None
    if (match := _DELIVERY.match(entry.text)) is None:
        return None
    recipient, orig_to, relay, delay, delays, dsn, status, reply_text = match.groups()
    reply_text = (reply_text or "").removesuffix(")")
    try:
        seconds = tuple(float(part) for part in delays.split("/"))
        return Delivery(
            entry.queue_id,
            recipient,
            orig_to,
            relay,
            float(delay),
            seconds,
            dsn,
            status,
            reply_text,
            next_queue_id(reply_text),
            entry.program,
        )
    except ValueError:  # more than one point in a number
        return None


def _qmgr(entry: LogEntry) -> Event | None:
    queue_id, text = entry.queue_id, entry.text
    if queue_id is None:
        return None
    if text == "removed":
        return Removed(queue_id, entry.program)
    if (match := _ACCEPTED.match(text)) is not None:
        return Accepted(queue_id, match[1], int(match[2]), int(match[3]))
    if (match := _EXPIRED.match(text)) is not None:
        return Expired(queue_id, match[1], forced=match[2] is not None)
    # The queue manager itself defers what a dead transport or destination would get.
    return _delivery(entry) if text.startswith("to=<") else None


def _cleanup(entry: LogEntry) -> Event | None:
    queue_id, text = entry.queue_id, entry.text
    if queue_id is None:
        return None
    if text.startswith("message-id="):
        return Queued(queue_id, text[11:])
    if text.startswith("removed"):
        return Removed(queue_id, entry.program)
    if text.startswith("to=<"):
        return _delivery(entry)
    return _verdict(entry)


def _smtpd(entry: LogEntry) -> Event | None:
    if entry.queue_id is not None and (match := _CLIENT.match(entry.text)) is not None:
        return Received(entry.queue_id, match[1], sasl_username=match[2])
    if (match := _LOST.match(entry.text)) is not None:
        return ConnectionLost(entry.queue_id, match[3], match[2], timed_out=match[1] == "timeout")
    if (match := _PIPELINED.match(entry.text)) is not None:
        return Pipelined(entry.queue_id, match[2], match[1], match[3])
    return _verdict(entry)


def _pickup(entry: LogEntry) -> Event | None:
    if entry.queue_id is not None and (match := _PICKUP.match(entry.text)) is not None:
        return Received(entry.queue_id, "", original_queue_id=match[2])
    return None


def _bounce(entry: LogEntry) -> Event | None:
    if entry.queue_id is not None and (match := _NOTIFICATION.match(entry.text)) is not None:
        return NonDelivery(entry.queue_id, match[3], NotificationKind(match[2]), match[1])
    return None


def _postsuper(entry: LogEntry) -> Event | None:
    queue_id, text = entry.queue_id, entry.text
    if queue_id is None:
        return None
    if text.startswith("placed on hold"):
        return Held(queue_id, text)
    if text.startswith("released from hold"):
        return Released(queue_id)
    return Removed(queue_id, entry.program) if text.startswith("removed") else None


def _verdict(entry: LogEntry) -> Rejected | Held | Discarded | None:
    """Read ``reject: RCPT from client: reply; from=<…> to=<…> proto=… helo=<…>`` and its kin.

    cleanup(8) puts what it has to say after all this, separated by a colon (``header_checks``).
    """
    if (match := _VERDICT.match(entry.text)) is None:
        return None
    what, rest = match[1], entry.text[match.end() :]
    mail_from = rcpt_to = None
    said = ""
    # Only where it first stands: a search that tries each place again is not linear.
    if (sender := _SENDER.match(rest, max(rest.find("; from=<"), 0))) is not None:
        mail_from, rcpt_to = sender.groups()
        trailer = _TRAILER.match(rest, sender.end())
        said = rest[trailer.end() :] if trailer else ""
        rest = rest[: sender.start()]
    else:
        rest = rest.partition("; proto=")[0]
    where, client, text = _split_client(rest)
    reason = said or text
    if what == "hold":
        return Held(entry.queue_id, reason, mail_from, rcpt_to)
    if what == "discard":
        return Discarded(entry.queue_id, reason, mail_from, rcpt_to)
    return Rejected(
        entry.queue_id, where.partition(" ")[0], client, _refusal(reason), mail_from, rcpt_to, entry.program
    )


def _split_client(text: str) -> tuple[str, str, str]:
    """Split ``RCPT from mx.alpha.test[203.0.113.10]: 450 …`` into its three parts."""
    head, bracket, tail = text.partition("]: ")
    if bracket:
        where, _, client = head.rpartition(" from ")
        return where, f"{client}]", tail
    where, _, client = text.rpartition(" from ")
    return where, client, ""


def _refusal(text: str) -> SmtpReply:
    """Read a refusal; cleanup(8) and milters give only the enhanced code, whose class decides (RFC 3463)."""
    if _CODE.match(text):
        return SmtpReply.parse(text)
    enhanced, _, rest = text.partition(" ")
    if (status := EnhancedStatus.parse(enhanced)) is not None:
        return SmtpReply(450 if status.status_class == 4 else 550, status, rest)  # noqa: PLR2004  # RFC 3463
    return SmtpReply(550, None, text)


_BY_PROGRAM: Final[dict[str, Callable[[LogEntry], Event | None]]] = {
    "bounce": _bounce,
    "cleanup": _cleanup,
    "pickup": _pickup,
    "postsuper": _postsuper,
    "qmgr": _qmgr,
    "smtpd": _smtpd,
}
