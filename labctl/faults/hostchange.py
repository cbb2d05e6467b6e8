"""What a fault changes on one host, whose files it reads before, and how that is undone."""

from __future__ import annotations

import base64
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from labctl.engine.model import File
from labctl.errors import FaultError, NoSuchObject
from labctl.faults.reload import reload
from labctl.lab.blueprint.maincf import MAIN_CF, settings_in, with_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.engine.protocol import Engine
    from labctl.lab.running.instance import Host

VOLATILE: Final = frozenset({"rules", "server", "qdisc"})
"""What a host has of a fault only as long as it runs."""

_LISTENS_WITHIN: Final = 500
"""Hundredths of a second that a server of a fault has until it listens."""

_SERVE: Final = """
pidfile=$1 port=$2; shift 2
setsid "$@" < /dev/null > /dev/null 2>&1 &
echo $! > "$pidfile"
tries=0
until grep -qE ":$port 00000000:0000 0A" /proc/net/tcp /proc/net/tcp6; do
    kill -0 "$(cat "$pidfile")" || exit 1
    tries=$((tries + 1)); [ "$tries" -lt %d ] || exit 1
    sleep 0.01
done
"""
"""For a host's shell: starts a server that lives on, and waits until it listens."""

_END: Final = """
if [ -e "$1" ]; then
    kill -- "-$(cat "$1")" 2> /dev/null || kill "$(cat "$1")" 2> /dev/null
    rm -f "$1"
fi
exit 0
"""


@dataclass(frozen=True, slots=True)
class Files:
    """Reads files and keeps them: a read takes a while, and nobody else changes the lab meanwhile."""

    engine: Engine
    _known: dict[tuple[str, str], bytes | None] = field(default_factory=dict)

    def read(self, host: Host, path: str) -> bytes | None:
        """Return a file's content; None where it is not there."""
        key = (host.service, path)
        if key not in self._known:
            try:
                self._known[key] = self.engine.get_file(host.running_container().id, path)
            except NoSuchObject:
                self._known[key] = None
        return self._known[key]


@dataclass(frozen=True, slots=True)
class HostChange:
    """What a fault changes on one host; whatever is not named stays as it is."""

    service: str
    settings: Mapping[str, str] = field(default_factory=dict)
    """Parameters of Postfix's ``main.cf``."""

    files: Mapping[str, str] = field(default_factory=dict)
    """Contents of files by path, existing ones or new ones; the daemon reads its configuration again."""

    rules: str = ""
    """Chains of an nftables table of the fault's own, in the host's network namespace (nft(8))."""

    server: tuple[str, ...] = ()
    """The command line of a server that runs beside the host's daemon, such as smtp-sink(1)."""

    port: int = 0
    """Where that server listens."""

    qdisc: str = ""
    """How the host's interface treats what it sends: a queueing discipline and its arguments (tc(8))."""

    stopped: bool = False
    """Whether the host is stopped; its address falls silent."""

    @property
    def touches(self) -> frozenset[str]:
        """What can't be changed twice: two faults that share one of these clash."""
        marks = {f"{self.service}: {name}" for name in self.settings}
        marks |= {f"{self.service}: {path}" for path in self.files}
        if self.server:
            marks.add(f"{self.service}: a server in place of its own")
        if self.qdisc:
            marks.add(f"{self.service}: the queueing discipline")
        if self.stopped:
            marks.add(f"{self.service}: whether it runs")
        return frozenset(marks)

    def before(self, files: Files, host: Host) -> dict[str, Any]:
        """Return what undoing will need, JSON-ready; nothing is changed yet."""
        told: dict[str, Any] = {"touches": sorted(self.touches)}
        if self.settings:
            told["settings"] = settings_in(files.read(host, MAIN_CF) or b"", self.settings)
        if self.files:
            told["files"] = {path: _encoded(files.read(host, path)) for path in self.files}
        for name in (*sorted(VOLATILE), "stopped"):
            if getattr(self, name):
                told[name] = True
        return told

    def apply(self, files: Files, host: Host, fault: str) -> None:
        """Make the change.

        Args:
            files: The host's files, as they were before.
            host: The host, running.
            fault: The fault's name.

        Raises:
            FaultError: The host refused it.
        """
        engine, container = files.engine, host.running_container()
        changed = [File(path, content.encode()) for path, content in self.files.items()]
        if self.settings:
            main_cf = files.read(host, MAIN_CF) or b""
            changed.append(File(MAIN_CF, with_settings(main_cf, self.settings)))
        if changed:
            engine.put_files(container.id, changed)
            reload(engine, host)
        if self.server:
            script = _SERVE % _LISTENS_WITHIN
            _run(engine, host, fault, script, _pidfile(fault), f"{self.port:04X}", *self.server, again=False)
        if self.rules:
            table = _table_name(fault)
            rules = f"table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n{self.rules}\n}}"
            _run(engine, host, fault, 'echo "$1" | nft -f -', rules)
        if self.qdisc:
            script = f"tc qdisc replace dev {_INTERFACE} root {self.qdisc}"
            _run(engine, host, fault, script, hint=f"sudo modprobe sch_{self.qdisc.partition(' ')[0]}")
        if self.stopped:
            engine.stop(container.id, timeout=_STOP_TIMEOUT)


