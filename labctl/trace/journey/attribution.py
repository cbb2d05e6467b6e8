"""What was said around a message without naming it: by whom it was said, and when, tells whose it is.

No log ties a DNS answer to a message. It is taken for a message's where the client is a host that worked on
it just then, and the name is one that this work asks for.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from labctl.mail.log.logevent import (
    Connected,
    Delivery,
    Disconnected,
    Received,
    Rejected,
    Remark,
    TlsEstablished,
    Unreachable,
)
from labctl.mail.log.querylog import DnsAnswer
from labctl.trace.journey import telling
from labctl.trace.journey.world import address_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from labctl.trace.journey.hop import Hop
    from labctl.trace.logs.entry import Entry
    from labctl.trace.logs.part import Part

_EXACT: Final = timedelta(seconds=0.05)
_WHOLE_SECONDS: Final = timedelta(seconds=1.1)
"""How far apart lines may be that were written at once, where stamps are exact, and where they are not."""

_LATE: Final = timedelta(seconds=0.2)
"""How much later than it was written a line may be stamped: an engine with much to do takes its time."""


@dataclass(slots=True)
class _Session:
    """A client's session with smtpd(8), or the work of a delivery agent between two deliveries."""

    began: datetime
    client: str = ""
    tls: TlsEstablished | None = None
    remarks: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Work:
    """When a host worked on a message, and for which names it had to ask then."""

    host: str
    began: datetime
    ended: datetime
    names: frozenset[str]
    message: str
    said: str = ""
    """What it said in the end: a name that stands there was asked for, too."""


