"""What daemons said about their work at a message without naming it: sessions, lookups, refusals, readers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from labctl.mail.content.message import normal_message_id
from labctl.mail.log.logevent import (
    Accepted,
    Connected,
    Delivery,
    Disconnected,
    Held,
    Received,
    Rejected,
)
from labctl.mail.log.mailboxevent import LoggedIn, LoggedOut, MailboxChanged, Saved
from labctl.mail.log.querylog import DnsAnswer
from labctl.trace.finding import needle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from labctl.trace.finding.loglines import LogLines
    from labctl.trace.logs.entry import Entry
    from labctl.trace.logs.log import Log
    from labctl.trace.logs.part import Part

MAX_READING: Final = 200
"""How many lines of one user's sessions are taken, the first after the message was saved."""
MAX_LINES: Final = 4000
"""How many lines around one message's deliveries are taken."""
MAX_READING_BYTES: Final = 1 << 26
"""How far behind the message's lines they are looked for."""

_MAX_READERS: Final = 8
_MAX_MOMENTS: Final = 200
_SECOND: Final = timedelta(seconds=1)
_SAME_MOMENT: Final = timedelta(seconds=0.2)
_STORING: Final = timedelta(minutes=2)
_SESSION: Final = timedelta(minutes=5)
_ANSWER: Final = b"rcode"
_LOOK: Final = 1 << 18


