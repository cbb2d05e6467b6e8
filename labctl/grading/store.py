"""What was seen of attempts, kept by content: a second run takes up where the first one ended."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labctl import plainfile
from labctl.errors import GradingError, OutputError
from labctl.grading import form
from labctl.grading.job import Examination
from labctl.output import writing

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORY: Final = "examinations"

_LARGEST: Final = 256 << 20
"""Bytes of an examination; what a check keeps of a host's log has bounds of its own."""


@dataclass(frozen=True, slots=True)
class Store:
    """A directory of examinations, a file each.

    Args:
        directory: Where; made when the first is kept.
    """

    directory: Path

    def get(self, key: str) -> Examination | None:
        """Return what was seen before, or None; what can't be read is seen anew."""
        with suppress(OSError, UnicodeDecodeError, GradingError):
            return form.read(plainfile.content(self._path(key), _LARGEST).decode(), Examination)
        return None

    def put(self, key: str, examination: Examination) -> None:
        """Keep an examination, whole or not at all; where anything broke, it is to be made anew.

        Raises:
            OutputError: It can't be written.
        """
        if examination.broke:
            return
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise OutputError(
                f"{path} can't be written: {exc.strerror}", hint=f"ls -ld {self.directory}"
            ) from exc
        with writing(path) as file:
            file.write(form.written(examination).encode())

    def _path(self, key: str) -> Path:
        return self.directory / DIRECTORY / f"{key}.json"
