"""What a lab is made from: its definition and the images of this version of labctl."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from labctl import resources
from labctl.engine import images
from labctl.engine.lockfile import voucher
from labctl.lab.blueprint.plan import Planner, make_planner
from labctl.lab.catalogue import definition_of
from labctl.lab.mark.labels import LOCKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.engine.images import ImageSpec
    from labctl.lab.blueprint.definition import LabDefinition
    from labctl.lab.blueprint.limits import Limits
    from labctl.lab.running.instance import Instance


def image_specs() -> tuple[ImageSpec, ...]:
    """Return the images that labs are made of, in this version of labctl."""
    return images.image_specs(resources.compose_dir() / "images")


def planner_for(
    name: str,
    lab: LabDefinition,
    specs: tuple[ImageSpec, ...],
    *,
    publish: bool = False,
    handed_in: Mapping[tuple[str, str], bytes] | None = None,
    limits: Limits | None = None,
    labels: Mapping[str, str] | None = None,
) -> Planner:
    """Make the planner of a lab, on these images.

    Args:
        name: The instance's name.
        lab: Its definition.
        specs: What `image_specs` returned.
        publish: Whether ports are published on 127.0.0.1.
        handed_in: Contents that replace files of hosts: by service and path in the container.
        limits: What each container may use.
        labels: More labels for the network and every container: `labels.RUN`, `labels.SEED`.

    All carry `labels.LOCKS`, of this process.

    Raises:
        InvalidLabFile: The topology does not exist, is wrong, or lacks what the definition names.
    """
    return make_planner(
        name,
        lab,
        images={each.plain_tag: each.tag for each in specs},
        publish=publish,
        handed_in=handed_in,
        limits=limits,
        labels={LOCKS: voucher(), **(labels or {})},
    )


def has_to_publish(engine_url: str) -> bool:
    """Say whether the engine's networks are out of reach from here.

    They are where it runs in a machine of its own, as Docker Desktop does, whose sockets lie in the user's
    ``.docker``, and where it is rootless, in a network namespace of its own.
    """
    return sys.platform != "linux" or "/.docker/" in engine_url or "/run/user/" in engine_url


def planner_of(there: Instance, environ: Mapping[str, str], specs: tuple[ImageSpec, ...]) -> Planner:
    """Make the planner of a running lab, as it was started, but with its own files and not an attempt's.

    Raises:
        NoSuchLab: Its definition is not to be found any more.
        InvalidLabFile: That, or its topology, is wrong.
    """
    return planner_for(there.name, definition_of(there, environ), specs, publish=there.published)
