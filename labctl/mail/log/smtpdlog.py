"""What smtpd(8) logs, and the verdicts that cleanup(8) logs in the same form.

Every pattern is linear in the length of the line, as in `labctl.mail.log.maillog`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from labctl.mail.log.logevent import (
    Connected,
    ConnectionLost,
    Discarded,
    Disconnected,
    Held,
    Pipelined,
    Received,
    Rejected,
    TlsEstablished,
)
from labctl.mail.queueid import QUEUE_ID_PATTERN
from labctl.mail.reply import EnhancedStatus, SmtpReply

if TYPE_CHECKING:
    from labctl.mail.log.logevent import Event

MAILBOX: Final = r'((?>(?:"(?>(?:[^"\\]++|\\.)*)"|[^"<>]++)*))'
"""A mailbox as Postfix logs it: a quoted local part may hold anything (``info_log_address_format``)."""

_CLIENT: Final = re.compile(
    r"client=([^,]*+)(?:, sasl_method=([^,]*+))?(?:, sasl_username=([^,]*+))?(?:, sasl_sender=[^,]*+)?"
    rf"(?:, orig_queue_id=({QUEUE_ID_PATTERN}))?"
)
_VERDICT: Final = re.compile(r"(?:NOQUEUE: )?(?:milter-)?(reject|hold|discard): ")
_SENDER: Final = re.compile(rf"; from=<{MAILBOX}>(?: to=<{MAILBOX}>)?")
_TRAILER: Final = re.compile(r" proto=[A-Z]++(?: helo=<[^>]*+>)?(?>(?: sasl_[a-z]++=[^ ]++)*)(?:: )?")
_LOST: Final = re.compile(
    r"(?:NOQUEUE: )?(lost connection|timeout) after ([A-Z-]++)(?: \([0-9]++ bytes\))? from (.*)", re.DOTALL
)
_PIPELINED: Final = re.compile(
    r"(?:NOQUEUE: )?improper command pipelining after ([A-Z-]++) from ([^\[]*+\[[^\]]*+\]): (.*)", re.DOTALL
)
_PEER: Final = re.compile(r"(dis)?connect from ([^\[]*+\[[^\]]*+\](?::[0-9]++)?)")
_TLS: Final = re.compile(
    r"([A-Z][a-z]++) TLS connection (?:established|reused) (?:from|to) ([^ ]*+)(?: to [^ ]*+)? "
    r"([^ ]++) with cipher ([^ ]++)"
)
_CODE: Final = re.compile(r"[2-5][0-9]{2} ")


def session(queue_id: str | None, text: str, program: str) -> Event | None:
    """Tell what a line of smtpd(8) says happened."""
    if queue_id is not None:
        if (match := _CLIENT.match(text)) is not None:
            client, method, username, filtered_from = match.groups()
            return Received(
                queue_id, client, sasl_username=username, sasl_method=method, filtered_from=filtered_from
            )
    elif (match := _PEER.match(text)) is not None:
        return Disconnected(match[2]) if match[1] else Connected(match[2])
    if (match := _LOST.match(text)) is not None:
        return ConnectionLost(queue_id, match[3], match[2], timed_out=match[1] == "timeout")
    if (match := _PIPELINED.match(text)) is not None:
        return Pipelined(queue_id, match[2], match[1], match[3])
    return tls(text) or verdict(queue_id, text, program)


def tls(text: str) -> TlsEstablished | None:
    """Read ``Trusted TLS connection established to mx.beta.test[203.0.113.20]:25: TLSv1.3 with cipher …``."""
    if (match := _TLS.match(text)) is None:
        return None
    trust, peer, protocol, cipher = match.groups()
    return TlsEstablished(peer.removesuffix(":"), trust, protocol, cipher)


def verdict(queue_id: str | None, text: str, program: str) -> Rejected | Held | Discarded | None:
    """Read ``reject: RCPT from client: reply; from=<…> to=<…> proto=… helo=<…>`` and its kin.

    cleanup(8) puts what it has to say after all this, separated by a colon (``header_checks``).
    """
    if (match := _VERDICT.match(text)) is None:
        return None
    what, rest = match[1], text[match.end() :]
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
    where, client, answer = _split_client(rest)
    reason = said or answer
    if what == "hold":
        return Held(queue_id, reason, mail_from, rcpt_to)
    if what == "discard":
        return Discarded(queue_id, reason, mail_from, rcpt_to)
    return Rejected(queue_id, where.partition(" ")[0], client, _refusal(reason), mail_from, rcpt_to, program)


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
