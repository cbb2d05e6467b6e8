"""What is told of an exercise's end: as much as is read, whatever was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.exercises.result.outcome import Outcome, bounded, told_below
from labctl.exercises.result.verdict import Verdict


@given(st.lists(st.text(max_size=900), max_size=300))
def test_what_is_told_is_short_and_stays_so(lines: list[str]) -> None:
    found = bounded(lines)
    assert len(found) <= 120
    assert max(map(len, found), default=0) <= 400
    assert bounded(found) == found
    if len(lines) <= 120 and all(len(each) <= 400 for each in lines):
        assert found == tuple(lines)


def test_what_is_cut_is_told() -> None:
    assert bounded(["x" * 401]) == (f"{'x' * 396} […]",)
    assert bounded(["x"] * 200)[-1] == "[… 81 more lines]"


@pytest.mark.parametrize("lines", [3, 500])
def test_a_bounded_outcome_still_knows_its_reason_from_its_evidence(lines: int) -> None:
    evidence = ("seen " * 200,) * lines
    outcome = Outcome(Verdict.FAILED, f"why\nnot{told_below(evidence)}", evidence=evidence).bounded
    assert outcome.reason == "why\nnot"
    assert len(outcome.explanation) < 120 * 410
    more = outcome.proven_by(["a daemon said"])
    assert (more.reason, more.evidence[-1]) == ("why\nnot", "a daemon said")
    assert more.explanation.endswith("\n  a daemon said")
