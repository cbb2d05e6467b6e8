from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from labctl.wait import FIRST_PAUSE, LONGEST_PAUSE, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(time, "monotonic", found.monotonic)
    monkeypatch.setattr(time, "sleep", found.sleep)
    return found


def answers(*given: str | None) -> Iterator[str | None]:
    yield from given


@pytest.mark.parametrize("fact", ["there", 0, False])
def test_a_fact_that_is_there_costs_no_pause_whatever_it_is(clock: Clock, fact: object) -> None:
    assert eventually(lambda: fact, within=1) is fact
    assert clock.pauses == []


def test_it_is_asked_until_there_is_an_answer(clock: Clock) -> None:
    come = answers(None, None, "now", "later")
    assert eventually(lambda: next(come), within=1) == "now"
    assert len(clock.pauses) == 2


def test_without_an_answer_it_ends_at_the_deadline(clock: Clock) -> None:
    assert eventually(lambda: None, within=2) is None
    assert clock.now == pytest.approx(102)


@pytest.mark.parametrize("longest", [LONGEST_PAUSE, 0.5])
def test_pauses_grow_to_the_longest_and_no_further(clock: Clock, longest: float) -> None:
    eventually(lambda: None, within=2, longest_pause=longest)
    assert clock.pauses[0] == FIRST_PAUSE
    assert clock.pauses[:-1] == sorted(clock.pauses[:-1])
    assert max(clock.pauses) == longest


def test_the_last_pause_does_not_pass_the_deadline(clock: Clock) -> None:
    seen: list[float] = []
    eventually(lambda: seen.append(clock.now), within=0.012)
    assert seen[-1] == pytest.approx(100.012)


@pytest.mark.parametrize("within", [0, -1])
def test_it_is_asked_once_even_without_time(clock: Clock, within: float) -> None:
    assert eventually(lambda: "there", within=within) == "there"
    assert eventually(lambda: None, within=within) is None
    assert clock.pauses == []


@pytest.mark.usefixtures("clock")
def test_what_the_question_raises_ends_the_waiting() -> None:
    def broken() -> str | None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        eventually(broken, within=1)


def test_a_question_that_takes_long_is_not_asked_again_behind_the_deadline(clock: Clock) -> None:
    asked: list[float] = []

    def slow() -> str | None:
        asked.append(clock.now)
        clock.now += 3
        return None

    assert eventually(slow, within=2) is None
    assert asked == [100]