class Surroundings:
    """What was said around the messages of some queue files.

    Args:
        entries: All lines, in the order of time.
        parts: The queue files that they tell of.
        hosts: Host names by IP address.
    """

    def __init__(self, entries: Sequence[Entry], parts: Iterable[Part], hosts: Mapping[str, str]) -> None:
        self._hosts = hosts
        self._sessions: dict[tuple[str, int], _Session] = {}
        self._rejects: list[tuple[Entry, Rejected, _Session]] = []
        self._answers: list[tuple[datetime, Entry, DnsAnswer]] = []
        self._listen(entries)
        self._answers.sort(key=lambda each: each[0])
        self._works: dict[str, list[_Work]] = {}
        if self._answers:
            for part in parts:
                for work in self._work_on(part):
                    self._works.setdefault(work.host, []).append(work)

    def _listen(self, entries: Iterable[Entry]) -> None:
        """Tell sessions apart by host, program and process."""
        sessions: dict[tuple[str, str, int], _Session] = {}
        for entry in entries:
            if isinstance(entry.event, DnsAnswer):
                self._answers.append((entry.event.at, entry, entry.event))
            elif entry.event is not None:
                speaker = (entry.host, entry.program, entry.pid)
                session = sessions.get(speaker) or _Session(entry.at)
                sessions[speaker] = self._heard(entry, session)

    def _heard(self, entry: Entry, session: _Session) -> _Session:
        """Take in what a process says; returns the session that its next line belongs to."""
        match entry.event:
            case Connected() as event:
                return _Session(entry.at, event.client)
            case Disconnected():
                return _Session(entry.at)
            case TlsEstablished() as event:
                session.tls = event
            case Unreachable() | Remark(queue_id=None):
                session.remarks.append(entry)
            case Received():
                self._sessions[entry.source, entry.offset] = session
            case Rejected(queue_id=None) as event:
                self._rejects.append((entry, event, session))
            case Delivery():
                self._sessions[entry.source, entry.offset] = session
                return _Session(entry.at, tls=session.tls)
        return session

    def tls(self, entry: Entry) -> TlsEstablished | None:
        """Return how the connection was encrypted on which a message came in, or went on."""
        session = self._sessions.get((entry.source, entry.offset))
        return session.tls if session is not None else None

    def of(self, part: Part) -> Iterator[Hop]:
        """Tell what was said around the work on one queue file."""
        told: set[tuple[str, int]] = set()
        for work in self._work_on(part):
            for entry, answer, needed in self._asked_in(work):
                if (entry.source, entry.offset) not in told:
                    told.add((entry.source, entry.offset))
                    shared = self._shared(answer, needed, work)
                    yield telling.looked_up(entry, answer, work.host, shared)
        for entry, event in part.deliveries():
            session = self._sessions.get((entry.source, entry.offset))
            for remark in session.remarks if session is not None else ():
                yield from telling.happened(remark, None)
            for refusal, reject, _ in self._refusals(part, entry, event):
                if (refusal.source, refusal.offset) not in told:
                    told.add((refusal.source, refusal.offset))
                    yield telling.rejected(refusal, reject)

    def _work_on(self, part: Part) -> Iterator[_Work]:
        """Yield the pieces of work on a queue file in which names may have been looked up."""
        message = part.message_id or "/".join(part.name)
        for entry in part.entries:
            event = entry.event
            session = self._sessions.get((entry.source, entry.offset))
            match event:
                case Received() if session is not None and event.client:
                    names = self._of_client(session.client or event.client)
                    names |= {_domain(part.file.mail_from or "")}
                    slack = _slack(entry)
                    until = max((each.at for each in part.entries[:4]), default=entry.at)
                    yield _Work(
                        part.file.host, session.began - slack, until, frozenset(names - {""}), message
                    )
                case Delivery():
                    began, ended = _span(entry, event)
                    wanted = _asked_for(event)
                    yield _Work(part.file.host, began - _LATE, ended, wanted, message, event.reply_text)
                    for refusal, reject, caller in self._refusals(part, entry, event):
                        names = self._of_client(caller.client or reject.client)
                        names |= {_domain(part.file.mail_from or ""), _domain(event.recipient)}
                        slack = _slack(refusal)
                        yield _Work(
                            refusal.host,
                            caller.began - slack,
                            refusal.at + slack,
                            frozenset(names - {""}),
                            message,
                            str(reject.reply),
                        )

    def _refusals(
        self, part: Part, entry: Entry, event: Delivery
    ) -> Iterator[tuple[Entry, Rejected, _Session]]:
        """Yield what the next host refused without a queue id, as its own log has it, in one attempt."""
        began, ended = _span(entry, event)
        for refusal, reject, session in self._rejects:
            if refusal.host == part.file.host or not began <= refusal.at <= ended:
                continue
            if reject.rcpt_to is not None and reject.rcpt_to.casefold() != event.recipient.casefold():
                continue
            if reject.mail_from is not None and reject.mail_from != (part.file.mail_from or reject.mail_from):
                continue
            if self._hosts.get(address_in(reject.client), part.file.host) == part.file.host:
                yield refusal, reject, session

    def _of_client(self, client: str) -> set[str]:
        """Return the names that a server looks up about who calls: its PTR, and what that names."""
        name, address = client.partition("[")[0], address_in(client)
        try:
            pointer = ip_address(address.removeprefix("IPv6:")).reverse_pointer
        except ValueError:
            pointer = ""
        return {pointer, "" if name == "unknown" else _bare(name), _bare(self._hosts.get(address, ""))}

    def _asked_in(self, work: _Work) -> Iterator[tuple[Entry, DnsAnswer, str]]:
        """Yield the answers that a host got in some work and that it needs, each with the name it began with.

        An answer may name what must be asked next: an MX record a host, and its address is asked for then.
        """
        needed = {name: name for name in work.names}
        for n in range(bisect_left(self._answers, work.began, key=lambda each: each[0]), len(self._answers)):
            at, entry, answer = self._answers[n]
            if at > work.ended:
                return
            name = _bare(answer.name)
            if self._hosts.get(answer.client, answer.client) != work.host:
                continue
            first = needed.get(name) or (name if name and name in work.said else None)
            if first is not None:
                targets = (_bare(each.split()[-1]) for each in answer.records if each.endswith("."))
                needed |= {target: needed.get(target, first) for target in targets}
                yield entry, answer, first

    def _shared(self, answer: DnsAnswer, needed: str, work: _Work) -> tuple[str, ...]:
        """Name the other messages that an answer may have been for."""
        others = (
            each.message
            for each in self._works.get(work.host, ())
            if each.message != work.message
            and each.began <= answer.at <= each.ended
            and (needed in each.names or needed in each.said)
        )
        return tuple(dict.fromkeys(others))


def _asked_for(event: Delivery) -> frozenset[str]:
    """Return the names that a delivery begins with: only smtp(8) asks for the recipient's domain."""
    relay = event.relay.partition("[")[0]
    names = {_bare(relay)} | ({_domain(event.recipient)} if event.program == "smtp" else set())
    return frozenset(names - {"", "none", event.program})


def _span(entry: Entry, event: Delivery) -> tuple[datetime, datetime]:
    """Return when a delivery agent worked on an attempt: Postfix logs how long that took."""
    slack = _slack(entry)
    return entry.at - timedelta(seconds=min(sum(event.delays[2:]), 86_400)) - slack, entry.at + slack


def _slack(entry: Entry) -> timedelta:
    return _EXACT if entry.at.microsecond else _WHOLE_SECONDS


def _domain(address: str) -> str:
    return _bare(address.rpartition("@")[2])


def _bare(name: str) -> str:
    return name.rstrip(".").casefold()
