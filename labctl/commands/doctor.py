"""``labctl doctor``: whether this machine and its engine can carry labs, and what cures them if not."""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from labctl.contract.value import Rule, When, Word
from labctl.engine import images, wire
from labctl.engine.local import bootstrap, kernel
from labctl.engine.local.kernel import Ability
from labctl.engine.machine import Machine, own_addresses
from labctl.engine.search import look_around
from labctl.errors import LabctlError
from labctl.lab.blueprint import addresses, topology
from labctl.lab.running import leftovers
from labctl.resources import compose_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from labctl.engine.endpoint import Endpoint
    from labctl.engine.local.kernel import Abilities
    from labctl.engine.protocol import Engine

OLDEST_ENGINE: Final = (20, 10)
DISK_WANTED: Final = 2 * 10**9
"""Bytes: the images, a build of them, and room for the labs' mail."""
DISK_NEEDED: Final = DISK_WANTED // 4

_LAB_PREFIX: Final = 27
_SLOW_STORAGE: Final = {"vfs", "devicemapper"}


class State(StrEnum):
    """How a check came out: all is well, something is not to be had, or no lab will run."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    WHEN: ClassVar = When("state", State.OK, then={}, otherwise={"hint": Word})

    id: Word
    state: State
    text: Word
    hint: Word | None = None
    """The next step where it is not well."""


@dataclass(frozen=True, slots=True)
class Doctor:
    """The machine and its engine."""

    SCHEMA: ClassVar = "labctl/doctor/v1"

    checks: Annotated[tuple[Check, ...], Rule(least=1)]
    """In the order in which a remedy should be sought."""

    @property
    def failed(self) -> bool:
        """Whether something keeps labs from running."""
        return any(each.state is State.FAILED for each in self.checks)


@dataclass(slots=True)
class _Examination:
    """What is known of the engine so far, and what was found."""

    machine: Machine
    checks: list[Check] = field(default_factory=list)
    endpoint: Endpoint | None = None
    engine: Engine | None = None
    info: Mapping[str, Any] = field(default_factory=dict)

    def ok(self, name: str, text: str) -> None:
        self.checks.append(Check(name, State.OK, text))

    def warn(self, name: str, text: str, hint: str) -> None:
        self.checks.append(Check(name, State.WARNING, text, hint))

    def fail(self, name: str, text: str, hint: str) -> None:
        self.checks.append(Check(name, State.FAILED, text, hint))

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Let a check that can't be made be a finding, and the others go on."""
        try:
            yield
        except LabctlError as exc:
            self.fail(name, exc.message, exc.hint)


def doctor(
    environ: Mapping[str, str],
    home: Path,
    connect: Callable[[Endpoint], Engine],
    *,
    machine: Machine | None = None,
) -> Doctor:
    """Examine the machine and its engine; nothing is changed, and nothing has to be there.

    Args:
        environ: The environment, which may name an engine.
        home: The user's home directory, whose docker context may name one.
        connect: Makes an engine of the endpoint that was found.
        machine: The machine to examine.
    """
    examination = _Examination(machine or Machine())
    for name, check in (
        ("engine", lambda it: _engine(it, environ, home, connect)),
        ("daemon", _daemon),
        ("engine-version", _version),
        ("storage", _storage),
        ("cgroups", _cgroups),
        ("attempts", _attempts),
        ("disk", _disk),
        ("subnets", _subnets),
        ("addresses", _addresses),
        ("images", _images),
        ("leftovers", _leftovers),
        ("iptables", _iptables),
        ("nftables", _faults),
    ):
        with examination.attempt(name):
            check(examination)
    return Doctor(tuple(examination.checks))


def _engine(
    it: _Examination, environ: Mapping[str, str], home: Path, connect: Callable[[Endpoint], Engine]
) -> None:
    search = look_around(environ, home, machine=it.machine)
    if search.found is None:
        step = bootstrap.next_step(it.machine) if search.vacant else None
        raise search.error(step or "labctl up --yes")
    it.info = wire.call(search.found, "GET", "/info", read=_facts)
    it.endpoint, it.engine = search.found, connect(search.found)
    it.ok("engine", f"an engine answers at {search.found}")


