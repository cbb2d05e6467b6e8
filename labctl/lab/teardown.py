"""Making a lab be gone: by its labels alone, so that labs of any version and without their files can go."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from labctl.errors import EngineError
from labctl.lab import labels
from labctl.progress import Progress, silent
from labctl.wait import eventually

if TYPE_CHECKING:
    from labctl.engine.model import Container
    from labctl.engine.protocol import Engine

_REMOVED_WITHIN: Final = 10.0
"""Seconds that the engine has to let go of a network whose containers have gone."""


def take_down(engine: Engine, name: str, progress: Progress = silent) -> tuple[str, ...]:
    """Remove a lab, by its labels alone.

    Returns:
        The names of what was removed; nothing where nothing was there.
    """
    wanted = {labels.NAME: name}

    def remove(container: Container) -> None:
        engine.remove_container(container.id)
        progress(container.labels.get(labels.SERVICE, container.name), "removed")

    # An engine takes a value that is empty for any value: a label without one must not take all labs down.
    volumes = [each for each in engine.volumes(wanted) if each.labels[labels.NAME] == name]
    for volume in volumes:  # first of all: what has no record is known to be unfinished
        engine.remove_volume(volume.name)
    containers = [each for each in engine.containers(wanted) if each.labels[labels.NAME] == name]
    with ThreadPoolExecutor(max_workers=max(len(containers), 1)) as pool:
        removals = [pool.submit(remove, each) for each in containers]
        networks = [each for each in engine.networks(wanted) if each.labels[labels.NAME] == name]
    for removal in removals:
        removal.result()
    for network in networks:
        remove_network(engine, network.id)
        progress("network", "removed")
    return tuple(sorted({each.name for group in (containers, networks, volumes) for each in group}))


def remove_network(engine: Engine, network: str) -> None:
    """Remove a network; the engine may still be busy with an endpoint that has just gone (moby #43286)."""
    last: EngineError | None = None

    def removed() -> bool | None:
        nonlocal last
        try:
            engine.remove_network(network)
        except EngineError as exc:
            if "active endpoints" not in exc.message:
                raise
            last = exc
            return None
        return True

    if eventually(removed, within=_REMOVED_WITHIN) is None:
        assert last is not None
        raise last
