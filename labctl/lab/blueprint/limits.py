"""What each container of a lab may use, where its files are a student's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from labctl.lab.blueprint.definition import Grading

_UNITS: Final = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one container.

    Args:
        memory: Bytes, swap included; who wants more is killed.
        cpus: Of one processor's time, the share; 2 is two processors.
        pids: Processes and threads.
        file_size: Bytes that one file may hold; nothing bounds how many files there are.
    """

    memory: int
    cpus: float
    pids: int
    file_size: int

    @classmethod
    def of(cls, grading: Grading) -> Limits:
        """Read the limits that a lab sets."""
        return cls(_bytes(grading.memory), grading.cpus, grading.pids, _bytes(grading.file_size))

    @property
    def ulimits(self) -> dict[str, int]:
        """What binds each process (setrlimit(2)): a daemon that crashes leaves no core behind."""
        return {"core": 0, "fsize": self.file_size}


def _bytes(size: str) -> int:
    return int(size[:-1]) * _UNITS[size[-1]]