def _facts(said: Any) -> dict[str, Any]:
    """Return what is used of an engine's description of itself."""
    return {
        **{key: str(said[key]) for key in ("Driver", "CgroupVersion", "DockerRootDir") if said.get(key)},
        "SecurityOptions": [str(each) for each in said.get("SecurityOptions") or ()],
        "DriverStatus": dict(said.get("DriverStatus") or ()),
    }


def _daemon(it: _Examination) -> None:
    """Tell labctl's own part in the engine; there is no such check where it has none."""
    status = bootstrap.status(it.machine)
    record = status.record
    if record is None:
        return
    deed = "installed" if record.installed else "started"
    facts = [f"labctl {deed} this machine's engine", f"it is {status.state}"]
    if status.pid is not None:
        facts.append(f"process {status.pid}")
    if status.log is not None:
        facts.append(f"log {status.log}")
    text = ", ".join(facts)
    if record.packages_before is not None:
        it.warn("daemon", f"{text}; its installation was interrupted", "labctl up --yes")
    elif status.state in {"silent", "stopped"}:
        it.warn("daemon", text, "labctl engine start")
    else:
        it.ok("daemon", text)


def _version(it: _Examination) -> None:
    if it.engine is None:
        return
    said = it.engine.version()
    text = f"version {said.version}, API {said.api}"
    numbers = tuple(int(each) for each in re.findall(r"\d+", said.version)[:2])
    if numbers < OLDEST_ENGINE:
        wanted = ".".join(map(str, OLDEST_ENGINE))
        it.fail(
            "engine-version",
            f"{text}; labctl wants {wanted} or later",
            "https://docs.docker.com/engine/install/",
        )
    else:
        it.ok("engine-version", text)


def _storage(it: _Examination) -> None:
    if it.endpoint is None:
        return
    driver = it.info.get("Driver", "unknown")
    if driver in _SLOW_STORAGE:
        it.warn(
            "storage",
            f"storage driver {driver}: each container copies its whole image, or worse",
            "https://docs.docker.com/engine/storage/drivers/overlayfs-driver/",
        )
    else:
        it.ok("storage", f"storage driver {driver}")


def _cgroups(it: _Examination) -> None:
    if it.engine is None:
        return
    version = it.info.get("CgroupVersion", "1")
    wanted = {"memory": "memory", "swap": "swap", "cpus": "processors", "pids": "processes"}
    enforced = it.engine.enforces()
    lacking = [name for key, name in wanted.items() if key not in enforced]
    if lacking:
        it.warn(
            "cgroups",
            f"cgroups v{version} without limits of {', '.join(lacking)}: an attempt may take all there is",
            "boot the kernel with: cgroup_enable=memory swapaccount=1",
        )
    else:
        it.ok("cgroups", f"cgroups v{version}, with limits of {', '.join(wanted.values())}")
    if any("rootless" in each for each in it.info.get("SecurityOptions", ())):
        it.warn(
            "rootless",
            "the engine runs rootless: its containers' addresses are out of this machine's reach",
            "labctl up --publish",
        )


def _attempts(it: _Examination) -> None:
    """Tell what keeps an attempt that is graded from filling the disk."""
    if it.engine is None:
        return
    if "disk" in it.engine.enforces():
        it.ok("attempts", "what the containers of an attempt write can be bounded")
        return
    system = it.info.get("DriverStatus", {}).get("Backing Filesystem")
    storage = f"{it.info.get('Driver', 'unknown')}{f' on {system}' if system else ''}"
    it.warn(
        "attempts",
        f"nothing bounds all that an attempt writes ({storage}): only each of its files and its logs",
        f"give {it.info.get('DockerRootDir') or '/var/lib/docker'} a file system of its own",
    )


def _disk(it: _Examination) -> None:
    directory = Path(it.info.get("DockerRootDir", "/var/lib"))
    place = it.machine.path(str(directory))
    try:
        free = shutil.disk_usage(place).free
    except OSError:
        it.ok("disk", f"the engine stores in {directory} of a machine of its own")
        return
    text = f"{free / 1e9:.1f} GB free in {directory}"
    if free < DISK_NEEDED:
        it.fail("disk", f"{text}: the images do not fit", "docker system prune")
    elif free < DISK_WANTED:
        it.warn("disk", f"{text}; building images may need {DISK_WANTED / 1e9:.0f}", "docker system prune")
    else:
        it.ok("disk", text)


