"""What stands before the words of a daemon: a time, a host, the daemon's name and process.

This is the only grammar of it. Every pattern is linear in the length of a line, whatever the line holds.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from labctl.mail.queueid import QUEUE_ID_PATTERN

_PRIORITY: Final = r"(?:<[0-9]{1,3}>)?"
_CLOCK: Final = r"[0-9]{2}:[0-9]{2}:[0-9]{2}"
_CLASSIC: Final = (
    rf"(?:([0-9]{{4}}) )?([A-Z][a-z]{{2}} [ 0-9]?[0-9]) (?:([0-9]{{4}}) )?({_CLOCK})(\.[0-9]{{1,9}})?"
)
_ISO: Final = (
    rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}(?:[.,][0-9]{{1,9}})?(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})?)"
)
# A host, which Dovecot's own file does not have; a name with what Dovecot puts into it; a process.
_HEAD: Final = (
    r"(?:(?![0-9]{4}-|[^ ]*+(?<=:) )([^ ()\[\]<>]++) )?"
    r"((?=[^ :\[])[^ :\[(<]*+(?:\([^)]*+\))?(?>(?:<[^<>]*+>)*))(?:\[([0-9]{1,10})\])?:(?: |$)(.*)"
)
CLASSIC_LINE: Final = re.compile(rf"{_PRIORITY}{_CLASSIC} {_HEAD}", re.DOTALL)
"""Year, month and day, year, clock, fraction; host, name, process, text."""
ISO_LINE: Final = re.compile(rf"{_PRIORITY}{_ISO} {_HEAD}", re.DOTALL)
"""Time; host, name, process, text."""
CLASSIC_STAMP: Final = re.compile(rf"{_PRIORITY}{_CLASSIC}(?: |$)")
ISO_STAMP: Final = re.compile(rf"{_PRIORITY}{_ISO}(?: |$)")
ONLY_HEAD: Final = re.compile(_HEAD, re.DOTALL)
RFC_5424: Final = re.compile(
    rf"(?:[0-9]{{1,6}} )?(?:<[0-9]{{1,3}}>)?1 {_ISO} ([^ ]++) ([^ ]++) ([^ ]++) [^ ]++ "
    r'(?:-|(?>(?:\[(?>(?:[^\]"]++|"(?>(?:[^"\\]++|\\.)*)")*)\])+))'
    r"(?: (?:\ufeff)?(.*)|$)",
    re.DOTALL,
)
"""RFC 5424, section 6: priority, version, time, host, name, process, message id, data, message; its
length may come first (RFC 6587, section 3.4.1)."""
QUICK: Final = re.compile(
    rb"(?:([A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2})"
    rb"|([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})))"
    rb"( [^ \[{]++ [^ \[{]++)\[([0-9]{1,10})\]: (?:\[ID [0-9]{1,10} [a-z0-9.]++\] )?"
    rb"(?:(?:(%b): |(?=NOQUEUE: |reject: |hold: |discard: ))(.*))?" % QUEUE_ID_PATTERN.encode(),
    re.DOTALL,
)
"""A line in one of syslog's common forms: its time, whose it is, and what a line about a message says.

Such a line begins with a queue id, or tells of what never had one.
"""
_NEAR: Final = 512
"""How far from the beginning of a line its daemon's name stands, at most."""
_ANCHOR: Final = re.compile(
    r"(?:^|(?<=[\s:|>\"'`\]),;=-]))"
    r"(?:([^\s\[\]\"'`|:<>(){},;=]{1,128})\[([0-9]{1,10})\]"
    r"|(dovecot|postfix(?:[\w.@-]{0,64}/[\w.-]{1,64}){1,3}"
    r"|[\w.@-]{1,64}/(?:bounce|cleanup|discard|error|lmtp|local|n?o?qmgr|pickup|pipe|smtpd?|virtual)))"
    r":(?:[ \t]|$)"
)
"""A daemon's name: with a process, any; without one, only mail's own: prose looks like that."""
_LEVELS: Final = (
    "emerg(?:ency)?|alert|crit(?:ical)?|err(?:or)?|warn(?:ing)?|notice|info(?:rmation(?:al)?)?|debug|trace|fatal"
    "|panic"
)
_FACILITIES: Final = (
    "kern|user|mail|daemon|auth|authpriv|security|syslog|lpr|news|uucp|cron|ftp|ntp|console|local[0-7]"
)
_QUALIFIER: Final = re.compile(
    rf"[\[<(\"']?(?:(?:level|severity|priority|prio)[=:])?(?:(?:{_FACILITIES})[./:|])?"
    rf"(?:{_LEVELS}|[0-9]{{1,3}})[\]>)\"']?[:|,]?",
    re.IGNORECASE,
)
"""How urgent a line is, with the facility where it is told. One alone is a host's name."""
_SOLARIS_ID: Final = re.compile(r"\[ID [0-9]{1,10} [a-z0-9.]++\] ")
"""What syslogd(8) of Solaris puts before the text (msgid(1M))."""
_HOST: Final = re.compile(r"[^\s()\[\]<>|\"'`{}]{1,255}")
_DECORATION: Final = "[]()<>\"'`|,;"

