"""Making a lab be gone: by its labels alone, so that labs of any version and without their files can go."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from labctl.engine.model import ContainerState
from labctl.errors import EngineError
from labctl.lab.mark import faultrecord, labels
from labctl.lab.name import object_name
from labctl.progress import Progress, silent
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labctl.engine.model import Container
    from labctl.engine.protocol import Engine

_ON_NETWORK: Final = frozenset({ContainerState.RUNNING, ContainerState.PAUSED})

_REMOVED_WITHIN: Final = 10.0
"""Seconds that the engine has to let go of a network whose containers have gone."""


def take_down(engine: Engine, name: str, progress: Progress = silent) -> tuple[str, ...]:
    """Remove a lab, by its labels alone.

    Returns:
        The names of what was removed; nothing where nothing was there.
    """
    wanted = {labels.NAME: name}

    # An engine takes a value that is empty for any value: a label without one must not take all labs down.
    volumes = [each for each in engine.volumes(wanted) if each.labels[labels.NAME] == name]
    # First of all: what has no record is known to be unfinished. Faults stay on record until nothing is left
    # that they could have changed.
    faults = [each for each in volumes if faultrecord.FAULT in each.labels]
    for volume in (each for each in volumes if each not in faults):
        engine.remove_volume(volume.name)
    containers = [each for each in engine.containers(wanted) if each.labels[labels.NAME] == name]
    networks = [each for each in engine.networks(wanted) if each.labels[labels.NAME] == name]

    def remove_networks() -> None:
        for network in networks:
            remove_network(engine, network.id)
            progress("network", "removed")

    remove_containers(engine, name, containers, progress, meanwhile=remove_networks)
    for volume in faults:
        engine.remove_volume(volume.name)
    return tuple(sorted({each.name for group in (containers, networks, volumes) for each in group}))


def remove_containers(
    engine: Engine,
    name: str,
    containers: Sequence[Container],
    progress: Progress = silent,
    *,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Remove containers of a lab, all at once; but they leave its network one after the other.

    Docker Engine miscounts what is on a network where several join or leave it at once, and a network with a
    wrong count can't be removed until the engine is restarted. Leaving is quick; the rest takes long.

    Args:
        engine: The engine.
        name: The lab's name.
        containers: The containers.
        progress: Told what has been removed.
        meanwhile: What can be done when all have left the network, before they are gone.
    """

    def remove(container: Container) -> None:
        engine.remove_container(container.id)
        progress(container.labels.get(labels.SERVICE, container.name), "removed")

    with ThreadPoolExecutor(max_workers=len(containers) + 1) as pool:
        removals = []
        for container in containers:
            if container.state in _ON_NETWORK:
                with suppress(EngineError):  # only a precaution: the removal would take it off as well
                    engine.disconnect(object_name(name), container.id)
            removals.append(pool.submit(remove, container))
        removals.append(pool.submit(meanwhile))
    for removal in removals:
        removal.result()


def remove_network(engine: Engine, network: str) -> None:
    """Remove a network; the engine may still be busy with an endpoint that has just gone (moby #43286)."""

    def removed() -> bool | None:
        try:
            engine.remove_network(network)
        except EngineError as exc:
            if "active endpoints" not in exc.message:
                raise
            return None
        return True

    if eventually(removed, within=_REMOVED_WITHIN) is None:
        engine.remove_network(network)  # or be told why that is not to be
