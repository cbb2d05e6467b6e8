"""What runs of ``labctl grade`` left that came to no end: their laboratories, which nobody needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.lab import instance, lock
from labctl.lab.teardown import take_down
from labctl.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from labctl.engine.protocol import Engine


def alive(engine_url: str, run: str) -> AbstractContextManager[None]:
    """Be a run: while this lasts, its laboratories are nobody's leftovers."""
    return lock.held(engine_url, _lock_of(run))


def of_dead_runs(engine: Engine, engine_url: str) -> tuple[str, ...]:
    """Name the laboratories whose run is not alive any more."""
    return tuple(_dead(engine, engine_url))


def remove_leftovers(engine: Engine, engine_url: str, progress: Progress = silent) -> tuple[str, ...]:
    """Take down the laboratories of dead runs.

    Returns:
        The names of what was removed.

    Raises:
        EngineError: The engine failed.
    """
    removed: list[str] = []
    for name in of_dead_runs(engine, engine_url):
        with lock.held(engine_url, name):
            removed.extend(take_down(engine, name, progress))
    return tuple(removed)


def _dead(engine: Engine, engine_url: str) -> Iterator[str]:
    held: dict[str, bool] = {}
    for there in instance.observe_all(engine, graded=True):
        if run := there.run:
            if run not in held:
                held[run] = lock.is_held(engine_url, _lock_of(run))
            if not held[run]:
                yield there.name


def _lock_of(run: str) -> str:
    return f"run {run}"
