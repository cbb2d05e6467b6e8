from __future__ import annotations

import io
import subprocess
from typing import TYPE_CHECKING

import pytest

from labctl.commands import doctor as subject
from labctl.commands.doctor import Check, State, doctor
from labctl.commands.engine import engine_status
from labctl.engine.docker import DockerEngine
from labctl.engine.fake import FakeEngine
from labctl.engine.local import record
from labctl.engine.machine import Machine
from labctl.engine.model import EngineVersion, ExecResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from labctl.engine.endpoint import Endpoint
    from labctl.engine.protocol import Engine
    from tests.bed.bed import Bed


class Kernel:
    """A machine's ``unshare``, with a kernel that can do what it is told to."""

    def __init__(self, **refusals: tuple[int, str]) -> None:
        self.refusals = refusals
        self.calls: list[tuple[str, ...]] = []

    def __call__(
        self, argv: Sequence[str], *, stdin: str = "", environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        del stdin, environ
        self.calls.append(tuple(argv))
        program = next((each for each in ("nft", "tc", "status") if each in argv[-1]), argv[0])
        code, said = self.refusals.get(program, (0, ""))
        return subprocess.CompletedProcess(argv, code, "", said)


def examine(
    root: Path, kernel: Kernel | None = None, *, uid: int = 0, environ: Mapping[str, str] | None = None
) -> dict[str, Check]:
    def connect(_: Endpoint) -> Engine:
        pytest.fail("there is no engine to connect to")

    machine = Machine(root=root, uid=uid, run=kernel or Kernel())
    return {each.id: each for each in doctor(environ or {}, root, connect, machine=machine).checks}


def test_without_an_engine_the_machine_is_examined_all_the_same(tmp_path: Path) -> None:
    checks = examine(tmp_path)
    assert checks["engine"].state is State.FAILED
    assert {"disk", "subnets", "addresses", "iptables", "nftables", "netem"} <= set(checks)
    assert not {"engine-version", "storage", "images"} & set(checks)


def test_whatever_is_not_well_has_a_cure_and_what_is_well_has_none(tmp_path: Path) -> None:
    refusals = {"nft": (1, "refused"), "tc": (1, "refused")}
    checks = examine(tmp_path, Kernel(**refusals)).values()
    assert {each.state for each in checks} == set(State)
    assert all(bool(each.hint) == (each.state is not State.OK) for each in checks)


def test_root_on_debian_is_told_how_to_get_an_engine(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text("ID=debian\n")
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/apt-get").touch(mode=0o755)
    assert examine(tmp_path)["engine"].hint == "labctl up --yes"
    assert examine(tmp_path, uid=1000)["engine"].hint == "sudo labctl up --yes"


def test_what_an_engine_can_not_bound_is_a_warning_for_those_who_grade(tmp_path: Path) -> None:
    fake = FakeEngine()
    it = subject._Examination(Machine(root=tmp_path), engine=fake, info={"Driver": "overlay2"})
    subject._cgroups(it)
    subject._attempts(it)
    assert [(each.id, each.state) for each in it.checks] == [
        ("cgroups", State.OK),
        ("attempts", State.WARNING),
    ]
    assert "overlay2" in it.checks[1].text
    fake.enforced = frozenset({"memory", "disk"})
    it.checks.clear()
    subject._cgroups(it)
    subject._attempts(it)
    assert [each.state for each in it.checks] == [State.WARNING, State.OK]
    assert "swap, processors, processes" in it.checks[0].text


def test_an_ordered_engine_that_does_not_answer_is_named(tmp_path: Path) -> None:
    check = examine(tmp_path, environ={"DOCKER_HOST": "unix:///absent.sock"})["engine"]
    assert "unix:///absent.sock (DOCKER_HOST)" in check.text
    assert check.hint is not None
    assert "unset DOCKER_HOST" in check.hint


def test_an_engine_on_another_machine_is_a_finding_too(tmp_path: Path) -> None:
    check = examine(tmp_path, environ={"DOCKER_HOST": "tcp://192.0.2.9:2375"})["engine"]
    assert check.state is State.FAILED
    assert "on another machine" in check.text


def test_a_kernel_without_netem_lacks_faults_of_latency_and_loss_only(tmp_path: Path) -> None:
    checks = examine(tmp_path, Kernel(tc=(2, "Error: Specified qdisc kind is unknown.\n")))
    assert checks["netem"].state is State.WARNING
    assert "faults of latency and loss are not available, all others are" in checks["netem"].text
    assert "qdisc kind is unknown" in checks["netem"].text
    assert checks["nftables"].state is State.OK


def test_a_kernel_that_lets_programs_gain_privileges_is_a_warning_for_those_who_grade(tmp_path: Path) -> None:
    assert "no-new-privileges" not in examine(tmp_path)
    check = examine(tmp_path, Kernel(status=(1, "")))["no-new-privileges"]
    assert (check.state, bool(check.hint)) == (State.WARNING, True)


def test_what_could_not_be_tried_is_unknown(tmp_path: Path) -> None:
    checks = examine(tmp_path, Kernel(unshare=(1, "unshare: Operation not permitted")), uid=1000)
    for name in ("nftables", "netem"):
        assert checks[name].state is State.WARNING
        assert "unknown" in checks[name].text
        assert "Operation not permitted" in checks[name].text


def test_without_its_tool_an_ability_is_unknown(tmp_path: Path) -> None:
    assert "is unknown" in examine(tmp_path, Kernel(nft=(127, "sh: 1: nft: not found")))["nftables"].text


def test_users_try_it_in_a_namespace_of_their_own(tmp_path: Path) -> None:
    kernel = Kernel()
    examine(tmp_path, kernel, uid=1000)
    assert all("--map-root-user" in each for each in kernel.calls)


@pytest.mark.parametrize(
    ("owned", "state"),
    [("203.0.113.10", State.FAILED), ("192.0.2.2", State.OK)],
    ids=["a host's", "no host's"],
)
def test_a_machine_that_owns_an_address_of_a_lab_is_told_which(
    tmp_path: Path, owned: str, state: State
) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/fib_trie").write_text(f"Local:\n  |-- {owned}\n     /32 host LOCAL\n")
    check = examine(tmp_path)["addresses"]
    assert (check.state, owned in check.text) == (state, state is State.FAILED)


def test_dockerd_without_iptables_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/dockerd").touch(mode=0o755)
    assert examine(tmp_path)["iptables"].hint == "apt-get install iptables"


def test_an_engine_that_labctl_started_and_that_stopped_is_told(tmp_path: Path) -> None:
    machine = Machine(root=tmp_path)
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/dockerd").touch(mode=0o755)
    record.write(machine, record.Record(at="", started_by="labctl", pid=2**22 + 1))
    check = examine(tmp_path)["daemon"]
    assert (check.state, check.hint) == (State.WARNING, "labctl engine start")


def test_an_interrupted_installation_is_told(tmp_path: Path) -> None:
    record.write(Machine(root=tmp_path), record.Record(at="", packages_before=("bash",)))
    check = examine(tmp_path)["daemon"]
    assert "interrupted" in check.text
    assert check.hint == "labctl up --yes"


def test_a_record_that_can_not_be_read_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "var/lib/labctl").mkdir(parents=True)
    (tmp_path / "var/lib/labctl/engine.json").write_text("[")
    assert examine(tmp_path)["daemon"].state is State.FAILED


def test_the_engine_report_of_a_machine_without_one_is_absent(tmp_path: Path) -> None:
    report = engine_status({"DOCKER_HOST": "tcp://192.0.2.9:2375"}, tmp_path, machine=Machine(root=tmp_path))
    assert (report.state, report.version, report.endpoint, report.installed_by_labctl) == (
        "absent",
        None,
        None,
        False,
    )


def on(bed: Bed, root: Path) -> dict[str, Check]:
    """Examine a machine with an engine."""
    machine = Machine(root=root, uid=0, run=Kernel())
    return {each.id: each for each in doctor(bed.environ, root, DockerEngine, machine=machine).checks}


def test_an_engine_with_all_it_needs_is_well_and_what_faults_need_is_tried_in_a_container(
    bed: Bed, tmp_path: Path
) -> None:
    checks = on(bed, tmp_path)
    names = ("engine", "engine-version", "storage", "cgroups", "images", "leftovers", "nftables", "netem")
    assert {name: checks[name].state for name in names} == dict.fromkeys(names, State.OK)
    assert checks["nftables"].text == "nftables works (in a container)"
    assert bed.engine.containers({}) == ()


def test_what_an_engine_lacks_and_what_is_left_on_it_are_warnings_with_a_cure(
    bed: Bed, tmp_path: Path
) -> None:
    bed.engine.answer = lambda _, argv: ExecResult(int("netem" in argv[-1]), b"", b"")
    mta = next(each for each in bed.engine.images({}) if "labctl/mta:latest" in each.tags)
    bed.engine.remove_image(mta.id)
    list(
        bed.engine.build(
            io.BytesIO(b"x"), tag="labctl/mta:old", labels={"labctl.image": "mta"}, build_args={}
        )
    )
    checks = on(bed, tmp_path)
    assert {name: (each.state, each.hint) for name, each in checks.items() if each.state != State.OK} == {
        "netem": (State.WARNING, "sudo modprobe sch_netem"),
        "images": (State.WARNING, "labctl images build"),
        "leftovers": (State.WARNING, "labctl prune"),
        "attempts": (State.WARNING, "give /var/lib/docker a file system of its own"),
    }
    assert checks["images"].text.startswith("not built yet: mta ")


def test_an_engine_of_old_is_refused(bed: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bed.engine, "version", lambda: EngineVersion("19.3.1", "1.40"))
    check = on(bed, tmp_path)["engine-version"]
    assert (check.state, "wants 20.10 or later" in check.text) == (State.FAILED, True)
