"""The files that labctl is told to write: each whole or not at all, and nothing but regular files.

A device, a pipe, a socket or a directory is never written to and never replaced. A symbolic link to a regular
file is followed, as by any program that opens a file: the file that it leads to is replaced, in its own
directory, and the link stays. A link that leads nowhere is refused.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from labctl import plainfile
from labctl.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDARD_OUTPUT: Final = Path("-")
"""What stands for standard output in place of a file."""

_OTHERWISE: Final = "name a file, or - for standard output"
_STREAMS: Final = ("input", "output", "error")


def place_of(path: Path) -> Path:
    """Return where a file will be written: its path without any link.

    Raises:
        OutputError: Something lies there that is no regular file, or its directory is not there.
    """
    with _told(path):
        try:
            seen = path.stat()
        except FileNotFoundError:
            if path.is_symlink():
                raise _refused(path, "it is a link that leads nowhere") from None
            return Path(os.path.realpath(path.parent, strict=True), path.name)
        if not stat.S_ISREG(seen.st_mode):
            raise _refused(path, f"it is {plainfile.kind_of(seen.st_mode)}", hint=_OTHERWISE)
        for number, name in enumerate(_STREAMS):
            with suppress(OSError):  # it is closed
                if os.path.samestat(os.fstat(number), seen):
                    raise _refused(path, f"it is this command's own standard {name}", hint=_OTHERWISE)
        found = Path(os.path.realpath(path, strict=True))
        if not os.path.samestat(found.lstat(), seen):
            raise _refused(path, "it changes while it is looked at")
        return found


def check(path: Path, *, append: bool = False) -> Path:
    """Find out whether a file can be written, before the work that it is to hold.

    Args:
        path: The file.
        append: Whether it will be added to.

    Returns:
        Where it will be, as `place_of` does.

    Raises:
        OutputError: It can't be written.
    """
    place = place_of(path)
    with _told(path):
        if place.exists() and not os.access(place, os.W_OK):
            raise _refused(path, "Permission denied")
        if not (append and place.exists()):
            part, number = _part_beside(place)
            os.close(number)
            part.unlink()
    return place


@contextmanager
def writing(path: Path, *, stdout: BinaryIO | None = None, append: bool = False) -> Iterator[BinaryIO]:
    """Open a file to be written; it has its name when it is whole, and what had the name stays till then.

    A new file gets the permissions that any program's gets (umask(2)); one that is replaced keeps its own.

    Args:
        path: The file.
        stdout: What `STANDARD_OUTPUT` stands for; None where there is none.
        append: Whether to add to the file where it is.

    Raises:
        OutputError: It can't be written.
    """
    if path == STANDARD_OUTPUT:
        if stdout is None:
            raise _refused("standard output", "it is closed")
        with _told("standard output"):
            yield stdout
            stdout.flush()
        return
    place = place_of(path)
    with _told(path):
        if append:
            with os.fdopen(_opened(path, place), "ab") as file:
                yield file
            return
        part, number = _part_beside(place)
        try:
            with os.fdopen(number, "wb") as file:
                yield file
            with suppress(FileNotFoundError):
                _like(part, place.stat())
            # Whoever puts something else there between this look and the next line may write in that
            # directory, and so could remove it as well.
            if place_of(path) != place:
                raise _refused(path, "it leads elsewhere since the command began")
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)


def _opened(path: Path, place: Path) -> int:
    flags = (
        os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    )
    number = os.open(place, flags, 0o666)
    if stat.S_ISREG(os.fstat(number).st_mode):
        return number
    os.close(number)
    raise _refused(path, "it is no regular file")


def _part_beside(place: Path) -> tuple[Path, int]:
    """Make a file of no name that anyone would choose, with the permissions that a new file gets."""
    part = place.with_name(f".labctl-{os.urandom(8).hex()}.part")
    return part, os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)


def _like(part: Path, before: os.stat_result) -> None:
    """Give a file the owner, as far as that is allowed, and the permissions of the one that it replaces."""
    with suppress(PermissionError):
        os.chown(part, before.st_uid, before.st_gid)
    part.chmod(before.st_mode & 0o777)


@contextmanager
def _told(what: object) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # who read it has had enough
        raise
    except OSError as exc:
        full = exc.errno in {errno.ENOSPC, errno.EDQUOT}
        raise _refused(what, exc.strerror or str(exc), hint="df -h" if full else None) from exc


def _refused(what: object, why: str, *, hint: str | None = None) -> OutputError:
    look = f"ls -ld {what.parent}" if isinstance(what, Path) else "df -h"
    return OutputError(f"{what} can't be written: {why}", hint=hint or look)
