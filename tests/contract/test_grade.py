"""`labctl grade` and `labctl examine` in labs in memory: what each kind of attempt comes to, and why."""

from __future__ import annotations

import csv
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from labctl import resources
from labctl.engine.model import ExecResult
from labctl.grading import form
from labctl.grading.job import Job
from tests.contract.conftest import Labctl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from labctl.engine.model import Container
    from tests.bed.bed import Bed

    Valid = Callable[[Mapping[str, Any]], None]

LAB = resources.labs_dir() / "fix-the-mx"
ZONE = "beta.test.zone"
MAIN_CF = "/etc/postfix/main.cf"
MISSPELT = f"postfix: fatal: {MAIN_CF}, line 2: missing '=' after attribute name: \"nonsense\""

OPEN = f"""
id = "open"
title = "An MTA to mend"
topology = "two-domains"

[[editable]]
path = "main.cf"
service = "mx-beta"
target = "{MAIN_CF}"
check = ["postfix", "check"]

[[checks]]
id = "alice-writes"
points = 2

[[checks]]
id = "bob-answers"
points = 1
needs = ["alice-writes"]

[[checks]]
id = "breaks"
points = 1
"""
CHECKS = '''
def test_alice_writes(lab, alice, bob):
    """Alice writes to Bob."""
    if "closed" in lab.engine.get_file(lab.host("mx-beta").container.id, "/etc/postfix/main.cf").decode():
        alice.expect_delivery(alice.send("nobody@beta.test"))
    bob.expect_delivery(alice.send(bob))

def test_bob_answers(lab, alice, bob):
    """Bob answers."""
    alice.expect_delivery(bob.send(alice))

def test_breaks(lab):
    """It is wrong by itself."""
    if "odd" in lab.engine.get_file(lab.host("mx-beta").container.id, "/etc/postfix/main.cf").decode():
        lab.exec("mx-beta", "postqueue", "-p")
'''


def write(directory: Path, files: Mapping[str, str]) -> Path:
    """Make a directory of files."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return directory


@pytest.fixture(scope="module")
def hall(hall: Bed) -> Bed:
    """An engine in memory, on which `postfix check` refuses nonsense."""
    plain = hall.engine.answer

    def answer(container: Container, argv: Sequence[str]) -> ExecResult:
        asked = list(argv) == ["postfix", "check"]
        if asked and b"nonsense" in hall.engine.get_file(container.id, MAIN_CF):
            return ExecResult(1, b"", MISSPELT.encode())
        return plain(container, argv)

    hall.engine.answer = answer
    return hall


@pytest.fixture(scope="module")
def run(hall: Bed, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    """Return a function that runs a command that prints JSON, and leaves no lab behind."""
    labctl = Labctl(tmp_path_factory.mktemp("home"))
    labctl.environ |= hall.environ

    def perform(*arguments: object, code: int) -> dict[str, Any]:
        ran = labctl(*map(str, arguments), "--json")
        assert ran.code == code, ran
        engine = hall.engine
        assert (*engine.containers({}), *engine.networks({"labctl.name": ""}), *engine.volumes({})) == ()
        return ran.document

    return perform


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Attempts at fix-the-mx, of each kind one."""
    directory = tmp_path_factory.mktemp("attempts")
    for name, source in {"good": "solution", "starter": "starter", "no-mx": "mutants/no-mx"}.items():
        write(directory / name, {ZONE: (LAB / source / ZONE).read_text(encoding="utf-8")})
    write(directory / "no-zone", {ZONE: "this is no zone\n"})
    (directory / "nothing").mkdir()
    return directory


@pytest.fixture(scope="module")
def graded(
    run: Callable[..., dict[str, Any]], attempts: Path, valid_document: Valid
) -> dict[str, dict[str, Any]]:
    """What they come to, two at a time."""
    order = ("grade", *attempts.iterdir(), "--lab", LAB, "--jobs", 2, "--out", attempts.parent / "out")
    said = run(*order, code=1)
    valid_document(said)
    return {each["id"]: each for each in said["attempts"]}


def test_each_kind_of_attempt_comes_to_its_verdict(graded: dict[str, dict[str, Any]]) -> None:
    assert {name: each["verdict"] for name, each in graded.items()} == {
        "good": "passed",
        "starter": "failed",
        "no-mx": "failed",
        "no-zone": "rejected",
        "nothing": "rejected",
    }
    assert graded["good"]["score"] == graded["good"]["max_score"] > graded["no-mx"]["score"] > 0


def test_a_check_that_failed_says_why_and_what_needs_it_is_blocked(
    graded: dict[str, dict[str, Any]],
) -> None:
    found = {each["id"]: each for each in graded["no-mx"]["checks"]}
    failed, blocked = found["an-mx-leads-to-beta"], found["a-letter-arrives"]
    assert (failed["verdict"], failed["explanation"].splitlines()[-1]) == (
        "failed",
        "    seen: there is no MX",
    )
    assert (blocked["verdict"], blocked["explanation"]) == ("blocked", "blocked by an-mx-leads-to-beta")


def test_what_a_daemon_refuses_or_is_missing_is_told_with_the_file(graded: dict[str, dict[str, Any]]) -> None:
    refused = graded["no-zone"]["rejection"]
    assert (refused["code"], refused["file"], refused["line"]) == ("config-rejected", ZONE, 2)
    assert refused["said"].startswith("[ERROR] Restart failed: plugin/file: failed to parse")
    assert (graded["nothing"]["rejection"]["code"], graded["nothing"]["checks"]) == ("missing-file", [])


