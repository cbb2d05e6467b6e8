"""What one log line says happened to a message: its hop, with a sentence for people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from labctl.mail.clock import Schedule, in_words
from labctl.mail.log.logevent import (
    Accepted,
    ConnectionLost,
    Delivery,
    DeliveryStatus,
    Discarded,
    Expired,
    Held,
    NonDelivery,
    NotificationKind,
    Pipelined,
    Received,
    Rejected,
    Released,
    Remark,
    Removed,
    Unreachable,
)
from labctl.trace.journey.hop import Hop, HopEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labctl.lab.blueprint.clock import Clock
    from labctl.mail.log.logevent import TlsEstablished
    from labctl.mail.log.querylog import DnsAnswer
    from labctl.trace.logs.entry import Entry
    from labctl.trace.logs.part import Part

_STAGES: Final = ("before_queue_manager", "in_queue", "connection", "transmission")
_CODE: Final = re.compile(r"(?:^|said: )([245][0-9]{2})[ -]")
_TOLD: Final = {
    NotificationKind.FAILED: "that it failed",
    NotificationKind.DELAYED: "of the delay",
    NotificationKind.SUCCESS: "that it succeeded",
}

_WHY_REMOVED: Final = {"qmgr": "all is done", "postsuper": "an operator deleted it"}


@dataclass(frozen=True, slots=True)
class Turn:
    """Where an attempt stands among those of its queue file."""

    number: int
    """0 is the first."""
    age: float
    """Seconds that the message was in the queue."""
    next_at: datetime | None
    """When it was, or will be, tried again, as far as that is known."""


def submitted(entry: Entry, event: Received, *, first: bool, tls: TlsEstablished | None) -> Hop:
    """Tell of a message that was taken in."""
    detail: dict[str, Any] = {"client": event.client or None, "uid": event.uid}
    detail |= {"sasl_username": event.sasl_username, "sasl_method": event.sasl_method}
    if tls is not None:
        detail["tls"] = f"{tls.protocol} {tls.cipher}".strip()
    if event.filtered_from is not None:
        text = f"came back from a filter, which had it as {event.filtered_from}"
        return _hop(entry, HopEvent.RECEIVED, text, filtered_from=event.filtered_from, **detail)
    if event.original_queue_id is not None:
        text = f"queued anew, before as {event.original_queue_id}"
        return _hop(entry, HopEvent.RECEIVED, text, **detail)
    over = f", over {tls.protocol}" if tls is not None else ""
    if not first:
        return _hop(entry, HopEvent.RECEIVED, f"taken in from {event.client or 'this host'}{over}", **detail)
    if not event.client:
        by = f" of user {event.uid}" if event.uid is not None else ""
        return _hop(entry, HopEvent.SUBMITTED, f"submitted by a program{by} on this host", **detail)
    who = f"{event.sasl_username} at " if event.sasl_username else ""
    how = f", by {event.sasl_method}" if event.sasl_method else ""
    return _hop(entry, HopEvent.SUBMITTED, f"submitted by {who}{event.client}{how}{over}", **detail)


def queued(named: Sequence[Entry], taken_up: tuple[Entry, Accepted] | None, message_id: str) -> Hop:
    """Tell of a message that is in the queue now.

    Args:
        named: The lines that give its Message-ID.
        taken_up: The line with which the queue manager took it up; None where there is none yet.
        message_id: Its Message-ID.
    """
    entries = [*named, taken_up[0]] if taken_up is not None else list(named)
    text = f"queued as {entries[-1].queue_id}"
    detail: dict[str, Any] = {"message_id": message_id or None}
    if taken_up is not None:
        accepted = taken_up[1]
        detail |= {"mail_from": accepted.mail_from, "size": accepted.size, "nrcpt": accepted.nrcpt}
        whom = f"{accepted.nrcpt} recipient{'' if accepted.nrcpt == 1 else 's'}"
        text += f": {accepted.size} bytes from <{accepted.mail_from}> for {whom}"
    return _hop(entries[-1], HopEvent.QUEUED, text, lines=[each.text for each in entries], **detail)


def retried(entry: Entry, number: int) -> Hop:
    """Tell of a message that the queue manager took up again."""
    return _hop(entry, HopEvent.RETRIED, f"taken up again, for retry {number}", attempt=number)


def attempted(
    entry: Entry,
    event: Delivery,
    turn: Turn,
    *,
    clock: Clock | None,
    onward: Part | None,
    tls: TlsEstablished | None,
) -> Iterator[Hop]:
    """Tell of an attempt to deliver, or of one that only asked whether an address would do.

    Args:
        entry: The line.
        event: What it says.
        turn: Where the attempt stands among the others.
        clock: The lab's clock, where it is a lab's.
        onward: The queue file that the message went into.
        tls: How the connection was encrypted.
    """
    detail = _attempt(event, tls)
    whom = f"<{event.recipient}>" + (f" (sent to <{event.orig_to}>)" if event.orig_to else "")
    said = f": {event.reply_text}" if event.reply_text else ""
    match event.status:
        case DeliveryStatus.DELIVERABLE | DeliveryStatus.UNDELIVERABLE:
            yield _hop(entry, HopEvent.REMARKED, f"asked only: {event.status} for {whom}{said}", **detail)
        case DeliveryStatus.DEFERRED | DeliveryStatus.SOFTBOUNCE:
            detail |= {"attempt": turn.number, **_waiting(entry.at, turn, clock)}
            yield _hop(entry, HopEvent.DEFERRED, f"put off for {whom}{said}", **detail)
        case DeliveryStatus.BOUNCED:
            yield _hop(entry, HopEvent.BOUNCED, f"failed for good for {whom}{said}", **detail)
        case DeliveryStatus.SENT:
            yield _sent(entry, event, f"{whom}{said}", onward, detail)
        case _:
            yield _hop(entry, HopEvent.REMARKED, f"{event.status} for {whom}{said}", **detail)


def _sent(entry: Entry, event: Delivery, told: str, onward: Part | None, detail: dict[str, Any]) -> Hop:
    """Tell of an attempt that Postfix calls sent, which is not to say that it is delivered."""
    next_id = event.next_queue_id
    if event.program == "discard":
        return _hop(entry, HopEvent.DISCARDED, f"thrown away, for {told}", **detail)
    if next_id is None and event.program != "smtp":
        where = "" if event.relay in {"none", event.program} else f" to {event.relay}"
        return _hop(entry, HopEvent.DELIVERED, f"delivered{where} for {told}", **detail)
    detail["next_queue_id"] = next_id
    if event.program == "local":
        return _hop(entry, HopEvent.FORWARDED, f"forwarded for {told}", **detail)
    detail["next_host"] = onward.file.host if onward is not None else event.relay.partition("[")[0]
    return _hop(entry, HopEvent.RELAYED, f"{event.relay} accepted it for {told}", **detail)


def happened(entry: Entry, clock: Clock | None, written: Part | None = None) -> Iterator[Hop]:
    """Tell of what else a line says of a queue file, or near it.

    Args:
        entry: The line.
        clock: The lab's clock, where it is a lab's.
        written: The notification that the line is about.
    """
    match entry.event:
        case Expired() as event:
            yield _expired(entry, event, clock)
        case NonDelivery() as event:
            text = f"wrote to the {event.to} {_TOLD[event.kind]}, as {event.dsn_queue_id}"
            message_id = (written.message_id if written is not None else None) or None
            detail: dict[str, Any] = {
                "to": event.to,
                "next_queue_id": event.dsn_queue_id,
                "message_id": message_id,
            }
            yield _hop(entry, HopEvent.NOTIFIED, text, kind=event.kind, **detail)
        case Rejected() as event:
            yield rejected(entry, event)
        case Held() | Released() | Discarded() | Removed() as event:
            yield _judged(entry, event)
        case ConnectionLost() as event:
            how = "fell silent" if event.timed_out else "hung up"
            text = f"{event.client} {how} after {event.stage}"
            yield _hop(entry, HopEvent.INTERRUPTED, text, client=event.client, stage=event.stage, reason=how)
        case Pipelined() as event:
            text = f"{event.client} did not wait for the answer to {event.stage}"
            yield _hop(entry, HopEvent.REMARKED, text, client=event.client, stage=event.stage)
        case Unreachable() as event:
            text = f"could not reach {event.relay}: {event.reason}"
            yield _hop(entry, HopEvent.UNREACHABLE, text, relay=event.relay, reason=event.reason)
        case Remark() as event:
            yield _hop(entry, HopEvent.REMARKED, event.text)


def _expired(entry: Entry, event: Expired, clock: Clock | None) -> Hop:
    after = clock.real.lifetime(bounce=not event.mail_from) if clock is not None else None
    text = "given up: too long in the queue"
    if event.forced:
        text = "given up by order of an operator"
    elif after is not None:
        text += f" (in the real world after {in_words(after)})"
    return _hop(entry, HopEvent.EXPIRED, text, forced=event.forced, real_after=after)


def _judged(entry: Entry, event: Held | Released | Discarded | Removed) -> Hop:
    match event:
        case Held():
            return _hop(entry, HopEvent.HELD, f"put on hold: {event.reason}", reason=event.reason)
        case Released():
            return _hop(entry, HopEvent.RELEASED, "released from hold")
        case Discarded():
            text = f"thrown away, and the sender was not told: {event.reason}"
            return _hop(entry, HopEvent.DISCARDED, text, reason=event.reason, recipient=event.rcpt_to)
        case Removed():
            why = _WHY_REMOVED.get(event.by, f"by {event.by}, before it was whole")
            return _hop(entry, HopEvent.REMOVED, f"removed from the queue: {why}", by=event.by)


def rejected(entry: Entry, event: Rejected) -> Hop:
    """Tell of a refusal."""
    whom = f" <{event.rcpt_to}>" if event.rcpt_to is not None else ""
    where = f" at {event.stage}" if event.stage else ""
    return _hop(
        entry,
        HopEvent.REJECTED,
        f"refused{whom} from {event.client or 'a client'}{where}: {event.reply}",
        stage=event.stage,
        client=event.client,
        reply=str(event.reply),
        code=event.reply.code or None,
        dsn=event.reply.dsn,
        mail_from=event.mail_from,
        recipient=event.rcpt_to,
    )


def looked_up(entry: Entry, answer: DnsAnswer, asker: str, shared_with: tuple[str, ...]) -> Hop:
    """Tell of a DNS answer that a host got while it worked on a message."""
    what = f"{answer.type} of {answer.name.rstrip('.') or '.'}"
    if answer.rcode is None:
        text = f"asked by {asker} for {what}: no answer"
    elif answer.rcode != "NOERROR":
        text = f"asked by {asker} for {what}: {answer.rcode}"
    else:
        told = [" ".join(each.split()[4:]) for each in answer.records]
        text = f"asked by {asker} for {what}: {', '.join(told) or 'no such record'}"
    return _hop(
        entry,
        HopEvent.LOOKUP,
        text,
        at=answer.at,
        name=answer.name,
        type=answer.type,
        rcode=answer.rcode or "",
        records=list(answer.records),
        client=answer.client,
        asked_by=asker,
        duration=answer.duration,
        shared_with=list(shared_with),
    )


def _attempt(event: Delivery, tls: TlsEstablished | None) -> dict[str, Any]:
    code = _CODE.search(event.reply_text)
    return {
        "recipient": event.recipient,
        "orig_to": event.orig_to,
        "relay": event.relay,
        "delay": event.delay,
        "delays": dict(zip(_STAGES, event.delays, strict=False)),
        "dsn": event.dsn,
        "reply": event.reply_text,
        "code": int(code[1]) if code else None,
        "program": event.program,
        "tls": f"{tls.protocol} {tls.cipher} ({tls.trust})" if tls and tls.peer in event.relay else None,
    }


def _waiting(at: datetime, turn: Turn, clock: Clock | None) -> dict[str, Any]:
    """Tell when it is tried again, and how long the real world would wait for the same attempt."""
    found: dict[str, Any] = {}
    real = clock.real if clock is not None else Schedule()
    here = clock.lab if clock is not None else real
    next_at = turn.next_at or at + timedelta(seconds=max(here.next_attempt(turn.age) - turn.age, 0))
    found["next_try_at"] = next_at
    found["next_try_in"] = round(max((next_at - at).total_seconds(), 0), 3)
    if clock is not None:
        found["real_wait"] = real.attempt_at(turn.number + 1) - real.attempt_at(turn.number)
    return found


def _hop(
    entry: Entry,
    event: HopEvent,
    text: str,
    *,
    at: datetime | None = None,
    lines: list[str] | None = None,
    **detail: Any,
) -> Hop:
    known = {key: value for key, value in detail.items() if value is not None}
    return Hop(
        at or entry.at, entry.host, event, entry.queue_id, text, {**known, "lines": lines or [entry.text]}
    )
