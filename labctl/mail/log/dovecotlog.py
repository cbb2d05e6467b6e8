"""Dovecot's log: what its lines say happened, in the forms of versions 2.2 to 2.4.

The name before a line carries the user and the session: ``imap(bob@beta.test)<24><session>``; by syslog it
follows ``dovecot: ``. LMTP of 2.2 has its process and user in the name, and the session behind it.
"""

from __future__ import annotations

import re
from typing import Final

from labctl.mail.log.mailboxevent import (
    LoggedIn,
    LoggedOut,
    MailboxChanged,
    MailboxEvent,
    Saved,
    SaveFailed,
    SieveActed,
)

_NAME: Final = re.compile(
    r"([a-z][a-z0-9-]*+)(?:\((?:[0-9]++, )?([^()]*+)\))?(?:<[0-9]++>)?(?:<([^<>]*+)>)?(?:: |$)"
)
_LEVEL: Final = re.compile(r"(?:Debug|Info|Warning|Error|Fatal|Panic): ")
_OLD_SESSION: Final = re.compile(r"([A-Za-z0-9+/:]{16,40}): ")
_DELIVERY: Final = re.compile(r"(sieve: )?msgid=(?:(<[^>]*+>)[^:]*+|[^:]*+): (.*)", re.DOTALL)
_SAVE_FAILED: Final = re.compile(r"save failed to (?:open mailbox )?([^:]*+): (.*)", re.DOTALL)
_STORED: Final = re.compile(r"stored mail into mailbox '(.*)'", re.DOTALL)
_NOT_STORED: Final = re.compile(r"failed to store into mailbox '([^']*+)'(?:: (.*))?", re.DOTALL)
_ACTION: Final = re.compile(r"(?:fileinto|redirect|discard|reject|ereject|vacation|keep|notify) action: ")
_LOGIN: Final = re.compile(r"(?:Logged in|Login): user=<([^>]*+)>, ")
_LOGIN_FIELD: Final = re.compile(r"(?:, |^)(rip|session)=<?([^,>]*+)")
_COUNTER: Final = re.compile(r"(?:^|[ ,])([a-z_]++)=([0-9]{1,18})(?=[/, ]|$)")
_CHANGE: Final = re.compile(
    r"(?:Mailbox [^\n:]*+: )?(copy|save|delete|undelete|expunge|flag_change)(?: from ([^:]*+))?: ",
    re.DOTALL,
)
_CHANGE_FIELD: Final = re.compile(r"(?:^|, )(box|uid|msgid|size|vsize|flags|from|subject)=")

_READERS: Final = frozenset({"imap", "pop3"})
_DELIVERERS: Final = frozenset({"lmtp", "lda", "deliver"})
_SIEVE_ACTS: Final = (
    ("forwarded to", "forwarded"),
    ("marked message to be discarded", "discarded"),
    ("rejected message", "rejected"),
    ("sent vacation response", "vacation"),
)


def process(name: str, text: str) -> str:
    """Return whose line it is: ``lmtp``, ``imap``, ``imap-login``; empty where of no process of Dovecot."""
    match = _NAME.match(text) if name == "dovecot" else _NAME.fullmatch(name)
    return match[1] if match else ""


def parse(name: str, text: str) -> MailboxEvent | None:
    """Tell what a line says happened; None where it says nothing of a message or a reader.

    Args:
        name: What stands before the line: ``dovecot``, or the process with its user and session.
        text: The line's rest.
    """
    if name == "dovecot":
        match = _NAME.match(text)
        text = text[match.end() :] if match else text
    else:
        match = _NAME.fullmatch(name)
    if match is None:
        return None
    daemon, user, session = match.groups()
    if (level := _LEVEL.match(text)) is not None:
        text = text[level.end() :]
    if daemon.endswith("-login"):
        protocol = daemon.removesuffix("-login")
        return _login(protocol, text) if protocol in _READERS else None
    if user is None:
        return None
    if daemon in _DELIVERERS:
        if session is None and (old := _OLD_SESSION.match(text)) is not None:
            session, text = old[1], text[old.end() :]
        if (delivery := _DELIVERY.match(text)) is not None:
            sieve, message_id, said = delivery.groups()
            tell = _sieve if sieve else _save
            return tell(user, message_id or "", said, session or None)
    elif daemon in _READERS and (ending := _logged_out(user, daemon, text, session or None)) is not None:
        return ending
    return _changed(user, daemon, text, session or None)


def _login(protocol: str, text: str) -> LoggedIn | None:
    if (match := _LOGIN.match(text)) is None:
        return None
    rest = text[match.end() :]
    fields = dict(reversed(_LOGIN_FIELD.findall(rest)))  # the first of a name counts
    return LoggedIn(match[1], protocol, fields.get("rip", ""), fields.get("session") or None, ", TLS" in rest)


def _save(user: str, message_id: str, text: str, session: str | None) -> MailboxEvent | None:
    if text.startswith("saved mail to "):
        return Saved(user, message_id, text[14:], session)
    if (match := _SAVE_FAILED.match(text)) is not None:
        return SaveFailed(user, message_id, match[1], match[2], session)
    return None


def _sieve(user: str, message_id: str, text: str, session: str | None) -> MailboxEvent:
    if (action := _ACTION.match(text)) is not None:
        text = text[action.end() :]
    if (match := _STORED.match(text)) is not None:
        return Saved(user, message_id, match[1], session)
    if (match := _NOT_STORED.match(text)) is not None:
        return SaveFailed(user, message_id, match[1], match[2] or text, session)
    lower = text.lower()
    acts = (act for start, act in _SIEVE_ACTS if lower.startswith(start))
    return SieveActed(user, message_id, next(acts, text), text, session)


def _logged_out(user: str, protocol: str, text: str, session: str | None) -> LoggedOut | None:
    """Read ``Disconnected: Logged out in=350 out=2516 …``; of POP3 ``retr=1/721``: messages, bytes."""
    if not text.startswith(("Disconnected", "Logged out", "Connection closed")):
        return None
    first = _COUNTER.search(text)
    counters = {key: int(number) for key, number in _COUNTER.findall(text)}
    reason = text[: first.start()] if first else text
    reason = reason.removeprefix("Disconnected").removeprefix(": ").strip()
    return LoggedOut(user, protocol, reason or "Disconnected", session, counters)


def _changed(user: str, protocol: str, text: str, session: str | None) -> MailboxChanged | None:
    r"""Read ``Mailbox Archive: copy from INBOX: box=Archive, uid=1, msgid=<…>, size=686, flags=(\Seen)``."""
    if (match := _CHANGE.match(text)) is None:
        return None
    action, source = match.groups()
    _, *parts = _CHANGE_FIELD.split(text[match.end() :])
    fields: dict[str, str] = {}
    for key, value in zip(parts[::2], parts[1::2], strict=True):
        if key == "flags":  # they come last: a Message-ID that imitates them does not
            fields[key] = value
        else:
            fields.setdefault(key, value)
    box = fields.get("box", "")
    uid = fields.get("uid", "")
    flags = fields.get("flags", "").removeprefix("(").removesuffix(")")
    return MailboxChanged(
        user,
        protocol,
        action,
        source or box,
        int(uid) if uid.isascii() and uid.isdigit() and len(uid) <= 10 else None,  # noqa: PLR2004  # 32 bits
        fields.get("msgid", ""),
        tuple(flags.split()),
        box if action == "copy" else None,
        session,
    )
