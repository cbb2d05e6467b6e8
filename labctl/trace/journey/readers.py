"""What became of a message in the mailboxes: stored, read, moved, deleted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from labctl.mail.content.message import normal_message_id
from labctl.mail.log.logevent import Delivery
from labctl.mail.log.mailboxevent import (
    LoggedIn,
    LoggedOut,
    MailboxChanged,
    Saved,
    SaveFailed,
    SieveActed,
)
from labctl.trace.journey.hop import Hop, HopEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from labctl.trace.logs.entry import Entry
    from labctl.trace.logs.part import Part

_SESSION: Final = re.compile(r"> ([^ >]++) Saved$")
"""LMTP's reply names the session that saved: ``250 2.0.0 <bob@beta.test> F39mH9S2BWsVAAAAwZFyXg Saved``."""


def at_the_mailboxes(entries: Sequence[Entry], parts: Iterable[Part]) -> Iterator[Hop]:
    """Tell what Dovecot says of a message.

    Args:
        entries: All lines, in the order of time.
        parts: The message's queue files.
    """
    message_ids = {part.message_id for part in parts} - {""}
    sessions = set(_sessions(parts))
    present: dict[str, dict[str, datetime]] = {}
    clients: dict[str | None, LoggedIn] = {}
    for entry in entries:
        match entry.event:
            case Saved() as event if _is(event.message_id, event.session, message_ids, sessions):
                present.setdefault(event.user.casefold(), {})[event.mailbox] = entry.at
                text = f"lies in the mailbox {event.mailbox} of {event.user}"
                yield _hop(entry, HopEvent.STORED, text, **_of(event, "user", "mailbox", "session"))
            case SaveFailed() as event if _is(event.message_id, event.session, message_ids, sessions):
                text = f"not taken into the mailbox {event.mailbox} of {event.user}: {event.reason}"
                yield _hop(
                    entry, HopEvent.REFUSED, text, **_of(event, "user", "mailbox", "reason", "session")
                )
            case SieveActed() as event if _is(event.message_id, event.session, message_ids, sessions):
                text = f"the Sieve script of {event.user}: {event.text}"
                yield _hop(entry, HopEvent.FILTERED, text, **_of(event, "user", "action", "session"))
            case LoggedIn() as event:
                clients[event.session] = event
            case MailboxChanged() as event if normal_message_id(event.message_id) in message_ids:
                yield _changed(entry, event)
            case LoggedOut() as event if event.user.casefold() in present:
                hop = _fetched(entry, event, clients.get(event.session), entries, message_ids)
                if hop is not None:
                    yield hop


def _sessions(parts: Iterable[Part]) -> Iterator[str]:
    for part in parts:
        for entry in part.entries:
            if isinstance(entry.event, Delivery) and (match := _SESSION.search(entry.event.reply_text)):
                yield match[1]


def _is(message_id: str, session: str | None, message_ids: set[str], sessions: set[str]) -> bool:
    """Say whether a line is about the message: by its Message-ID, or without one by its LMTP session."""
    known = normal_message_id(message_id)
    return known in message_ids if known else session in sessions


def _changed(entry: Entry, event: MailboxChanged) -> Hop:
    detail = _of(event, "user", "mailbox", "protocol", "session", "uid", "destination")
    detail["flags"] = list(event.flags)
    where = f"{event.mailbox} of {event.user}"
    by = event.protocol.upper()
    match event.action:
        case "expunge":
            text = f"deleted from {where}, by {by}"
            return _hop(entry, HopEvent.DELETED, text, **detail)
        case "copy":
            text = f"copied from {where} to {event.destination or 'another mailbox'}, by {by}"
            return _hop(entry, HopEvent.COPIED, text, **detail)
        case "flag_change" if "\\Seen" in event.flags:
            return _hop(entry, HopEvent.SEEN, f"marked as read in {where}, by {by}", **detail)
        case "flag_change" | "delete" | "undelete":
            flags = " ".join(event.flags) or "none"
            text = f"flags in {where} changed to {flags}, by {by}"
            return _hop(entry, HopEvent.REMARKED, text, **detail)
        case _:
            return _hop(entry, HopEvent.REMARKED, f"{event.action} in {where}, by {by}", **detail)


def _fetched(
    entry: Entry,
    event: LoggedOut,
    login: LoggedIn | None,
    entries: Sequence[Entry],
    message_ids: set[str],
) -> Hop | None:
    """Tell of a session that fetched mail while the message lay there; no log says which messages."""
    bodies = event.counters.get("retr", event.counters.get("body_count", 0))
    headers = event.counters.get("top", event.counters.get("hdr_count", 0))
    if not bodies and not headers:
        return None
    others = _others(entries, entry, event.user, message_ids)
    detail = _of(event, "user", "protocol", "session") | {"headers": headers, "bodies": bodies}
    if login is not None:
        detail["client"] = login.client
    what = f"{bodies} message{'' if bodies == 1 else 's'}" if bodies else "headers only"
    perhaps = ", this one perhaps" if others or not bodies else ""
    verb = "downloaded" if event.protocol == "pop3" else "fetched"
    text = f"{event.user} {verb} {what} by {event.protocol.upper()}{perhaps}"
    return _hop(entry, HopEvent.FETCHED, text, **detail, shared_with=others)


def _others(entries: Sequence[Entry], until: Entry, user: str, message_ids: set[str]) -> list[str]:
    """Name the other messages that were saved for a user before."""
    found: dict[str, None] = {}
    for entry in entries:
        if entry is until:
            break
        event = entry.event
        if isinstance(event, Saved) and event.user.casefold() == user.casefold():
            found[normal_message_id(event.message_id)] = None
        elif isinstance(event, MailboxChanged) and event.action == "expunge":
            found.pop(normal_message_id(event.message_id), None)
    return [each for each in found if each and each not in message_ids]


def _of(event: object, *names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(event, name)) is not None}


def _hop(entry: Entry, kind: HopEvent, text: str, **detail: Any) -> Hop:
    return Hop(entry.at, entry.host, kind, None, text, {**detail, "lines": [entry.text]})
