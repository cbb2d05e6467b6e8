"""GitHub shows what failed beside the files, and obeys nothing that a student wrote."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from labctl.report.grading.annotations import annotated, unheard
from tests.unit.report.formats import controls
from tests.unit.report.grades import ANYTHING, graded, grades

if TYPE_CHECKING:
    from labctl.commands.grade import Grade

COMMAND = re.compile(r"::error (?:file=[^:,]+,)?(?:line=[0-9]+,)?title=[^:,]+::[^\r\n]*")


def test_each_failure_is_a_command_with_its_check_and_its_reason() -> None:
    assert annotated(graded(), {"dan": "hand-in/dan"}).splitlines() == [
        (
            "::error title=ben%3A letter-arrives::A letter to bob arrives.%0A"
            "expected: the letter is delivered%0A    seen: it is deferred"
        ),
        "::error title=ben%3A hidden-1::Hidden check 1.",
        "::error title=cat%3A mx-resolves::The MX of beta.test is found.%0Adns is gone",
        (
            "::error file=hand-in/dan/beta.test.zone,line=3,title=dan::CoreDNS refuses the zone%0A"
            'plugin/file: dns: not a TTL: "MX" at line: 3:9'
        ),
        "::error title=eve::the engine went away",
    ]


def test_where_all_passed_there_is_nothing_to_show() -> None:
    assert annotated(replace(graded(), attempts=graded().attempts[:1])) == ""


def test_of_more_than_ten_failures_the_last_line_says_how_many_are_left() -> None:
    dan = graded().attempts[3]
    lines = annotated(replace(graded(), attempts=tuple(replace(dan, id=f"s{n:02}") for n in range(25))))
    *shown, last = lines.splitlines()
    assert len(shown) == 9
    assert last == "::error title=zones::16 more failures are in the report"


def test_percent_colon_and_comma_are_escaped_as_the_runner_reads_them() -> None:
    eve = replace(graded().attempts[4], id="a,b:c%", explanation="50%, 1:2\nnext")
    assert annotated(replace(graded(), attempts=(eve,))) == (
        "::error title=a%2Cb%3Ac%25::50%25, 1:2%0Anext\n"
    )


@given(grades())
def test_whatever_a_student_writes_each_line_is_a_command_of_labctls_own(result: Grade) -> None:
    written = annotated(result)
    assert len(written.splitlines()) <= 10
    assert all(COMMAND.fullmatch(line) for line in written.splitlines())
    assert controls(written) == set()


@given(ANYTHING, st.from_regex("[0-9a-f]{32}", fullmatch=True))
def test_text_between_the_stop_commands_is_whole_and_ends_with_the_token(said: str, token: str) -> None:
    first, *middle, last = unheard(said, token).split("\n")[:-1]
    assert (first, last) == (f"::stop-commands::{token}", f"::{token}::")
    assert len(middle) == said.count("\n") + 1
    assert controls("\n".join(middle)) == set()
