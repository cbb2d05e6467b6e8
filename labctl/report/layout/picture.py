"""A lab drawn in characters: the resolver on top, a column for each domain below it."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from labctl.lab.role import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.commands.status import HostStatus, Status

_GAP = 6


def picture(status: Status) -> str:
    """Draw the hosts of a lab, their addresses and the accounts of each domain."""
    domains = sorted({host.domain for host in status.hosts if host.domain})
    columns = [_column(status, domain) for domain in domains]
    resolvers = [host for host in status.hosts if host.role == Role.DNS]
    if not columns:
        return ""
    widths = [max(len(line) for line in column) for column in columns]
    lines = [
        "".join(cell.ljust(width + _GAP) for cell, width in zip(row, widths, strict=True))
        for row in zip_longest(*columns, fillvalue="")
    ]
    total = sum(widths) + _GAP * (len(widths) - 1)
    head = [f"{host.name} {' '.join(host.addresses)}".center(total) for host in resolvers]
    return "\n".join(f"   {line}".rstrip() for line in (*head, _rail(widths, bool(resolvers)), *lines))


def _column(status: Status, domain: str) -> list[str]:
    hosts = [host for host in status.hosts if host.domain == domain]
    lines: list[str] = []
    for role in (Role.MTA, Role.MDA):
        for host in (each for each in hosts if each.role == role):
            if lines:
                lines.append("   │")
            lines.extend(_host(host))
    users = [
        each.address.partition("@")[0] for each in status.accounts if each.address.endswith(f"@{domain}")
    ]
    return [*lines, "   │", f"users: {', '.join(users)}"]


def _host(host: HostStatus) -> list[str]:
    daemon = {Role.MTA: " Postfix", Role.MDA: " Dovecot"}.get(host.role or Role.DNS, "")
    state = "" if host.state == "ready" else f" ({host.state})"
    return [f"{host.name}{daemon}{state}", *host.addresses]


def _rail(widths: Sequence[int], has_resolver: bool) -> str:  # noqa: FBT001  # one drawing, with or without
    """Draw the line that joins the columns, each at its fourth character."""
    starts = [sum(widths[:n]) + _GAP * n + 3 for n in range(len(widths))]
    rail = ["─" if starts[0] <= n <= starts[-1] else " " for n in range(starts[-1] + 1)]
    for n in starts:
        rail[n] = "┬"
    rail[starts[0]], rail[starts[-1]] = ("┌", "┐") if len(starts) > 1 else ("│", "│")
    middle = (sum(widths) + _GAP * (len(widths) - 1)) // 2
    if has_resolver and starts[0] < middle < starts[-1]:
        rail[middle] = "┼" if middle in starts else "┴"
    return "".join(rail)
