from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from labctl.commands.grade import Grade
from labctl.commands.merge import merge
from labctl.errors import UsageError
from labctl.grading.job import Rejection
from labctl.grading.score import GradedAttempt, GradedCheck
from labctl.grading.verdict import AttemptVerdict, CheckVerdict
from labctl.report.document import document

if TYPE_CHECKING:
    from pathlib import Path

CHECK = GradedCheck("a", "A", CheckVerdict.FAILED, 0, 2, 1, "no", "look", ("seen",), 0.5)


def attempt(name: str, rejection: Rejection | None = None) -> GradedAttempt:
    verdict = AttemptVerdict.REJECTED if rejection else AttemptVerdict.FAILED
    return GradedAttempt(name, verdict, 0, 2, "00", 1.0, (CHECK,), "", rejection, ("r",), {"dns": ("line",)})


def shard(directory: Path, *attempts: GradedAttempt, lab: str = "small", seconds: float = 1.0) -> Path:
    directory.mkdir()
    text = json.dumps(document(Grade(lab, "A small lab", attempts, seconds)))
    (directory / "grade.json").write_text(text, encoding="utf-8")
    return directory


def test_shards_are_joined_as_if_one_machine_had_graded_all(tmp_path: Path) -> None:
    refused = attempt(
        "bert", Rejection("config-rejected", "refused", "edit it", "main.cf", 3, "mx-beta", "fatal")
    )
    parts = [shard(tmp_path / "1", attempt("carl"), seconds=3.0), shard(tmp_path / "2", refused)]
    assert merge(parts) == Grade("small", "A small lab", (refused, attempt("carl")), 3.0)


def test_an_attempt_in_two_shards_is_a_mistake(tmp_path: Path) -> None:
    parts = [shard(tmp_path / "1", attempt("carl")), shard(tmp_path / "2", attempt("carl"))]
    with pytest.raises(UsageError, match=r"'carl' is in .*2 and in another shard"):
        merge(parts)


def test_results_of_two_labs_are_not_joined(tmp_path: Path) -> None:
    parts = [shard(tmp_path / "1", attempt("carl")), shard(tmp_path / "2", attempt("bert"), lab="large")]
    with pytest.raises(UsageError, match="large, small"):
        merge(parts)


def test_a_directory_without_a_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"grade.json can't be read: No such file"):
        merge([tmp_path])


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "labctl/run/v1"}', '{"schema": "labctl/grade/v1"}'])
def test_what_is_no_result_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "grade.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="is no labctl/grade/v1"):
        merge([tmp_path])
