"""All lines of some logs that concern one message.

Logs are large, and reading every line of them takes minutes. So only bytes are looked for, and only what is
found is read. One pass over everything for what was asked for, one for the Message-ID: the rest is looked for
where it must be, in a window of time around the line that tells of it. What is not there, as where a message
was deferred for days, is looked for in a last pass.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from labctl.mail.content.message import normal_message_id
from labctl.mail.log.journal import SLACK, Journal
from labctl.mail.log.logevent import (
    Accepted,
    Delivery,
    Discarded,
    Held,
    NonDelivery,
    Queued,
    Received,
    Rejected,
)
from labctl.trace.finding import needle
from labctl.trace.finding.loglines import LogLines
from labctl.trace.finding.surroundings import Surroundings, owner_depths
from labctl.trace.finding.wanted import Wanted, WantedKind
from labctl.trace.logs.part import Part, parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from labctl.trace.logs.entry import Entry
    from labctl.trace.logs.log import Log

MAX_MESSAGES: Final = 20
"""How many messages of an address are looked for: the last ones."""
MAX_USES: Final = 1000
"""How many queue files one search follows."""

_WINDOWS: Final = (timedelta(minutes=2), timedelta(hours=1))
_LONG_AGO: Final = datetime(1, 1, 2, tzinfo=UTC)
_FAR_AHEAD: Final = datetime.max.replace(tzinfo=UTC)
_FAR: Final = timedelta(days=1)
_MAX_PASSES: Final = 12
_MAX_LEVEL: Final = 2
_MAX_ENTRIES_OF_ADDRESS: Final = 400


@dataclass(frozen=True, slots=True)
class Found:
    """What some logs say of one message, or of all that fit what was asked for."""

    entries: tuple[Entry, ...]
    """By time; within the same time what caused comes before what was caused."""
    message_ids: tuple[str, ...]
    queue_files: tuple[tuple[str, str], ...]
    """The hosts and queue ids of the message itself, not of notifications about it."""
    complete: bool
    """Whether no bound cut the search off."""


@dataclass(frozen=True, slots=True)
class _Lead:
    """What one line tells of another queue file."""

    queue_id: str
    at: datetime
    host: str = ""
    """Empty where it may be any."""
    message_id: str | None = None
    level: int = 0
    before: Part | None = None
    after: Part | None = None
    everywhere: bool = False
    """Whether it may be far from its time."""


def search(logs: Sequence[Log], wanted: Wanted) -> Found:
    """Find all lines that concern a message.

    Args:
        logs: The logs, in any order, each of its own name.
        wanted: What names the message. An address names the last ones from or to it.
    """
    lines = LogLines(logs)
    found = _Search(lines).run(wanted)
    if not found.entries and wanted.otherwise is not None:
        return _Search(lines).run(wanted.otherwise)
    return found


class _Search:
    def __init__(self, lines: LogLines) -> None:
        self.lines = lines
        self.uses: dict[tuple[str, str], list[Part]] = {}
        self.edges: dict[tuple[Part, Part], None] = {}
        self.complete = True
        self._lines: dict[str, dict[tuple[int, int], Entry]] = {}
        self._whole: set[str] = set()
        self._looked_on: dict[tuple[str, str], datetime] = {}
        self._leads: deque[_Lead] = deque()
        self._followed: set[_Lead] = set()
        self._unfinished: dict[_Lead, None] = {}
        self._read: set[tuple[int, int]] = set()
        self._ids: dict[str, bool] = {}
        """The Message-IDs, and whether they were looked for."""
        self._passes = 0
        self._many = False
        """Whether many messages are looked for."""

    def run(self, wanted: Wanted) -> Found:
        match wanted.kind:
            case WantedKind.MESSAGE_ID:
                self._ids[wanted.value] = False
            case WantedKind.QUEUE_ID:
                self._look_everywhere(wanted.value)
                for use in self._uses_of(wanted.value):
                    self._adopt(use, _Lead(wanted.value, use.first_at))
            case WantedKind.ADDRESS:
                self._of_address(wanted.value)
        self._follow_all()
        uses = [use for several in self.uses.values() for use in several]
        surroundings = Surroundings(self.lines, uses)
        surroundings.take()
        for use in uses:
            for entry in use.entries:
                self.lines.take(entry, use)
        return Found(
            self.lines.taken(owner_depths(uses, self.edges)),
            tuple(self._ids),
            tuple(dict.fromkeys((use.file.host, use.file.queue_id) for use in uses if use.level == 0)),
            self.complete and surroundings.complete,
        )

    # What is followed, until nothing new is found.

    def _follow_all(self) -> None:
        while True:
            while self._leads:
                self._follow(self._leads.popleft())
            ids = [message_id for message_id, looked_for in self._ids.items() if not looked_for]
            if ids:
                for message_id in ids:
                    self._look_for_id(message_id)
            elif self._unfinished:
                unfinished, self._unfinished = self._unfinished, {}
                for lead in unfinished:
                    self._finish(lead)
            else:
                return

    def _follow(self, lead: _Lead) -> None:
        """Look around a lead's time for the queue file that it tells of."""
        if lead in self._followed:
            return
        self._followed.add(lead)
        if len(self._followed) > MAX_USES:
            self.complete = False
            return
        uses: list[Part] = []
        for window in _WINDOWS:
            self._look(lead.queue_id, lead.at - window, lead.at + window)
            uses = self._fitting(lead)
            if lead.queue_id in self._whole or (uses and not _partial(uses)):
                break
        for use in uses:
            self._adopt(use, lead)
        if _partial(uses) if uses else lead.everywhere:
            self._unfinished[lead] = None

    def _finish(self, lead: _Lead) -> None:
        """Look everywhere for what was not around a lead's time."""
        uses = self._fitting(lead)
        if lead.queue_id in self._whole or (uses and not _partial(uses)):
            return
        for use in uses:
            # From its first line on there is nothing before; without it, there may be.
            self._look_on(lead.queue_id, use.file.host, use.first_at if use.file.began else _LONG_AGO)
        if not uses and self._may_pass():
            self._look_everywhere(lead.queue_id)
        for use in self._fitting(lead):
            self._adopt(use, lead)

    # Lines of queue ids.

    def _look(self, queue_id: str, since: datetime, until: datetime) -> None:
        if queue_id not in self._whole:
            self._keep(queue_id, self.lines.having(queue_id.encode(), since, until))

    def _look_on(self, queue_id: str, host: str, since: datetime) -> None:
        """Look for a host's lines from a time on, as far as that was not done."""
        if self._looked_on.get((queue_id, host), _FAR_AHEAD) > since and self._may_pass():
            self._looked_on[queue_id, host] = since
            self._keep(queue_id, self.lines.having(queue_id.encode(), since - SLACK, host=host))

    def _may_pass(self) -> bool:
        """Whether one more pass over everything is allowed."""
        self._passes += 1
        self.complete &= self._passes <= _MAX_PASSES
        return self._passes <= _MAX_PASSES

    def _look_everywhere(self, queue_id: str) -> None:
        if queue_id not in self._whole:
            self._keep(queue_id, self.lines.having(queue_id.encode()))
            self._whole.add(queue_id)

    def _keep(self, queue_id: str, entries: Iterable[Entry]) -> None:
        kept = self._lines.setdefault(queue_id, {})
        for entry in entries:
            kept[self.lines.place(entry)] = entry

    def _uses_of(self, queue_id: str) -> list[Part]:
        known = self.lines.ordered(self._lines.get(queue_id, {}).values())
        parts = parts_of(known, Journal(max_queue_ids=None))
        return [part for part in parts.values() if part.file.queue_id == queue_id]

    def _fitting(self, lead: _Lead) -> list[Part]:
        """Return the uses of a queue id that a lead may mean: one, or one on each host that may be meant."""
        uses = [
            use
            for use in self._uses_of(lead.queue_id)
            if lead.host in ("", use.file.host)
            and use.file.may_hold(lead.message_id)
            and use.distance(lead.at) < _FAR
        ]
        if lead.message_id and any(use.message_id for use in uses):
            uses = [use for use in uses if use.message_id == lead.message_id]
        nearest: dict[str, Part] = {}
        for use in uses:
            if use.file.host not in nearest or use.distance(lead.at) < nearest[use.file.host].distance(
                lead.at
            ):
                nearest[use.file.host] = use
        return list(nearest.values())

    def _adopt(self, use: Part, lead: _Lead) -> None:
        """Make a use part of what is found, and read on from what is new in it."""
        several = self.uses.setdefault((use.file.host, use.file.queue_id), [])
        places = {self.lines.place(entry) for entry in use.entries}
        known = next((each for each in several if self.lines.place(each.entries[0]) in places), None)
        if known is None:
            use.level = lead.level
            several.append(use)
        else:
            if len(known.entries) < len(use.entries):
                known.file, known.entries = use.file, use.entries
            use = known
        if lead.before is not None and lead.before is not use:
            self.edges[lead.before, use] = None
        if lead.after is not None and lead.after is not use:
            self.edges[use, lead.after] = None
        if use.level == 0 and use.message_id:
            self._ids.setdefault(use.message_id, False)
        for entry in use.entries:
            if (place := self.lines.place(entry)) not in self._read:
                self._read.add(place)
                self._leads.extend(self._told(use, entry))
        for entry in self._lines.get(use.file.queue_id, {}).values():
            if entry.queue_id not in (None, use.file.queue_id) and use.holds(entry.at):
                self._leads.extend(self._told_of(use, entry))

    def _told(self, use: Part, entry: Entry) -> Iterator[_Lead]:
        """Yield what a queue file's line tells of others."""
        match entry.event:
            case Delivery(next_queue_id=str(queue_id)):
                here = entry.program == "local"
                yield _Lead(
                    queue_id,
                    entry.at,
                    use.file.host if here else "",
                    use.message_id,
                    use.level,
                    before=use,
                    # A Message-ID is looked for everywhere, so what has one is found by it.
                    everywhere=use.level == 0 and not use.message_id,
                )
            case NonDelivery() if (
                0 <= use.level < _MAX_LEVEL
            ):  # not what else the letter before brought about
                queue_id = entry.event.dsn_queue_id
                yield _Lead(queue_id, entry.at, use.file.host, None, use.level + 1, before=use)
            case Received(original_queue_id=str(queue_id)):
                yield _Lead(queue_id, entry.at, use.file.host, None, use.level, after=use)
            case Received(filtered_from=str(queue_id)):
                yield _Lead(queue_id, entry.at, "", use.message_id, use.level, after=use)
            case _:
                pass

    def _told_of(self, use: Part, entry: Entry) -> Iterator[_Lead]:
        """Yield what a line of another queue file tells of itself by naming this one."""
        assert entry.queue_id is not None
        match entry.event:
            case Delivery(next_queue_id=use.file.queue_id):
                yield _Lead(entry.queue_id, entry.at, entry.host, use.message_id, use.level, after=use)
            case NonDelivery(dsn_queue_id=use.file.queue_id) if (
                entry.host == use.file.host and use.level == 0
            ):
                yield _Lead(entry.queue_id, entry.at, entry.host, None, use.level - 1, after=use)
            case Received(original_queue_id=use.file.queue_id) if entry.host == use.file.host:
                yield _Lead(entry.queue_id, entry.at, entry.host, None, use.level, before=use)
            case Received(filtered_from=use.file.queue_id):
                yield _Lead(entry.queue_id, entry.at, entry.host, use.message_id, use.level, before=use)
            case _:
                pass

    # Lines of Message-IDs and addresses.

    def _look_for_id(self, message_id: str) -> None:
        """Look for a Message-ID: everywhere, but not for each of an address's many messages."""
        self._ids[message_id] = True
        since = until = None
        if self._many:
            having = [
                use for several in self.uses.values() for use in several if use.message_id == message_id
            ]
            since = min(use.first_at for use in having) - _WINDOWS[-1]
            until = max(use.last_at for use in having) + _WINDOWS[-1]
        elif not self._may_pass():
            return
        for entry in self._lines_with_id(message_id, since, until):
            if isinstance(entry.event, Queued):
                self._leads.append(_Lead(entry.event.queue_id, entry.at, entry.host, message_id))
            elif entry.queue_id is None:
                self.lines.take(entry, None)

    def _lines_with_id(
        self, message_id: str, since: datetime | None, until: datetime | None
    ) -> Iterator[Entry]:
        pieces, likely = needle.of_message_id(message_id)
        for piece in pieces:
            for entry in self.lines.having(piece, since, until, likely=likely):
                if _names(entry, message_id):
                    yield entry

    def _of_address(self, address: str) -> None:
        """Begin with the last messages from or to an address."""
        self._many = True
        piece, likely = needle.of_address(address)
        lines = self.lines.last_having(piece, _MAX_ENTRIES_OF_ADDRESS, likely)
        files: dict[tuple[str, str], None] = {}
        for entry in reversed([each for each in lines if _concerns(each, address)]):
            if entry.queue_id is None:
                self.lines.take(entry, None)
            elif (entry.host, entry.queue_id) not in files:
                if len(files) == MAX_MESSAGES:
                    self.complete = False
                    break
                files[entry.host, entry.queue_id] = None
                self._leads.append(_Lead(entry.queue_id, entry.at, entry.host))


def _partial(uses: Iterable[Part]) -> bool:
    """Whether the beginning or the end of some is not known."""
    return not all(use.file.began and use.file.closed for use in uses)


def _names(entry: Entry, message_id: str) -> bool:
    """Whether a line is about a Message-ID, not one that only looks alike."""
    said = getattr(entry.event, "message_id", None)
    if said is not None:
        return normal_message_id(said) == message_id
    return message_id in entry.text


def _concerns(entry: Entry, address: str) -> bool:
    match entry.event:
        case Delivery(recipient=recipient, orig_to=orig_to):
            return address in (recipient, orig_to)
        case Accepted(mail_from=mail_from):
            return address == mail_from
        case (
            Rejected(mail_from=mail_from, rcpt_to=rcpt_to)
            | Held(mail_from=mail_from, rcpt_to=rcpt_to)
            | Discarded(mail_from=mail_from, rcpt_to=rcpt_to)
        ):
            return address in (mail_from, rcpt_to)
        case _:
            return False
