"""What a running lab has to tell: its daemons' logs, and what is known beside them."""

from __future__ import annotations

import itertools
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, Final, TypeAlias, TypeVar

from labctl.errors import (
    EngineError,
    EngineUnavailable,
    InvalidLabFile,
    LabNotUp,
    NoSuchAccount,
    NoSuchLab,
    NoSuchObject,
)
from labctl.lab.blueprint.clock import Clock
from labctl.lab.catalogue import definition_of
from labctl.lab.inside.mailboxes import find_messages
from labctl.lab.inside.mailhosts import mda_of
from labctl.lab.inside.queues import read_queue
from labctl.lab.parallel import in_parallel
from labctl.lab.role import Role
from labctl.lab.running import instance as instances
from labctl.lab.running.instance import HostState
from labctl.mail.content.message import normal_message_id
from labctl.mail.log.mailboxevent import Saved
from labctl.trace.journey.gap import log_cut
from labctl.trace.journey.hop import Note, NoteKind
from labctl.trace.journey.world import World
from labctl.trace.logs.log import Log

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from labctl.engine.protocol import Engine
    from labctl.lab.running.instance import Host, Instance
    from labctl.mail.client.mailbox import MailboxMessage
    from labctl.mail.queue import QueuedMessage

Found: TypeAlias = "dict[str, tuple[tuple[str, MailboxMessage], ...]]"
T = TypeVar("T")

_MARK: Final = b"labctl: reset"
_MARKED: Final = re.compile(
    rb'(?:\{"log":"|[0-9T:.-]+Z )'  # the engine's own file has JSON, its API a stamp
    rb"(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8} \S+ postfix/labctl\[\d+\]: )?"
    rb'labctl: reset(?:\\n",".*)?'
)
"""What a reset leaves in a log, as a whole line: what others write may hold its words too."""

_STARTED: Final = re.compile(rb"daemon started -- version | starting up for |CoreDNS-[0-9]")
"""What Postfix, Dovecot and CoreDNS say when they start."""
_SAVED: Final = b": saved mail to "
_HEAD: Final = 1 << 14
"""Bytes at a log's beginning in which that is said."""

_TRIES: Final = 3


@contextmanager
def logs_of(engine: Engine, hosts: Sequence[Host]) -> Iterator[tuple[Log, ...]]:
    """Open the logs of a lab's hosts, each from its last reset on.

    They are read where the engine keeps them, if this process may; else the engine is asked for all of each,
    which takes it a second for 200,000 lines.

    Raises:
        EngineError: A log can't be read.
    """
    with ExitStack() as stack:

        def opened(host: Host) -> Log | None:
            if host.container is None:
                return None
            with suppress(NoSuchObject):  # removed meanwhile: it says nothing any more
                return _since_reset(_log(engine, host.hostname, host.container.id, stack))
            return None

        found = in_parallel(opened, hosts)
        yield tuple(each for each in found if each is not None)


def world_of(
    engine: Engine,
    there: Instance,
    *,
    accounts: Sequence[str] = (),
    message_ids: Collection[str] = (),
    environ: Mapping[str, str],
) -> World:
    """Look at what is known beside the logs. What can't be read just now is left out.

    Args:
        engine: The engine.
        there: The lab.
        accounts: Whose mailboxes to look into; those that the lab does not have are left out.
        message_ids: What to look for there.
        environ: The environment, for where definitions of labs are.

    Raises:
        EngineUnavailable: The engine does not answer any more.
    """
    wanted = _by_mda(engine, there, accounts) if accounts and message_ids else []
    mtas = [each for each in there.of_role(Role.MTA) if each.running]

    def queue_of(mta: Host) -> tuple[QueuedMessage, ...] | None:
        return _answer(lambda: read_queue(engine, mta))

    def mail_of(asked: tuple[Host, list[str]]) -> Found:
        return _answer(lambda: find_messages(engine, *asked, message_ids)) or {}

    with ThreadPoolExecutor(max_workers=2) as pool:
        looking = pool.submit(in_parallel, mail_of, wanted)
        queues = in_parallel(queue_of, mtas)
        mailboxes = looking.result()
    return World(
        clock=_clock(there, environ),
        queues={mta.hostname: queue for mta, queue in zip(mtas, queues, strict=True) if queue is not None},
        mailboxes={address: found for each in mailboxes for address, found in each.items()},
        hosts=there.names_by_address,
        states={each.hostname: HostState.READY if each.running else each.state for each in there.hosts},
    )


