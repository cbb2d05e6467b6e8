"""GitHub's summary of a step shows failures first, takes little room, and no markup that a student wrote."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from markdown_it import MarkdownIt

from labctl.report.grading.summary import summary
from tests.unit.report.formats import controls
from tests.unit.report.grades import graded, grades

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

    from labctl.commands.grade import Grade

OURS = {
    "heading_open",
    "heading_close",
    "paragraph_open",
    "paragraph_close",
    "inline",
    "fence",
    *(f"{part}_{end}" for part in ("table", "thead", "tbody", "tr", "th", "td") for end in ("open", "close")),
}
INLINE = {"text", "text_special", "html_inline", "strong_open", "strong_close"}


def tokens(source: str) -> Iterator[Token]:
    """Return what a reader of GitHub's Markdown makes of it: links without brackets are found too."""
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(source):
        yield token
        yield from token.children or ()


def test_it_tells_what_did_not_pass_before_what_did() -> None:
    said = summary(graded())
    assert said.startswith("## A zone of one&#39;s own\n\n1 passed, 1 failed, 1 rejected, 2 errors, in ")
    rows = [line for line in said.splitlines() if line.startswith("| <code>")]
    assert [each.split("</code>")[0] for each in rows] == [
        f"| <code>{name}" for name in ("ben", "cat", "dan", "eve", "ada")
    ]
    assert "### ✗ <code>ben</code>: 2.5 of 10" in said
    assert "<code>ada</code>:" not in said


def test_a_failed_check_is_shown_with_its_evidence_in_a_fence() -> None:
    assert (
        "**✗ letter&#45;arrives** (0 / 2): A letter to bob arrives&#46;\n\n```text\n"
        "expected: the letter is delivered\n    seen: it is deferred\n    alice@alpha.test sends\n"
        "      451 4.3.0 <bob@beta.test>: no such host\n"
        "hint: dig mail.beta.test: where does the relay deliver?\n```\n"
    ) in summary(graded())


def test_a_hidden_check_has_no_name_there() -> None:
    assert "relay for nobody" not in summary(graded())
    assert "quinn" not in summary(graded())
    assert "hidden&#45;1" in summary(graded())


def test_what_github_would_drop_is_left_out_and_that_is_told() -> None:
    ben = graded().attempts[1]
    loud = replace(ben.checks[1], evidence=tuple("é" * 100 for _ in range(100)))
    many = replace(
        graded(), attempts=tuple(replace(ben, id=f"s{n}", checks=(loud,) * 5) for n in range(3000))
    )
    said = summary(many)
    assert 500_000 < len(said.encode()) < 1_048_576
    assert "more attempts does not fit into a summary." in said


def test_a_fence_is_longer_than_any_in_what_it_holds() -> None:
    eve = replace(graded().attempts[4], explanation="``````\n# owned\n```")
    said = summary(replace(graded(), attempts=(eve,)))
    assert "\n```````text\n``````\n# owned\n```\n```````\n" in said


@given(grades())
def test_whatever_a_student_writes_the_markup_is_labctls_own(result: Grade) -> None:
    said = summary(result)
    assert controls(said) == set()
    found = list(tokens(said))
    assert {each.type for each in found} <= OURS | INLINE
    assert {each.content for each in found if each.type == "html_inline"} <= {"<code>", "</code>"}
    assert len([each for each in found if each.type == "tr_open"]) == (
        len(result.attempts) + 1 if result.attempts else 0
    )
