"""Files that a user names: opened at once, and read to a bound, whatever lies there."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from labctl.interruption import undone

if TYPE_CHECKING:
    from os import PathLike

LARGEST_TEXT: Final = 8 << 20
"""Bytes of a file that people write by hand; far above what any needs."""

_KINDS: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}


def opened(path: str | PathLike[str], *, buffering: int = -1) -> BinaryIO:
    """Open a file to read it; what may keep its reader waiting, or never ends, is refused at once.

    A pipe without a name is taken, as a shell makes it of ``<(zcat mail.log.gz)``: somebody writes to it.

    Args:
        path: The file; links are followed.
        buffering: As in ``open``; 0 gives a file without a buffer.

    Raises:
        OSError: It is not there, may not be read, or is a directory, a device, a socket or a named pipe.
    """
    _must_be_readable(Path(path).stat(), path)  # before it is opened, as opening a device may do something
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    with undone(lambda: os.close(descriptor)):
        _must_be_readable(os.fstat(descriptor), path)  # another thing may lie there by now
        os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "rb", buffering=buffering)


def content(path: str | PathLike[str], most: int) -> bytes:
    """Read a file of at most `most` bytes.

    Raises:
        OSError: As `opened` does; or it is larger, or can't be read.
    """
    with opened(path) as file:
        return read(file, most)


def read(file: BinaryIO, most: int) -> bytes:
    """Read what is left of an open file, at most `most` bytes.

    Raises:
        OSError: It is larger, or can't be read.
    """
    found = file.read(most + 1)
    if len(found) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most >> 20} MiB")
    return found


def is_there(path: str | PathLike[str], *, directory: bool = False) -> bool:
    """Say whether a file, or also a directory, can be looked at: what can be no name is not there."""
    with suppress(OSError, ValueError):
        return Path(path).exists() and (directory or not Path(path).is_dir())
    return False


def kind_of(mode: int) -> str:
    """Name in words what lies somewhere that is no regular file (stat(2), ``st_mode``)."""
    return _KINDS.get(stat.S_IFMT(mode), "no regular file")


def _must_be_readable(status: os.stat_result, path: str | PathLike[str]) -> None:
    if stat.S_ISREG(status.st_mode) or (stat.S_ISFIFO(status.st_mode) and _has_no_name(path)):
        return
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    raise OSError(errno.EINVAL, f"it is {kind_of(status.st_mode)}, no file", os.fspath(path))


def _has_no_name(path: str | PathLike[str]) -> bool:
    """Whether a pipe is reached by its descriptor only, as through ``/dev/fd/63``; see proc_pid_fd(5)."""
    try:
        return str(Path(path).readlink()).startswith("pipe:[")
    except OSError:
        return False
