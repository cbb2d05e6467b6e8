"""Access restrictions in main.cf that hit only what another MTA brings, not the domain's own users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl.faults.hostchange import HostChange
from labctl.lab.blueprint.maincf import MAIN_CF, settings_in

if TYPE_CHECKING:
    from labctl.faults.fault import Scene
    from labctl.lab.running.instance import Host

_CLASSES: Final = "smtpd_restriction_classes"
_CLASS: Final = "fault_for_others"


def for_others(scene: Scene, host: Host, parameter: str, action: str) -> dict[str, str]:
    """Return settings by which something is done where another MTA of the lab is the client (access(5)).

    Args:
        scene: The lab.
        host: The MTA that is to do it.
        parameter: The list of restrictions, which tells when.
        action: What is done; a restriction that looks something up goes through a class of its own, as
            Postfix wants it (RESTRICTION_CLASS_README).
    """
    classes = {}
    if action.startswith("check_"):
        classes = {_CLASSES: put_first(scene, host, _CLASSES, _CLASS), _CLASS: action}
        action = _CLASS
    addresses = [address for other in scene.others(host) for address in other.addresses] or ["0.0.0.0/0"]
    lines = " ".join(f"{{{address} {action}}}" for address in addresses)
    check = f"check_client_access cidr:{{ {lines} }}"
    return {**classes, parameter: put_first(scene, host, parameter, check)}


def put_first(scene: Scene, host: Host, parameter: str, first: str) -> str:
    """Return a parameter's list with something more at its beginning."""
    there = settings_in(scene.read(host, MAIN_CF).encode(), [parameter])[parameter] or ""
    return f"{first}, {there}" if there.strip() else first


def patience(scene: Scene, host: Host, seconds: str, parameter: str) -> tuple[HostChange, ...]:
    """Return what makes the other MTAs give up a conversation with a host after some seconds."""
    return tuple(HostChange(other.service, {parameter: f"{seconds}s"}) for other in scene.others(host))
