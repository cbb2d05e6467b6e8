"""``labctl dig``: a question to the lab's resolver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labctl import resolver
from labctl.contract.value import RecordType, ResponseCode, Word
from labctl.errors import LabNotUp
from labctl.lab.role import Role
from labctl.lab.running import instance

if TYPE_CHECKING:
    from labctl.engine.protocol import Engine


@dataclass(frozen=True, slots=True)
class Dug:
    """What the lab's resolver answered."""

    SCHEMA: ClassVar = "labctl/dig/v1"

    name: Word
    type: RecordType
    rcode: ResponseCode
    """NOERROR, NXDOMAIN and so on; TIMEOUT or UNREACHABLE where there was no response."""
    records: tuple[Word, ...]
    """Their data as zone files have it."""


def dig(engine: Engine, name: str | None, question: str, rdtype: str | None = None) -> Dug:
    """Ask the lab's resolver; NXDOMAIN, SERVFAIL and no answer are answers too.

    Raises:
        UsageError: No such lab, a malformed name, an unknown type, or the resolver does not run.
    """
    there = instance.select(engine, name)
    resolvers = there.of_role(Role.DNS)
    if not resolvers:
        raise LabNotUp(f"lab {there.name!r} has no resolver", hint="labctl up")
    answer = resolver.resolve(*resolvers[0].door(53, "udp"), question, rdtype)
    return Dug(answer.name, answer.type, answer.rcode, tuple(each.text for each in answer.records))
