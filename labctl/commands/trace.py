"""``labctl trace``: what became of a message, and why."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Final

from labctl.errors import NoSuchMessage
from labctl.lab.running import instance
from labctl.mail.content.message import normal_message_id
from labctl.mail.log.mailboxevent import Saved
from labctl.trace.finding.search import search
from labctl.trace.finding.wanted import WantedKind
from labctl.trace.following import followed
from labctl.trace.journey.hop import Note, NoteKind
from labctl.trace.journey.weaving import weave
from labctl.trace.journey.world import World
from labctl.trace.laboratory import cut_off, logs_of, world_in, world_of
from labctl.trace.listing.table import rows
from labctl.trace.live import Live, live_hops
from labctl.trace.logs.legibility import check
from labctl.trace.logs.log import open_logs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import tzinfo

    from labctl.engine.protocol import Engine
    from labctl.trace.finding.search import Found
    from labctl.trace.finding.wanted import Wanted
    from labctl.trace.journey.hop import TracedMessage
    from labctl.trace.listing.table import Filters, Row
    from labctl.trace.live import LiveHop
    from labctl.trace.logs.log import Log

_SHOWN: Final = 3
"""Files that an error names."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Messages' journeys."""

    SCHEMA: ClassVar = "labctl/trace/v1"

    messages: tuple[TracedMessage, ...]
    notes: tuple[Note, ...] = ()
    """What must be known of the logs."""


@dataclass(frozen=True, slots=True)
class Table:
    """All messages of some logs, one by one, and what must be known of the logs."""

    rows: Iterator[Row]
    notes: Iterable[Note] = ()
    """To be asked for after the rows: some of it is known only when all was read."""


def trace(engine: Engine, name: str | None, wanted: Wanted, *, environ: Mapping[str, str]) -> Trace:
    """Trace a message through a running lab.

    Args:
        engine: The engine.
        name: The lab's name, or None for the only one that runs.
        wanted: The message: its Message-ID, a queue id, or an address that it is from or to.
        environ: The environment, for where definitions of labs are.

    Raises:
        UsageError: There is no such lab, or no such message in it.
        EngineError: A log can't be read.
    """
    there = instance.select(engine, name)
    with logs_of(engine, there.hosts) as logs:
        found, told, cut = search(logs, wanted), world_in(logs, there), cut_off(logs)
    messages: tuple[TracedMessage, ...] = ()
    if found.entries:
        accounts, message_ids = _mailboxes(found)
        world = world_of(engine, there, accounts=accounts, message_ids=message_ids, environ=environ)
        messages = _woven(found, wanted, replace(world, begins=told.begins, saved=told.saved))
    if not messages:
        raise NoSuchMessage(
            "; ".join(
                (f"no log of lab {there.name!r} tells of {_named(wanted)}", *(each.text for each in cut))
            ),
            hint=f"labctl trace --name {there.name}",
            detail={"wanted": wanted.value},
        )
    return Trace(messages)


def trace_files(paths: Sequence[str], wanted: Wanted, *, zone: tzinfo, stdin: BinaryIO) -> Trace:
    """Trace a message through log files of anyone's Postfix and Dovecot.

    Args:
        paths: The files, as `open_logs` takes them; ``-`` is standard input.
        wanted: The message: its Message-ID, a queue id, or an address that it is from or to.
        zone: In which zone the times are that say none.
        stdin: Standard input.

    Raises:
        UsageError: A file or most of its lines can't be read, or none tells of such a message.
    """
    with open_logs(paths, zone=zone, stdin=stdin) as logs:
        notes = _checked(logs)
        found = search(logs, wanted)
    messages = _woven(found, wanted, World())
    if not messages:
        more = f" and {len(paths) - _SHOWN} more files" if len(paths) > _SHOWN else ""
        raise NoSuchMessage(
            f"no line of {', '.join(paths[:_SHOWN])}{more} tells of {_named(wanted)}",
            hint=f"labctl trace --logs {shlex.join(paths)}",
            detail={"wanted": wanted.value},
        )
    return Trace(messages, notes)


@contextmanager
def table(engine: Engine, name: str | None, filters: Filters) -> Iterator[Table]:
    """Give all messages of a running lab, one by one, since its last reset.

    Raises:
        UsageError: There is no such lab.
        EngineError: A log can't be read.
    """
    there = instance.select(engine, name)
    with logs_of(engine, there.hosts) as logs:
        yield Table(rows(logs, filters, world=world_in(logs, there)), cut_off(logs))


@contextmanager
def table_of_files(
    paths: Sequence[str], filters: Filters, *, zone: tzinfo, stdin: BinaryIO
) -> Iterator[Table]:
    """Give all messages that log files tell of, one by one.

    Raises:
        UsageError: A file can't be read, or most of its lines.
    """
    with open_logs(paths, zone=zone, stdin=stdin) as logs:
        notes = _checked(logs)
        yield Table(rows(logs, filters), _Known(notes, logs))


@contextmanager
def following(
    engine: Engine, name: str | None, wanted: Wanted | None, *, environ: Mapping[str, str]
) -> Iterator[Iterator[LiveHop]]:
    """Give what happens to one message, or to all, as it happens.

    Of a message that is named, what happened before is told first; of all, what happens from now on.

    Raises:
        UsageError: There is no such lab.
        EngineError: A log can't be read any more.
    """
    there = instance.select(engine, name)
    world = world_of(engine, there, environ=environ)
    since = None if wanted is None else datetime.min.replace(tzinfo=UTC)
    with followed(engine, there, since=since) as entries:
        yield live_hops(entries, Live(world, wanted))


def _checked(logs: Sequence[Log]) -> tuple[Note, ...]:
    """Tell what must be known of log files before they are read.

    Raises:
        UsageError: Most of a file's lines can't be read.
    """
    told = [text for log in logs for text in (log.damage and f"{log.name}: {log.damage}", check(log)) if text]
    return tuple(Note(NoteKind.UNREAD, text) for text in told)


@dataclass(frozen=True, slots=True)
class _Known:
    """What must be known of log files, those lines counted in that could not be read."""

    notes: tuple[Note, ...]
    logs: Sequence[Log]

    def __iter__(self) -> Iterator[Note]:
        yield from self.notes
        for log in self.logs:
            if text := log.unread.warning(log.name):
                yield Note(NoteKind.UNREAD, text)


def _woven(found: Found, wanted: Wanted, world: World) -> tuple[TracedMessage, ...]:
    last = wanted if wanted.value in found.message_ids else wanted.otherwise or wanted
    return weave(
        found.entries,
        world,
        message_ids=found.message_ids,
        queue_files=found.queue_files,
        address=last.value if last.kind is WantedKind.ADDRESS else None,
    )


def _named(wanted: Wanted) -> str:
    match wanted.kind:
        case WantedKind.QUEUE_ID:
            return f"a message that was queued as {wanted.value}"
        case WantedKind.ADDRESS:
            return f"a message from or to {wanted.value}"
        case WantedKind.MESSAGE_ID:
            alternative = f", or from or to {wanted.otherwise.value}" if wanted.otherwise else ""
            return f"a message with the Message-ID {wanted.value}{alternative}"


def _mailboxes(found: Found) -> tuple[list[str], set[str]]:
    """Return whose mailboxes hold a message or a notification about it, and what to look for there."""
    saved = [entry.event for entry in found.entries if isinstance(entry.event, Saved)]
    message_ids = {normal_message_id(each.message_id) for each in saved} - {""}
    return list(dict.fromkeys(each.user for each in saved)), message_ids
