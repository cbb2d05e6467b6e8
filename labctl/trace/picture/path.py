"""The picture of a message's journey: from station to station, where it is now and which step failed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from labctl.mail.log.delivery import RecipientState
from labctl.mail.state import MessageState
from labctl.trace.journey.hop import HopEvent, Notice, TracedMessage
from labctl.trace.picture.ending import end_at_mailbox, end_at_mta, looked_up, taken_over
from labctl.trace.picture.evidence import Evidence, File, relay_address, relay_name, words
from labctl.trace.picture.station import Draft, Mark, Path, Station, StationKind

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Mark", "Path", "Station", "StationKind", "paths"]

_MAX_FILES: Final = 1000
"""Far more queue files than a copy that goes anywhere has had."""


def paths(message: TracedMessage) -> tuple[Path, ...]:
    """Return the ways of a message's copies, then those of the notifications about it.

    Recipients whose copies went the same way share one path.
    """
    evidence = Evidence(message.hops)
    root = _root(message)
    # Whose logs tell of no recipient: one way to where the message was seen last.
    recipients = message.recipients or (RecipientState("", "", message.state),)
    lanes = (_Walk(evidence, message.mail_from, each).from_sender(root) for each in recipients)
    ways_back = (_way_back(notice, message.mail_from) for notice in message.notices)
    return (*_together(lanes), *ways_back)


def _root(message: TracedMessage) -> File | None:
    if message.queue_ids:
        return message.queue_ids[0].host, message.queue_ids[0].queue_id
    return next(((hop.host, hop.queue_id) for hop in message.hops if hop.queue_id is not None), None)


def _way_back(notice: Notice, sender: str | None) -> Path:
    recipient = notice.recipients[0] if notice.recipients else RecipientState(sender or "", "", notice.state)
    walk = _Walk(Evidence(notice.hops), "", recipient)
    return replace(walk.from_mta((notice.host, notice.queue_id)), notice=notice)


def _together(lanes: Iterable[Path]) -> list[Path]:
    """Join the lanes that are the same but for their last station."""
    found: dict[object, Path] = {}
    for lane in lanes:
        last = lane.stations[-1]
        *way, end = ((each.kind, each.name, each.state, each.says, each.link) for each in lane.stations)
        key = (*way, end if last.kind is not StationKind.READER else (last.state, last.says), lane.rounds)
        known = found.get(key)
        if known is None:
            found[key] = lane
            continue
        stations = [
            replace(each, hops=tuple(sorted({*each.hops, *other.hops})))
            for each, other in zip(known.stations, lane.stations, strict=True)
        ]
        found[key] = replace(known, recipients=known.recipients + lane.recipients, stations=tuple(stations))
    return list(found.values())


class _Walk:
    """Follows one recipient's copy from queue file to queue file."""

    def __init__(self, evidence: Evidence, mail_from: str | None, recipient: RecipientState) -> None:
        self.evidence = evidence
        self.hops = evidence.hops
        self.recipient = recipient
        self.mail_from = mail_from
        self.address = recipient.original or recipient.address
        self.stations: list[Draft] = []
        self.loop: tuple[int, int] | None = None
        self.rounds = 0

    def from_sender(self, root: File | None) -> Path:
        """Draw the way from the sender on."""
        name = {None: "sender unknown", "": "<> (a notification)"}.get(self.mail_from, self.mail_from) or ""
        sender = Draft(StationKind.SENDER, name)
        self.stations.append(sender)
        refused = [n for n in self.evidence.of(self.evidence.refusals, HopEvent.REJECTED) if self._is_mine(n)]
        if self.recipient.state is MessageState.REJECTED and refused:
            return self._refused(sender, refused)
        if root is None:
            return self._vague()
        came_in = self._taken_in(root)
        if came_in is not None:
            self._submitted(sender, came_in)
        return self.from_mta(root)

    def from_mta(self, root: File) -> Path:
        """Draw the way from an MTA's queue file on."""
        file: File | None = root
        visited: set[File] = set()
        here: Draft | None = None
        last = root
        attempt: int | None = None
        while file is not None and file not in visited and len(visited) < _MAX_FILES:
            visited.add(file)
            here = self._enter(file, here, attempt)
            last = file
            tried = self.evidence.attempts(file, self.address, self.recipient.address)
            attempt = tried[-1] if tried else None
            here.hops.extend(tried)
            file = self._next(attempt)
            if file is not None and attempt is not None:
                self._depart(here, last, file, attempt)
        assert here is not None
        if attempt is not None and self.hops[attempt].event is HopEvent.DELIVERED:
            end_at_mailbox(self.evidence, self.stations, self.recipient, attempt)
        elif self.recipient.state is MessageState.DELIVERED and self.evidence.mailbox(self.recipient.address):
            # The lines in which the last MTA says so are gone; the mailbox's own log has it.
            if attempt is not None and self.hops[attempt].event is HopEvent.RELAYED:
                self.stations.extend(taken_over(self.evidence, last, attempt, self.recipient))
            end_at_mailbox(self.evidence, self.stations, self.recipient, None)
        else:
            tried = self.evidence.attempts(last, self.address, self.recipient.address)
            end_at_mta(self.evidence, self.stations, self.recipient, last, tried)
        return self._path()

    def _path(self) -> Path:
        return Path((self.recipient,), tuple(each.done() for each in self.stations), self.loop, self.rounds)

    def _is_mine(self, n: int) -> bool:
        recipient = words(self.hops[n], "recipient").casefold()
        own = {self.recipient.address.casefold(), self.recipient.original.casefold()}
        return not recipient or recipient in own

    def _refused(self, sender: Draft, refused: list[int]) -> Path:
        """Draw what the first MTA did not take in."""
        hop = self.hops[refused[-1]]
        sender.lines.append(_client(words(hop, "client")))
        stage = words(hop, "stage")
        reply = words(hop, "reply") or hop.text
        mta = Draft(
            StationKind.MTA,
            hop.host,
            Mark.FAILED,
            f"refused it{f' at {stage}' if stage else ''}",
            [reply],
            hops=refused,
            link=Mark.FAILED,
        )
        self.stations.append(mta)
        self._reader(Mark.NOT_REACHED)
        return self._path()

    def _vague(self) -> Path:
        """Draw a message of which no log has a queue file."""
        indexes = self.evidence.mailbox(self.recipient.address)
        if indexes:
            end_at_mailbox(self.evidence, self.stations, self.recipient, None)
        else:
            state = Mark.FAILED if self.recipient.state is MessageState.REJECTED else Mark.UNKNOWN
            name = self.recipient.host or "an MTA"
            reason = [self.recipient.reason or ""]
            says = "refused it" if state is Mark.FAILED else "nothing is known of it"
            self.stations.append(Draft(StationKind.MTA, name, state, says, reason, link=state))
            self._reader(Mark.NOT_REACHED if state is Mark.FAILED else Mark.UNKNOWN)
        return self._path()

    def _reader(self, state: Mark) -> None:
        if self.recipient.address:
            self.stations.append(Draft(StationKind.READER, self.recipient.address, state, link=state))

    def _taken_in(self, file: File) -> int | None:
        taken = self.evidence.of(self.evidence.files.get(file, ()), HopEvent.SUBMITTED, HopEvent.RECEIVED)
        return taken[0] if taken else None

    def _submitted(self, sender: Draft, came_in: int) -> None:
        hop = self.hops[came_in]
        client = words(hop, "client")
        if user := words(hop, "sasl_username"):
            sender.lines.append(f"AUTH {words(hop, 'sasl_method')} as {user}".replace("  ", " "))
        if uid := words(hop, "uid"):
            sender.lines.append(f"by sendmail, uid {uid}")
        if hop.event is HopEvent.RECEIVED and client and not _is_local(client):
            # Not a user's client but another MTA: how it came there its own log would tell.
            self.stations.append(
                Draft(
                    StationKind.MTA,
                    relay_name(client) if relay_name(client) not in {"", "unknown"} else client,
                    Mark.UNKNOWN,
                    "its log is not here",
                    [relay_address(client)],
                    hops=[came_in],
                    link=Mark.UNKNOWN,
                )
            )
        else:
            sender.lines.append(_client(client))
        if client:
            sender.lines.append(words(hop, "tls").partition(" ")[0] or "no TLS")
        sender.hops.append(came_in)

    def _enter(self, file: File, before: Draft | None, attempt: int | None) -> Draft:
        """Add the station of a queue file, or find it where the message was at that host before."""
        host, queue_id = file
        mine = self.evidence.files.get(file, [])
        own = [n for n in mine if self.hops[n].event not in {HopEvent.RELAYED, HopEvent.DEFERRED}]
        own = [n for n in own if self.hops[n].event is not HopEvent.DELIVERED or self._is_mine(n)]
        forwarded = attempt is None or self.hops[attempt].event is HopEvent.FORWARDED
        if before is not None and before.name == host and forwarded:
            before.lines.append(f"then {queue_id}")
            before.queue_id = queue_id
            before.hops.extend(own)
            return before
        known = [
            n for n, each in enumerate(self.stations) if (each.kind, each.name) == (StationKind.MTA, host)
        ]
        if before is not None and known and self.stations[-1].kind is not StationKind.FILTER:
            self.rounds += self.loop is None or known[0] == self.loop[1]
            self.loop = self.loop or (self.stations.index(before), known[0])
            again = self.stations[known[0]]
            again.lines[:] = [each for each in again.lines if not each.startswith("again as")]
            again.lines.append(f"again as {queue_id}")
            again.hops.extend(own)
            return again
        draft = Draft(StationKind.MTA, host, queue_id=queue_id, lines=[queue_id], hops=own)
        self.stations.append(draft)
        return draft

    def _next(self, attempt: int | None) -> File | None:
        """Return the queue file that comes after one, where some hop is of it."""
        if attempt is None or self.hops[attempt].event not in {HopEvent.RELAYED, HopEvent.FORWARDED}:
            return None
        hop = self.hops[attempt]
        queue_id = words(hop, "next_queue_id")
        host = hop.host if hop.event is HopEvent.FORWARDED else words(hop, "next_host")
        following = (host or relay_name(words(hop, "relay")), queue_id)
        return following if queue_id and following in self.evidence.files else None

    def _depart(self, here: Draft, file: File, following: File, attempt: int) -> None:
        """Draw what lies between two queue files: the DNS, a filter, or an alias."""
        hop = self.hops[attempt]
        if hop.event is HopEvent.FORWARDED:
            here.lines.append(f"alias of {words(hop, 'orig_to') or words(hop, 'recipient')}")
            return
        self.address = words(hop, "recipient") or self.address
        if any(each.name == following[0] and each is not here for each in self.stations):
            return  # it goes back: the loop tells so
        if following[0] == here.name:
            name = words(hop, "relay") or "content filter"
            self.stations.append(Draft(StationKind.FILTER, name, says="gave it back", hops=[attempt]))
            return
        if draft := looked_up(self.evidence, file, attempt, self.address):
            self.stations.append(draft)


def _client(client: str) -> str:
    return f"from {relay_address(client) or client}" if client else ""


def _is_local(client: str) -> bool:
    return relay_name(client) == "localhost" or relay_address(client) in {"127.0.0.1", "::1"}
