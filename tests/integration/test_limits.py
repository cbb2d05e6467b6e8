"""What bounds a student's hosts holds, and what kills them is told."""

from __future__ import annotations

import os
import uuid
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labctl.engine import search
from labctl.engine.docker import DockerEngine
from labctl.engine.model import ContainerState
from labctl.lab import catalogue, lock, origin
from labctl.lab.blueprint.limits import Limits
from labctl.lab.mark import labels
from labctl.lab.running import instance, leftovers, lifecycle
from labctl.lab.running.teardown import take_down
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Lab, Labctl

SOON = 30.0

LIMITS = Limits(memory=96 << 20, cpus=0.5, pids=60, file_size=4 << 20)
RUN = f"it-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def engine(labctl: Labctl) -> Iterator[DockerEngine]:
    assert labctl("list").code == 0
    with closing(DockerEngine(search.find(os.environ, Path.home()))) as engine:
        yield engine


@pytest.fixture(scope="module")
def bounded(engine: DockerEngine) -> Iterator[str]:
    """The name of a lab whose containers are bounded, as a grading run's is; that run is alive."""
    name = f"it-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    planner = origin.planner_for(
        name,
        catalogue.find("two-domains", {}),
        origin.image_specs(),
        limits=LIMITS,
        labels={labels.RUN: RUN, labels.SEED: "0123456789abcdef"},
    )
    try:
        with lock.used(engine, name):
            lifecycle.bring_up(engine, planner)
            yield name
    finally:
        take_down(engine, name)


def shell(engine: DockerEngine, lab: str, service: str, script: str, *, user: str = "") -> tuple[int, str]:
    done = engine.execute(f"labctl-{lab}-{service}", ["sh", "-c", script], user=user)
    return done.exit_code, (done.stdout + done.stderr).decode()


def test_an_engine_has_every_container_under_its_limits(
    engine: DockerEngine, bounded: str, docker: Any, service: str
) -> None:
    config = docker.containers.get(f"labctl-{bounded}-{service}").attrs["HostConfig"]
    assert (config["Memory"], config["MemorySwap"]) == (LIMITS.memory, LIMITS.memory)
    assert (config["CpuQuota"] / config["CpuPeriod"], config["PidsLimit"]) == (LIMITS.cpus, LIMITS.pids)
    assert {"memory", "swap", "cpus", "pids"} <= engine.enforces()


def test_a_file_can_not_grow_beyond_its_bound(engine: DockerEngine, bounded: str, service: str) -> None:
    code, _ = shell(engine, bounded, service, "dd if=/dev/zero of=/tmp/big bs=1M count=8")
    assert code != 0
    code, size = shell(engine, bounded, service, "stat -c %s /tmp/big; rm /tmp/big; ulimit -c")
    assert (code, size.split()) == (0, [str(LIMITS.file_size), "0"])


def test_processes_come_to_an_end_of_their_number_and_the_daemon_serves_on(
    engine: DockerEngine, bounded: str
) -> None:
    _, said = shell(engine, bounded, "mx-alpha", "for n in $(seq 200); do sleep 3 & done; wait 2> /dev/null")
    assert "fork" in said
    there = instance.observe(engine, bounded)
    lifecycle.bring_up(engine, _same(bounded))
    assert instance.observe(engine, bounded).host("mx-alpha").container == there.host("mx-alpha").container


def test_a_process_that_uses_up_the_memory_is_killed_and_that_is_told(
    engine: DockerEngine, bounded: str
) -> None:
    name = f"labctl-{bounded}-mail-alpha"
    assert engine.inspect(name).oom_killed is False
    code, _ = shell(engine, bounded, "mail-alpha", "exec tail /dev/zero")
    assert code == 137
    assert eventually(lambda: engine.inspect(name).oom_killed or None, within=SOON)


def test_a_grading_runs_laboratory_is_nobodys_only_running_lab(
    engine: DockerEngine, bounded: str, labctl: Labctl
) -> None:
    assert bounded not in [each["name"] for each in labctl.json("list")["labs"]]
    assert instance.observe(engine, bounded).seed == "0123456789abcdef"
    assert bounded not in leftovers.of_runs(engine).removable


@pytest.mark.parametrize("service", ["dns", "mx-beta", "mail-beta"])
def test_a_command_of_nobodys_has_no_power_over_the_network(lab: Lab, service: str) -> None:
    """`exec` as root has the container's capabilities, NET_ADMIN among them."""
    with closing(DockerEngine(search.find(os.environ, Path.home()))) as engine:
        code, said = shell(engine, lab.name, service, "cat /proc/self/status", user="nobody")
        assert code == 0
        status = dict(line.split(":", 1) for line in said.splitlines())
        for which in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(status[which], 16) == 0, which
        assert status["NoNewPrivs"].strip() == "1"
        code, said = shell(engine, lab.name, service, "ip address add 192.0.2.99/32 dev lo", user="nobody")
        assert code != 0
        assert "not permitted" in said
        assert engine.inspect(f"labctl-{lab.name}-{service}").state == ContainerState.RUNNING


def _same(name: str) -> Any:
    return origin.planner_for(name, catalogue.find("two-domains", {}), origin.image_specs(), limits=LIMITS)
