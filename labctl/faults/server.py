"""Faults of a server that is no MTA: it stands in the place of one, and keeps nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl.faults import values
from labctl.faults.fault import Fault, Parameter
from labctl.faults.hostchange import HostChange
from labctl.lab.role import Role

if TYPE_CHECKING:
    from labctl.faults.fault import Scene
    from labctl.lab.running.instance import Host

_PORT: Final = 2525


def _in_place_of(host: Host, *options: str) -> HostChange:
    """Put smtp-sink(1) in the place of an MTA's port 25, as other hosts of the lab see it."""
    addresses = ", ".join(host.addresses)
    return HostChange(
        host.service,
        rules=(
            "chain prerouting {\n    type nat hook prerouting priority dstnat\n"
            f"    ip daddr {{ {addresses} }} tcp dport 25 redirect to :{_PORT}\n}}"
        ),
        server=("smtp-sink", "-u", "nobody", "-h", host.hostname, *options, f":{_PORT}", "100"),
        port=_PORT,
    )


def _lost_after_dot(scene: Scene) -> tuple[HostChange, ...]:
    return (_in_place_of(scene.host(Role.MTA), "-q", "."),)


FAULTS: Final = (
    Fault(
        "lost-after-dot",
        "{host} breaks off when it has got a whole letter, so that nobody knows whether it has taken it",
        "smtp-sink -q . in place of smtpd, by an nftables redirect of port 25",
        _lost_after_dot,
        (Parameter("host", "mx-beta", "the MTA", check=values.name),),
    ),
)
