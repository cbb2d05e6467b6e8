"""Making a daemon read its configuration again, and knowing when it has."""

from __future__ import annotations

import queue
import socket
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from labctl.errors import FaultError, LabNotUp
from labctl.lab.inside import logs
from labctl.lab.mark import labels
from labctl.lab.role import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.engine.protocol import Engine
    from labctl.lab.running.instance import Host

_WITHIN: Final = 10
"""Seconds that a daemon has to say that it did, on a machine however busy."""

_LMTP_PORT: Final = 24

_RELOAD_POSTFIX: Final = """
queue_manager() {
    for process in /proc/[0-9]*; do
        { read -r name < "$process/comm"; } 2> /dev/null || continue
        [ "$name" != qmgr ] || echo "$process"
    done
}
before=$(queue_manager)
kill -s "$1" 1
[ -n "$before" ] || exit 0
tries=0
while [ -e "$before" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt %d ] || { echo "the queue manager stayed" >&2; exit 1; }
    sleep 0.01
done
"""
"""For an MTA's shell. The master says that it reloads before it does. Then it cuts the ties to its daemons in
the order of master.cf; the queue manager, which stands behind smtpd there, ends at once."""

_DONE: Final = {
    # Dovecot says at once that it will, and ends its idle sessions once it has.
    Role.MDA: "Server shutting down",
    Role.DNS: "Reloading complete",
}
_DONE_PUBLISHED: Final = "SIGHUP received"
_FAILED: Final = ("Restart failed", "fatal:", "Fatal:", "Error: Failed to parse", "Error in configuration")


def reload(engine: Engine, host: Host) -> None:
    """Make a host's daemon read its configuration again, and return when it has.

    Raises:
        FaultError: It refused the configuration, or said nothing.
    """
    container = host.running_container()
    signal = container.labels.get(labels.RELOAD, "HUP")
    match host.role:
        case Role.MTA:
            script = _RELOAD_POSTFIX % (_WITHIN * 100)
            said = engine.execute(container.id, ["/bin/sh", "-c", script, "reload", signal], again=True)
            if said.exit_code != 0:
                raise _refused(host, [], said.stderr.decode("utf-8", "replace").strip())
        case Role.MDA:
            with _idle(host) as idle:
                _told(engine, host, signal, _DONE[Role.MDA] if idle else _DONE_PUBLISHED)
        case _:
            _told(engine, host, signal, _DONE[Role.DNS])


@contextmanager
def _idle(host: Host) -> Iterator[bool]:
    """Have a session open while Dovecot reloads: its end is the sign. Published ports lead to none."""
    if host.running_container().published:
        yield False
        return
    try:
        connection = socket.create_connection(host.door(_LMTP_PORT), timeout=_WITHIN)
    except (OSError, LabNotUp):
        yield False
        return
    with closing(connection):
        try:
            greeted = bool(connection.recv(512))
        except OSError:
            greeted = False
        yield greeted


def _told(engine: Engine, host: Host, signal: str, done: str) -> None:
    """Send the signal, and wait until the daemon's log says that it was done."""
    with logs.followed(engine, [host]) as lines:
        engine.signal(host.running_container().id, signal)
        _await(host, lines, done)


def _await(host: Host, lines: queue.SimpleQueue[logs.Line | None], done: str) -> None:
    deadline = time.monotonic() + _WITHIN
    said: list[str] = []
    while True:
        try:
            line = lines.get(timeout=max(deadline - time.monotonic(), 0))
        except queue.Empty:
            line = None
        if line is None:
            raise _refused(host, said, f"it did not say within {_WITHIN} s that it had")
        said.append(line.text)
        if done in line.text:
            return
        if any(each in line.text for each in _FAILED):
            raise _refused(host, said, line.text)


def _refused(host: Host, said: list[str], reason: str) -> FaultError:
    return FaultError(
        f"{host.service} ({host.hostname}) did not take its new configuration up: {reason}",
        hint=f"labctl logs {host.service}",
        detail={"log": "\n".join(said[-15:])},
    )
