"""``labctl reset``: a lab as new."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from labctl import resources
from labctl.commands.status import Status, describe_ready
from labctl.engine import images
from labctl.lab import catalogue, instance, labels, lock, pristine
from labctl.lab.plan import make_planner
from labctl.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.engine.protocol import Engine
    from labctl.lab.definition import LabDefinition
    from labctl.lab.instance import Instance


@dataclass(frozen=True, slots=True)
class Reset:
    """A lab as new; `changed` is what had to be done beyond emptying it."""

    SCHEMA: ClassVar = "labctl/reset/v1"

    name: str
    lab: str
    changed: tuple[str, ...]
    status: Status


def reset(
    engine: Engine,
    engine_url: str,
    name: str | None,
    *,
    environ: Mapping[str, str],
    progress: Progress = silent,
) -> Reset:
    """Make a lab as new: queues and mailboxes empty, its own files, a mark in each log.

    Raises:
        UsageError: No such lab is up, or its definition is not to be found any more.
        EngineError: The engine failed, or a daemon did not become ready.
    """
    there = instance.select(engine, name)
    lab = _definition(there, environ)
    specs = images.image_specs(resources.compose_dir() / "images")
    planner = make_planner(
        there.name,
        lab,
        images={each.plain_tag: each.tag for each in specs},
        publish=any(labels.PUBLISHED in host.container.labels for host in there.hosts if host.container),
    )
    with lock.held(engine_url, there.name):
        images.ensure(engine, specs, environ=environ, progress=progress)
        changes = pristine.restore(engine, planner, progress)
        described = describe_ready(engine, instance.observe(engine, there.name))
    return Reset(there.name, lab.id, tuple(str(change) for change in changes), described)


def _definition(there: Instance, environ: Mapping[str, str]) -> LabDefinition:
    """Find the definition that a lab was started from: where it lay then, or else by its id."""
    directory = there.network.labels.get(labels.DIRECTORY, "") if there.network is not None else ""
    if directory and Path(directory).is_dir():
        return catalogue.find(f"{directory}/", environ)
    return catalogue.find(there.lab, environ)
