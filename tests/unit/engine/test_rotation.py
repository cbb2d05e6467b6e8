from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from labctl.engine.docker.rotation import PackedLog, UnrepeatedLog, is_packed
from labctl.engine.model import LogLine
from labctl.errors import NoSuchObject

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def line(number: int, after: float = 0.0) -> LogLine:
    return LogLine(NOON + timedelta(seconds=after), f"line {number}")


class Lines(list[LogLine]):
    def close(self) -> None:
        self.clear()


class Container:
    """A container that says some lines before each reading of its log, and keeps a few."""

    def __init__(self, *saying: list[LogLine], kept: int = 100) -> None:
        self.saying, self.kept = list(saying), kept
        self.log: list[LogLine] = []

    def lives(self) -> bool:
        if not self.saying:
            raise NoSuchObject("gone", hint="")
        self.log += self.saying.pop(0)
        return bool(self.saying)

    def read(self, tail: int | None) -> Lines:
        found = self.log[-self.kept :]
        return Lines(found[-tail:] if tail is not None else found)

    def followed(self, since: datetime | None = None, tail: int | None = None) -> Iterator[LogLine]:
        with closing(PackedLog(self.read, self.lives, since, tail)) as log:
            yield from log


def test_each_line_of_a_packed_log_is_told_once() -> None:
    said = [[line(1), line(1), line(2, 0.5)], [], [line(3, 2), line(4, 9)], [line(5, 9)]]
    assert list(Container(*said, kept=3).followed()) == [each for some in said for each in some]


def test_a_line_that_stands_behind_a_younger_one_is_told() -> None:
    said = [[line(1), line(2, 5)], [line(3, 4.9)], [line(4, 6)]]
    assert list(Container(*said).followed()) == [line(1), line(2, 5), line(3, 4.9), line(4, 6)]


@pytest.mark.parametrize(("since", "tail"), [(NOON + timedelta(seconds=0.5), None), (None, 1)])
def test_what_was_said_before_is_not_told(since: datetime | None, tail: int | None) -> None:
    said = [line(1), line(2, 0.5)], [line(3, 0.6)]
    assert list(Container(*said).followed(since, tail)) == [line(2, 0.5), line(3, 0.6)]


def test_a_packed_log_ends_where_it_is_closed_or_its_container_is_removed() -> None:
    box = Container([line(1)], [line(2)])
    log = PackedLog(box.read, box.lives, None, None)
    for _ in log:
        log.close()
    assert len(box.saying) == 1
    box = Container([line(1)])
    assert list(PackedLog(box.read, lambda: box.lives() or True, None, None)) == [line(1)]


def test_what_the_engine_tells_twice_is_told_once() -> None:
    twice = [line(1), line(2, 0.1), line(1), line(2, 0.1), line(3, 0.2)]
    assert list(UnrepeatedLog(Lines(twice))) == [line(1), line(2, 0.1), line(3, 0.2)]


@pytest.mark.parametrize(
    ("driver", "options", "packed"),
    [
        ("json-file", {"max-size": "6k", "compress": "true"}, True),
        ("json-file", {"max-size": "6k"}, False),
        ("json-file", None, False),
        ("local", {}, True),
        ("local", {"compress": "false"}, False),
    ],
)
def test_an_engine_says_which_logs_it_packs(driver: str, options: Any, *, packed: bool) -> None:
    assert is_packed({"HostConfig": {"LogConfig": {"Type": driver, "Config": options}}}) is packed
