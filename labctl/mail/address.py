"""Mail addresses: the Mailbox of RFC 5321, section 4.1.2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Self

from labctl.errors import UsageError

MAX_LOCAL = 64  # RFC 5321, section 4.5.3.1.1
MAX_DOMAIN = 255  # section 4.5.3.1.2
MAX_LABEL = 63  # RFC 1035, section 2.3.4

_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+")
_QUOTED = re.compile(r'"(?:[ !#-\[\]-~]|\\[ -~])*"')  # Quoted-string of qtextSMTP and quoted-pairSMTP
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox's address: a local part, as it is written on the wire, and a domain."""

    local: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address such as ``alice@alpha.test`` or ``"a b"@alpha.test``.

        Raises:
            UsageError: It is none; the message names the part that is malformed.
        """
        if not text:
            raise _malformed(text, "it is empty")
        local, at, domain = text.rpartition("@")
        if not at:
            raise _malformed(text, "it has no @")
        if (reason := _local_fault(local) or _domain_fault(domain)) is not None:
            raise _malformed(text, reason)
        return cls(local, domain)

    @property
    def key(self) -> str:
        """The address for comparison: Postfix and Dovecot as the labs set them up fold its case."""
        return str(self).casefold()

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


def _malformed(text: str, reason: str) -> UsageError:
    return UsageError(
        f"{text!r} is not a mail address: {reason}",
        hint="write it as user@domain, such as alice@alpha.test",
        detail={"address": text},
    )


def _local_fault(local: str) -> str | None:
    if not local:
        return "nothing stands before the @"
    if len(local) > MAX_LOCAL:
        return f"the part before the @ has {len(local)} characters, {MAX_LOCAL} are allowed"
    if local.startswith('"'):
        return None if _QUOTED.fullmatch(local) else f"the quoted part {local} is malformed"
    for atom in local.split("."):
        if not atom:
            return f"a dot stands at an end of {local!r} or beside another dot"
        if _ATOM.fullmatch(atom) is None:
            odd = _ATOM.sub("", atom)[0]
            return f"{odd!r} is not allowed before the @ unless the part is quoted"
    return None


def _domain_fault(domain: str) -> str | None:
    if not domain:
        return "no domain stands after the @"
    if domain.startswith("["):
        return _literal_fault(domain)
    if len(domain) > MAX_DOMAIN:
        return f"the domain has {len(domain)} characters, {MAX_DOMAIN} are allowed"
    return _labels_fault(domain)


def _labels_fault(domain: str) -> str | None:
    for label in domain.split("."):
        if not label:
            return f"a label of the domain {domain!r} is empty"
        if len(label) > MAX_LABEL:
            return f"a label of the domain has {len(label)} characters, {MAX_LABEL} are allowed"
        if _LABEL.fullmatch(label) is None:
            return f"{label!r} of the domain {domain!r} is not made of letters, digits and inner hyphens"
    return None


def _literal_fault(domain: str) -> str | None:
    """Check an address literal: ``[192.0.2.1]`` or ``[IPv6:2001:db8::1]`` (RFC 5321, section 4.1.3)."""
    inner = domain[1:-1]
    try:
        if not domain.endswith("]"):
            return f"the address literal {domain!r} is not closed"
        if inner[:5].casefold() == "ipv6:":
            IPv6Address(inner[5:])
        else:
            IPv4Address(inner)
    except AddressValueError:
        return f"{domain!r} holds no IP address"
    return None
