"""Two commands on one engine: whoever uses a lab keeps it, and whoever is refused is told who that is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from labctl import resources
from labctl.engine import search
from labctl.lab.mark import labels
from labctl.wait import eventually
from tests.integration.conftest import SOON

if TYPE_CHECKING:
    from tests.integration.conftest import Lab, Labctl

LAB: Final = "fix-the-mx"

HOLDS_A_FAULT: Final = '''
import threading

def test_holds_a_fault(lab, alice):
    """A fault is applied for long."""
    with lab.fault("mx-null"):
        lab.dig("beta.test", "MX")
        threading.Event().wait(50)
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
        return []
    socket = search.find(os.environ, Path.home()).url.removeprefix("unix://")
    group = str(os.stat(socket).st_gid)  # noqa: PTH116  # a path of the engine's
    readable = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    return ["setpriv", "--reuid", "65534", "--regid", group, "--clear-groups", *readable]


def said_to(environ: dict[str, str], *command: str, cwd: Path) -> dict[str, Any]:
    """Run labctl, or what runs it, in another environment; return its document."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, cwd=cwd, env=environ
    )
    return dict(json.loads(done.stdout))


@pytest.mark.usefixtures("alone")
def test_a_laboratory_is_left_to_its_grader_by_whoever_differs_in_directory_address_or_user(
    labctl: Labctl, docker: Any, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    elsewhere = {"TMPDIR": str(tmp_path)}
    others: tuple[tuple[list[str], dict[str, str]], ...] = (
        ([], elsewhere),
        ([], {"DOCKER_HOST": another_spelling()} | elsewhere),
        (somebody_else(), {"HOME": str(tmp_path)} | elsewhere),
    )
    (tmp_path / "nothing").mkdir()
    before = graded_containers(docker)
    solution = str(resources.labs_dir() / LAB / "solution")
    with labctl.started("grade", solution, "--lab", LAB, "--json") as first:
        found = eventually(lambda: len(graded_containers(docker) - before) == 5 or None, within=120)
        first.send_signal(signal.SIGSTOP)
        there = graded_containers(docker) - before
        assert found
        for prefix, environ in others:
            program = (*prefix, sys.executable, "-m", "labctl")
            second = partial(said_to, labctl.environment(environ), *program, cwd=tmp_path)
            graded = second("grade", "nothing", "--lab", LAB, "--json")  # it needs no laboratory
            assert graded["attempts"][0]["verdict"] == "rejected", graded
            assert second("prune", "--json")["left"] == []
            assert graded_containers(docker) >= there
        first.send_signal(signal.SIGCONT)
        said, _ = first.communicate(timeout=300)
    assert first.returncode == 0, said
    assert json.loads(said)["attempts"][0]["verdict"] == "passed"
    assert graded_containers(docker).isdisjoint(there)


@pytest.mark.usefixtures("alone")
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
        again = ("run", str(path), "--lab", "two-domains")
        for command, *arguments in (("down",), ("reset",), ("up",), ("fault", "revert"), again):
            ran = lab.labctl(command, *arguments, "--name", lab.name, "--json")
            said = lab.labctl.document_of(ran.stdout)
            assert (ran.code, said["code"]) == (2, "lab-in-use"), command
            assert said["detail"]["holder"]["pid"] == process.pid
            assert "labctl run of user " in said["message"]
        assert lab.ids() == before
        assert lab.json("status")["faults"] == ["mx-null"]
        lab.send("bob@beta.test", "alice@alpha.test")  # to look and to send is anybody's
        process.send_signal(signal.SIGINT)
        assert process.wait(SOON) == 130
    assert lab.json("status")["faults"] == []
