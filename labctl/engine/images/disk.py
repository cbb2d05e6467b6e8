"""Full disks: how programs say it, and how to say which one."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_FULL: Final = re.compile(
    r"no space left on device|not? enough free space|enough free space in|disk quota exceeded", re.IGNORECASE
)


def says_full(text: str) -> bool:
    """Say whether a program's words (apt's, dpkg's, tar's, the kernel's) mean that a disk is full."""
    return _FULL.search(text) is not None


def room(path: Path) -> str:
    """Say how much room there is where a path lies: ``/tmp (3 MB free of 20 MB)``."""
    try:
        usage = shutil.disk_usage(path)
    except OSError:
        return str(path)
    return f"{path} ({usage.free // 2**20} MB free of {usage.total // 2**20} MB)"
