"""Who holds a lock, as the kernel tells it: no file can say it that another user may have written."""

from __future__ import annotations

import os
import pwd
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

_PROC: Final = Path("/proc")

_LONGEST: Final = 60
"""Characters of a command that are told: its own process chose them."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a lock; what is not known of it is None.

    Args:
        pid: Its id.
        user: Whose it is.
        command: The program and its first argument.
        since: When it was started.
    """

    pid: int | None = None
    user: str | None = None
    command: str | None = None
    since: datetime | None = None

    def __str__(self) -> str:
        """Say it in words."""
        if self.pid is None:
            return "another labctl"
        user = f" of user {self.user}" if self.user else ""
        since = f", since {self.since.astimezone():%H:%M:%S}" if self.since else ""
        return f"{self.command or 'another labctl'}{user} (process {self.pid}{since})"

    @property
    def facts(self) -> dict[str, Any]:
        """The same, JSON-ready."""
        return {
            "pid": self.pid,
            "user": self.user,
            "command": self.command,
            "since": self.since.isoformat() if self.since else None,
        }


def holder_of(path: Path) -> Holder:
    """Return who holds a flock(2) lock on a file; one in a container with processes of its own is unknown.

    Source: proc(5), on ``/proc/locks``, ``/proc/PID/cmdline``, ``/proc/PID/stat`` and ``/proc/stat``.
    """
    with suppress(OSError, ValueError):
        status = path.lstat()
        place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        for line in (_PROC / "locks").read_text(encoding="ascii").splitlines():
            # 1: FLOCK  ADVISORY  WRITE 4711 00:19:2034 0 EOF
            words = line.split()
            if words[1] == "FLOCK" and words[3] == "WRITE" and words[5] == place and int(words[4]) > 0:
                return _described(int(words[4]))
    return Holder()


def _described(pid: int) -> Holder:
    directory = _PROC / str(pid)
    user = command = since = None
    with suppress(OSError):
        uid = directory.stat().st_uid
        user = str(uid)
        with suppress(KeyError):
            user = pwd.getpwuid(uid).pw_name
    with suppress(OSError):  # hidepid=2 hides what is another user's
        command = _command((directory / "cmdline").read_bytes())
    with suppress(OSError, ValueError, IndexError, StopIteration):
        since = _started(directory)
    return Holder(pid, user, command, since)


def _command(line: bytes) -> str | None:
    """Name a program by its own name and its first argument, not by the interpreter that runs it."""
    words = line.decode("utf-8", "replace").rstrip("\0").split("\0")
    if Path(words[0]).name.startswith("python"):
        words = words[1:]
        while words and words[0].startswith("-"):
            words = words[1:] if words[0] != "-c" else []
    named = [Path(each).name for each in words[:1]] + [each for each in words[1:2] if each.isidentifier()]
    return re.sub(r"[^ -~]", "?", " ".join(named))[:_LONGEST] or None


def _started(directory: Path) -> datetime:
    ticks = int((directory / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19])
    lines = (_PROC / "stat").read_text(encoding="ascii").splitlines()
    boot = next(int(each.split()[1]) for each in lines if each.startswith("btime "))
    return datetime.fromtimestamp(boot + ticks / os.sysconf("SC_CLK_TCK"), UTC)
