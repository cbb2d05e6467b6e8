"""What the kernel has counted in a container's control groups (cgroups(7)), version 1 or 2.

Engines tell of memory that was used up only once the container's first process has ended, and never of
processes that could not be made. The kernel's files tell both at once, where the engine runs on this machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_COUNTS: Final = {
    "memory.events": "oom_kill",  # version 2
    "memory.oom_control": "oom_kill",  # version 1
    "pids.events": "max",  # both
}
"""The files that tell, and the word before the number."""

_CONTROLLERS: Final = {"", "memory", "pids"}
"""Version 2 has one group for all, whose line names no controllers."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What befell a container's processes.

    Args:
        killed: How many were killed because the container's memory was used up; None where that is not known.
        refused: How often one more could not be made, as there were as many as there may be; likewise.
    """

    killed: int | None
    refused: int | None


def counted(container: str, pid: int, root: Path = Path("/")) -> Counted:
    """Read what the kernel has counted in a running container.

    Args:
        container: Its id.
        pid: Its first process as this machine numbers it; that of another machine is not mistaken for it.
        root: Where this machine's files are.
    """
    found = dict(_found(container, pid, root))
    killed = [found[name] for name in ("memory.events", "memory.oom_control") if name in found]
    return Counted(max(killed, default=None), found.get("pids.events"))


def _found(container: str, pid: int, root: Path) -> Iterator[tuple[str, int]]:
    for line in _read(root / "proc" / str(pid) / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if container not in path or not _CONTROLLERS & set(controllers.split(",")):
            continue
        group = root / "sys/fs/cgroup" / controllers / path.lstrip("/")
        for name, word in _COUNTS.items():
            if count := re.search(rf"^{word} (\d+)$", _read(group / name), re.MULTILINE):
                yield name, int(count[1])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):  # not there, or not ours to read
        return ""
