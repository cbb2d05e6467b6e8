"""An attack on a grader, and what has to come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def _untouched(directory: Path) -> None:
    """Leave an attempt's directory as it is."""


@dataclass(frozen=True)
class Attack:
    """One hostile attempt.

    Args:
        id: The name of its directory.
        verdict: How it has to end.
        says: What the report has to say of it, as a regular expression, in whatever of its texts.
        files: What it hands in, beside the solution.
        build: What it does to its directory, where that holds the files.
        nightly: Whether it is for the night: another one comes by the same way, or does the same.
    """

    id: str
    verdict: str
    says: str
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    build: Callable[[Path], None] = _untouched
    nightly: bool = False

    def write(self, directory: Path, solution: Mapping[str, str]) -> None:
        """Write the attempt: the solution, the files of its own, and what else it does."""
        directory.mkdir(parents=True)
        for path, content in {**solution, **self.files}.items():
            data = content if isinstance(content, bytes) else content.encode()
            (directory / path).write_bytes(data)
        self.build(directory)
