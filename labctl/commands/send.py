"""``labctl send``: submits one message as a user of the lab, and may wait for what becomes of it."""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from labctl import byteordermark, plainfile
from labctl.contract.value import EmailAddress, MessageId, QueueId, Rule
from labctl.errors import UsageError
from labctl.lab.inside import logs
from labctl.lab.inside.mailhosts import find_account, mta_of
from labctl.lab.role import Role
from labctl.lab.running import instance
from labctl.mail.address import Address
from labctl.mail.client.envelope import Envelope
from labctl.mail.client.submission import submit
from labctl.mail.content.message import compose_message, prepared
from labctl.mail.log.delivery import DeliveryTracker, RecipientState
from labctl.mail.log.maillog import event_of
from labctl.mail.state import MessageState, contradicts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from labctl.engine.protocol import Engine

DEFAULT_TIMEOUT: Final = 30.0
"""Seconds to wait for a state: long enough for a deferred message's retries in a lab's time."""

LARGEST_FILE: Final = 256 << 20
"""Bytes of a message file; far above what any server of a lab takes."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What to send: a text with a subject, or a message file as it is."""

    subject: str = "A letter"
    body: str = "Hello.\n"
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """One message at the server it was submitted to, and what became of it while labctl watched."""

    SCHEMA: ClassVar = "labctl/send/v1"

    message_id: MessageId
    queue_id: QueueId | None
    """At the first MTA; None where it refused the message."""
    from_: EmailAddress
    to: Annotated[tuple[EmailAddress, ...], Rule(least=1)]
    accepted_at: datetime | None
    """None where the server refused the message."""
    state: MessageState
    reply: str
    """The server's last."""
    recipients: tuple[RecipientState, ...]
    waited_for: MessageState | None = None

    @property
    def as_wished(self) -> bool:
        """Whether the server took it, and it came to the state that was waited for."""
        return self.state != MessageState.REJECTED and self.waited_for in {None, self.state}


def send(
    engine: Engine,
    name: str | None,
    sender: str,
    recipients: tuple[str, ...],
    letter: Letter,
    *,
    wait: MessageState | None = None,
    timeout: float = DEFAULT_TIMEOUT,
) -> Sent:
    """Submit one message, and wait for a state if told to.

    The waiting ends when the message reaches the state, when it reaches another final one, or after `timeout`
    seconds; what the message's state is then the result says.

    Raises:
        UsageError: A malformed address, no such lab or account, or no readable file.
        ServiceCommandFailed: The submission server does not answer.
    """
    mail_from = str(Address.parse(sender))
    rcpt_tos = tuple(str(Address.parse(each)) for each in recipients)
    there = instance.select(engine, name)
    account = find_account(engine, there, mail_from)
    mta = mta_of(there, mail_from)
    message_id, content = _content(letter, mail_from, rcpt_tos)
    with logs.followed(engine, there.of_role(Role.MTA) if wait else ()) as lines:
        submission = submit(
            *mta.door(587),
            Envelope(mail_from, rcpt_tos),
            content,
            user=account.address,
            password=account.password,
        )
        tracker = DeliveryTracker(
            message_id,
            submission.queue_id,
            mta.hostname,
            submission.recipients,
            refused=submission.refused,
        )
        taken = submission.accepted and not submission.refused
        state, seen = MessageState.QUEUED if taken else MessageState.REJECTED, tracker.recipients
        if wait is not None and submission.accepted:
            hostnames = {host.service: host.hostname for host in there.hosts}
            watched = _watch(lines, hostnames, tracker, wait, timeout)
            # The server has said that it queued it, whether or not its log was seen to say so, too.
            state = state if watched == MessageState.SUBMITTED else watched
            seen = tracker.recipients
    return Sent(
        message_id=message_id,
        queue_id=submission.queue_id,
        from_=mail_from,
        to=rcpt_tos,
        accepted_at=submission.accepted_at,
        state=state,
        reply=str(submission.reply),
        recipients=seen,
        waited_for=wait,
    )


def _content(letter: Letter, mail_from: str, rcpt_tos: tuple[str, ...]) -> tuple[str, bytes]:
    if letter.file is None:
        return compose_message(mail_from, rcpt_tos, subject=letter.subject, body=letter.body)
    try:
        content = plainfile.content(letter.file, LARGEST_FILE)
    except OSError as exc:
        raise UsageError(f"message file {letter.file}: {exc.strerror}", hint="--file EML") from exc
    content = byteordermark.without(content)  # an editor's, which would spoil the first field's name
    return prepared(content, domain=mail_from.rpartition("@")[2])


def _watch(
    lines: queue.SimpleQueue[logs.Line | None],
    hostnames: Mapping[str, str],
    tracker: DeliveryTracker,
    wanted: MessageState,
    timeout: float,
) -> MessageState:
    deadline = time.monotonic() + timeout
    while (state := tracker.state) != wanted and not contradicts(state, wanted):
        left = deadline - time.monotonic()
        try:
            line = lines.get(timeout=max(left, 0))
        except queue.Empty:
            return state
        if line is None:
            return state
        tracker.feed(hostnames[line.service], line.at.astimezone(UTC), event_of(line.text))
    return state
