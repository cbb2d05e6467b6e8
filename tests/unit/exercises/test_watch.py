from __future__ import annotations

import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import pytest

from labctl.engine.model import Container, ContainerState, LogLine
from labctl.errors import ServiceCommandFailed
from labctl.exercises.log.watch import Watch
from labctl.lab.running.instance import observed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labctl.lab.running.instance import Host

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Engine:
    """An engine whose containers log what a test makes up."""

    def __init__(self, log: Callable[[str], Iterator[LogLine]]) -> None:
        self._log = log

    def logs(self, container: str, **_: Any) -> Stream:
        return Stream(self._log(container))


class Stream:
    """What one container logs."""

    def __init__(self, lines: Iterator[LogLine]) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[LogLine]:
        return self._lines

    def close(self) -> None:
        """Nothing is open."""


def host(service: str) -> Host:
    return observed(
        Container(service, service, ContainerState.RUNNING, "", {"labctl.service": service}, NOON)
    )


def test_a_host_that_floods_its_log_is_given_up_before_it_fills_the_memory() -> None:
    read = 0

    def flood(_: str) -> Iterator[LogLine]:
        nonlocal read
        for read in count(1):
            yield LogLine(NOON + timedelta(microseconds=read), "flood " * 2000)

    watch = Watch(cast("Any", Engine(flood)), [host("mx-beta")], since=NOON)
    with closing(watch), pytest.raises(ServiceCommandFailed, match=r"mx-beta .* floods its log") as raised:
        watch.until(lambda: None, within=60)
    assert raised.value.detail["service"] == "mx-beta"
    assert read < 10_000


def test_what_hosts_say_stands_in_the_order_of_time_also_where_it_arrives_in_another() -> None:
    later_one_arrived, ended = threading.Event(), threading.Event()

    def log(container: str) -> Iterator[LogLine]:
        if container == "mx-alpha":
            later_one_arrived.wait(60)
            yield LogLine(NOON + timedelta(seconds=1), "sent")
        else:
            yield LogLine(NOON + timedelta(seconds=2), "bounced")
        ended.wait(60)

    hosts = [host("mx-alpha"), host("mx-beta")]
    with closing(Watch(cast("Any", Engine(log)), hosts, since=NOON)) as watch:
        assert watch.until(lambda: watch.sayings or None, within=60)
        later_one_arrived.set()
        assert watch.until(lambda: len(watch.sayings) == len(hosts) or None, within=60)
        ended.set()
    assert [each.text for each in watch.sayings] == ["sent", "bounced"]
