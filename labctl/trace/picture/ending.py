"""How a path ends: in a mailbox, at an MTA, or at what stopped the message."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from labctl.mail.log import undated
from labctl.mail.state import MessageState
from labctl.trace.journey.hop import HopEvent
from labctl.trace.picture.evidence import (
    Evidence,
    File,
    answer_of,
    is_of_dns,
    records,
    relay_address,
    relay_name,
    who_answered,
    who_was_called,
    words,
)
from labctl.trace.picture.station import Draft, Mark, StationKind

if TYPE_CHECKING:
    from labctl.mail.log.delivery import RecipientState
    from labctl.trace.journey.hop import Hop

_OWN: Final = frozenset({"local", "virtual", "pipe"})
"""The delivery agents that put mail into mailboxes themselves."""

_AT_REST: Final[dict[MessageState, tuple[Mark, str]]] = {
    MessageState.HELD: (Mark.WAITING, "HERE, on hold"),
    MessageState.DISCARDED: (Mark.FAILED, "threw it away"),
    MessageState.EXPIRED: (Mark.FAILED, "gave up"),
    MessageState.BOUNCED: (Mark.FAILED, "gave it back"),
    MessageState.REJECTED: (Mark.FAILED, "refused it"),
    MessageState.DEFERRED: (Mark.WAITING, "HERE, waits"),
    MessageState.SUBMITTED: (Mark.WAITING, "HERE, taken in"),
    MessageState.QUEUED: (Mark.WAITING, "HERE, in its queue"),
}
"""What is true of an MTA where nothing says that it tried to pass the message on, or was stopped since."""


def looked_up(evidence: Evidence, file: File, attempt: int | None, address: str) -> Draft | None:
    """Draw the questions that an MTA asked for a next host; None where no log has them."""
    asked = evidence.routing(file, attempt, address)
    if not asked:
        return None
    lines = [_answer(evidence.hops[n]) for n in asked]
    return Draft(StationKind.DNS, evidence.hops[asked[0]].host, Mark.PASSED, "answered", lines, hops=asked)


def end_at_mta(
    evidence: Evidence, stations: list[Draft], recipient: RecipientState, file: File, tried: list[int]
) -> None:
    """Draw where a copy is that no mailbox took."""
    here = next(each for each in reversed(stations) if (each.kind, each.name) == (StationKind.MTA, file[0]))
    looped = here is not stations[-1]
    attempt = tried[-1] if tried else None
    hop = None if attempt is None else evidence.hops[attempt]
    beyond = Mark.NOT_REACHED
    if hop is None or attempt is None or hop.event is HopEvent.FORWARDED:
        beyond = _rest(evidence, here, recipient, file)
    elif hop.event is HopEvent.DISCARDED:
        here.state, here.says = Mark.FAILED, "threw it away"
        here.lines.append(words(hop, "reply") or words(hop, "reason"))
    elif hop.event is HopEvent.RELAYED:
        beyond = Mark.UNKNOWN
        if not looped:
            stations.extend(taken_over(evidence, file, attempt, recipient))
    else:
        _stay(evidence, here, recipient, file, tried)
        stopped = _stopped_by(evidence, here, recipient, file, attempt)
        if looped:
            stopped = [each for each in stopped if _merged(stations, each) is each]
        stations.extend(stopped)
    if recipient.address:
        stations.append(Draft(StationKind.READER, recipient.address, beyond, link=beyond))


def end_at_mailbox(
    evidence: Evidence, stations: list[Draft], recipient: RecipientState, attempt: int | None
) -> None:
    """Draw the mailbox that took a copy, and what its reader did."""
    events = evidence.mailbox(recipient.address)
    stored = evidence.of(events, HopEvent.STORED)
    hop = None if attempt is None else evidence.hops[attempt]
    # The mailbox server's own name says more than the address that its MTA calls it by.
    name = next((evidence.hops[n].host for n in stored), "")
    name = name or (relay_name(words(hop, "relay")) or hop.host if hop is not None else recipient.host)
    mda = Draft(StationKind.MDA, name, Mark.HERE, "HERE", hops=[*events])
    if attempt is not None and hop is not None:
        mda.hops.append(attempt)
        if words(hop, "program") in _OWN:
            mda.lines.append(f"by {words(hop, 'program')}(8)")
    stations.append(mda)
    _contents(evidence, mda, recipient, events, stored)
    _read(evidence, stations, mda, recipient, events)


def _contents(
    evidence: Evidence, mda: Draft, recipient: RecipientState, events: list[int], stored: list[int]
) -> None:
    """Tell in which mailboxes copies lie, and how many came."""
    copies = max(evidence.deliveries(recipient.address), len(stored))
    if copies > 1:
        mda.lines.append(f"{copies} copies: delivered {'twice' if copies == 2 else f'{copies} times'}")  # noqa: PLR2004  # twice
    for n in events:
        hop = evidence.hops[n]
        if hop.event is HopEvent.STORED:
            mda.says = f"HERE, in {words(hop, 'mailbox')}"
        elif hop.event is HopEvent.FILTERED:
            mda.lines.append(f"Sieve: {words(hop, 'action')}")
        elif hop.event is HopEvent.COPIED:
            mda.lines.append(f"copied to {words(hop, 'destination')}")


def _read(
    evidence: Evidence, stations: list[Draft], mda: Draft, recipient: RecipientState, events: list[int]
) -> None:
    """Draw the reader, and where the message is after what they did."""
    hops = [evidence.hops[n] for n in events]
    reader = Draft(StationKind.READER, recipient.address, Mark.UNKNOWN, "no log of the mailbox here")
    stations.append(reader)
    actions = {words(hop, "action") for hop in hops if hop.event is HopEvent.FILTERED}
    acts = [n for n in events if evidence.hops[n].event in _READING]
    reader.hops.extend(acts)
    if recipient.state is MessageState.DISCARDED and actions:
        mda.state, mda.says = Mark.FAILED, "a filter threw it away"
        reader.state, reader.says = Mark.NOT_REACHED, ""
    elif _is_gone(hops):
        protocol = next(
            (words(each, "protocol") for each in hops[::-1] if each.event is HopEvent.DELETED), ""
        )
        mda.state, mda.says = Mark.PASSED, "no longer there"
        reader.state = Mark.HERE
        reader.says = "downloaded, then deleted" if protocol == "pop3" else "deleted by its reader"
        reader.lines.extend(f"by {each.upper()}" for each in [protocol] if each)
    elif acts:
        reader.state, reader.says = Mark.PASSED, _reading(evidence.hops[acts[-1]])
    elif events:
        reader.state, reader.says = Mark.NOT_REACHED, "has not read it"
    reader.link = reader.state if reader.state in {Mark.NOT_REACHED, Mark.UNKNOWN} else Mark.PASSED


_READING: Final = frozenset({HopEvent.SEEN, HopEvent.FETCHED, HopEvent.DELETED})


def _reading(hop: Hop) -> str:
    by = f" by {words(hop, 'protocol').upper()}" if words(hop, "protocol") else ""
    if hop.event is HopEvent.SEEN:
        return f"has seen it{by}"
    return f"{'perhaps ' if hop.detail.get('shared_with') else ''}fetched it{by}"


def _is_gone(hops: list[Hop]) -> bool:
    """Whether the message was taken out of every mailbox that it was put into."""
    boxes: list[str] = []
    deleted = False
    for hop in hops:
        if hop.event is HopEvent.STORED:
            boxes.append(words(hop, "mailbox"))
        elif hop.event is HopEvent.COPIED:
            boxes.append(words(hop, "destination"))
        elif hop.event is HopEvent.DELETED:
            deleted = True
            if words(hop, "mailbox") in boxes:
                boxes.remove(words(hop, "mailbox"))
    return deleted and not boxes


def _rest(evidence: Evidence, here: Draft, recipient: RecipientState, file: File) -> Mark:
    """Tell of an MTA that has tried nothing yet, or whose log ends."""
    here.state, here.says = _AT_REST.get(recipient.state, (Mark.UNKNOWN, "the log ends here"))
    mine = evidence.files.get(file, [])
    for n in evidence.of(mine, HopEvent.HELD, HopEvent.DISCARDED, HopEvent.REJECTED):
        here.lines.append(words(evidence.hops[n], "reason") or words(evidence.hops[n], "reply"))
    _deleted_by_hand(evidence, here, recipient, file)
    return Mark.UNKNOWN if here.state is Mark.UNKNOWN else Mark.NOT_REACHED


def _deleted_by_hand(evidence: Evidence, here: Draft, recipient: RecipientState, file: File) -> None:
    removed = evidence.of(evidence.files.get(file, []), HopEvent.REMOVED)
    by = {words(evidence.hops[n], "by") for n in removed}
    if recipient.state is MessageState.DISCARDED and "postsuper" in by:
        here.says = "an operator deleted it"


def _stay(evidence: Evidence, here: Draft, recipient: RecipientState, file: File, tried: list[int]) -> None:
    """Tell of an MTA that could not pass a copy on."""
    hop = evidence.hops[tried[-1]]
    count = len(tried)
    times = "once" if count == 1 else f"{count} times"
    if hop.event is HopEvent.BOUNCED:
        here.says = "gave it back"
        return
    here.state, here.says = _AT_REST.get(recipient.state, (Mark.UNKNOWN, "the log ends here"))
    if recipient.state in {MessageState.DEFERRED, MessageState.EXPIRED}:
        here.says += f", tried {times}"
    following = hop.detail.get("next_try_at")
    known = isinstance(following, datetime) and undated.is_known(following)
    if recipient.state is MessageState.DEFERRED and known:
        here.lines.append(f"next try {following:%H:%M:%S}")
    _deleted_by_hand(evidence, here, recipient, file)


def taken_over(evidence: Evidence, file: File, attempt: int, recipient: RecipientState) -> list[Draft]:
    """Draw the next host that accepted a copy, and whose log is not here."""
    hop = evidence.hops[attempt]
    name = relay_name(words(hop, "relay")) or words(hop, "next_host") or words(hop, "relay") or "next host"
    queue_id = words(hop, "next_queue_id")
    taken = Draft(
        StationKind.MTA,
        name,
        Mark.UNKNOWN,
        "took it; its log is not here",
        [queue_id, relay_address(words(hop, "relay"))],
        queue_id or None,
        [attempt],
    )
    dns = looked_up(evidence, file, attempt, words(hop, "recipient") or recipient.address)
    return [taken] if dns is None else [dns, taken]


def _stopped_by(
    evidence: Evidence, here: Draft, recipient: RecipientState, file: File, attempt: int
) -> list[Draft]:
    """Draw what lay in a copy's way: the DNS, a next host, a mailbox, or the MTA itself."""
    hop = evidence.hops[attempt]
    reply, relay, program = (words(hop, key) for key in ("reply", "relay", "program"))
    address = words(hop, "recipient") or recipient.address
    domain = address.rpartition("@")[2]
    dns = looked_up(evidence, file, attempt, address)
    if program in _OWN:
        return [_not_stored(evidence, hop, recipient, attempt)]
    if is_of_dns(reply):
        failed = dns or Draft(StationKind.DNS, "DNS", hops=[attempt], lines=[reply])
        failed.state, failed.says, failed.link = Mark.FAILED, "no way to the domain", Mark.FAILED
        failed.hops.append(attempt)
        beyond = Draft(StationKind.MTA, f"MTA of {domain}", Mark.NOT_REACHED, link=Mark.NOT_REACHED)
        return [failed, beyond]
    answered = who_answered(reply)
    called = (
        answered
        or (relay if relay_name(relay) else "")
        or who_was_called(reply)
        or _unreachable(evidence, file)
    )
    if not called:
        if hop.event is HopEvent.BOUNCED:
            here.state, here.says = Mark.FAILED, "could not go on, gave it back"
        here.lines.append(reply)
        return []
    answer, command = answer_of(reply)
    seen = _seen_there(evidence, relay_name(called), recipient, mailbox=program == "lmtp")
    name = next((evidence.hops[n].host for n in seen), "") or relay_name(called) or called
    stop = Draft(
        StationKind.MDA if program == "lmtp" else StationKind.MTA,
        name,
        Mark.FAILED if answered else Mark.NOT_REACHED,
        lines=[relay_address(called), answer.removeprefix(f"connect to {called}: ")],
        hops=[attempt, *seen],
        link=Mark.FAILED,
    )
    if answered:
        for_now = "" if hop.event is HopEvent.BOUNCED else " for now"
        stop.says = f"refused it{for_now}{f' at {command}' if command else ''}"
    else:
        stop.says = "could not be reached" if "connect to" in reply else "did not take it"
    return [stop] if dns is None else [dns, stop]


