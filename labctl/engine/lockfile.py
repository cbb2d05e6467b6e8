"""Locks that all who drive one engine from this machine meet at: files in one directory, with flock(2).

The kernel gives such a lock back when its holder ends, however it does, and tells everybody who holds it
(`labctl.engine.holder`). Nothing on an engine has both properties: what is bound to a connection there is
seen by nobody else, and what others see outlives who made it.

The files lie in a directory of the machine that is open to all of its users, whatever ``TMPDIR`` says, and
are named by the engine's own identity, however its address is spelt. flock(2) needs no permission to write:
no user can write another's file, and what is in it means nothing. The last holder removes a file; one of
another user's stays in the sticky directory, empty, until that user holds it again.

A container that is lent the engine's socket has a directory of its own: `voucher` tells them apart.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from labctl.errors import EngineError

if TYPE_CHECKING:
    from labctl.engine.protocol import Engine

DIRECTORIES: Final = (Path("/run/lock"), Path("/tmp"))  # noqa: S108  # a fixed place for all users is what is wanted
"""Where the files may lie; they do in the first one that is open to all and sticky."""

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_OPEN_TO_ALL: Final = stat.S_IWOTH | stat.S_ISVTX


def path_of(engine: Engine, what: str) -> Path:
    """Return the file that is the lock of something on an engine, whatever characters that is called by."""
    digest = hashlib.sha256(f"{engine.identity()} {what}".encode()).hexdigest()[:24]
    return _directory() / f"labctl-{digest}.lock"


def acquire(path: Path) -> int | None:
    """Lock a file, made where it is missing.

    Returns:
        What `release` wants, or None where another has it.

    Raises:
        EngineError: It can't be had.
    """
    if (descriptor := _opened(path)) is None:
        return None
    mine = False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine = _is_at(descriptor, path)  # its last holder may have removed it in between
    except BlockingIOError:
        pass
    finally:
        if not mine:
            os.close(descriptor)
    return descriptor if mine else None


def release(descriptor: int, path: Path) -> None:
    """Give a lock back."""
    with suppress(OSError):  # it may be another user's, or somebody has cleared up
        if _is_at(descriptor, path):
            path.unlink()
    os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Say whether anybody has a lock.

    Raises:
        EngineError: That can't be told.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise _unusable(path, exc) from exc
    try:
        fcntl.flock(
            descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB
        )  # shared: two that only look don't see each other
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def voucher() -> str:
    """Return what tells the directory of this process's locks from those of other machines and containers.

    A file system's number is no other's as long as anybody has it mounted, and all are new after a boot.
    """
    status = _directory().stat()
    boot = ""
    with suppress(OSError):  # only Linux has it
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
    return hashlib.sha256(f"{boot} {status.st_dev} {status.st_ino}".encode()).hexdigest()[:16]


def _directory() -> Path:
    """Return the directory that every user of this machine comes to: what one may write is no reason."""
    for each in DIRECTORIES:
        with suppress(OSError):
            mode = each.stat().st_mode
            if stat.S_ISDIR(mode) and mode & _OPEN_TO_ALL == _OPEN_TO_ALL:
                return each
    places = " and ".join(map(str, DIRECTORIES))
    raise EngineError(
        f"there is no place for locks: neither of {places} is a directory for all users (mode 1777)",
        hint=f"ls -ld {places.replace(' and', '')}",
    )


def _opened(path: Path) -> int | None:
    """Open a lock's file, made where it is missing; None where it has gone again at once."""
    try:
        if not os.path.lexists(path):
            _make(path)
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise _unusable(path, exc) from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise EngineError(f"{path} is no plain file, as a lock is", hint=f"ls -l {path}")
    return descriptor


def _make(path: Path) -> None:
    """Make a file that all users can read; it appears when it has that mode, whatever the umask is.

    Linux refuses ``O_CREAT`` on another user's file in a sticky directory (fs.protected_regular, proc(5)).
    """
    draft = path.with_name(f"{path.name}-{os.getpid()}-{threading.get_native_id()}")
    descriptor = os.open(draft, _FLAGS | os.O_CREAT | os.O_EXCL, 0o444)
    try:
        os.fchmod(descriptor, 0o444)
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        os.close(descriptor)
        draft.unlink()


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _unusable(path: Path, exc: OSError) -> EngineError:
    return EngineError(f"the lock {path} can't be had: {exc.strerror}", hint=f"ls -l {path}")
