"""What labctl reads back from files that others may have written: results, jobs, and names of attempts."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import GradingError
from labctl.grading import form
from labctl.grading.job import Job
from tests.documents import JUNK, altered, places

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.contract.conftest import Labctl

IDS = [
    "anna",
    "a\udcffb",
    "\ud800",
    "x/../y",
    "a\0b",
    "\x1b[31m",
    "l" * 5000,
    "é",
    "a\nb",
    ".",
    "..",
    "/abs",
]

OUTPUTS = {
    "--out": "out",
    "--junit": "junit.xml",
    "--gradescope": "scores/",
    "--classroom50": "results/",
    "--summary": "summary.md",
    "--html": "page.html",
    "--csv": "table.csv",
}

JOB = {
    "schema": "labctl/examination-job/v1",
    "attempt": "anna",
    "lab": "fix-the-mx",
    "checks": None,
    "files": {"beta.test.zone": base64.b64encode(b"@ IN SOA").decode()},
    "seed": "00",
    "name": "job-1",
}


def attempt(name: str) -> dict[str, Any]:
    check = {
        "id": f"mx{name}", "title": f"T{name}", "verdict": "failed", "score": 0, "max_score": 1,
        "tries": 1, "explanation": f"e{name}", "hint": f"h{name}", "evidence": [f"v{name}"],
        "seconds": 1.0, "hidden": False,
    }  # fmt: skip
    rejection = {
        "code": "other-lab", "text": f"t{name}", "hint": f"h{name}", "file": f"f{name}", "line": 3,
        "service": None, "said": f"s{name}",
    }  # fmt: skip
    return {
        "id": name, "verdict": "rejected", "score": 0, "max_score": 1, "seed": name, "seconds": 1.0,
        "checks": [check], "explanation": f"x{name}", "rejection": rejection, "remarks": [f"r{name}"],
        "logs": {f"dns{name}": [f"l{name}"]}, "cached": False,
    }  # fmt: skip


GRADE = {
    "schema": "labctl/grade/v1",
    "lab": "mine",
    "title": "A lab",
    "attempts": [attempt("anna")],
    "seconds": 5,
}


def test_a_job_needs_no_more_than_what_has_no_default(
    valid_document: Callable[[Mapping[str, Any]], None],
) -> None:
    valid_document(JOB)
    job = form.read(json.dumps(JOB), Job)
    assert (job.run, job.seed_from, job.remarks) == ("", None, ())


@given(st.sampled_from(list(places(JOB))), JUNK)
def test_a_job_with_any_value_in_a_place_is_one_or_is_refused(place: tuple[Any, ...], value: Any) -> None:
    try:
        job = form.read(json.dumps(altered(JOB, place, value)), Job)
    except GradingError as error:
        if len(error.message) > 500:
            raise
        return
    assert all(isinstance(each, str) for each in (job.attempt, job.seed, job.name, job.run))
    assert all(isinstance(each, bytes) for each in job.files.values())
    assert "\0" not in f"{job.lab}{job.checks}"


@pytest.mark.parametrize(
    "content", ["=", "===", "a", "aGk", "aGk=!", "aGk=\n", " aGk=", "-_-_", "\udcff", "é"]
)
def test_what_is_no_base64_is_no_empty_file(content: str) -> None:
    with pytest.raises(GradingError, match=r"files\['beta.test.zone'\] is .*, expected base64"):
        form.read(json.dumps({**JOB, "files": {"beta.test.zone": content}}), Job)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seed": 7}, "seed is 7, expected a text"),
        ({"lab": "a\0b"}, "expected a path"),
        ({"lab": ""}, "expected a path"),
        ({"checks": "\0"}, "expected a path"),
        ({"files": []}, "files is [], expected an object"),
        ({"files": None}, "expected an object"),
        ({"attempt": None}, "expected a text"),
        ({"schema": "labctl/examination-job/v2"}, "it does not call itself one"),
    ],
)
def test_what_is_wrong_with_a_job_is_said(labctl: Labctl, changed: dict[str, Any], said: str) -> None:
    ran = labctl("examine", stdin=json.dumps({**JOB, **changed}))
    assert (ran.code, ran.stdout) == (4, "")
    assert said in ran.stderr


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"", b"[" * 100_000, b"1" * 5000, b"{} {}", b"null", b"\0" * 99]
)
def test_what_is_no_job_at_all_is_refused(labctl: Labctl, content: bytes) -> None:
    ran = labctl("examine", "--json", stdin=content)
    assert (ran.code, ran.document["code"]) == (4, "grading")


@pytest.mark.parametrize("option", OUTPUTS)
def test_a_result_of_any_text_is_written_in_every_form(labctl: Labctl, option: str) -> None:
    for each in (Path("graded"), *map(Path, OUTPUTS.values())):
        if each.suffix == "":
            (labctl.home / each).mkdir()
    document = {**GRADE, "attempts": [attempt(each) for each in IDS]}
    (labctl.home / "graded/grade.json").write_text(json.dumps(document), encoding="utf-8")
    runner = "ASSIGNMENT CLASSROOM COMMIT_URL OWNER RELEASE_URL REVIEW_URL SUBMISSION_TAG"
    environ = {"GITHUB_ACTIONS": "true", **dict.fromkeys(runner.split(), "x")}
    ran = labctl("merge", "graded", option, OUTPUTS[option], "--json", environ=environ)
    assert ran.code == 1, ran.stderr
    assert len(ran.document["attempts"]) == len(IDS)
    written = labctl.home / OUTPUTS[option]
    if option in {"--gradescope", "--classroom50"}:
        assert len(list(written.iterdir())) == len(IDS)
    assert written.exists()


def test_an_attempt_whose_name_is_no_text_gets_a_file_of_its_own(labctl: Labctl) -> None:
    names = [os.fsdecode(b"caf\xe9"), os.fsdecode(b"caf\xe8")]
    (labctl.home / "graded").mkdir()
    (labctl.home / "scores").mkdir()
    document = {**GRADE, "attempts": [attempt(each) for each in names]}
    (labctl.home / "graded/grade.json").write_text(json.dumps(document), encoding="utf-8")
    assert labctl("merge", "graded", "--gradescope", "scores").code == 1
    assert len(list((labctl.home / "scores").iterdir())) == 2