def _not_stored(evidence: Evidence, hop: Hop, recipient: RecipientState, attempt: int) -> Draft:
    seen = evidence.of(evidence.mailbox(recipient.address), HopEvent.REFUSED)
    lines = [f"by {words(hop, 'program')}(8)", words(hop, "reply")]
    says = "did not take it"
    return Draft(StationKind.MDA, hop.host, Mark.FAILED, says, lines, hops=[attempt, *seen], link=Mark.FAILED)


def _unreachable(evidence: Evidence, file: File) -> str:
    found = evidence.of(evidence.files.get(file, []), HopEvent.UNREACHABLE)
    return words(evidence.hops[found[-1]], "relay") if found else ""


def _seen_there(evidence: Evidence, host: str, recipient: RecipientState, *, mailbox: bool) -> list[int]:
    """Return what the host itself says of its refusal; a mailbox's may be called by its address alone."""
    own = {recipient.address.casefold(), recipient.original.casefold(), ""}
    return [
        n
        for n in evidence.refusals
        if (evidence.hops[n].event is HopEvent.REFUSED if mailbox else evidence.hops[n].host == host)
        and (words(evidence.hops[n], "recipient") or words(evidence.hops[n], "user")).casefold() in own
    ]


def _merged(stations: list[Draft], stop: Draft) -> Draft:
    """Put what stopped a copy into the station that it came past before, if there is one."""
    for each in stations:
        if (each.kind, each.name) == (stop.kind, stop.name):
            if stop.state is not Mark.PASSED:
                each.state, each.says = stop.state, stop.says
            each.lines.extend(stop.lines)
            each.hops.extend(stop.hops)
            return each
    return stop


def _answer(hop: Hop) -> str:
    found = ", ".join(each.rstrip(".") for each in records(hop))
    rcode = words(hop, "rcode") or "no answer"
    said = found or ("no such record" if rcode == "NOERROR" else rcode)
    return f"{words(hop, 'name').rstrip('.')} {words(hop, 'type')}: {said}"