def _by_mda(engine: Engine, there: Instance, accounts: Sequence[str]) -> list[tuple[Host, list[str]]]:
    """Return the MDAs that run, each with those of the accounts whose mailboxes it has."""
    known = {each.address.casefold(): each.address for each in instances.accounts(engine, there)}
    found: dict[str, list[str]] = {}
    for each in dict.fromkeys(each.casefold() for each in accounts):
        with suppress(NoSuchAccount):
            if each in known and (mda := mda_of(there, each)).running:
                found.setdefault(mda.service, []).append(known[each])
    return [(there.host(service), addresses) for service, addresses in found.items()]


def _answer(question: Callable[[], T]) -> T | None:
    try:
        return question()
    except EngineUnavailable:
        raise
    except (EngineError, LabNotUp):  # stopped meanwhile, or changed by a fault
        return None


def _clock(there: Instance, environ: Mapping[str, str]) -> Clock | None:
    try:
        return Clock.of(definition_of(there, environ))
    except (NoSuchLab, InvalidLabFile):
        return None


def _log(engine: Engine, hostname: str, container: str, stack: ExitStack) -> Log:
    """Return a container's log, from the engine's files or from the engine."""
    now = datetime.now(UTC)
    for _ in range(_TRIES):
        paths = engine.log_files(container)
        if not paths:
            break
        files = _opened(paths, stack)
        if files is not None:
            parts = _Parts(files)
            return Log(hostname, parts.size, parts.read, newest=now, zone=UTC, host=hostname)
    return Log.of_bytes(hostname, engine.read_log(container), newest=now, zone=UTC, host=hostname)


def _opened(paths: Sequence[Path], stack: ExitStack) -> list[BinaryIO] | None:
    """Open files; None where the engine has put others in their places meanwhile."""
    try:
        files: list[BinaryIO] = [stack.enter_context(each.open("rb", buffering=0)) for each in paths]
        same = all(
            os.path.samestat(os.fstat(file.fileno()), path.stat())
            for file, path in zip(files, paths, strict=True)
        )
    except OSError:
        return None
    return files if same else None


class _Parts:
    """Files that are one log together, as long as they are when they are opened."""

    def __init__(self, files: Sequence[BinaryIO]) -> None:
        sizes = [os.fstat(each.fileno()).st_size for each in files]
        starts = itertools.accumulate(sizes, initial=0)
        self._parts = [
            (file.fileno(), start, start + size)
            for file, start, size in zip(files, starts, sizes, strict=False)
        ]
        self.size = sum(sizes)

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from one place up to another."""
        return b"".join(
            os.pread(number, min(stop, end) - max(start, begin), max(start, begin) - begin)
            for number, begin, end in self._parts
            if begin < stop and start < end
        )


def world_in(logs: Sequence[Log], there: Instance) -> World:
    """Return what tells of messages where logs are cut off: when each begins, and what came to mailboxes."""
    return World(
        hosts=there.names_by_address,
        begins={log.host: log.begins for log in logs if log.begins is not None},
        saved=frozenset(_saved(logs)) if cut_off(logs) else (),
    )


def _saved(logs: Sequence[Log]) -> Iterator[tuple[str, str]]:
    for log in logs:
        reader = log.reader()
        for offset, line, _ in log.matching(_SAVED):
            entry = reader.entry(line, offset)
            if entry is not None and isinstance(entry.event, Saved):
                yield normal_message_id(entry.event.message_id), entry.event.user.casefold()


def cut_off(logs: Sequence[Log]) -> tuple[Note, ...]:
    """Tell which logs have lost their beginning, which the engine rotates away; those of a reset have not."""
    return tuple(
        Note(NoteKind.LOG_CUT, log_cut(log.host, log.begins))
        for log in logs
        if log.begins is not None and not _STARTED.search(log.read(0, _HEAD))
    )


def _since_reset(log: Log) -> Log:
    """Return the part of a log that was written after the last reset."""
    stop = log.size
    while (found := log.rfind(_MARK, stop)) >= 0:
        stop, line = log.line_at(found)
        if _MARKED.fullmatch(line):
            return _from(log, stop + len(line) + 1)
    first = next(log.entries(), None)
    return _from(log, 0, begins=first.at if first is not None else None)


def _from(log: Log, begin: int, *, begins: datetime | None = None) -> Log:
    return Log(
        log.name,
        max(log.size - begin, 0),
        lambda start, stop: log.read(begin + start, begin + stop),
        newest=datetime.now(UTC),
        zone=UTC,
        host=log.host,
        begins=begins,
    )