_BARE: Final = (
    (re.compile(rf"{QUEUE_ID_PATTERN}: client="), "smtpd"),
    (re.compile(rf"{QUEUE_ID_PATTERN}: (?:resent-)?message-id="), "cleanup"),
    (re.compile(rf"{QUEUE_ID_PATTERN}: (?:from=<[^>]*+>, (?:size|status)=|removed$|skipped, )"), "qmgr"),
    (re.compile(rf"{QUEUE_ID_PATTERN}: uid=[0-9]{{1,10}} from="), "pickup"),
    (
        re.compile(rf"{QUEUE_ID_PATTERN}: (?:sender|postmaster) (?:non-delivery|delay|delivery status) "),
        "bounce",
    ),
    (
        re.compile(rf"{QUEUE_ID_PATTERN}: to=<[^>]*+>, (?:orig_to=<[^>]*+>, )?relay=[^,\[]*+\[private/"),
        "lmtp",
    ),
    (re.compile(rf"{QUEUE_ID_PATTERN}: to=<[^>]*+>, (?:orig_to=<[^>]*+>, )?relay=(local|virtual)[,\[]"), ""),
    (re.compile(rf"{QUEUE_ID_PATTERN}: to=<[^>]*+>, (?:orig_to=<[^>]*+>, )?relay="), "smtp"),
    (
        re.compile(rf"{QUEUE_ID_PATTERN}: (?:reject|hold|discard|filter|redirect|warning|milter-[a-z]++): "),
        "cleanup",
    ),
    (re.compile(r"(?:NOQUEUE: |(?:dis)?connect from |(?:lost connection|timeout) after [A-Z-]++ )"), "smtpd"),
    (re.compile(r"connect to [^ ]++\[[^\]]*+\]:[0-9]++: "), "smtp"),
    (re.compile(r"Anonymous TLS connection established from "), "smtpd"),
)
"""What daemons of Postfix say, where the log leaves out who says it."""
_BARE_DOVECOT: Final = re.compile(
    r"(?:lmtp|lda|deliver|imap|pop3|managesieve|submission)\([^()]{1,200}\)(?:<[^<>]*+>){0,3}: "
    r"|(?:imap|pop3|submission|managesieve)-login: "
)


class Said(NamedTuple):
    """What a daemon says in a line, and who it is."""

    before: str
    """What stands before the daemon's name."""
    name: str
    pid: int
    text: str


def anchored(line: str) -> Said | None:
    """Find who says a line, whatever stands before the name; None where no daemon is named."""
    match = _ANCHOR.search(line[:_NEAR])
    if match is None:
        return None
    name, pid, text = match[1] or match[3], int(match[2] or 0), line[match.end() :]
    return Said(line[: match.start()], speaker(name, text), pid, said(text))


def bare(line: str) -> Said | None:
    """Tell who says a line that is no more than a daemon's words; None where they are none that are known."""
    if _BARE_DOVECOT.match(line) is not None:
        return Said("", "dovecot", 0, line)
    for pattern, program in _BARE:
        if (match := pattern.match(line)) is not None:
            return Said("", f"postfix/{program or match[1]}", 0, line)
    return None


def spoken(line: str) -> Said | None:
    """Tell who says a line, and what, wherever in it that stands; None where no daemon is named."""
    match = CLASSIC_LINE.match(line) or ISO_LINE.match(line)
    if match is None:
        return anchored(line) or bare(line)
    *_, name, pid, text = match.groups()
    return Said("", speaker(name, text), int(pid or 0), said(text))


def said(text: str) -> str:
    """Return what a daemon says without what a syslogd put before it."""
    if text.startswith("[ID ") and (match := _SOLARIS_ID.match(text)) is not None:
        return text[match.end() :]
    return text


@lru_cache(maxsize=1024)
def host_of(word: str | None) -> str:
    """Return a host's name; empty where a word is none: a level, a facility, or the sign for nothing."""
    return "" if word is None or word == "-" or _QUALIFIER.fullmatch(word) is not None else word


def host_in(before: str) -> str:
    """Return the host that the words before a daemon's name tell: the last; empty where they tell none."""
    for word in reversed(before.split()):
        if word[-1] in ":=" or _QUALIFIER.fullmatch(word) is not None:
            continue
        name = word.strip(_DECORATION).rpartition("=")[2]
        if name:
            return host_of(name) if _HOST.fullmatch(name) is not None else ""
    return ""


def speaker(name: str, text: str) -> str:
    """Return a daemon's name; where a line names only a service (``postfix@-.service``), by what it says."""
    if "/" in name or not name.startswith(("postfix", "dovecot")) or name == "dovecot":
        return name
    service = name.removesuffix(".service")
    if service.startswith("dovecot"):
        return "dovecot" if service != name else name
    instance = service.partition("@")[2].strip("-") or service.partition("@")[0]
    told = bare(said(text))
    if told is None or told.name == "dovecot":
        return name if told is None else told.name
    return f"{instance}/{told.name.rpartition('/')[2]}"
