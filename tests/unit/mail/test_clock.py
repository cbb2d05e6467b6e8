from __future__ import annotations

import math
from contextlib import suppress
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import UsageError
from labctl.mail.clock import SECONDS, Schedule, in_words, parse_time

REAL = Schedule()
LAB = Schedule.parse(
    {
        "queue_run_delay": "1s",
        "minimal_backoff_time": "1s",
        "maximal_backoff_time": "4s",
        "delay_warning_time": "3s",
        "maximal_queue_lifetime": "10s",
        "bounce_queue_lifetime": "10s",
    }
)
SCHEDULES = st.builds(
    Schedule,
    queue_run_delay=st.integers(1, 1000).map(float),
    minimal_backoff_time=st.integers(0, 1000).map(float),
    maximal_backoff_time=st.integers(0, 5000).map(float),
    delay_warning_time=st.integers(0, 50_000).map(float),
    maximal_queue_lifetime=st.integers(0, 50_000).map(float),
    bounce_queue_lifetime=st.integers(0, 50_000).map(float),
)


def first(schedule: Schedule, count: int) -> list[float]:
    return list(islice(schedule.attempts(), count))


def test_the_real_world_tries_again_at_ever_longer_intervals() -> None:
    assert first(REAL, 8) == [0, 300, 600, 1200, 2400, 4800, 9000, 13_200]


def test_the_laboratorys_attempts_are_those_that_its_daemons_were_seen_to_make() -> None:
    # Seen with Postfix 3.10: 0, 0.4-1.1, 1.5-2.1, 2.5-3.2, 4.6-5.2, 7.7-8.3, 10.7-11.3.
    assert first(LAB, 7) == [0, 1, 2, 3, 5, 8, 11]


def test_the_laboratorys_warning_and_expiry_are_those_that_were_seen() -> None:
    # Seen with Postfix 3.10: a warning at 1.5-2.1, the expiry at 10.7-11.3.
    assert LAB.warning_at() == 2
    assert LAB.expires_at() == 11


def test_with_everything_at_one_second_each_second_has_an_attempt() -> None:
    # Seen: attempts each second, and with a lifetime of 4 s the bounce at 4.1.
    schedule = Schedule(1, 1, 1, maximal_queue_lifetime=4)

    assert first(schedule, 5) == [0, 1, 2, 3, 4]
    assert schedule.expires_at() == 4


def test_the_real_world_gives_up_after_five_days_and_warns_nobody() -> None:
    assert in_words(REAL.expires_at()) == "5 days"
    assert REAL.warning_at() is None


def test_a_warning_comes_with_the_first_attempt_that_fails_after_its_time() -> None:
    schedule = Schedule.parse({"delay_warning_time": "4"})

    assert schedule.delay_warning_time == 4 * 3600
    assert schedule.warning_at() == 17_400


def test_a_notification_may_have_a_lifetime_of_its_own() -> None:
    schedule = Schedule.parse({"maximal_queue_lifetime": "2d", "bounce_queue_lifetime": "0"})

    assert schedule.expires_at(bounce=True) == 0
    assert schedule.expires_at() >= 2 * 86_400


def test_bare_numbers_count_in_the_unit_of_each_setting() -> None:
    assert Schedule.parse({"maximal_queue_lifetime": "5", "queue_run_delay": "300"}) == REAL


def test_other_settings_of_a_clock_are_left_aside() -> None:
    assert Schedule.parse({"smtp_connect_timeout": "2s", "anvil_rate_time_unit": "60s"}) == REAL


@given(SCHEDULES, st.integers(0, 30))
def test_attempts_follow_each_other_at_queue_runs(schedule: Schedule, n: int) -> None:
    moment = schedule.attempt_at(n)

    assert moment % schedule.queue_run_delay == 0
    assert moment < schedule.attempt_at(n + 1)


@given(SCHEDULES)
def test_between_two_attempts_lies_the_backoff_and_at_most_one_queue_run(schedule: Schedule) -> None:
    for before, after in pairwise(first(schedule, 20)):
        backoff = max(schedule.minimal_backoff_time, min(before, schedule.maximal_backoff_time))
        assert backoff - 1 <= after - before <= backoff + schedule.queue_run_delay


@given(SCHEDULES)
def test_a_warning_comes_before_the_expiry(schedule: Schedule) -> None:
    warning = schedule.warning_at()

    assert schedule.expires_at() >= schedule.maximal_queue_lifetime
    if warning is not None:
        assert schedule.delay_warning_time - 1 <= warning < schedule.expires_at()


@pytest.mark.parametrize(
    "settings",
    [{"queue_run_delay": 0.0}, {"minimal_backoff_time": -1.0}, {"maximal_queue_lifetime": math.inf}],
)
def test_a_schedule_without_an_end_is_a_mistake(settings: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(settings))):
        Schedule(**settings)


def test_there_is_no_attempt_before_the_first() -> None:
    with pytest.raises(UsageError, match="no attempt -1"):
        REAL.attempt_at(-1)


@given(st.integers(0, 10**9), st.sampled_from(sorted(SECONDS)))
def test_a_time_is_read_as_it_was_written(number: int, unit: str) -> None:
    assert parse_time(f"{number}{unit}") == number * SECONDS[unit]
    assert parse_time(f"{number}{unit.upper()}", "d") == number * SECONDS[unit]
    assert parse_time(str(number), unit) == number * SECONDS[unit]


@given(st.text())
def test_any_text_is_a_time_or_a_mistake(text: str) -> None:
    with suppress(UsageError):
        assert parse_time(text) >= 0


@pytest.mark.parametrize("text", ["", "5 m", "-1s", "1.5h", "5m30s", "5y", "٣s", "five"])
def test_what_postfix_would_not_read_is_a_mistake(text: str) -> None:
    with pytest.raises(UsageError, match="is no time"):
        parse_time(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.25, "0.2 s"),
        (2, "2 s"),
        (2.14, "2.1 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.5, "1 min"),
        (90, "1 min 30 s"),
        (600, "10 min"),
        (3599.6, "1 h"),
        (4000, "1 h 7 min"),
        (7200, "2 h"),
        (86_399, "1 day"),
        (100_000, "1 day 4 h"),
        (432_000, "5 days"),
    ],
)
def test_a_span_of_time_is_said_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


@given(st.floats(0, 1e8))
def test_words_are_near_to_what_they_say(seconds: float) -> None:
    units = {"s": 1, "min": 60, "h": 3600, "day": 86_400, "days": 86_400}
    parts = in_words(seconds).split(" ")
    said = sum(float(number) * units[unit] for number, unit in zip(parts[::2], parts[1::2], strict=True))
    grain = 3600 if seconds >= 86_000 else 60 if seconds >= 3500 else 1

    assert abs(said - seconds) <= grain / 2 + 1e-6
