"""A dockerd of the tests' own beside the machine's: started, killed, taken up and ended for real."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labctl.commands.engine import engine_start, engine_status, engine_stop
from labctl.engine import wire
from labctl.engine.endpoint import Endpoint
from labctl.engine.local import bootstrap, daemon, record, traces
from labctl.engine.machine import Machine, command_line, process_name, processes
from labctl.errors import EngineError
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

_DOCKERD = shutil.which("dockerd", path="/usr/sbin:/usr/bin:/usr/local/bin:/usr/local/sbin")

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or _DOCKERD is None, reason="wants root and an installed dockerd"
)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A machine whose dockerd shares nothing with the real one's, not even the network.

    It has a network namespace of its own: told to have no bridge, dockerd removes docker0, and the
    real one's containers would be cut off.
    """
    root = Path(tempfile.mkdtemp(prefix="lab-"))
    for each in ("usr/sbin", "var/run"):
        (root / each).mkdir(parents=True)
    dockerd = root / "usr/sbin/dockerd"
    dockerd.write_text(f'#!/bin/sh\nexec unshare --net -- {_DOCKERD} "$@"\n', encoding="ascii")
    dockerd.chmod(0o755)
    (root / "proc").symlink_to("/proc")
    machine = Machine(
        root=root,
        dockerd_arguments=(
            f"--host=unix://{root}/var/run/docker.sock",
            f"--data-root={root}/var/lib/docker",
            f"--exec-root={root}/var/run/docker",
            f"--pidfile={root}/var/run/docker.pid",
            "--bridge=none",
            "--iptables=false",
        ),
    )
    yield machine
    daemon.stop(machine)
    traces.remove_directories(machine, ())
    for each in traces.mounts_below(Path("/proc/self/mountinfo").read_text(), str(root)):
        subprocess.run(["umount", each], check=False)
    shutil.rmtree(root)


@pytest.fixture
def started(machine: Machine) -> Machine:
    engine_start({}, machine.root, machine=machine)
    return machine


def own_processes(machine: Machine) -> list[str]:
    return [
        name
        for pid, name in processes().items()
        if any(str(machine.root) in each for each in command_line(pid))
    ]


def run_container(machine: Machine) -> str:
    """Start a container of one static file: a shell that does nothing but wait."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in ("/bin/sleep", *_libraries("/bin/sleep")):
            tar.add(Path(path).resolve(), arcname=path.lstrip("/"))
    docker = ["docker", "--host", machine.engine_url]
    image = subprocess.run(
        [*docker, "import", "-"], input=archive.getvalue(), capture_output=True, check=True
    ).stdout.strip()
    command = [*docker, "run", "--detach", "--network=none", image.decode(), "/bin/sleep", "1000"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _libraries(program: str) -> list[str]:
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [word for line in said.splitlines() for word in line.split() if word.startswith("/")]


def container_runs(machine: Machine, container: str) -> bool:
    found = wire.get_json(Endpoint(machine.engine_url), f"/containers/{container}/json")
    return bool(found["State"]["Running"])


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: True if process_name(pid) is None else None, within=20)


def containerd_pid(machine: Machine) -> int:
    return int((machine.root / "var/run/docker/containerd/containerd.pid").read_text())


def dockerd_pid(machine: Machine) -> int:
    pid = daemon.dockerd_pid(machine)
    assert pid is not None
    return pid


def test_a_started_engine_is_reported_and_not_started_twice_and_a_stopped_one_leaves_no_process(
    started: Machine,
) -> None:
    report = engine_status({}, started.root, machine=started)
    assert report.state == "running"
    assert report.version
    assert report.endpoint == started.engine_url
    assert report.pid == dockerd_pid(started)
    assert report.log is not None
    assert Path(report.log).stat().st_size > 0
    assert bootstrap.start(started).pid == report.pid
    run_container(started)
    assert engine_stop({}, started.root, machine=started).state == "stopped"
    assert own_processes(started) == []


def test_a_killed_dockerd_starts_again_beside_its_orphans_and_its_end_is_theirs(started: Machine) -> None:
    container = run_container(started)
    kill(dockerd_pid(started))
    assert bootstrap.status(started).state != "running"
    assert bootstrap.start(started).state == "running"
    assert not container_runs(started, container)
    run_container(started)
    kill(dockerd_pid(started))
    assert bootstrap.stop(started).state == "stopped"
    assert own_processes(started) == []
    assert traces.mounts_below(Path("/proc/self/mountinfo").read_text(), f"{started.root}/var/lib/docker")
    traces.remove_directories(started, ())
    assert not (started.root / "var/lib/docker").exists()


def test_stale_pid_files_that_name_living_processes_and_a_hung_containerd_do_no_harm(
    started: Machine,
) -> None:
    containerd = containerd_pid(started)
    kill(dockerd_pid(started))
    kill(containerd)
    (started.root / "var/run/docker.pid").write_text("1")
    (started.root / "var/run/docker/containerd/containerd.pid").write_text(str(os.getpid()))
    assert bootstrap.start(started).state == "running"
    hung = containerd_pid(started)
    assert hung not in {containerd, os.getpid()}
    kill(dockerd_pid(started))
    os.kill(hung, signal.SIGSTOP)
    bootstrap.start(started)
    bootstrap.stop(started)
    assert own_processes(started) == []


def test_an_engine_that_can_not_start_says_why(machine: Machine) -> None:
    wrong = Machine(
        root=machine.root, dockerd_arguments=(*machine.dockerd_arguments, "--storage-driver=nonsense")
    )
    with pytest.raises(EngineError, match="initializing graphdriver: driver not supported"):
        bootstrap.start(wrong)


def test_removing_an_engine_that_was_only_started_ends_it_and_keeps_its_data(started: Machine) -> None:
    assert bootstrap.remove(started).state == "stopped"
    assert own_processes(started) == []
    assert (started.root / "var/lib/docker/image").is_dir()
    assert record.read(started) is None