_INTERFACE: Final = (
    '"$(ip -o -4 address show to "$LAB_ENGINE_ADDRESS" | sed \'s/^[^ ]* *\\([^ ]*\\).*/\\1/\')"'
)
_STOP_TIMEOUT: Final = 5


def undo(engine: Engine, host: Host, fault: str, told: Mapping[str, Any]) -> None:
    """Put back what was before on a host that runs (again).

    Args:
        engine: The engine.
        host: The host, running.
        fault: The fault's name.
        told: What `HostChange.before` returned.
    """
    container = host.running_container()
    for name, script, argument in (
        ("rules", 'nft delete table inet "$1" 2> /dev/null || true', _table_name(fault)),
        ("server", _END, _pidfile(fault)),
        ("qdisc", f"tc qdisc del dev {_INTERFACE} root 2> /dev/null || true", ""),
    ):
        if name in told:
            _run(engine, host, fault, script, argument)
    new = [path for path, content in told.get("files", {}).items() if content is None]
    if new:
        _run(engine, host, fault, 'rm -f -- "$@"', *new)
    if put_back(engine, container.id, told) or new:
        reload(engine, host)


def put_back(engine: Engine, container: str, told: Mapping[str, Any]) -> bool:
    """Put back the files that were there before, in a container that need not run; say whether any were."""
    files = [
        File(path, base64.b64decode(content))
        for path, content in told.get("files", {}).items()
        if content is not None
    ]
    if "settings" in told:
        main_cf = engine.get_file(container, MAIN_CF)
        files.append(File(MAIN_CF, with_settings(main_cf, told["settings"])))
    if files:
        engine.put_files(container, files)
    return bool(files)


def _table_name(fault: str) -> str:
    """Return the name of a fault's own nftables table."""
    return f"labctl_{fault.replace('-', '_')}"


def _pidfile(fault: str) -> str:
    return f"/run/labctl-{fault}.pid"


def _encoded(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _run(
    engine: Engine,
    host: Host,
    fault: str,
    script: str,
    *arguments: str,
    hint: str = "",
    again: bool = True,
) -> None:
    command = ["/bin/sh", "-c", script, "fault", *arguments]
    said = engine.execute(host.running_container().id, command, again=again)
    if said.exit_code != 0:
        complaint = said.stderr.decode("utf-8", "replace").strip() or shlex.join(arguments)
        raise FaultError(
            f"fault {fault}: {host.service} ({host.hostname}) refused it: {complaint}",
            hint=hint or f"labctl logs {host.service}",
        )
