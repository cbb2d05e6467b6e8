"""Messages while they are on their way: each hop is told once, as soon as a log tells it."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from labctl.mail.content.message import normal_message_id
from labctl.mail.log.logevent import (
    Delivery,
    NonDelivery,
    Queued,
    Received,
    Rejected,
    Removed,
)
from labctl.mail.log.mailboxevent import LoggedOut, MailboxChanged, Saved, SaveFailed, SieveActed
from labctl.trace.finding.wanted import Wanted, WantedKind
from labctl.trace.journey.weaving import Weaver, refusal
from labctl.trace.journey.world import address_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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


@dataclass(eq=False, slots=True)
class _Group:
    """All lines of one message; of several where they have one Message-ID."""

    names: set[tuple[str, str]] = field(default_factory=set)
    message_id: str = ""
    entries: list[Entry] = field(default_factory=list)
    fresh_since: datetime | None = None
    """From when on lines came that are not told yet; None where all are."""
    told: set[tuple[datetime, str, str, str]] = field(default_factory=set)
    open: set[tuple[str, str]] = field(default_factory=set)
    wanted: bool = False

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        began = entry.at
        if isinstance(entry.event, Delivery):
            began -= timedelta(seconds=min(sum(entry.event.delays[2:]), 3600))
        self.fresh_since = min(self.fresh_since or began, began)


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
        self._by_name: dict[tuple[str, str], _Group] = {}
        self._by_id: dict[str, _Group] = {}
        self._at_readers: dict[str, dict[_Group, bool]] = {}
        """By user: what lies in the mailboxes, and whether it is deleted since the last session's end."""
        self._around: deque[Entry] = deque(maxlen=_MAX_AROUND)
        self._fresh: dict[_Group, None] = {}
        self._alone: list[LiveHop] = []
        self._forgotten_at = datetime.min.replace(tzinfo=UTC)

    def feed(self, entry: Entry) -> None:
        """Take in the next line; the lines of each host come in their order."""
        event = entry.event
        if event is None and _RESET.fullmatch(entry.text):
            self._begin()
            return
        queue_id = getattr(event, "queue_id", None) or entry.queue_id
        if queue_id is not None:
            self._of_queue_file((entry.host, queue_id), entry)
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
        for group in self._fresh:
            found.extend(self._new_in(group))
        self._fresh.clear()
        return sorted(found, key=lambda each: each.hop.at)

    def forget(self, now: datetime) -> None:
        """Forget the messages that are gone for a while; what waits in a queue is kept."""
        if now < self._forgotten_at + _REMEMBERED / 4:
            return
        self._forgotten_at = now
        while self._around and now - self._around[0].at > _REMEMBERED:
            self._around.popleft()
        gone = {
            group: None
            for group in self._by_name.values()
            if not group.open and group.entries and now - group.entries[-1].at > _REMEMBERED
        }
        for group in gone:
            for name in group.names:
                self._by_name.pop(name, None)
            self._by_id.pop(group.message_id, None)
            for groups in self._at_readers.values():
                groups.pop(group, None)

    def _of_queue_file(self, name: tuple[str, str], entry: Entry) -> None:
        group = self._by_name.get(name)
        if group is None or (isinstance(entry.event, Received) and name not in group.open):
            group = self._by_name[name] = _Group({name}, open={name}, wanted=self._is_named(name))
        match entry.event:
            case Queued() as event if message_id := normal_message_id(event.message_id):
                group = self._joined(group, message_id)
            case Removed():
                group.open.discard(name)
            case NonDelivery() as event:
                group.wanted = group.wanted or self._is_id(group)
                notice = self._by_name.get((entry.host, event.dsn_queue_id))
                if notice is not None and group.wanted:
                    notice.wanted = True
                    self._fresh[notice] = None
        self._add(group, entry)

    def _joined(self, group: _Group, message_id: str) -> _Group:
        """Join a queue file to the message that it is of; returns the group of both."""
        known = self._by_id.setdefault(message_id, group)
        known.message_id = message_id
        known.wanted = known.wanted or group.wanted or self._is_id(known)
        if known is not group:
            for each in group.entries:
                known.add(each)
            known.names |= group.names
            known.open |= group.open
            self._by_name.update(dict.fromkeys(group.names, known))
            self._fresh.pop(group, None)
        return known

    def _at_mailbox(self, entry: Entry, event: Saved | SaveFailed | SieveActed | MailboxChanged) -> None:
        group = self._by_id.get(normal_message_id(event.message_id))
        if group is None:
            return
        groups = self._at_readers.setdefault(event.user.casefold(), {})
        if isinstance(event, Saved):
            groups[group] = False
        elif isinstance(event, MailboxChanged) and event.action == "expunge":
            groups[group] = True
        self._add(group, entry)

    def _read(self, entry: Entry, user: str) -> None:
        """Take in the end of a reader's session."""
        groups = self._at_readers.get(user, {})
        for group in groups if len(groups) <= _MANY else ():
            self._add(group, entry)
        self._at_readers[user] = {group: False for group, deleted in groups.items() if not deleted}

    def _add(self, group: _Group, entry: Entry) -> None:
        group.add(entry)
        self._fresh[group] = None

    def _new_in(self, group: _Group) -> Iterator[LiveHop]:
        if group.fresh_since is None:
            return
        since, group.fresh_since = group.fresh_since - _AROUND, None
        entries = sorted([*group.entries, *self._since(since)], key=lambda each: each.at)
        ids = (group.message_id,) if group.message_id else ()
        for message in Weaver(entries, self._world).messages(ids, () if ids else group.names):
            if not self._is_wanted(group, message):
                continue
            for hop in message.hops:
                key = (hop.at, hop.host, hop.event.value, hop.text)
                if key not in group.told:
                    group.told.add(key)
                    yield LiveHop(replace(message, hops=(hop,), notices=(), bounce=None), hop)

    def _since(self, moment: datetime) -> Iterator[Entry]:
        for entry in reversed(self._around):
            if entry.at < moment - _AROUND:
                return
            if entry.at >= moment:
                yield entry

    def _is_named(self, name: tuple[str, str]) -> bool:
        wanted = self._wanted
        return wanted is not None and wanted.kind is WantedKind.QUEUE_ID and wanted.value == name[1]

    def _is_id(self, group: _Group) -> bool:
        wanted = self._wanted
        return (
            wanted is not None and wanted.kind is WantedKind.MESSAGE_ID and wanted.value == group.message_id
        )

    def _is_wanted(self, group: _Group, message: TracedMessage) -> bool:
        if self._wanted is None or group.wanted:
            return True
        address = self._wanted.otherwise or self._wanted
        if address.kind is not WantedKind.ADDRESS:
            return False
        known = {message.mail_from, *(each.address for each in message.recipients)}
        known |= {each.original for each in message.recipients}
        return address.value.casefold() in {each.casefold() for each in known if each}

    def _from_lab(self, event: Rejected) -> bool:
        """Whether a host of the lab was refused: that is told as part of the message's own journey."""
        return address_in(event.client) in self._world.hosts
