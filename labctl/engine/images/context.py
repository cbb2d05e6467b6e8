"""What an image is made of: the files of a directory, their hash, and the tar the engine builds from."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

HASH_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a build context; `path` is relative, with slashes."""

    path: str
    content: bytes
    executable: bool = False


def read(directory: Path, *, without: Collection[str] = ()) -> tuple[Entry, ...]:
    """Read the files of a directory, sorted by path.

    Hidden files are not part of a context: they serve editors and version control.

    Args:
        directory: The context's root.
        without: Relative paths to leave out.
    """
    found = []
    for path in directory.rglob("*"):
        relative = path.relative_to(directory)
        if relative.as_posix() in without or any(part.startswith(".") for part in relative.parts):
            continue
        if path.is_file():
            executable = bool(path.stat().st_mode & 0o100)
            found.append(Entry(relative.as_posix(), path.read_bytes(), executable))
    return tuple(sorted(found, key=lambda entry: entry.path))


def digest(entries: Iterable[Entry], *seeds: str) -> str:
    """Hash names, execute bits and contents, after what else decides the image (`seeds`).

    Every part goes in with its length before it, so that no two contexts read the same.
    """
    state = hashlib.sha256()

    def add(part: bytes) -> None:
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)

    for seed in seeds:
        add(seed.encode())
    for entry in entries:
        add(entry.path.encode())
        add(b"x" if entry.executable else b"-")
        add(entry.content)
    return state.hexdigest()[:HASH_LENGTH]


def pack(entries: Iterable[Entry]) -> IO[bytes]:
    """Make a tar that is the same wherever and whenever it is made: root's files, of one old time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            member = tarfile.TarInfo(entry.path)
            member.size = len(entry.content)
            member.mode = 0o755 if entry.executable else 0o644
            tar.addfile(member, io.BytesIO(entry.content))
    buffer.seek(0)
    return buffer