def _subnets(it: _Examination) -> None:
    networks = it.engine.networks({}) if it.engine is not None else ()
    taken = [*addresses.routed_here(), *(subnet for each in networks for subnet in each.subnets)]
    used = {each for each in taken if each.overlaps(addresses.POOL)}
    if next(addresses.candidates("doctor", _LAB_PREFIX, used), None) is None:
        in_the_way = ", ".join(str(each) for each in sorted(used)[:4])
        it.fail(
            "subnets",
            f"no subnet of {addresses.POOL} is free for a lab: {in_the_way} are in use here",
            "ip route show root 198.18.0.0/15",
        )
    else:
        it.ok("subnets", f"{addresses.POOL} has room for labs ({len(used)} of its subnets in use)")


def _addresses(it: _Examination) -> None:
    mine = own_addresses(it.machine)
    if mine is None:
        it.ok("addresses", "labs run in the engine's own machine: no address of theirs is this one's")
        return
    topologies = (topology.load(each) for each in sorted(compose_dir().glob("*.yaml")))
    labs = {address for each in topologies for service in each.services for address in service.addresses}
    if both := sorted(mine & labs):
        names = ", ".join(map(str, both))
        it.fail(
            "addresses",
            f"this machine owns {names}, an address of a lab's host: each would answer for the other",
            f"ip address show to {both[0]}",
        )
    else:
        it.ok("addresses", "no address of a lab's host is this machine's")


def _images(it: _Examination) -> None:
    if it.engine is None:
        return
    specs = images.image_specs(compose_dir() / "images")
    if missing := images.missing(it.engine, specs):
        names = ", ".join(each.name for each in missing)
        it.warn("images", f"not built yet: {names} (the first `up` builds them)", "labctl images build")
    else:
        it.ok("images", f"all {len(specs)} images are here")


def _leftovers(it: _Examination) -> None:
    if it.engine is None or it.endpoint is None:
        return
    unfinished = leftovers.of_all(it.engine).removable
    old = images.outdated(it.engine, images.image_specs(compose_dir() / "images"))
    found = [f"unfinished labs: {', '.join(unfinished)}"] if unfinished else []
    if old:
        found.append(f"images of other versions: {len(old)}, {sum(each.size for each in old) / 1e6:.0f} MB")
    if found:
        it.warn("leftovers", "; ".join(found), "labctl prune")
    else:
        it.ok("leftovers", "nothing is left of earlier runs")


def _iptables(it: _Examination) -> None:
    if it.machine.program("iptables") is not None:
        it.ok("iptables", "iptables is installed")
    elif it.machine.program("dockerd") is not None:
        it.warn(
            "iptables", "dockerd is installed, but not the iptables that it needs", "apt-get install iptables"
        )
    else:
        it.ok("iptables", "iptables is not needed: no engine is installed on this machine")


def _faults(it: _Examination) -> None:
    """Try what faults and attempts need, where they run if that can be had."""
    found = _abilities(it)
    if found.no_new_privileges.ability is Ability.NO:
        it.warn(
            "no-new-privileges",
            "what runs in an attempt's hosts may gain privileges there: the kernel refused no_new_privs",
            "grade on another machine",
        )
    for name, finding, faults, module in (
        ("nftables", found.nftables, "faults that refuse or drop connections", "nf_tables"),
        ("netem", found.netem, "faults of latency and loss", "sch_netem"),
    ):
        if finding.ability is Ability.YES:
            it.ok(name, f"{name} works ({found.where})")
        elif finding.ability is Ability.NO:
            it.warn(
                name,
                f"{faults} are not available, all others are: the kernel refused {name} ({finding.said})",
                f"sudo modprobe {module}",
            )
        else:
            it.warn(
                name,
                f"whether {faults} are available is unknown: {name} could not be tried ({finding.said})",
                "labctl images build, then labctl doctor: it tries them in a container",
            )


def _abilities(it: _Examination) -> Abilities:
    if it.engine is not None and it.endpoint is not None:
        specs = images.image_specs(compose_dir() / "images")
        image = next((each.tag for each in specs if it.engine.image(each.tag) is not None), None)
        if image is not None:
            return kernel.in_container(it.endpoint, image)
    return kernel.on_machine(it.machine)
