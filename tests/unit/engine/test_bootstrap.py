from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labctl.engine.local import bootstrap, daemon, packages, record
from labctl.engine.machine import Machine, process_name
from labctl.errors import EngineError, EngineUnavailable, UsageError
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DOCKERD = f"""\
#!{sys.executable} -S
import pathlib, os, signal, socketserver, sys
root = pathlib.Path(sys.argv[1])
if (root / "broken").exists():
    sys.exit("level=info msg=chatter\\nfailed to start daemon: it is broken")
pid = root / "var/run/docker.pid"
if pid.exists() and os.path.exists("/proc/" + pid.read_text()):
    sys.exit("pid file found, ensure docker is not running")
pid.write_text(str(os.getpid()))
path = root / "var/run/docker.sock"
path.unlink(missing_ok=True)
class Pong(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nOK")
def end(*_):
    pid.unlink()
    path.unlink()
    os._exit(0)
signal.signal(signal.SIGTERM, end)
socketserver.UnixStreamServer(str(path), Pong).serve_forever()
"""
"""A process that does as dockerd does where starting and stopping are concerned."""

FRESH = {"docker.io", "containerd", "runc", "iptables", "libnftnl11:amd64"}


class Apt:
    """The apt, dpkg and systemd of a machine whose root is a directory, and what they were asked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[tuple[str, ...]] = []
        self.packages = {"bash", "ca-certificates", "adduser"}
        self.failures: list[str] = []
        self.dragged_along: tuple[str, ...] = ()

    def __call__(
        self, argv: Sequence[str], *, stdin: str = "", environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        del stdin
        call = tuple(argv)
        self.calls.append(call)
        if call[0] in {"apt-get", "dpkg"}:
            assert environ is not None
            assert environ["DEBIAN_FRONTEND"] == "noninteractive"
        code, out, err = self._answer(call)
        return subprocess.CompletedProcess(call, code, out, err)

    def _answer(self, call: tuple[str, ...]) -> tuple[int, str, str]:  # noqa: C901, PLR0911  # one table
        match call:
            case ["dpkg-query", *_]:
                return 0, "".join(f"{each} ii \n" for each in self.packages) + "old-thing rc \n", ""
            case ["apt-get", *rest] if "update" in rest:
                (self.root / "var/lib/apt/lists/x_Packages.lz4").touch()
            case ["apt-get", *rest] if "install" in rest:
                if self.failures:
                    return 100, "", self.failures.pop(0)
                self.packages |= FRESH
                install_dockerd(self.root)
            case ["apt-get", *rest] if "--simulate" in rest:
                return 0, "".join(f"Remv {each} [1.0]\n" for each in (*FRESH, *self.dragged_along)), ""
            case ["apt-get", *rest] if "remove" in rest:
                self.packages -= FRESH
                (self.root / "usr/sbin/dockerd").unlink()
                saved = self.root / "var/lib/docker/nuke-graph-directory.sh"
                if saved.parent.exists():
                    saved.touch()
            case ["systemctl", "start", *_]:
                return 1, "", "Job for docker.service failed."
            case ["journalctl", *_]:
                return 0, "the unit's last words", ""
            case ["iptables" | "ip" | "iptables-save" | "ip6tables-save", *_]:
                return 127, "", "no such program"
            case _:
                pass
        return 0, "", ""

    def asked(self, verb: str) -> list[tuple[str, ...]]:
        return [each for each in self.calls if verb in each]


def install_dockerd(root: Path) -> None:
    program = root / "usr/sbin/dockerd"
    program.write_text(DOCKERD)
    program.chmod(0o755)


@pytest.fixture
def root() -> Iterator[Path]:
    """A Debian machine without an engine, in a directory; a short path, as sockets want it."""
    directory = Path(tempfile.mkdtemp(prefix="lab-"))
    for each in ("etc", "run", "usr/sbin", "usr/bin", "var/run", "var/lib/apt/lists"):
        (directory / each).mkdir(parents=True)
    (directory / "etc/os-release").write_text("ID=debian\n")
    (directory / "usr/bin/apt-get").touch(mode=0o755)
    yield directory
    pid = directory / "var/run/docker.pid"
    if pid.exists() and process_name(int(pid.read_text())) == "dockerd":
        os.kill(int(pid.read_text()), signal.SIGKILL)
    shutil.rmtree(directory)


@pytest.fixture
def apt(root: Path) -> Apt:
    return Apt(root)


@pytest.fixture
def machine(root: Path, apt: Apt) -> Machine:
    return Machine(root=root, uid=0, run=apt, dockerd_arguments=(str(root),))


@pytest.fixture
def stopped(machine: Machine) -> Machine:
    """A machine whose engine is installed and does not run."""
    install_dockerd(machine.root)
    return machine


@pytest.fixture
def started(stopped: Machine) -> Machine:
    """A machine whose engine labctl has started."""
    bootstrap.start(stopped)
    return stopped


def yes(_: str) -> bool:
    return True


def no(_: str) -> bool:
    return False


def test_an_engine_that_answers_is_taken_without_a_question(stopped: Machine) -> None:
    bootstrap.bring(stopped)
    endpoint = bootstrap.ensure_engine({}, stopped.root, lambda _: pytest.fail("asked"), machine=stopped)
    assert endpoint.url == stopped.engine_url


def test_the_question_says_what_will_be_installed_and_started(machine: Machine, root: Path) -> None:
    asked: list[str] = []

    def confirm(question: str) -> bool:
        asked.append(question)
        return False

    with pytest.raises(EngineUnavailable):
        bootstrap.ensure_engine({}, root, confirm, machine=machine)
    (question,) = asked
    assert all(name in question for name in packages.PACKAGES)
    assert "start dockerd" in question
    assert "labctl engine remove" in question


def test_without_a_yes_nothing_is_done(machine: Machine, root: Path, apt: Apt) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        bootstrap.ensure_engine({}, root, no, machine=machine)
    assert caught.value.hint == "labctl up --yes"
    assert apt.calls == []
    assert not (root / "var/lib/labctl").exists()


def test_an_order_that_does_not_answer_installs_nothing(machine: Machine, root: Path, apt: Apt) -> None:
    with pytest.raises(EngineUnavailable):
        bootstrap.ensure_engine({"DOCKER_HOST": "unix:///no.sock"}, root, yes, machine=machine)
    assert apt.calls == []


@pytest.mark.parametrize(
    ("distribution", "uid", "hint"),
    [
        ("debian", 1000, "sudo labctl up --yes"),
        ("ubuntu", 1000, "sudo labctl up --yes"),
        ("fedora", 0, "install Docker Engine: https://docs.docker.com/engine/install/"),
        ("fedora", 1000, "install Docker Engine: https://docs.docker.com/engine/install/"),
    ],
)
def test_where_labctl_can_not_install_it_says_who_can(
    root: Path, apt: Apt, distribution: str, uid: int, hint: str
) -> None:
    (root / "etc/os-release").write_text(f"ID={distribution}\n")
    machine = Machine(root=root, uid=uid, run=apt)
    with pytest.raises(EngineUnavailable) as caught:
        bootstrap.ensure_engine({}, root, yes, machine=machine)
    assert caught.value.hint == hint


def test_a_user_is_told_to_have_the_stopped_engine_started(root: Path, apt: Apt) -> None:
    install_dockerd(root)
    (root / "run/systemd/system").mkdir(parents=True)
    with pytest.raises(EngineUnavailable) as caught:
        bootstrap.ensure_engine({}, root, yes, machine=Machine(root=root, uid=1000, run=apt))
    assert caught.value.hint == "sudo systemctl start docker"


def test_an_engine_is_installed_without_recommendations_and_upgrades(
    machine: Machine, root: Path, apt: Apt
) -> None:
    endpoint = bootstrap.ensure_engine({}, root, yes, machine=machine)
    assert endpoint.url == machine.engine_url
    assert daemon.answers(machine)
    (call,) = apt.asked("install")
    assert {"--yes", "--no-install-recommends", "--no-upgrade", *packages.PACKAGES} <= set(call)
    assert "DPkg::Lock::Timeout=120" in call


def test_package_lists_are_read_only_where_there_are_none(machine: Machine, root: Path, apt: Apt) -> None:
    bootstrap.bring(machine)
    assert len(apt.asked("update")) == 1
    bootstrap.remove(machine)
    assert (root / "var/lib/apt/lists/x_Packages.lz4").exists()
    bootstrap.bring(machine)
    assert len(apt.asked("update")) == 1


def test_lists_that_a_mirror_has_outgrown_are_read_again(machine: Machine, root: Path, apt: Apt) -> None:
    (root / "var/lib/apt/lists/x_Packages.lz4").touch()
    apt.failures = ["E: Failed to fetch docker.io 404 Not Found"]
    bootstrap.bring(machine)
    assert [len(apt.asked("update")), len(apt.asked("install"))] == [1, 2]


def test_what_apt_said_is_in_the_error(machine: Machine, apt: Apt) -> None:
    apt.failures = ["E: Unable to locate package docker.io"] * 2
    with pytest.raises(EngineError, match="Unable to locate package"):
        bootstrap.bring(machine)


def test_the_parser_of_apparmor_comes_where_the_kernel_enforces_it(machine: Machine, root: Path) -> None:
    enabled = root / "sys/module/apparmor/parameters/enabled"
    enabled.parent.mkdir(parents=True)
    enabled.write_text("Y\n")
    assert "apparmor" in packages.wanted(machine)


def test_the_record_names_just_the_new_packages(machine: Machine, root: Path) -> None:
    bootstrap.bring(machine)
    written = json.loads((root / "var/lib/labctl/engine.json").read_text())
    assert set(written["packages"]) == FRESH
    assert written["packages_before"] is None
    assert written["pid"] == daemon.dockerd_pid(machine)


def test_an_interrupted_installation_is_taken_up_and_all_of_it_recorded(machine: Machine, apt: Apt) -> None:
    def interrupted(argv: Sequence[str], **options: object) -> subprocess.CompletedProcess[str]:
        if "install" in argv:
            apt.packages |= {"runc", "iptables"}
            raise KeyboardInterrupt
        return apt(argv, **options)  # type: ignore[arg-type]

    with pytest.raises(KeyboardInterrupt):
        bootstrap.bring(Machine(root=machine.root, uid=0, run=interrupted))
    bootstrap.bring(machine)
    there = record.read(machine)
    assert there is not None
    assert set(there.packages) == FRESH
    assert apt.asked("--configure")


def test_an_interrupted_installation_can_be_removed(stopped: Machine, apt: Apt) -> None:
    before = set(apt.packages)
    record.write(stopped, record.Record(at="", packages_before=tuple(before), group_before=True))
    apt.packages |= FRESH
    bootstrap.remove(stopped)
    assert apt.packages == before
    assert record.read(stopped) is None


def test_an_installed_engine_is_only_started(stopped: Machine, apt: Apt) -> None:
    bootstrap.ensure_engine({}, stopped.root, yes, machine=stopped)
    there = record.read(stopped)
    assert there is not None
    assert not there.installed
    assert apt.asked("install") == []


def test_control_groups_are_mounted_where_no_init_system_did(stopped: Machine, root: Path, apt: Apt) -> None:
    (root / "sys/fs/cgroup").mkdir(parents=True)
    bootstrap.bring(stopped)
    assert apt.asked("mount") == [("mount", "-t", "cgroup2", "cgroup2", str(root / "sys/fs/cgroup"))]
    daemon.stop(stopped)
    (root / "proc").mkdir()
    (root / "proc/mounts").write_text("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")
    bootstrap.bring(stopped)
    assert len(apt.asked("mount")) == 1


def test_dockerd_outlives_an_interrupt_for_labctl(stopped: Machine) -> None:
    bootstrap.bring(stopped)
    pid = daemon.dockerd_pid(stopped)
    assert pid is not None
    assert os.getsid(pid) == pid
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    assert Path(f"/proc/{pid}/fd/0").readlink() == Path("/dev/null")


def test_what_an_engine_that_sees_other_files_has_at_the_same_path_is_left_alone(
    machine: Machine, root: Path
) -> None:
    shell = shutil.copy("/bin/sh", root / "containerd")
    waiting = [str(shell), "-c", "read -r _", str(root / "var/run/docker/containerd/containerd.toml")]
    elsewhere = ["unshare", "--user", "--map-root-user", "--mount", *waiting]
    with (
        subprocess.Popen(waiting, stdin=subprocess.PIPE) as ours,
        subprocess.Popen(elsewhere, stdin=subprocess.PIPE) as another,
    ):
        assert eventually(lambda: process_name(another.pid) == "containerd" or None, within=10)
        daemon.sweep(machine, thoroughly=True)
        assert ours.wait(timeout=10) < 0
        assert another.poll() is None
        another.kill()


@pytest.mark.parametrize(("given", "taken"), [(None, "400"), ("50", "50")])
def test_dockerd_seldom_collects_garbage_unless_told_how_often(
    machine: Machine, root: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, taken: str
) -> None:
    install_dockerd(root)
    if given is None:
        monkeypatch.delenv("GOGC", raising=False)
    else:
        monkeypatch.setenv("GOGC", given)
    bootstrap.bring(machine)
    environ = Path(f"/proc/{daemon.dockerd_pid(machine)}/environ").read_bytes().split(b"\0")
    assert [each for each in environ if each.startswith(b"GOGC=")] == [f"GOGC={taken}".encode()]


@pytest.mark.parametrize(
    "content",
    ["999999999", "nonsense", "", str(os.getpid())],
    ids=["gone", "nonsense", "empty", "another program"],
)
def test_a_pid_file_of_no_dockerd_does_not_keep_the_engine_from_starting(
    stopped: Machine, content: str
) -> None:
    (stopped.root / "var/run/docker.pid").write_text(content)
    bootstrap.start(stopped)
    assert daemon.answers(stopped)


def test_a_killed_dockerd_can_be_started_again(started: Machine) -> None:
    first = daemon.dockerd_pid(started)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: True if process_name(first) is None else None, within=20)
    assert bootstrap.status(started).state == "stopped"
    status = bootstrap.start(started)
    assert status.state == "running"
    assert status.pid not in {None, first}


def test_a_containerd_of_the_system_that_is_gone_is_not_waited_for(stopped: Machine, root: Path) -> None:
    (root / "run/containerd").mkdir()
    (root / "run/containerd/containerd.sock").touch()
    bootstrap.start(stopped)
    assert not (root / "run/containerd/containerd.sock").exists()


def test_a_dockerd_that_ends_at_once_is_an_error_with_its_last_words(stopped: Machine) -> None:
    (stopped.root / "broken").touch()
    with pytest.raises(EngineError, match="it is broken") as caught:
        bootstrap.start(stopped)
    assert "chatter" not in caught.value.message


def test_systemd_starts_the_engine_where_it_runs_the_machine(stopped: Machine, apt: Apt) -> None:
    (stopped.root / "run/systemd/system").mkdir(parents=True)
    with pytest.raises(EngineError, match="the unit's last words"):
        bootstrap.start(stopped)
    assert apt.asked("systemctl") == [("systemctl", "start", "docker.service")]


def test_stopping_ends_dockerd_and_twice_is_no_error(started: Machine) -> None:
    assert bootstrap.stop(started).state == "stopped"
    assert bootstrap.stop(started).state == "stopped"
    assert not (started.root / "var/run/docker.sock").exists()


@pytest.mark.parametrize("verb", [bootstrap.stop, bootstrap.remove])
def test_an_engine_that_labctl_neither_installed_nor_started_is_not_touched(
    stopped: Machine, verb: object
) -> None:
    launched = daemon.launch(stopped)
    daemon.await_answer(stopped, launched)
    assert callable(verb)
    with pytest.raises(UsageError, match="not installed or started by labctl"):
        verb(stopped)
    assert daemon.answers(stopped)


def test_an_engine_that_somebody_started_since_is_not_stopped(started: Machine) -> None:
    there = record.read(started)
    assert there is not None
    record.write(started, record.Record(at=there.at, started_by="labctl", pid=1))
    with pytest.raises(UsageError, match="was not started by labctl"):
        bootstrap.stop(started)
    assert daemon.answers(started)


def test_only_root_may_stop_the_engine(started: Machine, root: Path, apt: Apt) -> None:
    with pytest.raises(UsageError) as caught:
        bootstrap.stop(Machine(root=root, uid=1000, run=apt))
    assert caught.value.hint == "sudo labctl engine stop"
    assert daemon.answers(started)


def test_removing_leaves_the_machine_as_it_was(machine: Machine, root: Path, apt: Apt) -> None:
    before = set(apt.packages)
    bootstrap.bring(machine)
    for each in ("var/lib/docker/overlay2", "var/lib/containerd", "etc/docker", "opt/containerd/bin"):
        (root / each).mkdir(parents=True)
    (root / "etc/docker/key.json").touch()
    assert bootstrap.remove(machine).state == "absent"
    assert apt.packages == before
    left = {str(each.relative_to(root)) for each in root.rglob("*") if each.is_file()}
    assert left == {
        "etc/os-release",
        "run/labctl-engine.lock",
        "usr/bin/apt-get",
        "var/lib/apt/lists/x_Packages.lz4",
    }
    assert not any((root / each).exists() for each in ("var/lib/docker", "var/lib/containerd", "etc/docker"))
    assert ("groupdel", "docker") in apt.calls


def test_removing_keeps_the_data_and_settings_that_were_there_before(
    machine: Machine, root: Path, apt: Apt
) -> None:
    (root / "etc/docker").mkdir()
    (root / "etc/docker/daemon.json").write_text("{}")
    (root / "etc/group").write_text("docker:x:998:alice\n")
    data = root / "var/lib/docker"
    (data / "volumes").mkdir(parents=True)
    bootstrap.bring(machine)
    bootstrap.remove(machine)
    assert [each.name for each in data.iterdir()] == ["volumes"]
    assert (root / "etc/docker/daemon.json").exists()
    assert not apt.asked("groupdel")


def test_packages_that_others_need_now_are_not_removed(machine: Machine, apt: Apt) -> None:
    bootstrap.bring(machine)
    apt.dragged_along = ("docker-compose",)
    with pytest.raises(EngineError, match="docker-compose"):
        bootstrap.remove(machine)
    assert apt.packages >= FRESH
    assert record.read(machine) is not None


def test_removing_an_engine_that_was_only_started_ends_it_and_no_more(
    stopped: Machine, root: Path, apt: Apt
) -> None:
    (root / "var/lib/docker").mkdir()
    bootstrap.start(stopped)
    assert bootstrap.remove(stopped).state == "stopped"
    assert (root / "usr/sbin/dockerd").exists()
    assert (root / "var/lib/docker").exists()
    assert not (root / "var/log/labctl").exists()
    assert apt.asked("remove") == []


def test_a_record_that_can_not_be_read_is_an_error_that_names_it(machine: Machine, root: Path) -> None:
    (root / "var/lib/labctl").mkdir()
    (root / "var/lib/labctl/engine.json").write_text('{"unknown": 1}')
    with pytest.raises(EngineError, match=r"engine\.json"):
        bootstrap.status(machine)


def test_a_record_survives_being_written_and_read(machine: Machine) -> None:
    written = record.Record(
        at="2026-01-01T00:00:00.000000Z",
        packages=("docker.io",),
        packages_before=(),
        directories_before=("/var/lib/docker",),
        started_by="labctl",
        pid=7,
    )
    record.write(machine, written)
    assert record.read(machine) == written
