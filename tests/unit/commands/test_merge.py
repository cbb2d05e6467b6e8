from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.commands.grade import Grade
from labctl.commands.merge import LARGEST_FILE, merge
from labctl.errors import UsageError
from labctl.grading.job import Rejection
from labctl.grading.score import GradedAttempt, GradedCheck
from labctl.grading.verdict import AttemptVerdict, CheckVerdict
from labctl.report.document import document
from labctl.report.grading.gradescope import gradescope
from labctl.report.grading.junit import junit
from labctl.report.grading.page import page
from labctl.report.grading.roster import roster
from labctl.report.grading.summary import summary
from labctl.report.text import text
from tests.documents import JUNK, altered, places

if TYPE_CHECKING:
    from pathlib import Path

    from tests.documents import Place

CHECK = GradedCheck(
    "a", "A", CheckVerdict.FAILED, 0.5, "no", ("seen",), 1, "checks/test_a.py", 7,
    score=0, max_score=2, hint="look",
)  # fmt: skip


def attempt(name: str, rejection: Rejection | None = None) -> GradedAttempt:
    verdict = AttemptVerdict.REJECTED if rejection else AttemptVerdict.FAILED
    return GradedAttempt(
        name, verdict, 0, 2, "00", 1.0, (CHECK,), "no", rejection, ("r",), {"dns": ("line",)}
    )


def shard(
    directory: Path,
    *attempts: GradedAttempt,
    lab: str = "small",
    seconds: float = 1.0,
    shard: tuple[int, int] | None = None,
) -> Path:
    directory.mkdir()
    content = json.dumps(document(Grade(lab, "A small lab", attempts, seconds, shard)))
    (directory / "grade.json").write_text(content, encoding="utf-8")
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


def test_a_shard_that_is_missing_is_named(tmp_path: Path) -> None:
    first, third = (shard(tmp_path / str(part), attempt(str(part)), shard=(part, 3)) for part in (1, 3))
    with pytest.raises(UsageError, match=r"of 3 shards these are missing: 2$") as caught:
        merge([third, first])
    assert caught.value.hint == "labctl grade ATTEMPT… --shard 2/3 --out DIR"


def test_a_part_beyond_all_parts_is_no_shard(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"grade.json is shard 3 of 2$"):
        merge([shard(tmp_path / "1", attempt("carl"), shard=(3, 2))])


def test_all_shards_are_all_attempts_with_others_that_were_graded_at_once(tmp_path: Path) -> None:
    parts = [shard(tmp_path / str(part), attempt(str(part)), shard=(part, 2)) for part in (1, 2)]
    joined = merge([*parts, shard(tmp_path / "late", attempt("late"))])
    assert [each.id for each in joined.attempts] == ["1", "2", "late"]
    assert joined.shard is None


REFUSED = attempt("bert", Rejection("config-rejected", "refused", "edit it", "main.cf", 3, "mx", "fatal"))
WHOLE = document(Grade("small", "A small lab", (attempt("carl"), REFUSED), 1.0, (1, 1)))


@given(st.sampled_from([*places(WHOLE)]), JUNK)
def test_whatever_a_document_holds_it_is_refused_or_can_be_written_in_every_form(
    tmp_path_factory: pytest.TempPathFactory, place: Place, junk: Any
) -> None:
    directory = tmp_path_factory.mktemp("part")
    (directory / "grade.json").write_text(json.dumps(altered(WHOLE, place, junk)), encoding="utf-8")
    try:
        joined = merge([directory])
    except UsageError as error:
        if len(error.message) > 1000:
            raise
        return
    assert json.loads(json.dumps(document(joined)))
    for form in (text, page, roster, junit, summary):
        assert form(joined)
    for each in joined.attempts:
        assert gradescope(each, joined.title)


@pytest.mark.parametrize("kind", ["fifo", "large"])
def test_what_is_no_small_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "grade.json"
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.touch()
        os.truncate(path, LARGEST_FILE + 1)
    with pytest.raises(UsageError, match="no regular file of 256 MiB"):
        merge([tmp_path])
