"""Making a daemon read its configuration again, and knowing when it has."""

from __future__ import annotations

import queue
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from labctl.errors import FaultError, LabNotUp
from labctl.lab import labels, logs
from labctl.lab.role import Role

if TYPE_CHECKING:
    from labctl.engine.protocol import Engine
    from labctl.lab.instance import Host

_WITHIN: Final = 10.0
"""Seconds that a daemon has to say that it did, on a machine however busy."""

_LMTP_PORT: Final = 24

_DONE: Final = {
    Role.MTA: ("reload -- version",),
    # Dovecot says at once that it will, and ends its idle sessions once it has.
    Role.MDA: ("Server shutting down",),
    Role.DNS: ("Reloading complete",),
}
_FAILED: Final = ("Restart failed", "fatal:", "Fatal:", "Error: Failed to parse", "Error in configuration")


def reload(engine: Engine, host: Host) -> None:
    """Make a host's daemon read its configuration again, and return when it has.

    Raises:
        FaultError: It refused the configuration, or said nothing.
    """
    container = host.running_container()
    signal = container.labels.get(labels.RELOAD, "HUP")
    assert host.role is not None
    done = _DONE[host.role]
    idle = None
    if host.role == Role.MDA:
        # A session that is open while Dovecot reloads: its end is the sign.
        with suppress(OSError, LabNotUp):
            idle = socket.create_connection(host.door(_LMTP_PORT), timeout=_WITHIN)
            idle.recv(512)
        if idle is None:  # published ports leave no way to LMTP
            done = ("SIGHUP received",)
    try:
        with logs.followed(engine, [host]) as lines:
            engine.signal(container.id, signal)
            _await(host, lines, done)
    finally:
        if idle is not None:
            idle.close()


def _await(host: Host, lines: queue.SimpleQueue[logs.Line | None], done: tuple[str, ...]) -> None:
    deadline = time.monotonic() + _WITHIN
    said: list[str] = []
    while True:
        try:
            line = lines.get(timeout=max(deadline - time.monotonic(), 0))
        except queue.Empty:
            line = None
        if line is None:
            raise _refused(host, said, f"it did not say within {_WITHIN:.0f} s that it had")
        said.append(line.text)
        if any(each in line.text for each in done):
            return
        if any(each in line.text for each in _FAILED):
            raise _refused(host, said, line.text)


def _refused(host: Host, said: list[str], reason: str) -> FaultError:
    return FaultError(
        f"{host.service} ({host.hostname}) did not take its new configuration up: {reason}",
        hint=f"labctl logs {host.service}",
        detail={"log": "\n".join(said[-15:])},
    )
