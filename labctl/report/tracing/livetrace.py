"""Hops as lines, while they happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.commands.trace import Trace
from labctl.report.document import document, dumped
from labctl.report.layout.plain import LONGEST, one_line

if TYPE_CHECKING:
    from labctl.trace.live import LiveHop


def line(told: LiveHop, width: int | None) -> str:
    """Return a hop as a line: when, where, of which message, what.

    Args:
        told: The hop.
        width: Columns of a line; names are not cut where it is None.
    """
    hop = told.hop
    of = told.message_id.strip("<>").partition("@")[0] or hop.queue_id or "-"
    host, of = (
        one_line(each, LONGEST if width is None else limit)
        for each, limit in ((hop.host.partition(".test")[0], 20), (of, 16))
    )
    return f"{hop.at:%H:%M:%S.%f}"[:12] + f" {host:<10} {of:<16} {one_line(hop.text, LONGEST)}"


def json_line(told: LiveHop) -> str:
    """Return a hop as a JSON document of one line: a trace of its message, as known now, with this hop."""
    return dumped(document(Trace((told.message,))), indent=None)
