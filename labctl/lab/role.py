"""What the hosts of a lab are for."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Role(StrEnum):
    """What a host does."""

    MTA = "mta"
    MDA = "mda"
    DNS = "dns"


class Member(Protocol):
    """What has a part in a lab: a service of its topology, or a host."""

    @property
    def role(self) -> Role | None:
        """What it does."""

    @property
    def domain(self) -> str | None:
        """The mail domain that it serves."""


def needs(one: Member, other: Member) -> bool:
    """Say whether one does not even greet as it should while the other does not answer.

    An MTA looks up its client's name before it greets, and holds its greeting back for a second and more
    where no resolver answers; and its submission service ends where its domain's MDA, which knows who may
    submit, does not answer.
    """
    if one.role != Role.MTA:
        return False
    return other.role == Role.DNS or (other.role == Role.MDA and other.domain == one.domain)
