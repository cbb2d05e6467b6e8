"""Faults of whole hosts: they are stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl.faults import values
from labctl.faults.fault import Fault, Parameter
from labctl.faults.hostchange import HostChange
from labctl.lab.role import Role

if TYPE_CHECKING:
    from labctl.faults.fault import Scene


def _down(scene: Scene, role: Role) -> tuple[HostChange, ...]:
    return (HostChange(scene.host(role).service, stopped=True),)


FAULTS: Final = (
    Fault(
        "mta-down",
        "{host} is switched off: nothing answers at its address, and mail for its domain waits elsewhere",
        "the container is stopped",
        lambda scene: _down(scene, Role.MTA),
        (Parameter("host", "mx-beta", "the MTA", check=values.name),),
    ),
    Fault(
        "mda-down",
        "{host} is switched off: its MTA takes mail but can't put it into mailboxes, and nobody can read",
        "the container is stopped",
        lambda scene: _down(scene, Role.MDA),
        (Parameter("host", "mail-beta", "the MDA", check=values.name),),
    ),
    Fault(
        "dns-down",
        "The resolver {host} is switched off: no name can be looked up, in any domain",
        "the container is stopped",
        lambda scene: _down(scene, Role.DNS),
        (Parameter("host", "dns", "the resolver", check=values.name),),
    ),
)
