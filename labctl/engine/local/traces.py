"""What dockerd leaves on a machine beyond its packages: directories, bridges, packet filter rules."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from labctl.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from labctl.engine.machine import Machine

DIRECTORIES: Final = (
    "/var/lib/docker",
    "/var/lib/containerd",
    "/opt/containerd",
    "/run/docker",
    "/run/containerd",
)

FORWARDING: Final = "net/ipv4/ip_forward"

_BRIDGE: Final = re.compile(r"docker0|br-[0-9a-f]{12}")
_DOCKERS_RULE: Final = re.compile(r"\b(?:DOCKER|docker0|br-[0-9a-f]{12})\b")
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")
_GROUP: Final = "docker"
_KEY: Final = "/etc/docker/key.json"


def directories(machine: Machine) -> tuple[str, ...]:
    """Return those of the directories that hold something."""
    return tuple(each for each in DIRECTORIES if _holds_something(machine.path(each)))


def forwarding(machine: Machine) -> str:
    """Return ``net.ipv4.ip_forward``, which dockerd switches on."""
    return (machine.read_proc(f"sys/{FORWARDING}") or "0").strip()


def forward_policy(machine: Machine) -> str:
    """Return what becomes of forwarded packets that no rule names; dockerd lets them drop."""
    said = machine.run(["iptables", "-S", "FORWARD"]).stdout
    return next((line.split()[2] for line in said.splitlines() if line.startswith("-P FORWARD ")), "ACCEPT")


def has_group(machine: Machine) -> bool:
    """Whether the group is there that may use the engine's socket."""
    try:
        groups = machine.path("/etc/group").read_text(errors="replace")
    except OSError:
        return False
    return any(line.startswith(f"{_GROUP}:") for line in groups.splitlines())


def remove_group(machine: Machine) -> None:
    """Remove that group; docker.io's own purge leaves it."""
    machine.run(["groupdel", _GROUP])


def remove_bridges(machine: Machine) -> None:
    """Remove the bridges of Docker networks."""
    done = machine.run(["ip", "-json", "link", "show", "type", "bridge"])
    try:
        links = json.loads(done.stdout or "[]")
    except ValueError:
        return
    for link in links:
        name = link.get("ifname", "")
        if _BRIDGE.fullmatch(name):
            machine.run(["ip", "link", "delete", name])


def remove_rules(machine: Machine, *, policy: str, forwarding: str) -> None:
    """Take Docker's chains and rules out of the packet filter, everyone else's stay.

    Args:
        machine: Where.
        policy: The policy of the FORWARD chain from before.
        forwarding: ``net.ipv4.ip_forward`` from before.
    """
    for tool in ("iptables", "ip6tables"):
        rules = machine.run([f"{tool}-save", "--counters"])
        if rules.returncode or not _DOCKERS_RULE.search(rules.stdout):
            continue
        kept = without_docker(rules.stdout, policy=policy)
        done = machine.run([f"{tool}-restore", "--counters"], stdin=kept)
        if done.returncode:
            raise EngineError(
                f"Docker's rules can't be taken out of the packet filter: {done.stderr.strip()}",
                hint=f"{tool}-save",
            )
    if forwarding == "0":
        machine.run(["sysctl", "--write", "net.ipv4.ip_forward=0"])


def without_docker(rules: str, *, policy: str) -> str:
    """Leave Docker's chains and rules out of the output of iptables-save(8)."""
    kept = [line for line in rules.splitlines() if not _DOCKERS_RULE.search(line)]
    return "".join(f"{re.sub(r'^:FORWARD [A-Z]+', f':FORWARD {policy}', line)}\n" for line in kept)


def remove_directories(machine: Machine, kept: Iterable[str]) -> None:
    """Delete the directories but those that held something before.

    Raises:
        EngineError: Something is still mounted in one of them.
    """
    for each in DIRECTORIES:
        directory = machine.path(each)
        if each in kept or not directory.is_dir():
            continue
        _unmount_below(machine, directory)
        try:
            if directory.is_mount():
                # A disk of its own: emptied, but it was there before and stays.
                _empty(directory)
            else:
                shutil.rmtree(directory)
        except OSError as exc:
            raise EngineError(
                f"{directory} can't be deleted: {exc.strerror} ({exc.filename})",
                hint=f"findmnt -R {directory}",
            ) from exc


def remove_key(machine: Machine) -> None:
    """Delete the key that dockerd makes itself; other files in ``/etc/docker`` are the user's."""
    key = machine.path(_KEY)
    key.unlink(missing_ok=True)
    with suppress(OSError):
        key.parent.rmdir()


def mounts_below(mountinfo: str, directory: str) -> tuple[str, ...]:
    """Return what is mounted in a directory, the directory itself left out, the last one first.

    Args:
        mountinfo: See proc_pid_mountinfo(5): the fifth field is the mount point, with octal escapes.
        directory: Where, without links.
    """
    points = [point for _, point in _mounts(mountinfo)]
    return tuple(reversed([each for each in points if each.startswith(f"{directory}/")]))


def bound_onto_itself(mountinfo: str, directory: str) -> bool:
    """Whether a directory is mounted onto itself, as dockerd does with its own to make it private."""
    return any(
        point == directory and root != "/" and directory.endswith(root) for root, point in _mounts(mountinfo)
    )


def _mounts(mountinfo: str) -> list[tuple[str, str]]:
    """Return each mount's root within its file system, and its mount point."""
    fields = (line.split() for line in mountinfo.splitlines())
    return [(_unescaped(root), _unescaped(point)) for _, _, _, root, point, *_ in fields]


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), text)


def _unmount_below(machine: Machine, directory: Path) -> None:
    real = str(directory.resolve())
    mountinfo = machine.read_proc("self/mountinfo") or ""
    for each in mounts_below(mountinfo, real):
        machine.run(["umount", each])
    if bound_onto_itself(mountinfo, real):
        machine.run(["umount", real])


def _holds_something(directory: Path) -> bool:
    try:
        return any(each.name != "lost+found" for each in directory.iterdir())
    except OSError:
        return False


def _empty(directory: Path) -> None:
    for each in directory.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()
