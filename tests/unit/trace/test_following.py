from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from labctl.errors import EngineError
from labctl.mail.log.logevent import Connected
from labctl.trace import following
from labctl.trace.following import followed
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.engine.fake import Call
    from labctl.trace.logs.entry import Entry
    from tests.unit.conftest import Stage

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
POSTFIX_MARK = "Mar  1 12:00:00 mx postfix/labctl[77]: labctl: reset"


def line(text: str) -> str:
    return f"Mar  1 12:00:00 mx postfix/smtpd[7]: {text}"


def say(stage: Stage, service: str, text: str, at: datetime | None = None) -> None:
    stage.fake.say(f"labctl-x-{service}", line(text), at=at)


def take(entries: Iterator[Entry], count: int) -> list[str]:
    """Take so many lines, and give what follows ``smtpd[7]: `` in them."""
    return [entry.text.rpartition("]: ")[2] for entry in islice(entries, count)]


def streams_of(stage: Stage, service: str) -> int:
    """How often a host's log was asked for."""
    return [(call.method, call.subject) for call in list(stage.fake.calls)].count(
        ("logs", f"labctl-x-{service}")
    )


def is_read(stage: Stage, service: str, times: int = 1) -> None:
    assert eventually(lambda: streams_of(stage, service) >= times or None, within=10)


def test_what_is_said_from_now_on_is_read_into_entries(stage: Stage) -> None:
    there = stage.stand()
    say(stage, "mx-alpha", "connect from before[192.0.2.1]", NOON)
    with followed(stage.fake, there) as entries:
        now = datetime.now(UTC)
        say(stage, "mx-alpha", "connect from after[192.0.2.2]", now)
        entry = next(entries)
    assert (entry.at, entry.host, entry.program, entry.pid) == (now, "mx.alpha.test", "smtpd", 7)
    assert entry.event == Connected("after[192.0.2.2]")
    assert entry.source == "mx.alpha.test"


def test_what_was_said_at_a_moment_and_since_comes_first_by_time(stage: Stage) -> None:
    there = stage.stand()
    for second, (service, text) in enumerate(
        [("mx-alpha", "zero"), ("mx-beta", "one"), ("mx-alpha", "two"), ("mx-beta", "three")]
    ):
        say(stage, service, text, NOON + timedelta(seconds=second))
    with followed(stage.fake, there, since=NOON + timedelta(seconds=1)) as entries:
        say(stage, "mx-alpha", "four")
        assert take(entries, 4) == ["one", "two", "three", "four"]


def test_what_was_said_before_the_last_reset_is_not_told(stage: Stage) -> None:
    there = stage.stand()
    say(stage, "mx-alpha", "zero", NOON)
    stage.fake.say("labctl-x-mx-alpha", POSTFIX_MARK, at=NOON + timedelta(seconds=1))
    say(stage, "mx-alpha", "one", NOON + timedelta(seconds=2))
    with followed(stage.fake, there, since=datetime.min.replace(tzinfo=UTC)) as entries:
        say(stage, "mx-alpha", "two")
        assert take(entries, 2) == ["one", "two"]


def test_an_empty_past_is_followed_by_what_is_said_now(stage: Stage) -> None:
    there = stage.stand()
    with followed(stage.fake, there, since=NOON) as entries:
        say(stage, "dns", "one")
        assert take(entries, 1) == ["one"]


def test_lines_of_one_moment_come_once_each_where_the_past_ends(stage: Stage) -> None:
    there = stage.stand()
    for text in ("one", "two", "three"):
        say(stage, "mx-alpha", text, NOON)
    with followed(stage.fake, there, since=NOON) as entries:
        is_read(stage, "mx-alpha", 2)
        say(stage, "mx-alpha", "four", NOON)
        say(stage, "mx-alpha", "five")
        assert take(entries, 5) == ["one", "two", "three", "four", "five"]


