"""How many laboratories this machine bears at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_PER_CORE: Final = 4
"""Checks wait for most of their time; with more at once than this each only gets slower."""

_ORDINARY: Final = 150 << 20
"""Bytes that a laboratory with its checks takes (55 to 60 MiB of it the containers), and some to spare."""


def laboratories(limit: int, *, cores: int, memory: int) -> int:
    """Return how many laboratories can be there at once, one at least.

    Args:
        limit: Bytes that one host of an attempt may take, as one of them may.
        cores: The processors that may be used.
        memory: Bytes that are free.
    """
    return max(1, min(_PER_CORE * cores, memory // (_ORDINARY + limit)))


def borne_here(limit: int) -> int:
    """Return how many laboratories this machine bears at once; see `laboratories`."""
    return laboratories(limit, cores=len(os.sched_getaffinity(0)), memory=_free_memory())


def _free_memory() -> int:
    """Return the kernel's own estimate (proc(5), ``MemAvailable``)."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) << 10
    return _ORDINARY
