"""``labctl explain``: a reply, a status code or a bounce in plain words."""

from __future__ import annotations

import errno
import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Final, Literal

from labctl import byteordermark, plainfile
from labctl.contract.value import Count, MessageId, Word, values
from labctl.errors import UsageError, quoted
from labctl.mail import bounce
from labctl.mail.bounce import ReportKind
from labctl.mail.content.dsn import DsnAction, DsnRecipient
from labctl.mail.content.mailheader import parse_header
from labctl.mail.log.logevent import Delivery, Rejected
from labctl.mail.log.logline import LineReader
from labctl.mail.meaning.explanation import (
    explain_action,
    explain_reply,
    explain_state,
    is_known,
    known_codes,
)
from labctl.mail.meaning.meaning import Meaning
from labctl.mail.meaning.notification import explain_recipient
from labctl.mail.state import MessageState
from labctl.suggestion import near, question
from labctl.trace.listing.reasons import reasons_of
from labctl.trace.logs.log import Log, open_logs
from labctl.trace.logs.reading import Reader
from labctl.trace.logs.spool import is_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.mail.bounce import BounceReport
    from labctl.trace.listing.reasons import Reason, Reasons
    from labctl.trace.logs.entry import Entry

Kind = Literal["code", "reply", "dsn", "log"]

