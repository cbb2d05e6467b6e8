"""What the kernel can do that faults and attempts need: tried, not guessed from its version."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from labctl.engine import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from labctl.engine.endpoint import Endpoint
    from labctl.engine.machine import Machine

_FILTER: Final = """
add table ip labctl_probe
add chain ip labctl_probe input { type filter hook input priority 0; }
add rule ip labctl_probe input ct state established,related accept
add rule ip labctl_probe input ip saddr 203.0.113.53 tcp dport 25 drop
add rule ip labctl_probe input reject with icmp type host-unreachable
"""
"""A filter of the kind that labs and faults set: connection tracking, drop and reject."""

_NFTABLES: Final = ("sh", "-c", f"nft -f - <<'END'\n{_FILTER}END\n")
_NETEM: Final = ("sh", "-c", "tc qdisc add dev lo root netem delay 1ms")

_LOCKED: Final = ("grep", "-q", "^NoNewPrivs:[[:space:]]*1$", "/proc/self/status")

_NO_PROGRAM: Final = 127
_LIFETIME: Final = "60"
"""Seconds after which a probe's container ends by itself, should labctl be killed."""


class Ability(StrEnum):
    """Whether the kernel can do something."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of trying; `said` are the words of whoever refused."""

    ability: Ability
    said: str = ""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What was tried.

    Args:
        nftables: Packet filters.
        netem: Latency and loss.
        no_new_privileges: That nobody gains privileges by running another's program (prctl(2)).
        where: Where that was.
    """

    nftables: Finding
    netem: Finding
    no_new_privileges: Finding
    where: str


def on_machine(machine: Machine) -> Abilities:
    """Try it in a network namespace that is thrown away; without root in one of a user's own."""
    unshare = ["unshare", "--net"] if machine.is_root else ["unshare", "--map-root-user", "--net"]
    entered = machine.run([*unshare, "true"])
    if entered.returncode:
        unknown = Finding(Ability.UNKNOWN, entered.stderr.strip())
        return Abilities(unknown, unknown, unknown, "nowhere")

    def run(argv: Sequence[str]) -> tuple[int, str]:
        done = machine.run([*unshare, *argv])
        return done.returncode, done.stdout + done.stderr

    locked = _try(run, ("setpriv", "--no-new-privs", *_LOCKED))
    return Abilities(_try(run, _NFTABLES), _try(run, _NETEM), locked, "in a network namespace of its own")


def in_container(endpoint: Endpoint, image: str) -> Abilities:
    """Try it as a fault does: by a command in a container that has NET_ADMIN.

    Args:
        endpoint: The engine.
        image: An image that holds ``nft`` and ``tc``, as those of labs do.

    Raises:
        EngineError: The container can't be started, which is a finding of its own.
    """
    with _container(endpoint, image) as container:

        def run(argv: Sequence[str]) -> tuple[int, str]:
            return _execute(endpoint, container, argv)

        return Abilities(_try(run, _NFTABLES), _try(run, _NETEM), _try(run, _LOCKED), "in a container")


def _try(run: Callable[[Sequence[str]], tuple[int, str]], argv: Sequence[str]) -> Finding:
    exit_code, said = run(argv)
    words = " ".join(said.split())
    if exit_code == 0:
        return Finding(Ability.YES)
    return Finding(Ability.UNKNOWN if exit_code == _NO_PROGRAM else Ability.NO, words)


@contextmanager
def _container(endpoint: Endpoint, image: str) -> Iterator[str]:
    container = wire.call(
        endpoint,
        "POST",
        "/containers/create",
        {
            "Image": image,
            "Entrypoint": ["sleep", _LIFETIME],
            "Cmd": [],
            "HostConfig": {
                "NetworkMode": "none",
                "CapAdd": ["NET_ADMIN"],
                "SecurityOpt": ["no-new-privileges:true"],
                "AutoRemove": True,
                "Init": True,
            },
        },
        read=_id_in,
    )
    try:
        wire.call(endpoint, "POST", f"/containers/{container}/start", read=bool)
        yield container
    finally:
        wire.call(endpoint, "DELETE", f"/containers/{container}?force=1", read=bool)


def _execute(endpoint: Endpoint, container: str, argv: Sequence[str]) -> tuple[int, str]:
    asked = {"Cmd": list(argv), "Tty": True, "AttachStdout": True, "AttachStderr": True}
    execution = wire.call(endpoint, "POST", f"/containers/{container}/exec", asked, read=_id_in)
    start = {"Detach": False, "Tty": True}
    said = wire.call(endpoint, "POST", f"/exec/{execution}/start", start, read=lambda said: str(said or ""))
    path = f"/exec/{execution}/json"
    return wire.call(endpoint, "GET", path, read=lambda said: int(said["ExitCode"])), said


def _id_in(said: Any) -> str:
    return str(said["Id"])
