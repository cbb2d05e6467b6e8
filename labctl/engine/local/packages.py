"""Docker's packages on Debian and its kin: put in by apt, and taken out again to the last one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from labctl.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from subprocess import CompletedProcess

    from labctl.engine.machine import Machine
    from labctl.progress import Progress

PACKAGES: Final = ("docker.io", "iptables", "ca-certificates")

_APT: Final = (
    "apt-get",
    "--yes",
    "--quiet",
    "-o", "DPkg::Lock::Timeout=120",
    "-o", "APT::Get::AutomaticRemove=false",
)  # fmt: skip
_ENVIRON: Final = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
_SAVED_NUKE: Final = "/var/lib/docker/nuke-graph-directory.sh"
_REMOVED: Final = re.compile(r"^(?:Remv|Purg) (\S+)", re.MULTILINE)
_LAST_LINES: Final = 8


def obstacle(machine: Machine) -> str | None:
    """Say why labctl can't install an engine here; None where it can."""
    if not machine.distribution() & {"debian", "ubuntu"}:
        return "labctl can install an engine on Debian, Ubuntu and their kin only"
    if machine.program("apt-get") is None:
        return "there is no apt-get"
    if not machine.is_root:
        return "only root may install an engine"
    return None


def wanted(machine: Machine) -> tuple[str, ...]:
    """Return the packages to ask for.

    Where the kernel enforces AppArmor, dockerd starts no container without its parser, which is only a
    recommendation of docker.io's.
    """
    enforced = machine.path("/sys/module/apparmor/parameters/enabled")
    needs_parser = enforced.is_file() and enforced.read_text().startswith("Y")
    return (*PACKAGES, "apparmor") if needs_parser else PACKAGES


def installed(machine: Machine) -> frozenset[str]:
    """Return the packages of which more than configuration files is here, half installed ones included."""
    listing = ["dpkg-query", "--show", "--showformat=${binary:Package} ${db:Status-Abbrev}\n"]
    lines = (line.split() for line in _said("dpkg-query", machine.run(listing)).splitlines())
    return frozenset(name for name, status in lines if status[1:2] not in {"n", "c"})


def install(machine: Machine, progress: Progress, *, resume: bool) -> None:
    """Install the engine's packages; those that are here already are not upgraded.

    Args:
        machine: Where.
        progress: Told each step.
        resume: Whether an earlier installation was cut short; dpkg then finishes that first.

    Raises:
        EngineError: With apt's last words.
    """
    packages = wanted(machine)
    if resume:
        progress("engine", "finishing an installation that was interrupted")
        machine.run(["dpkg", "--configure", "--pending"], environ=_ENVIRON)
    fresh = _has_lists(machine)
    if not fresh:
        _update(machine, progress)
    progress("engine", f"installing {', '.join(packages)}")
    order = ("install", "--no-install-recommends", "--no-upgrade", *packages)
    done = _apt(machine, *order)
    if done.returncode and fresh:
        # The lists may name versions that the mirror has replaced since.
        _update(machine, progress)
        done = _apt(machine, *order)
    _said("apt-get install", done)


def purge(machine: Machine, packages: Iterable[str]) -> None:
    """Remove just these packages and their configuration; ``/var/lib/docker`` is left alone.

    Args:
        machine: Where.
        packages: What an `install` brought.

    Raises:
        EngineError: Something else needs one of them now, or apt failed.
    """
    present = sorted(set(packages) & installed(machine))
    if present:
        others = _dragged_along(machine, present)
        if others:
            raise EngineError(
                f"packages installed since need the engine's, and would go with them: {', '.join(others)}",
                hint=f"apt-get purge {' '.join(others)}",
                detail={"packages": present, "others": others},
            )
        _said("apt-get remove", _apt(machine, "remove", *present))
    # docker.io's prerm saves this script for its postrm, which would delete the directory, whosever it was.
    machine.path(_SAVED_NUKE).unlink(missing_ok=True)
    _said("dpkg --purge", machine.run(["dpkg", "--purge", *sorted(packages)], environ=_ENVIRON))


def _dragged_along(machine: Machine, packages: Sequence[str]) -> list[str]:
    told = _said("apt-get --simulate remove", _apt(machine, "--simulate", "remove", *packages))
    ours = {name.partition(":")[0] for name in packages}
    return sorted({name for name in _REMOVED.findall(told) if name.partition(":")[0] not in ours})


def _has_lists(machine: Machine) -> bool:
    lists = machine.path("/var/lib/apt/lists")
    return any(lists.glob("*_Packages*"))


def _update(machine: Machine, progress: Progress) -> None:
    progress("engine", "reading the package lists")
    _said("apt-get update", _apt(machine, "update"))


def _apt(machine: Machine, *arguments: str) -> CompletedProcess[str]:
    return machine.run([*_APT, *arguments], environ=_ENVIRON)


def _said(what: str, done: CompletedProcess[str]) -> str:
    """Return what a program said that ended well; what it said last is in the error of one that did not."""
    if not done.returncode:
        return done.stdout
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-_LAST_LINES:]
    raise EngineError(
        f"{what} failed with exit code {done.returncode}: " + "\n".join(said),
        hint="apt-get install docker.io" if "install" in what else f"{what.removesuffix(' --simulate')}",
        detail={"said": said},
    )
