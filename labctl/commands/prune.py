"""``labctl prune``: removes what crashed runs left, and images of other versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labctl.engine import images
from labctl.errors import EngineError
from labctl.lab import instance, lock, origin
from labctl.lab.leftovers import of_dead_runs
from labctl.lab.teardown import take_down
from labctl.progress import Progress, silent

if TYPE_CHECKING:
    from labctl.engine.protocol import Engine


@dataclass(frozen=True, slots=True)
class Pruned:
    """The names of the containers, networks and images that were removed."""

    SCHEMA: ClassVar = "labctl/prune/v1"

    removed: tuple[str, ...]


def leftovers(engine: Engine, engine_url: str) -> tuple[str, ...]:
    """Name the labs that a crashed run left, and that nobody is at work on.

    Only a run that came to its end leaves a record; a lab that has one and misses a container since is alive,
    and `labctl up` mends it. The laboratories of a grading run are its leftovers as soon as it is dead.
    """
    return (
        *(
            each.name
            for each in instance.observe_all(engine)
            if _unfinished(each) and not lock.is_held(engine_url, each.name)
        ),
        *of_dead_runs(engine, engine_url),
    )


def _unfinished(there: instance.Instance) -> bool:
    return not there.whole and (there.record is None or there.network is None)


def prune(engine: Engine, engine_url: str, progress: Progress = silent) -> Pruned:
    """Remove what crashed runs left; a lab that is whole is never touched, running or stopped.

    Raises:
        EngineError: The engine failed.
    """
    removed: list[str] = []
    failures: list[EngineError] = []
    for name in leftovers(engine, engine_url):
        with lock.held(engine_url, name):
            there = instance.observe(engine, name)
            if there.run or _unfinished(there):  # somebody may have finished it meanwhile
                try:
                    removed.extend(take_down(engine, name, progress))
                except EngineError as exc:  # what can't be removed does not keep the rest
                    failures.append(exc)
    removed.extend(_remove_images(engine, progress))
    if failures:
        raise failures[0]
    return Pruned(tuple(removed))


def _remove_images(engine: Engine, progress: Progress) -> list[str]:
    removed: list[str] = []
    with images.alone(progress):  # what is being built looks like an image of another version
        in_use = {each.image_id for each in engine.containers({})}
        for image in images.outdated(engine, origin.image_specs()):
            if image.id not in in_use:
                names = image.tags or (image.id,)
                for name in names:
                    engine.remove_image(name)
                removed.extend(names)
                progress("image", f"{', '.join(names)} removed")
    return removed
