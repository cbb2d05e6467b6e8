"""The machine that labctl runs on: where things lie, who runs, what the kernel can do."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXEC_ROOT: Final = "/var/run/docker"
SOCKET: Final = "/var/run/docker.sock"
PID_FILE: Final = "/var/run/docker.pid"

_PROGRAM_DIRS: Final = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_NOT_FOUND: Final = 127
"""What a shell says of a program that is not there."""


class Run(Protocol):
    """Runs one command to its end."""

    def __call__(
        self, argv: Sequence[str], *, stdin: str = "", environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it; a program that is not there is an exit code of 127."""


def run(
    argv: Sequence[str], *, stdin: str = "", environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of this machine to its end, in a session of its own.

    A Ctrl-C is passed on to the command alone and its end is waited for: apt takes it while it downloads and
    holds it back while dpkg is at work, so that the package database is never left half done.

    Args:
        argv: The program and its arguments.
        stdin: What it reads.
        environ: Variables beyond labctl's own; messages come in English whatever the machine's language.
    """
    search = os.pathsep.join((os.environ.get("PATH", ""), *_PROGRAM_DIRS))
    env = {**os.environ, "PATH": search, "LC_ALL": "C.UTF-8", **(environ or {})}
    program = shutil.which(argv[0], path=search)
    if program is None:
        return subprocess.CompletedProcess(list(argv), _NOT_FOUND, "", f"{argv[0]}: no such program")
    with subprocess.Popen(
        [program, *argv[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=env,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(stdin)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.communicate()
            raise
    return subprocess.CompletedProcess(list(argv), process.returncode, out, err)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where labctl looks and acts; tests give it a directory of their own.

    Args:
        root: What stands for ``/``.
        uid: Who labctl is.
        run: How commands are run.
        dockerd_arguments: What dockerd is told beyond its own configuration file.
    """

    root: Path = Path("/")
    uid: int = field(default_factory=os.geteuid)
    run: Run = run
    dockerd_arguments: tuple[str, ...] = ()

    def path(self, absolute: str) -> Path:
        """Return where a file of the machine lies."""
        return self.root / absolute.lstrip("/")

    @property
    def is_root(self) -> bool:
        """Whether labctl may install and start things."""
        return self.uid == 0

    @property
    def has_systemd(self) -> bool:
        """Whether systemd runs the machine; the test is the one of sd_booted(3)."""
        return self.path("/run/systemd/system").is_dir()

    @property
    def engine_url(self) -> str:
        """The URL of the machine's own Docker Engine."""
        return f"unix://{self.path(SOCKET)}"

    def program(self, name: str) -> Path | None:
        """Find an installed program, also where only root's PATH leads to it."""
        places = (self.path(f"{directory}/{name}") for directory in _PROGRAM_DIRS)
        return next((each for each in places if os.access(each, os.X_OK)), None)

    def distribution(self) -> frozenset[str]:
        """Return the names in ``ID`` and ``ID_LIKE`` of os-release(5)."""
        for name in ("/etc/os-release", "/usr/lib/os-release"):
            if self.path(name).is_file():
                return parse_distribution(self.path(name).read_text(errors="replace"))
        return frozenset()

    def read_proc(self, name: str) -> str | None:
        """Read a file of ``/proc``, or None where there is no such file (another system)."""
        try:
            return self.path(f"/proc/{name}").read_text(errors="replace")
        except OSError:
            return None


def parse_distribution(os_release: str) -> frozenset[str]:
    """Read ``ID`` and ``ID_LIKE`` of an os-release(5) file."""
    names: set[str] = set()
    for line in os_release.splitlines():
        key, _, value = line.partition("=")
        if key.strip() in {"ID", "ID_LIKE"}:
            names.update(value.strip().strip("\"'").split())
    return frozenset(names)


def process_name(pid: int) -> str | None:
    """Return the name of a living process; None where it is gone or only waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # proc_pid_stat(5): the name stands in parentheses and may hold some itself.
    before, _, after = stat.rpartition(")")
    state, threads = (after.split()[field] for field in (0, 17))
    # A killed process's first thread may be a zombie while others still hold its sockets open.
    gone = state in {"Z", "X"} and int(threads) <= 1
    return None if gone else before.partition("(")[2]


def processes() -> dict[int, str]:
    """Return all living processes by name."""
    pids = (int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit())
    return {pid: name for pid in pids if (name := process_name(pid)) is not None}


def command_line(pid: int) -> tuple[str, ...]:
    """Return what a process was called with; nothing where it is gone."""
    try:
        return tuple(Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")[:-1])
    except OSError:
        return ()


def listens(path: Path) -> bool:
    """Whether somebody listens at a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(0)
        try:
            client.connect(str(path))
        except BlockingIOError:  # so many wait there that one more would have to
            return True
        except OSError:
            return False
    return True


def own_addresses(machine: Machine) -> frozenset[IPv4Address] | None:
    """Return the machine's IPv4 addresses; None where they can't be told."""
    trie = machine.read_proc("net/fib_trie")
    return None if trie is None else parse_addresses(trie)


def parse_addresses(trie: str) -> frozenset[IPv4Address]:
    """Read the host addresses in ``/proc/net/fib_trie``."""
    found = set()
    leaf = ""
    for line in trie.splitlines():
        words = line.split()
        if words[:1] == ["|--"]:
            leaf = words[1]
        elif words == ["/32", "host", "LOCAL"]:
            found.add(IPv4Address(leaf))
    return frozenset(found)
