"""Exercises in a real lab: what becomes of them, of the lab, and of what they did to it."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from labctl.wait import eventually
from tests.integration.conftest import SOON

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Lab, Labctl, OwnLab

DELIVERED = '''
def test_letter_arrives(lab, alice, bob):
    """A letter arrives."""
    letter = alice.send("bob@beta.test", "Hi")
    lab.expect_sent(letter, at="mx-alpha")
'''

FAILS = '''
def test_letter_to_nobody(lab, alice):
    """A letter to nobody would arrive."""
    print("what it printed")
    letter = alice.send("nobody@beta.test", "Hi")
    lab.expect_sent(letter, at="mx-alpha", relay="mx.beta.test")
'''

BREAKS = '''
def test_breaks(lab, alice):
    """The lab breaks in the middle."""
    lab.engine.stop(lab.host("mx-beta").container.id, timeout=0)
    lab.expect_sent(alice.send("bob@beta.test", "Hi"), within=1)
'''

HOLDS_A_FAULT = '''
import threading

def test_holds_a_fault(lab, alice):
    """A fault is applied for long."""
    with lab.fault("mx-null"):
        lab.dig("beta.test", "MX")
        threading.Event().wait(50)
'''


@pytest.fixture
def write(own_lab: OwnLab) -> Callable[..., Path]:
    """Return a function that writes a file of exercises, in the lab `own`, from its parts."""
    return lambda *parts: own_lab.file("exercises/test_it.py", "\n".join(parts))


@pytest.fixture
def run_in(lab: Lab) -> Callable[..., dict[str, dict[str, Any]]]:
    """Return a function that runs exercises in the shared lab and returns each one's result."""

    def run(path: Path, *options: str, code: int) -> dict[str, dict[str, Any]]:
        said = lab.json("run", str(path), "--lab", "two-domains", *options, code=code)
        return {each["id"]: each for each in said["exercises"]}

    return run


def test_an_exercise_passes_with_the_evidence_of_each_step(
    run_in: Callable[..., Any], write: Callable[..., Path]
) -> None:
    path = write(DELIVERED)
    [result] = run_in(path, code=0).values()
    assert (result["id"], result["title"]) == ("letter-arrives", "A letter arrives.")
    assert (result["verdict"], result["lab"], result["line"]) == ("passed", "two-domains", 2)
    sent, expected = result["steps"]
    assert (sent["verdict"], expected["verdict"]) == ("passed", "passed")
    assert "dsn=2.0.0, status=sent" in expected["evidence"][0]


def test_a_lab_that_breaks_is_never_the_exercises_fault_and_the_next_one_has_a_whole_lab(
    run_in: Callable[..., Any], write: Callable[..., Path]
) -> None:
    found = run_in(write(BREAKS, FAILS, DELIVERED, "def test_wrong(lab):\n    nonsense()\n"), code=4)
    broken = found.pop("breaks")
    assert (broken["verdict"], broken["kind"]) == ("error", "lab")
    assert broken["explanation"].startswith("the lab broke: mx-beta (mx.beta.test) is stopped")
    assert {name: (each["verdict"], each["kind"]) for name, each in found.items()} == {
        "letter-to-nobody": ("failed", None),
        "letter-arrives": ("passed", None),
        "wrong": ("error", "exercise"),
    }


def test_before_an_exercise_the_lab_is_as_new(
    lab: Lab, run_in: Callable[..., Any], write: Callable[..., Path]
) -> None:
    assert lab.labctl("fault", "apply", "mx-null", "--name", lab.name).code == 0
    lab.send("alice@alpha.test", "bob@beta.test", wait="bounced")
    assert lab.json("status")["faults"] == ["mx-null"]
    run_in(write(DELIVERED), code=0)
    assert lab.json("status")["faults"] == []
    assert [each["subject"] for each in lab.inbox("bob@beta.test")] == ["Hi"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_an_interrupted_run_leaves_no_fault(
    number: signal.Signals, code: int, lab: Lab, write: Callable[..., Path]
) -> None:
    path = write(HOLDS_A_FAULT)
    with lab.labctl.started("run", str(path), "--lab", "two-domains", "--name", lab.name) as process:
        assert process.stdout is not None
        assert any("✓ Ask dns.lab.test" in line for line in process.stdout)
        assert lab.json("status")["faults"] == ["mx-null"]
        process.send_signal(number)
        assert process.wait(SOON) == code
    gone = eventually(lambda: True if lab.json("status")["faults"] == [] else None, within=SOON)
    assert gone, "the fault is still applied"


def test_a_second_run_in_the_same_lab_is_refused_while_the_first_goes_on(
    lab: Lab, write: Callable[..., Path]
) -> None:
    path = write(HOLDS_A_FAULT, DELIVERED)
    with lab.labctl.started("run", str(path), "--lab", "two-domains", "--name", lab.name) as process:
        assert process.stdout is not None
        assert any("✓ Ask dns.lab.test" in line for line in process.stdout)
        said = lab.json("run", str(path), "--lab", "two-domains", code=2)
        assert said["code"] == "lab-in-use"
        assert said["detail"]["holder"]["pid"] == process.pid
        process.send_signal(signal.SIGINT)
        assert process.wait(SOON) == 130


def test_plain_pytest_runs_exercises_each_worker_in_a_lab_of_its_own_that_is_gone_at_the_end(
    labctl: Labctl, new_lab: Callable[[], Lab], write: Callable[..., Path]
) -> None:
    base = new_lab()
    more = [DELIVERED.replace("letter_arrives", f"letter_{n}") for n in range(4)]
    path = write(*more, FAILS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", "-q", "-p", "no:cacheprovider", str(path)],
        capture_output=True,
        text=True,
        check=False,
        env=labctl.environment({"LABCTL_NAME": base.name}),
        cwd=path.parent,
        timeout=300,
    )
    assert "1 failed, 4 passed" in done.stdout, done.stdout
    assert "✗ Expect status=sent" in done.stdout
    assert "labctl/exercises/vocabulary" not in done.stdout  # of the traceback only the exercise's own line
    workers = {f"{base.name}-gw0", f"{base.name}-gw1"}
    assert not workers & {each["name"] for each in labctl.json("list")["labs"]}


def test_plain_pytest_narrates_when_told_and_uses_the_lab_that_runs(
    lab: Lab, write: Callable[..., Path]
) -> None:
    ids = lab.ids()
    path = write(DELIVERED)
    (path.parent.parent / "lab.toml").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--narrate", "-q", "-p", "no:cacheprovider", str(path)],
        capture_output=True,
        text=True,
        check=False,
        env=lab.labctl.environment({"LABCTL_NAME": lab.name}),
        cwd=path.parent,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert "✓ alice@alpha.test sends" in done.stdout
    assert lab.ids() == ids