def test_one_lab_of_data_serves_one_attempt_after_the_other(
    hall: Bed, graded: dict[str, dict[str, Any]]
) -> None:
    made_of = {call.subject for call in hall.engine.calls if call.method == "create_network"}
    assert len(graded) == 5
    assert len(made_of) <= 3  # two at a time, and another for what spoilt its own


@pytest.fixture(scope="module")
def configured(
    run: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What attempts come to that a daemon does what they say: each has a lab of its own."""
    directory = tmp_path_factory.mktemp("open")
    lab = write(directory / "lab", {"lab.toml": OPEN, "checks/test_it.py": CHECKS})
    texts = {"fine": "a = b", "closed": "# closed", "odd": "# odd", "wrong": "a = b\nnonsense"}
    places = [write(directory / name, {"main.cf": f"{text}\n"}) for name, text in texts.items()]
    said = run("grade", *places, "--lab", lab, "--jobs", 2, code=4)
    return {each["id"]: each for each in said["attempts"]}


def test_an_attempt_that_is_executed_fails_with_its_evidence_and_its_hosts_logs(
    configured: dict[str, dict[str, Any]],
) -> None:
    assert (configured["fine"]["verdict"], configured["fine"]["logs"]) == ("passed", {})
    closed = configured["closed"]
    first, second, _ = closed["checks"]
    assert first["explanation"].splitlines()[0] == "expected: delivered to alice@alpha.test"
    assert any("550 5.1.1" in line for line in first["evidence"])
    assert (second["verdict"], second["explanation"]) == ("blocked", "blocked by alice-writes")
    assert closed["logs"].keys() == {"mx-beta"}


def test_a_check_that_is_wrong_by_itself_is_an_error_with_its_line_and_tried_twice(
    hall: Bed, configured: dict[str, dict[str, Any]]
) -> None:
    broken = configured["odd"]["checks"][-1]
    assert (configured["odd"]["verdict"], broken["verdict"]) == ("error", "error")
    made_of = {call.subject for call in hall.engine.calls if call.method == "create_network"}
    assert len([each for each in made_of if re.search(r"grade-.*-\d-2$", each)]) == 1
    said = "mx-beta runs what was handed in: a check can't run 'postqueue -p' there"
    assert broken["explanation"] == f"checks/test_it.py:{broken['line']}: {said}"
    assert CHECKS.splitlines()[broken["line"] - 1].strip().startswith("lab.exec(")


def test_a_daemons_own_check_rejects_what_it_refuses(configured: dict[str, dict[str, Any]]) -> None:
    refused = configured["wrong"]["rejection"]
    assert (refused["file"], refused["line"], refused["service"]) == ("main.cf", 2, "mx-beta")
    assert refused["said"] == MISSPELT


def test_what_was_kept_is_weighed_anew_and_examined_no_more(
    run: Callable[..., dict[str, Any]], hall: Bed, attempts: Path, graded: dict[str, dict[str, Any]]
) -> None:
    text = (LAB / "lab.toml").read_text(encoding="utf-8").replace("points = 3", "points = 30")
    lab = shutil.copytree(LAB, attempts.parent / "fix-the-mx")
    write(lab, {"lab.toml": text})
    hall.engine.calls.clear()
    [again] = run("grade", attempts / "good", "--lab", lab, "--out", attempts.parent / "out", code=0)[
        "attempts"
    ]
    assert (again["score"], again["cached"]) == (graded["good"]["score"] + 27, True)
    assert "create_container" not in {call.method for call in hall.engine.calls}


def test_a_job_of_another_driver_comes_to_the_same(
    hall: Bed, graded: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    labctl = Labctl(tmp_path)
    files = {ZONE: (LAB / "mutants/no-mx" / ZONE).read_bytes()}
    job = form.written(Job("no-mx", LAB, None, files, seed="0123456789abcdef", name="job-1"))
    ran = labctl("examine", environ=hall.environ, stdin=job)
    assert ran.code == 0, ran
    found = {each["id"]: each["verdict"] for each in ran.document["checks"]}
    assert found == {each["id"]: each["verdict"] for each in graded["no-mx"]["checks"]}


def test_an_attempt_with_anothers_seed_is_rejected_and_each_result_says_whose_word_its_seed_is(
    run: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    roster, made_of = tmp_path / "roster.csv", {}
    for name in ("ann, who knows", "ben", "cat", "dan"):
        made_of[name] = tmp_path / "attempts" / name
        run("init", LAB, made_of[name], *(() if name == "dan" else ("--seed-from", roster)), code=0)
    shutil.copy(made_of["ben"] / "labctl.toml", made_of["cat"] / "labctl.toml")
    (made_of["ben"] / "labctl.toml").unlink()
    known = dict(csv.reader(roster.read_text().splitlines()))
    del known["attempt"]  # its head

    order = ("--lab", LAB, "--seeds", roster, "--out", tmp_path / "out")
    found = {each["id"]: each for each in run("grade", *made_of.values(), *order, code=1)["attempts"]}

    assert {name: (each["verdict"], each["seed_from"]) for name, each in found.items()} == {
        "ann, who knows": ("failed", "roster"),
        "ben": ("failed", "roster"),
        "cat": ("rejected", "roster"),
        "dan": ("failed", "attempt"),
    }
    assert {name: found[name]["seed"] for name in known} == known
    assert found["cat"]["rejection"]["code"] == "other-seed"
    said = "the roster has no seed for this attempt, which is graded by its own word"
    assert found["dan"]["remarks"] == [said]
    joined = run("merge", tmp_path / "out", code=1)["attempts"]
    assert [each["seed_from"] for each in joined] == ["roster", "roster", "roster", "attempt"]
