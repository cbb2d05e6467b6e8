"""Whether a log can be read at all, and what one that can't seems to be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from labctl.errors import UsageError
from labctl.mail.log.maillog import split_name
from labctl.trace.logs.unread import is_between, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.trace.logs.log import Log

_SAMPLES: Final = 8
_SAMPLE: Final = 60
"""In how many places a log is looked at, and how many lines are read there."""
_HEAD: Final = 100
_LINE: Final = 2000
"""How much of a line tells whose it is."""
_GUESSES: Final = (
    (re.compile(rb"\S{6}-\S{6,11}-\S{2,4} (?:<=|=>|->|>>|\*\*|==|Completed|Message) ?"), "Exim's"),
    (re.compile(rb" exim4?(?:\[[0-9]+\])?: |no (?:immediate )?queue runner|daemon_smtp_port"), "Exim's"),
    (re.compile(rb" (?:sendmail|sm-mta|sm-msp-queue|sm-acceptingconnections)\[[0-9]+\]: "), "sendmail's"),
    (re.compile(rb"\[[0-9]+\]: [0-9a-f]{16} (?:smtp|mta|mda) |smtpd: [0-9a-f]{8}"), "OpenSMTPD's"),
    (re.compile(rb"(?:starting|end) (?:delivery|msg) [0-9]+|info msg [0-9]+: bytes "), "qmail's"),
    (re.compile(rb" courier(?:d|esmtpd?|local)?(?:\[[0-9]+\])?: "), "Courier's"),
    (re.compile(rb"#Software: Microsoft|,SMTP(?:RECEIVE|SEND|DELIVER),|\\Default Frontend "), "Exchange's"),
    (re.compile(rb'"(?:SMTPD|SMTPC|IMAPD|POP3D|DELIVERER)"\t'), "hMailServer's"),
    (re.compile(rb'"(?:GET|POST|HEAD|PUT|OPTIONS) [^"]{0,500} HTTP/[0-9.]+" '), "a web server's"),
)
"""By what lines of other programs are known, and whose they are."""
_MESSAGE: Final = re.compile(rb"(?:From |Received: |Return-Path: |Delivered-To: )", re.IGNORECASE)
_OURS: Final = frozenset({"anvil", "auth", "imap", "imap-login", "lmtp", "master", "pop3", "pop3-login"})


def check(log: Log) -> str:
    """See that a log can be read.

    Returns:
        What to warn of: that no line is one of mail; empty where all is well.

    Raises:
        UsageError: Most of its lines can't be read.
    """
    lines = list(_sample(log))
    if not lines:
        return ""
    reader = log.reader()
    ours = 0
    others: list[bytes] = []
    guesses: dict[str, int] = {}
    for offset, line in lines:
        if (whose := _guess(line)) is not None:
            guesses[whose] = guesses.get(whose, 0) + 1
            others.append(line)
            continue
        text = line.decode("utf-8", "surrogateescape")
        read = reader.lines.read(text)
        entry = reader.entry(line, offset)
        if entry is not None and (
            entry.event is not None or _is_ours(read.name if read else "", entry.program)
        ):
            ours += 1
        elif read is None or (not read.name and read.body == text.strip("\0\ufeff\r\n")):
            others.append(line)
    if len(others) * 2 > len(lines):
        raise UsageError(
            f"{log.name} is no log of Postfix or Dovecot that labctl reads: {_whose(others, guesses)}. The "
            f"first line that can't be read is {shown(others[0])}.",
            hint="labctl trace --logs /var/log/mail.log",
        )
    return "" if ours else f"{log.name}: no line is one of Postfix, Dovecot or CoreDNS"


def _is_ours(name: str, program: str) -> bool:
    return bool(split_name(name)[0]) or name == "dovecot" or program in _OURS


def _guess(line: bytes) -> str | None:
    if b" postfix" in line[:_HEAD]:
        return None
    return next((whose for pattern, whose in _GUESSES if pattern.search(line[:_LINE]) is not None), None)


def _whose(lines: list[bytes], guesses: dict[str, int]) -> str:
    """Guess what a log is that can't be read."""
    if guesses:
        return f"it looks like {max(guesses, key=lambda whose: guesses[whose])}"
    if _MESSAGE.match(lines[0]) is not None:
        return "it looks like a message"
    if any(b"\0" in line for line in lines[:3]):
        return "it looks like no text at all"
    return "it does not look like a mail log"


def _sample(log: Log) -> Iterator[tuple[int, bytes]]:
    """Yield lines from several places of a log."""
    past = -1
    for step in range(_SAMPLES):
        count = 0
        for offset, line in log.lines(log.size * step // _SAMPLES):
            if count >= _SAMPLE or offset > log.size:
                break
            if offset > past and not is_between(line):
                past, count = offset, count + 1
                yield offset, line
