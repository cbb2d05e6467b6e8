"""Zone files and the Corefile as texts: what a fault changes in them, and nothing else.

Sources: RFC 1035, 5.1 (master files); https://coredns.io/manual/toc/#configuration
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from labctl.errors import FaultError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COREFILE: Final = "/etc/coredns/Corefile"
"""Where a resolver has it."""

_SERIAL: Final = re.compile(r"(\bSOA\s+\S+\s+\S+\s+\(?\s*(?:;[^\n]*\n\s*)*)([0-9]+)", re.IGNORECASE)
_SERIALS: Final = 2**32
_RECORD: Final = re.compile(
    r"(?P<owner>[^\s;$]\S*)?\s+(?:[0-9]\S*\s+)?(?:IN\s+)?(?P<type>[A-Z]+)\s", re.IGNORECASE
)


def with_records(zone: str, origin: str, owner: str, rdtype: str, data: Sequence[str]) -> str:
    """Replace all records of one name and type, and raise the serial number.

    Args:
        zone: The zone file's text.
        origin: The zone's name.
        owner: The records' owner, a full name without a dot behind it.
        rdtype: Their type.
        data: What they are to say; none where they are to be gone.
    """
    lines = raised(
        zone
    ).splitlines()  # before there is a line more: an SOA that breaks off would reach into it
    doomed = [n for n, name, kind in _records(lines, origin) if (name, kind) == (owner.casefold(), rdtype)]
    place = doomed[0] if doomed else len(lines)
    new = [f"{owner}. {rdtype} {each}" for each in data]
    kept = [[each] if n not in doomed else [] for n, each in enumerate(lines)]
    kept.insert(place, new)
    return "".join(f"{line}\n" for some in kept for line in some)


def raised(zone: str) -> str:
    """Raise a zone's serial number: by that a server sees that there was a change (RFC 1982, RFC 1996)."""
    return _SERIAL.sub(lambda match: f"{match[1]}{(int(match[2]) + 1) % _SERIALS}", zone, count=1)


def with_directive(corefile: str, zone: str, lines: str) -> str:
    """Put a directive at the beginning of a zone's server block.

    Raises:
        FaultError: There is no block for the zone.
    """
    begin, _ = _block(corefile, zone)
    indented = "".join(f"    {line}\n" for line in lines.splitlines())
    return f"{corefile[:begin]}{indented}{corefile[begin:]}"


def zone_file(corefile: str, zone: str) -> str:
    """Return the path of a zone's file.

    Raises:
        FaultError: The Corefile does not say.
    """
    begin, end = _block(corefile, zone)
    if (match := re.search(r"^\s*file\s+(\S+)", corefile[begin:end], flags=re.MULTILINE)) is None:
        raise FaultError(f"{COREFILE} has no file for the zone {zone}", hint="labctl reset")
    return match[1]


def reverse_zone(corefile: str, name: str) -> str:
    """Return the zone that a reverse name (``10.113.0.203.in-addr.arpa``) belongs to.

    Raises:
        FaultError: There is none.
    """
    blocks = re.findall(r"^([a-z0-9.-]+in-addr\.arpa)\.?(?::53)?\s*\{", corefile, flags=re.MULTILINE)
    for zone in sorted(blocks, key=len, reverse=True):
        if name.endswith(f".{zone}"):
            return str(zone)
    raise FaultError(f"{COREFILE} has no zone for {name}", hint="labctl reset")


def _block(corefile: str, zone: str) -> tuple[int, int]:
    """Return where the inside of a zone's server block begins and ends."""
    head = re.compile(rf"^{re.escape(zone)}\.?(?::53)?\s*\{{[^\n]*\n", flags=re.MULTILINE | re.IGNORECASE)
    if (match := head.search(corefile)) is None:
        raise FaultError(f"{COREFILE} has no server block for the zone {zone}", hint="labctl reset")
    end = corefile.find("\n}", match.end() - 1)
    return match.end(), end if end >= 0 else len(corefile)


def _records(lines: Sequence[str], origin: str) -> Iterator[tuple[int, str, str]]:
    """Yield the number, the owner's full name and the type of each line that begins a record."""
    owner = current = _full("@", origin)
    for number, line in enumerate(lines):
        if match := re.match(r"\$ORIGIN\s+(\S+)", line, flags=re.IGNORECASE):
            current = _full(match[1], current)
        elif match := _RECORD.match(line):
            if match["owner"]:  # a blank stands for the owner of the line before
                owner = _full(match["owner"], current)
            yield number, owner, match["type"].upper()


def _full(name: str, origin: str) -> str:
    """Return a name in full, without the last dot."""
    origin = origin.rstrip(".").casefold()
    if name == "@":
        return origin
    name = name.casefold()
    if name.endswith("."):
        return name[:-1]
    return f"{name}.{origin}"