def test_what_arrives_within_the_window_is_told_by_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "WINDOW", 1.0)  # a busy machine needs more than the usual one
    there = stage.stand()
    with followed(stage.fake, there) as entries:
        now = datetime.now(UTC)
        for n in range(0, 100, 2):
            say(stage, "mx-alpha", str(n + 1), now + timedelta(milliseconds=n + 1))
            say(stage, "mx-beta", str(n), now + timedelta(milliseconds=n))
        assert take(entries, 100) == [str(n) for n in range(100)]


def test_each_host_is_told_in_the_order_of_its_log_whatever_its_stamps_say(stage: Stage) -> None:
    there = stage.stand()
    with followed(stage.fake, there) as entries:
        now = datetime.now(UTC)
        for n in range(100):
            say(stage, "mx-alpha", str(n), now + timedelta(microseconds=n ^ 1))
        assert take(entries, 100) == [str(n) for n in range(100)]


def test_a_host_is_followed_across_a_stop_and_a_start(stage: Stage) -> None:
    there = stage.stand()
    now = datetime.now(UTC)
    with followed(stage.fake, there) as entries:
        is_read(stage, "mx-alpha")
        for text in ("one", "two"):
            say(stage, "mx-alpha", text, now + timedelta(seconds=1))
        stage.fake.stop("labctl-x-mx-alpha", timeout=1)
        assert take(entries, 2) == ["one", "two"]
        stage.fake.start("labctl-x-mx-alpha")
        is_read(stage, "mx-alpha", 2)
        say(stage, "mx-alpha", "three", now + timedelta(seconds=1))  # of the same moment, and new
        say(stage, "mx-alpha", "four", now + timedelta(seconds=2))
        say(stage, "mx-beta", "five", now + timedelta(seconds=3))
        assert take(entries, 3) == ["three", "four", "five"]


def test_a_host_that_is_stopped_does_not_hold_up_the_others(stage: Stage) -> None:
    there = stage.stand()
    stage.fake.stop("labctl-x-mx-alpha", timeout=1)
    with followed(stage.fake, there) as entries:
        say(stage, "mx-beta", "one")
        assert take(entries, 1) == ["one"]


def test_it_ends_when_all_hosts_are_removed(stage: Stage) -> None:
    there = stage.stand()
    with followed(stage.fake, there) as entries:
        for host in there.hosts:
            is_read(stage, host.service)
        say(stage, "mx-beta", "one")
        for host in there.hosts:
            stage.fake.remove_container(f"labctl-x-{host.service}")
        assert take(entries, 99) == ["one"]


def test_a_lab_without_hosts_says_nothing(stage: Stage) -> None:
    there = stage.stand()
    for host in there.hosts:
        stage.fake.remove_container(f"labctl-x-{host.service}")
    with followed(stage.fake, there, since=NOON) as entries:
        assert list(entries) == []


def test_a_log_that_can_not_be_read_any_more_is_an_error(stage: Stage) -> None:
    there = stage.stand()

    def refuse(call: Call) -> None:
        if (call.method, call.subject) == ("logs", "labctl-x-dns"):
            raise EngineError("the log is broken", hint="docker logs")

    stage.fake.hook = refuse
    with followed(stage.fake, there) as entries, pytest.raises(EngineError, match="the log is broken"):
        next(entries)


def test_leaving_ends_every_reader(stage: Stage) -> None:
    there = stage.stand()
    stage.fake.stop("labctl-x-dns", timeout=1)
    before = set(threading.enumerate())
    with followed(stage.fake, there):
        is_read(stage, "mx-alpha")
    assert eventually(lambda: set(threading.enumerate()) <= before or None, within=10)


def test_bytes_that_are_no_text_are_told(stage: Stage) -> None:
    there = stage.stand()
    with followed(stage.fake, there) as entries:
        say(stage, "mx-alpha", "caf\udce9 \x1b[31m")
        assert take(entries, 1) == ["caf\udce9 \x1b[31m"]
