"""Postfix's log: lines into entries, entries into events.

Every pattern is linear in the length of the line, whatever the line holds: what stands in a log was partly
written by strangers. The forms are those of Postfix 2.3 to 3.10.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from labctl.mail.log import head, smtpdlog
from labctl.mail.log.logevent import (
    BESIDES,
    Accepted,
    Delivery,
    Event,
    Expired,
    Held,
    NonDelivery,
    NotificationKind,
    Queued,
    Received,
    Released,
    Remark,
    Removed,
    Unreachable,
)
from labctl.mail.log.smtpdlog import MAILBOX
from labctl.mail.queueid import QUEUE_ID_PATTERN, next_queue_id

if TYPE_CHECKING:
    from collections.abc import Callable

_BEHIND: Final = re.compile("[_-]")
_QUEUE_ID: Final = re.compile(rf"({QUEUE_ID_PATTERN}): ")

_FIELD: Final = r"[a-z_][^,]*+"  # what a later version or a patch may add
_DELIVERY: Final = re.compile(
    rf"to=<{MAILBOX}>, (?:orig_to=<{MAILBOX}>, )?relay=([^,]*+)(?>(?:, (?!delay=){_FIELD})*)"
    rf", delay=([0-9.]{{1,20}}), delays=([0-9./]{{1,80}})(?>(?:, (?!dsn=){_FIELD})*)"
    r", dsn=([0-9.]{1,11}), status=([A-Za-z-]++)(?: \((.*))?",
    re.DOTALL,
)
_ACCEPTED: Final = re.compile(
    rf"from=<{MAILBOX}>, size=([0-9]{{1,19}}), nrcpt=([0-9]{{1,10}}) \(queue active\)"
)
_EXPIRED: Final = re.compile(rf"from=<{MAILBOX}>, status=(force-)?expired, ")
_PICKUP: Final = re.compile(rf"uid=([0-9]{{1,10}}) from=<{MAILBOX}>(?: orig_id=({QUEUE_ID_PATTERN}))?")
_NOTIFICATION: Final = re.compile(
    rf"(sender|postmaster) (non-delivery|delay|delivery status) notification: ({QUEUE_ID_PATTERN})"
)
_UNREACHABLE: Final = re.compile(r"connect to ([^ ]++) (.*)", re.DOTALL)
_COMPLAINT: Final = re.compile(rf"(?:NOQUEUE: )?(?:warning|error|fatal|panic): (?:({QUEUE_ID_PATTERN}): )?")


@lru_cache(maxsize=1024)
def split_name(name: str) -> tuple[str, str, str]:
    """Split what syslog calls a daemon into instance, syslog name and program.

    ``postfix-out/submission/smtpd`` is smtpd(8) of the instance ``postfix-out``. Administrators name daemons
    as they like: ``postfix/authclean_cleanup`` is cleanup(8). A name without a slash is none of Postfix's and
    has no instance, and so is ``lmtp(bob@beta.test)<7><a/mgOeDFBWstAAAA>``: Dovecot's sessions may have one.
    """
    syslog_name, slash, program = name.rpartition("/")
    if not slash or "<" in name or "(" in name:
        return "", name, name
    if program not in _PROGRAMS:
        behind = _BEHIND.split(program)[-1]
        program = behind if behind in _PROGRAMS else program
    return syslog_name.partition("/")[0] or syslog_name, syslog_name, program


def split_queue_id(text: str) -> tuple[str | None, str]:
    """Split what follows a daemon's name into queue id and the rest."""
    match = _QUEUE_ID.match(text)
    return (None, text) if match is None else (match[1], text[match.end() :])


def event_of(line: str) -> Event | None:
    """Read one line straight to its event; None where it says nothing of a message's fate."""
    if (said := head.spoken(line.rstrip("\r\n"))) is None:
        return None
    queue_id, text = split_queue_id(said.text)
    return _of_fate(event_from(split_name(said.name)[2], queue_id, text))


def _of_fate(event: Event | None) -> Event | None:
    return None if isinstance(event, BESIDES) else event