class Surroundings:
    """Takes what surrounds a message's lines.

    Args:
        lines: Where to look, and what takes it.
        uses: The queue files whose lines are known.
    """

    def __init__(self, lines: LogLines, uses: Sequence[Part]) -> None:
        self.lines = lines
        self.uses = uses
        self.complete = True

    def take(self) -> None:
        """Take all of it."""
        for use in self.uses:
            for entry in use.entries:
                if isinstance(entry.event, Received):
                    self._session(use, entry)
                elif isinstance(entry.event, Delivery):
                    self._work(use, entry, entry.event)
            self._storing(use)
        self._lookups()
        self._refusals()
        self._readers()

    # The daemons' own work.

    def _session(self, use: Part, received: Entry) -> None:
        """Take the client's session with smtpd(8): what it said before the message, and to its end."""
        if not received.pid:
            return
        for entry in self._earlier(received, _SESSION):
            if entry.queue_id is None:
                self.lines.take(entry, use)
            if isinstance(entry.event, Connected):
                break
        for entry in self._later(received, _SESSION):
            if isinstance(entry.event, Connected) and entry.at == received.at:
                continue  # its own, in a file that was rotated then
            if entry.queue_id is None:
                self.lines.take(entry, use)
            if isinstance(entry.event, Disconnected | Connected):
                break

    def _work(self, use: Part, delivered: Entry, delivery: Delivery) -> None:
        """Take what an agent said since its last delivery: hosts that it could not reach, warnings."""
        if not delivered.pid:
            return
        began = timedelta(seconds=sum(delivery.delays[1:])) + 2 * _SECOND
        for entry in self._earlier(delivered, began):
            if entry.queue_id is None:
                self.lines.take(entry, use)
            elif entry.queue_id != use.file.queue_id:
                break

    def _earlier(self, entry: Entry, span: timedelta) -> Iterator[Entry]:
        """Yield a process's lines before one of its lines, the last first."""
        pid = self._pid(entry)
        found = None
        for found in self.lines.before(entry, pid):
            if found.at < entry.at - span:
                return
            if _same_process(found, entry):
                yield found
        # The log may have been rotated meanwhile: what came before is in another file.
        if self.lines.is_near_begin(entry):
            others = self.lines.having(pid, entry.at - span, entry.at + _SECOND, host=entry.host)
            elsewhere = [each for each in others if each.source != entry.source and each.at <= entry.at]
            yield from (
                each for each in reversed(self.lines.ordered(elsewhere)) if _same_process(each, entry)
            )

    def _later(self, entry: Entry, span: timedelta) -> Iterator[Entry]:
        pid = self._pid(entry)
        for found in self.lines.after(entry, pid):
            if found.at > entry.at + span:
                return
            if _same_process(found, entry):
                yield found
        if self.lines.is_near_end(entry):
            others = self.lines.having(pid, entry.at, entry.at + span, host=entry.host)
            elsewhere = [each for each in others if each.source != entry.source and each.at >= entry.at]
            yield from (each for each in self.lines.ordered(elsewhere) if _same_process(each, entry))

    def _pid(self, entry: Entry) -> bytes:
        bracketed = b"[%d]" % entry.pid
        return bracketed if bracketed in self.lines.raw(entry) else b"%d" % entry.pid

    # Around the deliveries.

    def _lookups(self) -> None:
        """Take the resolver's answers, and what the host did besides, while a message was being delivered.

        A lookup may have been for any message that was delivered meanwhile: it takes all lines to tell.
        """
        resolvers = [log for log in self.lines.logs if self._has_answers(log)]
        if not resolvers:
            return
        left = MAX_LINES
        for use in self.uses:
            for since, until in self._moments(use, _SECOND, _SAME_MOMENT):
                for log in self.lines.logs:
                    if log not in resolvers and self.lines.only_host(log) not in ("", use.file.host):
                        continue
                    for entry in self.lines.within(log, since, until):
                        if entry.host != use.file.host and not isinstance(entry.event, DnsAnswer):
                            continue
                        self.lines.take(entry, use)
                        left -= 1
                        if not left:
                            self.complete = False
                            return

    def _has_answers(self, log: Log) -> bool:
        """Whether a log has lines of the lab's resolver: at its beginning, in its middle or at its end."""
        places = (0, max(log.size // 2 - _LOOK // 2, 0), max(log.size - _LOOK, 0))
        return any(next(log.find(_ANSWER, place, place + _LOOK), -1) >= 0 for place in places)

    def _refusals(self) -> None:
        """Take the refusals by other hosts of what a message's delivery offered them."""
        for use in self.uses:
            senders = {entry.event.mail_from for entry in use.entries if isinstance(entry.event, Accepted)}
            recipients = {entry.event.recipient for entry in use.entries if isinstance(entry.event, Delivery)}
            for since, until in self._moments(use, 2 * _SECOND, 2 * _SECOND, program="smtp"):
                for entry in self.lines.having(b"NOQUEUE", since, until):
                    match entry.event:
                        case Rejected() | Held() if (
                            entry.event.mail_from in senders and entry.event.rcpt_to in recipients
                        ):
                            self.lines.take(entry, use)
                        case _:
                            pass

    def _moments(
        self, use: Part, before: timedelta, after: timedelta, program: str = ""
    ) -> list[tuple[datetime, datetime]]:
        """Return when a message was being delivered, in the order of time and without overlaps."""
        spans = []
        for entry in use.entries:
            if isinstance(entry.event, Delivery) and program in ("", entry.event.program):
                took = timedelta(seconds=min(sum(entry.event.delays[1:]), 86400.0))
                spans.append((entry.at - took - before, entry.at + after))
        joined: list[tuple[datetime, datetime]] = []
        for since, until in sorted(spans):
            if joined and since <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], until))
            else:
                joined.append((since, until))
        if len(joined) > _MAX_MOMENTS:
            self.complete = False
            joined = [*joined[: _MAX_MOMENTS // 2], *joined[-_MAX_MOMENTS // 2 :]]
        return joined

    # Mailboxes.

    def _storing(self, use: Part) -> None:
        """Take what an MDA said of a notification; that of the message itself is known by its Message-ID."""
        if use.level == 0 or not use.message_id:
            return
        pieces, likely = needle.of_message_id(use.message_id)
        for delivery in use.entries:
            if not isinstance(delivery.event, Delivery) or delivery.event.program == "smtp":
                continue
            for piece in pieces:
                for entry in self.lines.having(
                    piece, delivery.at - _STORING, delivery.at + _STORING, likely=likely
                ):
                    said = getattr(entry.event, "message_id", None)
                    if entry.queue_id is None and said and normal_message_id(said) == use.message_id:
                        self.lines.take(entry, use)

    def _readers(self) -> None:
        """Take what the users did to whose mailboxes a message was saved, from then on."""
        saved: dict[tuple[str, str], Entry] = {}
        for entry in self.lines.taken(lambda _: 0):
            if isinstance(entry.event, Saved):
                saved.setdefault((entry.host, entry.event.user), entry)
        if len(saved) > _MAX_READERS:
            self.complete = False
        for (host, user), entry in list(saved.items())[:_MAX_READERS]:
            self._reading(host, user, entry)

    def _reading(self, host: str, user: str, saved: Entry) -> None:
        piece, likely = needle.of_user(user)
        count = 0
        for entry in self.lines.having(
            piece, saved.at - _SECOND, host=host, likely=likely, max_bytes=MAX_READING_BYTES
        ):
            if (
                entry.host != host
                or entry.at < saved.at
                or not isinstance(entry.event, LoggedIn | LoggedOut | MailboxChanged)
            ):
                continue
            if entry.event.user == user:
                self.lines.take(entry, None)
                count += 1
                if count == MAX_READING:
                    return


def owner_depths(uses: Iterable[Part], edges: Iterable[tuple[Part, Part]]) -> Callable[[object], int]:
    """Tell how many queue files a message was in before another; what belongs to none comes after all."""
    onward: dict[Part, list[Part]] = {}
    for before, after in edges:
        onward.setdefault(before, []).append(after)
    reached = {after for several in onward.values() for after in several}
    ahead = [use for use in uses if use not in reached]
    found: dict[object, int] = dict.fromkeys(ahead, 0)
    for use in ahead:
        for after in onward.get(use, ()):
            if after not in found:
                found[after] = found[use] + 1
                ahead.append(after)
    last = max(found.values(), default=0) + 1
    return lambda owner: found.get(owner, last)


def _same_process(one: Entry, other: Entry) -> bool:
    return (one.host, one.program, one.pid) == (other.host, other.program, other.pid)
