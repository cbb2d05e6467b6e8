"""``labctl prune``: removes what crashed runs left, and images of other versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labctl.contract.value import Word
from labctl.engine import images
from labctl.errors import EngineError, LabInUse
from labctl.lab import lock, origin
from labctl.lab.running import instance, leftovers
from labctl.lab.running.teardown import take_down
from labctl.progress import Progress, silent

if TYPE_CHECKING:
    from labctl.engine.protocol import Engine


@dataclass(frozen=True, slots=True)
class Pruned:
    """What crashed runs had left.

    Args:
        removed: The names of containers, networks and images.
        left: The names of labs of which nobody here can know whether they are in use.
    """

    SCHEMA: ClassVar = "labctl/prune/v1"

    removed: tuple[Word, ...]
    left: tuple[str, ...] = ()


def prune(engine: Engine, progress: Progress = silent) -> Pruned:
    """Remove what crashed runs left; a lab that is whole is never touched, running or stopped.

    Raises:
        EngineError: The engine failed.
    """
    removed: list[str] = []
    failures: list[EngineError] = []
    found = leftovers.of_all(engine)
    for name in found.removable:
        try:
            with lock.held(engine, name, progress):
                if leftovers.is_leftover(instance.observe(engine, name)):  # somebody may have finished it
                    removed.extend(take_down(engine, name, progress))
        except LabInUse:  # somebody has begun to use it
            continue
        except EngineError as exc:  # what can't be removed does not keep the rest
            failures.append(exc)
    removed.extend(_remove_images(engine, progress))
    if failures:
        raise failures[0]
    return Pruned(tuple(removed), found.unknown)


def _remove_images(engine: Engine, progress: Progress) -> list[str]:
    removed: list[str] = []
    with images.alone(engine, progress):  # what is being built looks like an image of another version
        in_use = {each.image_id for each in engine.containers({})}
        for image in images.outdated(engine, origin.image_specs()):
            if image.id not in in_use:
                names = image.tags or (image.id,)
                for name in names:
                    engine.remove_image(name)
                removed.extend(names)
                progress("image", f"{', '.join(names)} removed")
    return removed