def event_from(program: str, queue_id: str | None, text: str) -> Event | None:
    """Tell all that a line of a daemon says, from the parts of the line: connections and remarks too."""
    # Delivery agents are many, and master.cf names them as it likes: the line's form tells.
    if queue_id is not None and text.startswith("to=<"):
        return _delivery(queue_id, text, program)
    parser = _BY_PROGRAM.get(program)
    if parser is None:
        return None
    event = parser(queue_id, text, program)
    if event is None and program in _REMARKING:
        # A daemon whose line begins with a queue id speaks of that message, whatever it says.
        if queue_id is not None:
            return Remark(queue_id, text)
        if (match := _COMPLAINT.match(text)) is not None:
            return Remark(match[1], text)
    return event


def _delivery(queue_id: str, text: str, program: str) -> Delivery | None:
    if (match := _DELIVERY.match(text)) is None:
        return None
    recipient, orig_to, relay, delay, delays, dsn, status, reply_text = match.groups()
    reply_text = (reply_text or "").removesuffix(")")
    try:
        seconds = tuple(map(float, delays.split("/")))
        return Delivery(
            queue_id,
            recipient,
            orig_to,
            relay,
            float(delay),
            seconds,
            dsn,
            status,
            reply_text,
            next_queue_id(reply_text),
            program,
        )
    except ValueError:  # more than one point in a number
        return None


def _agent(queue_id: str | None, text: str, program: str) -> Event | None:  # noqa: ARG001  # one of _BY_PROGRAM
    if queue_id is None:
        if (match := _UNREACHABLE.match(text)) is not None:
            return Unreachable(match[1].removesuffix(":"), match[2])
        return smtpdlog.tls(text)
    return None


def _qmgr(queue_id: str | None, text: str, program: str) -> Event | None:
    if queue_id is None:
        return None
    if text == "removed":
        return Removed(queue_id, program)
    if (match := _ACCEPTED.match(text)) is not None:
        return Accepted(queue_id, match[1], int(match[2]), int(match[3]))
    if (match := _EXPIRED.match(text)) is not None:
        return Expired(queue_id, match[1], forced=match[2] is not None)
    return None


def _cleanup(queue_id: str | None, text: str, program: str) -> Event | None:
    if queue_id is None:
        return None
    if text.startswith("message-id="):
        return Queued(queue_id, text[11:].strip())
    if text.startswith("removed"):
        return Removed(queue_id, program)
    return smtpdlog.verdict(queue_id, text, program)


def _pickup(queue_id: str | None, text: str, program: str) -> Event | None:  # noqa: ARG001  # one of _BY_PROGRAM
    if queue_id is not None and (match := _PICKUP.match(text)) is not None:
        return Received(queue_id, "", original_queue_id=match[3], uid=int(match[1]))
    return None


def _bounce(queue_id: str | None, text: str, program: str) -> Event | None:  # noqa: ARG001  # one of _BY_PROGRAM
    if queue_id is not None and (match := _NOTIFICATION.match(text)) is not None:
        return NonDelivery(queue_id, match[3], NotificationKind(match[2]), match[1])
    return None


def _postsuper(queue_id: str | None, text: str, program: str) -> Event | None:
    if queue_id is None:
        return None
    if text.startswith("placed on hold"):
        return Held(queue_id, text)
    if text.startswith("released from hold"):
        return Released(queue_id)
    return Removed(queue_id, program) if text.startswith("removed") else None


_BY_PROGRAM: Final[dict[str, Callable[[str | None, str, str], Event | None]]] = {
    "bounce": _bounce,
    "cleanup": _cleanup,
    "pickup": _pickup,
    "postsuper": _postsuper,
    "qmgr": _qmgr,
    "nqmgr": _qmgr,
    "oqmgr": _qmgr,
    "smtpd": smtpdlog.session,
    **dict.fromkeys(("discard", "error", "lmtp", "local", "pipe", "retry", "smtp", "virtual"), _agent),
}
_REMARKING: Final = frozenset(_BY_PROGRAM) - {"pickup", "postsuper"}
_PROGRAMS: Final = frozenset(_BY_PROGRAM) | {
    "anvil",
    "dnsblog",
    "flush",
    "master",
    "postdrop",
    "postfix-script",
    "postlog",
    "postlogd",
    "postqueue",
    "postscreen",
    "proxymap",
    "qmqpd",
    "scache",
    "sendmail",
    "showq",
    "spawn",
    "tlsmgr",
    "tlsproxy",
    "trivial-rewrite",
    "verify",
}
