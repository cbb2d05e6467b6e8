"""Hops as lines, while they happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.commands.trace import Trace
from labctl.report.document import document, dumped
from labctl.report.plain import one_line

if TYPE_CHECKING:
    from labctl.trace.live import LiveHop


def line(told: LiveHop) -> str:
    """Return a hop as a line: when, where, of which message, what."""
    hop = told.hop
    of = told.message_id.strip("<>").partition("@")[0] or hop.queue_id or "-"
    host = one_line(hop.host.partition(".test")[0], 20)
    return f"{hop.at:%H:%M:%S.%f}"[:12] + f" {host:<10} {one_line(of, 16):<16} {one_line(hop.text, 1000)}"


def json_line(told: LiveHop) -> str:
    """Return a hop as a JSON document of one line: a trace of its message, as known now, with this hop."""
    return dumped(document(Trace((told.message,))), indent=None)
