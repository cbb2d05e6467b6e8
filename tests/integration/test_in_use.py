"""Two commands on one engine: whoever uses a lab keeps it, and whoever is refused is told who that is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from labctl import resources
from labctl.engine import search
from labctl.exercises.testcontainers import MailLab
from labctl.lab.mark import labels
from labctl.wait import eventually
from tests.integration.conftest import SOON, Ran

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Lab, Labctl

pytestmark = pytest.mark.usefixtures("alone")

LAB: Final = "fix-the-mx"

HOLDS_A_FAULT: Final = '''
import threading

def test_holds_a_fault(lab, alice):
    """A fault is applied for long."""
    with lab.fault("mx-null"):
        lab.dig("beta.test", "MX")
        threading.Event().wait(50)
'''

APPLIES_FAULTS: Final = '''
def test_applies_faults(lab):
    """Faults come and go."""
    for _ in range(8):
        with lab.fault("mx-null"):
            lab.dig("beta.test", "MX")
'''


def graded_containers(docker: Any) -> set[str]:
    """The ids of all containers of laboratories in which attempts are graded."""
    return {
        each.id
        for each in docker.containers.list(all=True, filters={"label": labels.RUN}, ignore_removed=True)
    }


def another_spelling() -> str:
    """Return the engine's address by another name of its socket's directory."""
    path = Path(search.find(os.environ, Path.home()).url.removeprefix("unix://"))
    real = path.resolve()
    return f"unix://{real if real != path else path.parent / '.' / path.name}"


def somebody_else() -> list[str]:
    """Return what runs a command as another user, who may read what is installed here, and ask the engine."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can be another user, too")
    socket = search.find(os.environ, Path.home()).url.removeprefix("unix://")
    group = str(os.stat(socket).st_gid)  # noqa: PTH116  # a path of the engine's
    readable = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    return ["setpriv", "--reuid", "65534", "--regid", group, "--clear-groups", *readable]


@pytest.mark.parametrize("differs", ["TMPDIR", "DOCKER_HOST", "user"])
def test_a_laboratory_is_left_to_its_grader_by_one_that_differs_in(
    differs: str, labctl: Labctl, docker: Any, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    environ = {"TMPDIR": str(tmp_path)} | (
        {"DOCKER_HOST": another_spelling()} if differs == "DOCKER_HOST" else {}
    )
    prefix = somebody_else() if differs == "user" else []
    (tmp_path / "nothing").mkdir()

    def second(*arguments: str) -> Ran:
        done = subprocess.run(
            [*prefix, sys.executable, "-m", "labctl", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=tmp_path,
            env=labctl.environment(environ if differs != "user" else {"HOME": str(tmp_path)} | environ),
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    before = graded_containers(docker)
    solution = str(resources.labs_dir() / LAB / "solution")
    with labctl.started("grade", solution, "--lab", LAB, "--json") as first:
        found = eventually(lambda: len(graded_containers(docker) - before) == 5 or None, within=120)
        first.send_signal(signal.SIGSTOP)
        there = graded_containers(docker) - before
        assert found
        graded = second(
            "grade", "nothing", "--lab", LAB, "--json"
        )  # what is not handed in needs no laboratory
        assert json.loads(graded.stdout)["attempts"][0]["verdict"] == "rejected", graded
        pruned = second("prune", "--json")
        assert json.loads(pruned.stdout)["left"] == [], pruned
        assert graded_containers(docker) >= there
        first.send_signal(signal.SIGCONT)
        said, _ = first.communicate(timeout=300)
    assert first.returncode == 0, said
    assert json.loads(said)["attempts"][0]["verdict"] == "passed"
    assert graded_containers(docker).isdisjoint(there)


def test_a_laboratory_whose_grader_was_killed_is_taken_down_by_another_users(
    labctl: Labctl, docker: Any, tmp_path: Path
) -> None:
    prefix = somebody_else()
    before = graded_containers(docker)
    solution = str(resources.labs_dir() / LAB / "solution")
    with labctl.started("grade", solution, "--lab", LAB) as first:
        assert eventually(lambda: graded_containers(docker) - before or None, within=120)
        os.killpg(first.pid, signal.SIGKILL)
    command = [*prefix, sys.executable, "-m", "labctl", "prune", "--json"]
    environ = labctl.environment({"HOME": str(tmp_path), "TMPDIR": str(tmp_path)})

    def pruned() -> bool | None:  # the engine may still be making what the dead one asked for
        subprocess.run(command, check=True, capture_output=True, timeout=300, env=environ)
        return True if graded_containers(docker) == before else None

    assert eventually(pruned, within=SOON)


def test_whoever_would_change_a_lab_that_a_run_uses_is_refused_and_told_who_has_it(
    lab: Lab, tmp_path: Path
) -> None:
    path = tmp_path / "exercises.py"
    path.write_text(HOLDS_A_FAULT, encoding="utf-8")
    with lab.labctl.started("run", str(path), "--lab", "two-domains", "--name", lab.name) as process:
        assert process.stdout is not None
        assert any("✓ Ask dns.lab.test" in line for line in process.stdout)
        before = lab.ids()
        for command, *arguments in (("down",), ("reset",), ("up",), ("fault", "revert")):
            ran = lab.labctl(command, *arguments, "--name", lab.name, "--json")
            said = lab.labctl.document_of(ran.stdout)
            assert (ran.code, said["code"]) == (2, "lab-in-use"), command
            assert said["detail"]["holder"]["pid"] == process.pid
            assert "labctl run of user " in said["message"]
        assert lab.labctl.json("prune")["removed"] == []
        assert lab.ids() == before
        assert lab.json("status")["faults"] == ["mx-null"]
        lab.send("bob@beta.test", "alice@alpha.test")  # to look and to send is anybody's
        process.send_signal(signal.SIGINT)
        assert process.wait(SOON) == 130
    assert lab.json("status")["faults"] == []
    lab.json("reset")


def test_exercises_pass_however_often_somebody_would_change_their_lab(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "exercises.py"
    path.write_text(APPLIES_FAULTS, encoding="utf-8")
    with lab.labctl.started("run", str(path), "--lab", "two-domains", "--name", lab.name) as process:
        assert process.stdout is not None
        assert any("✓ Ask dns.lab.test" in line for line in process.stdout)
        codes = {lab.run("reset").code, lab.run("fault", "revert").code} if process.poll() is None else set()
        process.communicate(timeout=120)
    assert process.returncode == 0
    assert codes <= {0, 2}  # refused, or let in when the run was over


def test_the_lab_of_an_applications_tests_is_in_use_until_they_are_over(
    monkeypatch: pytest.MonkeyPatch, new_lab: Callable[[], Lab]
) -> None:
    monkeypatch.delenv("LABCTL_NAME", raising=False)
    lab = new_lab()
    with MailLab().with_name(lab.name) as mail_lab:
        said = lab.json("down", code=2)
        assert said["detail"]["holder"]["pid"] == os.getpid()
        mail_lab.reset()
    assert lab.leftovers() == []
