"""Addresses that only the engine sees: a small subnet for each lab that collides with nothing here.

The lab's own addresses are fixed and the same in every lab (documentation ranges, RFC 5737); these carry
them. They come from the range set aside for benchmarks between networks (RFC 2544), which no network uses.
"""

from __future__ import annotations

import hashlib
import sys
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

POOL: Final = IPv4Network("198.18.0.0/15")

_ROUTES: Final = Path("/proc/net/route")


def candidates(name: str, prefix_length: int, taken: Iterable[IPv4Network]) -> Iterator[IPv4Network]:
    """Yield free subnets of the pool, from a place that depends on the lab's name.

    Two labs that start at once so rarely want the same one; where they do, the engine refuses one of them
    and the next candidate serves.

    Args:
        name: The lab's name.
        prefix_length: The size of subnet wanted.
        taken: Networks that are in use; overlapping candidates are left out.
    """
    in_pool = [each for each in taken if each.overlaps(POOL)]
    count = 1 << (prefix_length - POOL.prefixlen)
    size = 1 << (32 - prefix_length)
    first = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % count
    for n in range(count):
        start = int(POOL.network_address) + (first + n) % count * size
        subnet = IPv4Network((start, prefix_length))
        if not any(subnet.overlaps(each) for each in in_pool):
            yield subnet


def routed_here(routes: Path = _ROUTES) -> tuple[IPv4Network, ...]:
    """Return the networks that this machine has routes to, without the default route.

    Source: proc_net(5); addresses and masks are hexadecimal in the machine's byte order.
    """
    if not routes.is_file():
        return ()
    found = []
    for line in routes.read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split("\t")
        destination, mask = (int.from_bytes(bytes.fromhex(fields[n]), sys.byteorder) for n in (1, 7))
        if mask:
            found.append(IPv4Network((destination, mask.bit_count())))
    return tuple(found)


def mac_address(address: IPv4Address) -> str:
    """Return the MAC address that belongs to an engine-side address, as Docker itself derives it."""
    return "02:42:" + ":".join(f"{octet:02x}" for octet in address.packed)
