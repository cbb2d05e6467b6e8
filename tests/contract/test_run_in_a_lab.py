"""`labctl run` in labs in memory: what becomes of exercises, of the lab, and of what they did to it."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from labctl import resources
from tests.contract.conftest import Labctl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.bed.bed import Bed

OWN = 'id = "own"\ntitle = "x"\ntopology = "two-domains"\n'

EXERCISES = '''
def test_arrives(lab, alice, bob):
    """A letter arrives."""
    assert bob.mailbox.messages() == ()
    bob.expect_delivery(alice.send(bob, "Hi"))

def test_sees_no_mail_of_before(lab, alice, bob):
    """The mailbox is as new."""
    bob.mailbox.must_be_empty()

def test_arrives_at_nobody(lab, alice):
    """A letter to nobody would arrive."""
    print("what it printed")
    lab.expect_sent(alice.send("nobody@beta.test", "Hi"), at="mx-alpha", relay="mx.beta.test")

def test_fails_with_a_fault(lab):
    """It fails while a fault is applied."""
    with lab.fault("mx-null"):
        lab.dig("beta.test", "MX").must_be("10 mx.beta.test.")

def test_has_no_fault(lab):
    """The fault before is undone."""
    lab.dig("beta.test", "MX").must_be("10 mx.beta.test.")

def test_breaks_the_lab(lab, bob):
    """The lab breaks in the middle."""
    lab.engine.stop(lab.host("mail-beta").container.id, timeout=0)
    bob.mailbox.messages()

def test_has_a_whole_lab(lab, alice, bob):
    """The next one has a whole lab."""
    bob.expect_delivery(alice.send(bob))

def test_is_wrong(lab):
    nonsense()

def test_draws(chance, attempt):
    """What was handed in is not there."""

def test_ends_with_a_fault(lab):
    """No exercise comes after it that would undo the fault."""
    with lab.fault("mx-null"):
        assert False
'''


@pytest.fixture(scope="module")
def labctl(hall: Bed, tmp_path_factory: pytest.TempPathFactory) -> Labctl:
    """labctl, with an engine in memory and a lab of one's own in its home."""
    there = Labctl(tmp_path_factory.mktemp("home"))
    there.environ |= hall.environ
    (there.home / "own" / "exercises").mkdir(parents=True)
    (there.home / "own" / "lab.toml").write_text(OWN)
    (there.home / "own" / "exercises" / "test_it.py").write_text(EXERCISES)
    return there


@pytest.fixture(scope="module")
def performed(
    labctl: Labctl, valid_document: Callable[[Mapping[str, Any]], None]
) -> dict[str, dict[str, Any]]:
    """What becomes of all exercises of the lab, which was not up."""
    ran = labctl("run", "--lab", "own", "--json", "--junit", "report.xml")
    assert ran.code == 4
    valid_document(ran.document)
    assert labctl("status", "--json").document["faults"] == []
    return {each["id"]: each for each in ran.document["exercises"]}


def test_each_exercise_has_its_verdict_and_the_lab_is_as_new_for_the_next(
    performed: dict[str, dict[str, Any]],
) -> None:
    assert {name: (each["verdict"], each["kind"]) for name, each in performed.items()} == {
        "arrives": ("passed", None),
        "sees-no-mail-of-before": ("passed", None),
        "arrives-at-nobody": ("failed", None),
        "fails-with-a-fault": ("failed", None),
        "has-no-fault": ("passed", None),
        "breaks-the-lab": ("error", "lab"),
        "has-a-whole-lab": ("passed", None),
        "is-wrong": ("error", "exercise"),
        "draws": ("skipped", None),
        "ends-with-a-fault": ("failed", None),
    }


def test_what_failed_tells_its_reason_its_line_its_steps_and_what_it_printed(
    performed: dict[str, dict[str, Any]],
) -> None:
    failed = performed["arrives-at-nobody"]
    assert "bounced 5.1.1" in failed["explanation"]
    assert EXERCISES.splitlines()[failed["line"] - 1].strip().startswith("lab.expect_sent(")
    assert [each["verdict"] for each in failed["steps"]] == ["passed", "failed"]
    assert failed["printed"] == "what it printed\n"


def test_a_lab_that_breaks_is_told_by_its_host_and_is_no_exercises_fault(
    performed: dict[str, dict[str, Any]],
) -> None:
    said = performed["breaks-the-lab"]["explanation"]
    assert said.startswith("the lab broke: mail-beta (mail.beta.test) is stopped")


@pytest.mark.usefixtures("performed")
def test_the_report_for_ci_servers_counts_what_happened(labctl: Labctl) -> None:
    [suite] = ET.parse(labctl.home / "report.xml").getroot().findall("testsuite")  # noqa: S314  # our own
    assert [suite.get(each) for each in ("tests", "failures", "errors", "skipped")] == ["10", "3", "2", "1"]


