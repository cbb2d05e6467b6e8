"""Locks of labs: one labctl at a time changes a lab, and nobody changes one that another has in use.

Each lab has two. `work` is held while something is changed, which is soon over and waited for. `use` is
held for as long as exercises or checks run in a lab, and together with `work` by whoever changes it from
outside: a run, and the process that it has the exercises in, change their own lab by `work` alone.

Labs carry the mark of the directory in which these locks lie (`labctl.engine.lockfile`): what another one
vouches for is never taken for dead.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from labctl.engine import lockfile
from labctl.errors import LabInUse
from labctl.progress import Progress, silent
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from labctl.engine.protocol import Engine

WAIT: Final = 300.0
"""Seconds that one labctl waits for another that changes the same lab."""

PATIENCE: Final = 3.0
"""Seconds that it waits for one that has the lab in use: a run of exercises may take many minutes."""


class _Locks(NamedTuple):
    """The files of a lab's two locks."""

    work: Path
    use: Path


@contextmanager
def held(
    engine: Engine,
    name: str,
    progress: Progress = silent,
    *,
    patience: float | None = None,
    in_use: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Hold a lab in order to change it, from outside of any run that uses it.

    Args:
        engine: The engine.
        name: The lab's name.
        progress: Told who is waited for.
        patience: Seconds to wait for one that has it in use; `PATIENCE` where it is None.
        in_use: Called before one that has it in use is waited for; what it raises ends the waiting.

    Raises:
        LabInUse: Another process has it in use, or has changed it for all of `WAIT`.
        EngineError: The locks can't be had.
    """
    locks = _locks(engine, name)
    with ExitStack() as ends:
        work, use = _both(locks, name, progress, patience, in_use)
        ends.callback(lockfile.release, work, locks.work)
        ends.callback(lockfile.release, use, locks.use)
        yield


@contextmanager
def used(
    engine: Engine, name: str, progress: Progress = silent, *, patience: float | None = None
) -> Iterator[None]:
    """Have a lab in use, after whoever changes it now: nobody else changes it from outside.

    Args, as far as it has them, and errors are those of `held`.
    """
    locks = _locks(engine, name)
    with ExitStack() as ends:
        work, use = _both(locks, name, progress, patience)
        ends.callback(lockfile.release, use, locks.use)
        lockfile.release(work, locks.work)
        yield


@contextmanager
def working(engine: Engine, name: str) -> Iterator[None]:
    """Change a lab that this process, or the one that started it, has in use.

    Raises:
        LabInUse: Another process has changed it for all of `WAIT`.
        EngineError: The lock can't be had.
    """
    path = _locks(engine, name).work
    if (work := eventually(lambda: lockfile.acquire(path), within=WAIT)) is None:
        raise _in_use(path, name)
    try:
        yield
    finally:
        lockfile.release(work, path)


def is_held(engine: Engine, name: str) -> bool:
    """Say whether some labctl changes a lab now, or has it in use."""
    return any(lockfile.is_locked(path) for path in _locks(engine, name))


def _locks(engine: Engine, name: str) -> _Locks:
    return _Locks(lockfile.path_of(engine, f"work {name}"), lockfile.path_of(engine, f"use {name}"))


def _both(
    locks: _Locks,
    name: str,
    progress: Progress,
    patience: float | None,
    in_use: Callable[[], None] = lambda: None,
) -> tuple[int, int]:
    """Take both locks; while `use` can't be had, `work` is left to whoever has that."""
    patience = PATIENCE if patience is None else patience
    refused_since: float | None = None

    told: set[Path] = set()

    def tell(path: Path) -> None:
        if path not in told and progress is not silent:
            from labctl.engine.holder import holder_of  # noqa: PLC0415  # only for one that is in the way

            told.add(path)
            progress("lock", f"waiting for {holder_of(path)}")

    def attempt() -> tuple[int, int] | None:
        nonlocal refused_since
        if (work := lockfile.acquire(locks.work)) is None:
            tell(locks.work)
            return None
        use: int | None = None
        try:
            use = lockfile.acquire(locks.use)
        finally:
            if use is None:
                lockfile.release(work, locks.work)
        if use is not None:
            return work, use
        if refused_since is None:
            in_use()
            refused_since = time.monotonic()
        if time.monotonic() - refused_since >= patience:
            raise _in_use(locks.use, name)
        tell(locks.use)
        return None

    if (found := eventually(attempt, within=WAIT)) is None:
        raise _in_use(locks.work, name)
    return found


def _in_use(path: Path, name: str) -> LabInUse:
    from labctl.engine.holder import holder_of  # noqa: PLC0415  # as above

    holder = holder_of(path)
    return LabInUse(
        f"lab {name!r} is in use by {holder}",
        holder=str(holder),
        facts=holder.facts,
        hint=f"wait for its end, or take another lab: --name {name[:28]}-2",
    )
