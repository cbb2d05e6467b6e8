"""Messages while they are on their way: each hop is told once, as soon as a log tells it."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from labctl.mail.content.message import normal_message_id
from labctl.mail.log.journal import Journal
from labctl.mail.log.logevent import Delivery, Rejected
from labctl.mail.log.mailboxevent import LoggedOut, MailboxChanged, Saved, SaveFailed, SieveActed
from labctl.trace.finding.wanted import Wanted, WantedKind
from labctl.trace.journey.hop import QueueFileName
from labctl.trace.journey.weaving import Weaver, refusal
from labctl.trace.journey.world import address_in
from labctl.trace.logs.part import Part, taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from labctl.mail.log.queuefile import QueueFile
    from labctl.trace.journey.hop import Hop, TracedMessage
    from labctl.trace.journey.world import World
    from labctl.trace.logs.entry import Entry

_RESET: Final = re.compile(r"(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8} \S+ postfix/labctl\[\d+\]: )?labctl: reset")
"""The line that a reset leaves in each log."""
_AROUND: Final = timedelta(seconds=2)
"""How long before a message's first line what was said around it may stand."""
_REMEMBERED: Final = timedelta(minutes=2)
"""For how long a message that is gone, and what was said around others, is remembered."""
_MAX_AROUND: Final = 50_000
"""Lines that are remembered at most, of those that name no message."""
_PAUSE: Final = 0.1
"""Seconds without a line after which what was said is told: a message's lines come in one burst."""
_LONGEST: Final = 0.5
"""Seconds after which it is told though lines keep coming."""
_MANY: Final = 20
"""Messages in a mailbox from which on it is not told that a reader may have fetched them."""


@dataclass(frozen=True, slots=True)
class LiveHop:
    """One hop, and the message it happened to."""

    message: TracedMessage
    """As it is known now, with this hop alone."""
    hop: Hop

    @property
    def message_id(self) -> str:
        """The message's; empty where it has none, or where nobody knows it yet."""
        return self.message.message_id


def live_hops(entries: Iterable[Entry], live: Live) -> Iterator[LiveHop]:
    """Tell each hop that lines tell of, soon after they came.

    Args:
        entries: The lines, as they come; whoever gives them may block.
        live: Knows what was told before.
    """
    arriving: queue.SimpleQueue[Entry | Exception | None] = queue.SimpleQueue()

    def read() -> None:
        try:
            for entry in entries:
                arriving.put(entry)
            arriving.put(None)
        except Exception as exc:  # noqa: BLE001  # whoever waits is told
            arriving.put(exc)

    threading.Thread(target=read, daemon=True).start()
    ended = False
    while not ended:
        arrived = arriving.get()
        since = time.monotonic()
        while True:
            if isinstance(arrived, Exception):
                raise arrived
            if arrived is None:
                ended = True
                break
            live.feed(arrived)
            live.forget(arrived.at)
            try:
                arrived = arriving.get(timeout=_PAUSE)
            except queue.Empty:
                break
            if time.monotonic() - since > _LONGEST:
                yield from live.told()
                since = time.monotonic()
        yield from live.told()