@pytest.mark.usefixtures("performed")
def test_the_lab_stays_and_is_used_again_with_the_steps_told_as_they_happen(
    labctl: Labctl, hall: Bed
) -> None:
    before = {each.id for each in hall.engine.networks({})}
    ran = labctl("run", "arrives", "fails-with-a-fault", "--keep-faults")
    assert ran.code == 1
    lines = iter(ran.stdout.splitlines())
    told = ["own/arrives", "  A letter arrives.", "  ✓ alice@alpha.test sends", "  ✓ passed in", "own/fails"]
    assert [each for each in (*told, "  ✗ The answer is") if not any(x.startswith(each) for x in lines)] == []
    assert {each.id for each in hall.engine.networks({})} == before
    assert labctl("status", "--json").document["faults"] == ["mx-null"]


@pytest.mark.usefixtures("performed")
def test_a_lab_of_one_kind_is_not_taken_for_another(labctl: Labctl) -> None:
    ran = labctl("run", "--lab", "dns", "--name", "own", "--json")
    assert (ran.code, ran.document["code"]) == (2, "usage")


def test_a_lab_that_runs_under_another_name_is_the_one_that_is_meant_and_of_two_none_is(
    labctl: Labctl, bed: Bed
) -> None:
    assert labctl("up", "own", "--name", "mine", environ=bed.environ).code == 0
    assert labctl("run", "draws", "sees-no-mail-of-before", "--lab", "own", environ=bed.environ).code == 0
    assert {each.labels["labctl.name"] for each in bed.engine.containers({})} == {"mine"}
    assert labctl("up", "own", "--name", "yours", environ=bed.environ).code == 0
    ran = labctl("run", "draws", "--lab", "own", "--json", environ=bed.environ)
    assert (ran.code, ran.document["detail"]["running"]) == (2, ["mine", "yours"])


def test_of_all_labs_each_is_brought_up_and_taken_down_again_and_one_that_is_another_keeps_none(
    labctl: Labctl, tmp_path: Path, bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / "labs" / name / "exercises").mkdir(parents=True)
        (tmp_path / "labs" / name / "lab.toml").write_text(OWN.replace("own", name))
        (tmp_path / "labs" / name / "exercises" / "test_it.py").write_text("def test_well(lab): ...\n")
    monkeypatch.setattr(resources, "labs_dir", lambda: tmp_path / "labs")
    two_domains = (tmp_path / "labs" / "b").rename(tmp_path / "labs" / "two-domains")
    (two_domains / "lab.toml").write_text(OWN.replace("own", "two-domains"))
    assert labctl("up", "a", "--name", "x-two-domains", environ=bed.environ).code == 0
    ran = labctl("run", "--all", "--name", "x", "--json", environ=bed.environ)
    found = {each["lab"]: (each["verdict"], each["explanation"]) for each in ran.document["exercises"]}
    assert found["a"] == ("passed", "")
    assert found["two-domains"][0] == "error"
    assert found["two-domains"][1].startswith("lab 'x-two-domains' is a 'a', not a 'two-domains'")
    assert {each.labels["labctl.name"] for each in bed.engine.containers({})} == {"x-two-domains"}


@pytest.mark.parametrize(
    ("options", "labs"), [(["--narrate"], {"plain"}), (["-n", "2"], {"plain-gw0", "plain-gw1"})]
)
def test_plain_pytest_runs_exercises_each_worker_in_a_lab_of_its_own_that_is_gone_at_the_end(
    labctl: Labctl, bed: Bed, options: list[str], labs: set[str]
) -> None:
    path = labctl.home / "own" / "exercises" / "test_it.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **bed.environ, "LABCTL_NAME": "plain"},
        cwd=path.parent,
        timeout=60,
    )
    assert "5 failed, 4 passed, 1 skipped" in done.stdout, done.stdout
    assert ("✓ alice@alpha.test sends “Hi” to bob@beta.test" in done.stdout) or "--narrate" not in options
    assert "labctl/exercises/vocabulary" not in done.stdout  # of the traceback only the exercise's own line
    made_ones = {call.subject for call in bed.engine.calls if call.method == "create_network"}
    assert made_ones == {f"labctl-{each}" for each in labs}
    assert bed.engine.containers({}) == ()


@pytest.mark.usefixtures("performed")
def test_steps_wait_for_enter_where_a_class_watches(labctl: Labctl) -> None:
    master, slave = pty.openpty()

    def read_until(wanted: str) -> str:
        said = b""
        while wanted not in re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", said.decode("utf-8", "replace")):
            said += os.read(master, 4096)
        return said.decode()

    with subprocess.Popen(
        [sys.executable, "-m", "labctl", "run", "own/arrives", "--lab", "own", "--step"],
        stdin=slave,
        stdout=slave,
        stderr=subprocess.DEVNULL,
        env={**labctl.environ, "TERM": "xterm"},
        cwd=labctl.home,
        start_new_session=True,
    ) as process:
        os.close(slave)
        before = read_until("[Enter] Expect “Hi”")
        os.write(master, b"\n")
        after = read_until("1 passed")
        assert ("status=sent (250" in before, "status=sent (250" in after) == (False, True)
        assert process.wait(30) == 0
    os.close(master)
