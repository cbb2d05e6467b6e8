"""A message's hops, found by what they are about."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from labctl.trace.journey.hop import HopEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from labctl.trace.journey.hop import Hop

File = tuple[str, str]
"""A host and a queue id."""

ATTEMPTS: Final = frozenset(
    {
        HopEvent.RELAYED,
        HopEvent.FORWARDED,
        HopEvent.DELIVERED,
        HopEvent.DEFERRED,
        HopEvent.BOUNCED,
        HopEvent.DISCARDED,
    }
)
MAILBOX: Final = frozenset(
    {
        HopEvent.STORED,
        HopEvent.REFUSED,
        HopEvent.FILTERED,
        HopEvent.SEEN,
        HopEvent.FETCHED,
        HopEvent.COPIED,
        HopEvent.DELETED,
    }
)
_ROUTING: Final = frozenset({"MX", "A", "AAAA", "CNAME", "TLSA"})
"""The questions that a sending MTA asks; others are those of the receiving one about its client."""

_RELAY: Final = re.compile(r"(?P<name>[^\[\]]++)\[(?P<address>[^\[\]]++)\](?::(?P<port>[0-9]++))?")
_CONNECT: Final = re.compile(r"connect to (?P<relay>[^\[\] ]++\[[^\[\] ]++\](?::[0-9]++)?)")
_SAID: Final = re.compile(r"host (?P<relay>[^\[\] ]++\[[^\[\] ]++\](?::[0-9]++)?) (?:said|refused to talk)")
_DNS: Final = re.compile(
    r"Host or domain name not found|Name service error|Host not found|Domain not found|nullMX"
    r"|no data record|(?:no|unable to find|unable to look up) (?:MX|valid address|host|primary relay)"
    r"|Invalid MX|malformed",
    re.IGNORECASE,
)


class Evidence:
    """The hops of one message or notification, by queue file, recipient and mailbox."""

    def __init__(self, hops: Sequence[Hop]) -> None:
        self.hops = hops
        self.files: dict[File, list[int]] = defaultdict(list)
        self.lookups: list[int] = []
        self.refusals: list[int] = []
        """What the host itself says that refused something."""
        self._attempts: dict[File, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._mailboxes: dict[str, list[int]] = defaultdict(list)
        for n, hop in enumerate(hops):
            if hop.event is HopEvent.LOOKUP:
                self.lookups.append(n)
                continue
            if hop.event in {HopEvent.REJECTED, HopEvent.REFUSED}:
                self.refusals.append(n)
            if hop.event in MAILBOX:
                self._mailboxes[words(hop, "user").casefold()].append(n)
            elif hop.queue_id is not None:
                file = (hop.host, hop.queue_id)
                self.files[file].append(n)
                if hop.event in ATTEMPTS and words(hop, "recipient"):
                    self._attempts[file][words(hop, "recipient").casefold()].append(n)

    def attempts(self, file: File, address: str, wanted: str) -> list[int]:
        """Return the attempts of a file for the recipient that an address became, in the order of time."""
        by_recipient = self._attempts.get(file, {})
        if found := by_recipient.get(wanted.casefold()) or by_recipient.get(address.casefold()):
            return found
        own = [
            n
            for found in by_recipient.values()
            for n in found
            if words(self.hops[n], "orig_to").casefold() in {address.casefold(), wanted.casefold()}
        ]
        if own or len(by_recipient) != 1:
            return own
        return next(iter(by_recipient.values()))  # rewriting may have changed the only recipient's address

    def deliveries(self, address: str) -> int:
        """Return how many attempts put a copy into a recipient's mailbox."""
        found = (by.get(address.casefold(), []) for by in self._attempts.values())
        return sum(len(self.of(each, HopEvent.DELIVERED)) for each in found)

    def mailbox(self, address: str) -> list[int]:
        """Return what happened in a recipient's mailbox."""
        if found := self._mailboxes.get(address.casefold()):
            return found
        # Dovecot may know its users without their domain.
        return self._mailboxes.get(address.casefold().partition("@")[0], [])

    def of(self, indexes: Iterable[int], *events: HopEvent) -> list[int]:
        """Return those of some hops that are of one of these events."""
        return [n for n in indexes if self.hops[n].event in events]

    def routing(self, file: File, attempt: int | None, address: str) -> list[int]:
        """Return the last answer to each question that a file's next host was looked for with."""
        last: dict[tuple[str, str], int] = {}
        names = {address.rpartition("@")[2].casefold().rstrip(".")}
        if attempt is not None and (relay := relay_name(words(self.hops[attempt], "relay"))):
            names.add(relay.casefold())
        for n in self.lookups if attempt is None else (n for n in self.lookups if n < attempt):
            hop = self.hops[n]
            name, kind = words(hop, "name").casefold().rstrip("."), words(hop, "type").upper()
            if kind not in _ROUTING or hop.queue_id not in {None, file[1]}:
                continue
            if name in names:
                last[name, kind] = n
                if kind == "MX":
                    names.update(each.rpartition(" ")[2].casefold().rstrip(".") for each in records(hop))
        return list(last.values())


def words(hop: Hop, key: str) -> str:
    """Return a detail as text; empty where it is not known."""
    value: Any = hop.detail.get(key)
    return "" if value is None else str(value)


def records(hop: Hop) -> tuple[str, ...]:
    """Return the data of a DNS answer's records, without their owner, TTL, class and type."""
    value: Any = hop.detail.get("records")
    found = (str(each).split() for each in value) if isinstance(value, list | tuple) else ()
    return tuple(" ".join(each[4:] if "IN" in each[1:3] else each) for each in found if each)


def relay_name(relay: str) -> str:
    """Return the host of ``mx.beta.test[203.0.113.20]:25``; empty for ``none`` and ``local``."""
    match = _RELAY.fullmatch(relay)
    return match["name"] if match else ""


def relay_address(relay: str) -> str:
    """Return the address in ``mx.beta.test[203.0.113.20]:25``; empty for ``none`` and ``local``."""
    match = _RELAY.fullmatch(relay)
    return match["address"] if match else ""


def who_answered(reply: str) -> str:
    """Return the relay that a logged reason quotes; empty where no host answered."""
    match = _SAID.search(reply)
    return match["relay"] if match else ""


def answer_of(reply: str) -> tuple[str, str]:
    """Return what a host answered, of a logged reason that quotes it, and to which command (else empty)."""
    answer = reply.partition(" said: ")[2] if who_answered(reply) else ""
    before, found, command = (answer or reply).rpartition(" (in reply to ")
    if not found:
        return answer or reply, ""
    return before, command.rstrip(")").removesuffix(" command")


def who_was_called(reply: str) -> str:
    """Return the relay that a logged reason says could not be connected to."""
    match = _CONNECT.search(reply)
    return match["relay"] if match else ""


def is_of_dns(reply: str) -> bool:
    """Whether a logged reason is that of a name that could not be resolved."""
    return _DNS.search(reply) is not None