class Live:
    """Takes in the lines of all hosts as they come, and tells each hop once.

    Args:
        world: What is known beside the logs.
        wanted: The only message to tell of, with the notifications about it; None for all.
    """

    def __init__(self, world: World, wanted: Wanted | None = None) -> None:
        self._world = world
        self._wanted = wanted
        self._begin()

    def _begin(self) -> None:
        """Forget all: a lab that was reset has no message of before."""
        self._journal = Journal(max_queue_ids=None, hosts=self._world.hosts)
        self._parts: dict[QueueFile, Part] = {}
        self._at_mailboxes: dict[str, list[Entry]] = {}
        """By Message-ID, what was said of it where it has no queue id any more."""
        self._at_readers: dict[str, dict[str, bool]] = {}
        """By user: what lies in the mailboxes, and whether it is deleted since the last session's end."""
        self._around: deque[Entry] = deque(maxlen=_MAX_AROUND)
        self._fresh: dict[QueueFile, datetime] = {}
        """What lines came of that are not told yet, with the time from when on they tell."""
        self._told: dict[QueueFile, set[tuple[object, ...]]] = {}
        self._about: set[str] = set()
        """Message-IDs and queue ids of the wanted message: notifications about them are wanted, too."""
        self._alone: list[LiveHop] = []
        self._forgotten_at = datetime.min.replace(tzinfo=UTC)

    def feed(self, entry: Entry) -> None:
        """Take in the next line; the lines of each host come in their order."""
        event = entry.event
        if event is None and _RESET.fullmatch(entry.text):
            self._begin()
            return
        if (file := taken(entry, self._journal, self._parts)) is not None:
            self._heard_of(file, entry)
        elif isinstance(event, Saved | SaveFailed | SieveActed | MailboxChanged):
            self._at_mailbox(entry, event)
        elif isinstance(event, LoggedOut):
            self._read(entry, event.user.casefold())
        elif event is not None:
            self._around.append(entry)
            if isinstance(event, Rejected) and self._wanted is None and not self._from_lab(event):
                refused = refusal(entry, event)
                self._alone.append(LiveHop(refused, refused.hops[0]))

    def told(self) -> list[LiveHop]:
        """Return what has become known since this was last asked for, in the order of time."""
        found, self._alone = self._alone, []
        while self._fresh:
            found.extend(self._new_in(next(iter(self._fresh))))
        return sorted(found, key=lambda each: each.hop.at)

    def forget(self, now: datetime) -> None:
        """Forget the messages that are gone for a while; what waits in a queue is kept."""
        if now < self._forgotten_at + _REMEMBERED / 4:
            return
        self._forgotten_at = now
        while self._around and now - self._around[0].at > _REMEMBERED:
            self._around.popleft()

        def is_gone(file: QueueFile) -> bool:
            silent = now - self._parts[file].last_at > _REMEMBERED
            return file.over and silent and file not in self._fresh

        for part in list(self._parts.values()):
            if (
                part.file in self._parts
                and (gone := self._journal.message_of(part.file, is_gone)) is not None
            ):
                self._journal.forget(gone.files)
                for file in gone.files:
                    self._forget(file)

    def _forget(self, file: QueueFile) -> None:
        del self._parts[file]
        self._told.pop(file, None)
        self._at_mailboxes.pop(file.message_id or "", None)
        for lying in self._at_readers.values():
            lying.pop(file.message_id or "", None)

    def _heard_of(self, file: QueueFile, entry: Entry) -> None:
        began = entry.at
        if isinstance(entry.event, Delivery):
            began -= timedelta(seconds=min(sum(entry.event.delays[2:]), 3600))
        self._fresh[file] = min(self._fresh.get(file, began), began)

    def _at_mailbox(self, entry: Entry, event: Saved | SaveFailed | SieveActed | MailboxChanged) -> None:
        message_id = normal_message_id(event.message_id)
        if not self._heard_at_mailbox(message_id, entry):
            return
        lying = self._at_readers.setdefault(event.user.casefold(), {})
        if isinstance(event, Saved):
            lying[message_id] = False
        elif isinstance(event, MailboxChanged) and event.action == "expunge":
            lying[message_id] = True

    def _read(self, entry: Entry, user: str) -> None:
        """Take in the end of a reader's session."""
        lying = self._at_readers.get(user, {})
        for message_id in lying if len(lying) <= _MANY else ():
            self._heard_at_mailbox(message_id, entry)
        self._at_readers[user] = {each: False for each, deleted in lying.items() if not deleted}

    def _heard_at_mailbox(self, message_id: str, entry: Entry) -> bool:
        """Take in what is said of a message by its Message-ID; return whether it is known."""
        alike = self._journal.alike(message_id)
        if alike:
            self._at_mailboxes.setdefault(message_id, []).append(entry)
            self._heard_of(alike[0], entry)
        return bool(alike)

    def _new_in(self, fresh: QueueFile) -> Iterator[LiveHop]:
        """Tell what is new of the message that was in a queue file, and of others with its Message-ID."""
        alike = dict.fromkeys(self._files_of(fresh))
        ids = {file.message_id for file in alike if file.message_id}
        for message_id in ids:
            for file in self._journal.alike(message_id):
                alike |= dict.fromkeys(self._files_of(file))
        since = min(self._fresh.pop(file) for file in alike if file in self._fresh)
        parts = {file: self._parts[file] for file in alike}
        entries = [entry for part in parts.values() for entry in part.entries]
        entries += [entry for message_id in ids for entry in self._at_mailboxes.get(message_id, ())]
        entries += self._since(since - _AROUND)
        weaver = Weaver(sorted(entries, key=lambda each: each.at), self._world, self._journal, parts)
        for message in weaver.messages(ids, [part.name for part in parts.values()]):
            yield from self._new_of(message, [file for file in alike if self._is_of(file, message)])

    def _files_of(self, file: QueueFile) -> Sequence[QueueFile]:
        message = self._journal.message_of(file)
        return message.files if message is not None else ()

    @staticmethod
    def _is_of(file: QueueFile, message: TracedMessage) -> bool:
        return QueueFileName(file.host, file.queue_id) in message.queue_ids

    def _new_of(self, message: TracedMessage, files: list[QueueFile]) -> Iterator[LiveHop]:
        if not self._is_wanted(files, message):
            return
        for file in files if self._wanted is not None else ():
            self._about.add(file.message_id or file.queue_id)
            for at, event in file.notices:
                written = self._journal.written(file, at, event)
                if written is not None and written not in self._told:
                    self._fresh.setdefault(written, at)
        told = {key for file in files for key in self._told.get(file, ())}
        for hop in message.hops:
            key = (hop.at, hop.host, hop.event.value, hop.text)
            if key not in told:
                self._told.setdefault(files[0], set()).add(key)
                yield LiveHop(replace(message, hops=(hop,), notices=(), bounce=None), hop)

    def _since(self, moment: datetime) -> Iterator[Entry]:
        for entry in reversed(self._around):
            if entry.at < moment - _AROUND:
                return
            if entry.at >= moment:
                yield entry

    def _is_wanted(self, files: list[QueueFile], message: TracedMessage) -> bool:
        wanted = self._wanted
        if wanted is None or any(file.about in self._about for file in files):
            return True
        if wanted.kind is WantedKind.QUEUE_ID:
            return any(file.queue_id == wanted.value for file in files)
        if wanted.kind is WantedKind.MESSAGE_ID and wanted.value == message.message_id:
            return True
        address = wanted.otherwise or wanted
        if address.kind is not WantedKind.ADDRESS:
            return False
        known = {message.mail_from, *(each.address for each in message.recipients)}
        known |= {each.original for each in message.recipients}
        return address.value.casefold() in {each.casefold() for each in known if each}

    def _from_lab(self, event: Rejected) -> bool:
        """Whether a host of the lab was refused: that is told as part of the message's own journey."""
        return address_in(event.client) in self._world.hosts
