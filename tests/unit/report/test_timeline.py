"""What stands beside each step of a timeline: how much later it came than the step before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from labctl.report.tracing import timeline
from tests.unit.trace import samples


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, ""),
        (float("inf"), ""),
        (0.0, "+0 ms"),
        (0.0204, "+20 ms"),
        (-0.25, "-250 ms"),
        (3.0, "+3 s"),
        (-3.0, "-3 s"),
    ],
)
def test_a_later_step_has_a_plus_and_one_that_is_told_too_late_a_minus(
    seconds: float | None, said: str
) -> None:
    assert timeline.delta(seconds) == said


def test_each_step_tells_how_long_it_came_after_the_one_before() -> None:
    first, second, third, *_ = samples.delivered().hops
    at = first.at
    hops = [first, *(replace(each, at=at + timedelta(seconds=n)) for each, n in ((second, 2), (third, 1.5)))]
    shown = [each for each in timeline.timeline(hops, 9) if isinstance(each, timeline.Item)]
    assert [each.since for each in shown] == [None, 2, -0.5]
