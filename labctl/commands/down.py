"""``labctl down``: removes a lab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labctl.errors import LabNotUp
from labctl.lab import instance, leftovers, lock
from labctl.lab.name import valid_name
from labctl.lab.teardown import take_down
from labctl.progress import Progress, silent

if TYPE_CHECKING:
    from labctl.engine.protocol import Engine


@dataclass(frozen=True, slots=True)
class Down:
    """The names of the containers and networks that were removed."""

    SCHEMA: ClassVar = "labctl/down/v1"

    removed: tuple[str, ...]


def down(
    engine: Engine,
    engine_url: str,
    name: str | None,
    *,
    every: bool = False,
    progress: Progress = silent,
) -> Down:
    """Remove one lab, or every lab; it takes only their labels. Where nothing is there, that is success.

    Of the laboratories of grading runs, every lab means those that a dead run left: one that is alive
    removes its own.

    Raises:
        UsageError: The name is malformed, or none is given and several labs are up.
        EngineError: The engine failed.
    """
    if every:
        names = [each.name for each in instance.observe_all(engine)]
        names.extend(leftovers.of_dead_runs(engine, engine_url))
    elif name is not None:
        names = [valid_name(name)]
    else:
        try:
            names = [instance.select(engine, None).name]
        except LabNotUp:
            names = []
    removed: list[str] = []
    for each in names:
        with lock.held(engine_url, each):
            removed.extend(take_down(engine, each, progress))
    return Down(tuple(removed))