LARGEST_FILE: Final = 64 << 20
_LONGEST_REPLY: Final = 4000
_DEEPEST: Final = 3
_STDIN: Final = "standard input"
_HINT: Final = "labctl explain 4.4.1"
_CODE: Final = re.compile(r"[2-5][0-9]{2}|[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_SEPARATOR: Final = re.compile(rb"^From \S{1,320} .{0,80}[0-9]{4}\r?\n", re.MULTILINE)  # mbox(5)
_HEADER: Final = 1 << 16
_FIRST_LINES: Final = 20
_NAMELESS: Final = (
    ("postfix/smtp[1]: ", Delivery),
    ("postfix/smtp[1]: 000000: ", Delivery),
    ("postfix/smtpd[1]: ", Rejected),
)
"""What is missing before a line of which only the last part was copied, and what it tells then."""
# The worst first: of a report about several recipients, this is what is explained at the top.
_WORST: Final = (DsnAction.FAILED, DsnAction.UNDELIVERABLE, DsnAction.DELAYED, "")

_OTHERS: Final = {
    ReportKind.DISPOSITION: "tells what a reader, or a rule of theirs, did with a message (an MDN, RFC 8098)",
    ReportKind.FEEDBACK: "is a complaint about spam (a feedback report, RFC 5965)",
    ReportKind.AUTOMATIC_REPLY: "is an automatic reply, such as a vacation notice (RFC 3834)",
    ReportKind.CHALLENGE: "demands a proof that its sender is a person",
}


@dataclass(frozen=True, slots=True)
class Reported(DsnRecipient):
    """What a report says of one recipient, and what that means."""

    meaning: Meaning


@dataclass(frozen=True, slots=True)
class Explanation(Meaning):
    """What a code, a reply or a report means; of a report, its worst news."""

    SCHEMA: ClassVar = "labctl/explain/v1"

    kind: Kind
    reporting_mta: str | None = None
    original_message_id: MessageId | None = None
    recipients: tuple[Reported, ...] = ()
    """Of a report alone."""
    written_by: Word | None = None
    """The software whose habit the report's form is."""
    further: Count = 0
    """How many more reports the file holds; of a log, how many more lines tell of other reasons."""
    reasons: tuple[Reason, ...] = ()
    """Of a log: why mail did not get where it should, the most frequent first."""
    delivered: Count = 0
    """Of a log: how many deliveries succeeded."""


def explain(argument: str, stdin: BinaryIO) -> Explanation:
    """Explain a code, a state, what a server said, a bounce, or lines of a mail log.

    Args:
        argument: A file with a message, a mailbox (mbox) or a log, ``-`` for standard input, or words.
        stdin: Standard input.

    Raises:
        UsageError: It is none of these, or can't be read.
    """
    if argument != "-" and not plainfile.is_there(argument):
        return _of_words(argument)
    try:
        if argument == "-":
            return _of_content(_STDIN, plainfile.read(stdin, LARGEST_FILE))
        with plainfile.opened(argument) as file:
            is_log = file.seekable() and _is_log(argument, file.read(_HEADER))
            if file.seekable():
                file.seek(0)
            content = b"" if is_log else plainfile.read(file, LARGEST_FILE)
    except OSError as exc:
        large = exc.errno == errno.EFBIG
        hint = "split the mailbox, and explain one message" if large else f"ls -l {argument}"
        raise UsageError(f"{argument}: {exc.strerror}", hint=hint) from exc
    if not is_log:
        return _of_content(argument, content)
    with open_logs([argument], zone=UTC) as logs:
        return _of_log(argument, reasons_of(entry for log in logs for entry in log.entries()))


def _of_words(words: str) -> Explanation:
    name = words.strip().casefold()
    if name in set(MessageState):
        return _explanation("code", explain_state(MessageState(name)))
    if (action := explain_action(name)) is not None:
        return _explanation("code", action)
    if (told := reasons_of(_entries(words), also_sent=True)).reasons:
        return _of_log("the line", told)
    if not is_known(words):
        meant = near(words, known_codes())
        raise UsageError(
            f"{quoted(words, 200)} is no file, no code such as 550 or 5.1.1, and nothing that servers say"
            f"{question(meant)}",
            hint=_HINT,
        )
    return _explanation("code" if _CODE.fullmatch(words.strip()) else "reply", explain_reply(words))


def _entries(words: str) -> Iterator[Entry]:
    """Yield what lines of a log say, whole or without what stands before a daemon's own words."""
    now = datetime.now(UTC)
    reader = Reader("", newest=now, since=now)
    for line in words[:_LONGEST_REPLY].splitlines():
        for before, kind in (("", object), *_NAMELESS):
            entry = reader.entry(before + line.strip(), 0)
            if entry is not None and entry.event is not None and isinstance(entry.event, kind):
                yield entry
                break


def _is_log(name: str, head: bytes) -> bool:
    """Say whether what begins so is a log: its lines have times and the names of daemons."""
    head = byteordermark.without(head)
    if _SEPARATOR.match(head) is not None or _is_message(head):
        return False
    if not is_plain(head, name):
        return True
    reader = LineReader(newest=datetime.now(UTC), zone=UTC)
    lines = (line.decode("utf-8", "surrogateescape") for line in head.splitlines()[:_FIRST_LINES])
    read = [found for line in lines if (found := reader.read(line)) is not None]
    return any(each.at is not None and each.name for each in read)


def _of_log(name: str, told: Reasons) -> Explanation:
    if not told.reasons:
        raise UsageError(
            f"{name} tells of {told.delivered} deliveries, and of none that failed",
            hint=f"labctl trace --logs {'-' if name == _STDIN else shlex.quote(name)}",
        )
    return _explanation(
        "log",
        told.reasons[0].meaning,
        reasons=told.reasons,
        delivered=told.delivered,
        further=told.further,
    )


def _of_content(name: str, content: bytes) -> Explanation:
    content = byteordermark.without(content)
    if _is_log(name, content[:_HEADER]):
        log = Log.of_bytes(name, content, newest=datetime.now(UTC), zone=UTC)
        return _of_log(name, reasons_of(log.entries()))
    found = [report for message in _messages(content) for report in _reports(message, 0)]
    deliveries = [report for report in found if report.kind is ReportKind.DELIVERY]
    if deliveries:
        return _of_report(deliveries[0], further=len(deliveries) - 1)
    if not found and len(content) <= _LONGEST_REPLY and not _is_message(content):
        words = content.decode("utf-8", "replace").strip()
        if is_known(words):
            return _of_words(words)
    if found:
        what = _OTHERS[found[0].kind]
    elif not content.strip():
        what = "is empty"
    else:
        what = "is an ordinary message" if _is_message(content) else "is no message at all"
    raise UsageError(f"{name} is no bounce: it {what}", hint=_HINT)


def _of_report(report: BounceReport, *, further: int) -> Explanation:
    recipients = tuple(
        Reported(**values(DsnRecipient, each), meaning=explain_recipient(each)) for each in report.recipients
    )
    if not recipients:
        meaning = Meaning(
            subject="",
            title="a report that names no recipient",
            text="A mail system reports about a message, and does not say by its fields or in a known form "
            "about whom.",
            cause="A report that was damaged on its way, or one in a form that is not known here.",
            next=("read the report's own words", "search the Message-ID in the log of the host that sent it"),
            sources=("RFC 3464, section 2",),
        )
    else:
        ranks = {action: rank for rank, action in enumerate(_WORST)}
        meaning = min(recipients, key=lambda each: ranks.get(each.action, len(ranks))).meaning
    return _explanation(
        "dsn",
        meaning,
        reporting_mta=report.reporting_mta,
        original_message_id=report.original_message_id,
        recipients=recipients,
        written_by=report.written_by,
        further=further,
    )


def _explanation(kind: Kind, meaning: Meaning, **of_report: Any) -> Explanation:
    return Explanation(**values(Meaning, meaning), kind=kind, **of_report)


def _messages(content: bytes) -> Iterator[bytes]:
    """Yield the messages of a mailbox file; what is none is one message."""
    if _SEPARATOR.match(content) is None:
        yield content
    else:
        yield from (message for message in _SEPARATOR.split(content) if message.strip())


def _reports(message: bytes, depth: int) -> Iterator[BounceReport]:
    """Yield the report that a message is, or those that are attached to it."""
    report = bounce.read(message)
    if report is not None:
        yield report
    elif depth < _DEEPEST:
        for attached in bounce.attached(message):
            yield from _reports(attached, depth + 1)


def _is_message(content: bytes) -> bool:
    header = parse_header(content[:_HEADER])
    return bool(header.from_ or header.message_id or header.subject)
