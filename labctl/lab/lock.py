"""One writer per lab: two ``up`` of one name wait for each other."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.errors import EngineError
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT = 300.0
"""Seconds that one labctl waits for another that works on the same lab."""


def _path(engine_url: str, name: str) -> Path:
    directory = Path(tempfile.gettempdir()) / f"labctl-{os.getuid()}"
    hint = f"remove {directory}, or set TMPDIR"
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
    except OSError as exc:
        raise EngineError(f"{directory} for the locks can't be made: {exc.strerror}", hint=hint) from exc
    status = directory.lstat()
    if status.st_uid != os.getuid() or directory.is_symlink():
        raise EngineError(f"{directory} is somebody else's", hint=hint)
    # A lab of any name may be on the engine: labels may hold what no file's name may.
    digest = hashlib.sha256(f"{engine_url} {name}".encode()).hexdigest()[:24]
    return directory / f"{digest}.lock"


def _open(engine_url: str, name: str) -> int:
    return os.open(_path(engine_url, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _try(descriptor: int, kind: int) -> bool | None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return True


@contextmanager
def held(engine_url: str, name: str) -> Iterator[None]:
    """Hold the lock of one lab on one engine; the kernel gives it back when the process ends, however.

    Raises:
        EngineError: Another labctl held it for all of `WAIT`.
    """
    descriptor = _open(engine_url, name)
    try:
        if eventually(lambda: _try(descriptor, fcntl.LOCK_EX), within=WAIT) is None:
            raise EngineError(
                f"another labctl has worked on lab {name!r} for {WAIT:.0f} s", hint="ps -C labctl"
            )
        yield
    finally:
        os.close(descriptor)


def is_held(engine_url: str, name: str) -> bool:
    """Say whether some labctl works on this lab now."""
    descriptor = _open(engine_url, name)
    try:
        return _try(descriptor, fcntl.LOCK_SH) is None  # shared: two that only look don't see each other
    finally:
        os.close(descriptor)
