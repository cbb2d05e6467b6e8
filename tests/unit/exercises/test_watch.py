from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import pytest

from labctl.engine.model import Container, ContainerState, LogLine
from labctl.errors import ServiceCommandFailed
from labctl.exercises.log.watch import Watch
from labctl.lab.running.instance import observed

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Endless:
    """An engine with one host that never stops talking."""

    def __init__(self) -> None:
        self.read = 0

    def logs(self, *_: Any, **__: Any) -> Endless:
        return self

    def __iter__(self) -> Iterator[LogLine]:
        for number in count(1):
            self.read = number
            yield LogLine(NOON + timedelta(microseconds=number), "flood " * 2000)

    def close(self) -> None:
        """Nothing is open."""


def test_a_host_that_floods_its_log_is_given_up_before_it_fills_the_memory() -> None:
    engine = Endless()
    container = Container("1", "mx-beta", ContainerState.RUNNING, "", {"labctl.service": "mx-beta"}, NOON)
    watch = Watch(cast("Any", engine), [observed(container)], since=NOON)
    with pytest.raises(ServiceCommandFailed, match=r"mx-beta .* floods its log") as raised:
        watch.until(lambda: None, within=60)
    watch.close()
    assert raised.value.detail["service"] == "mx-beta"
    assert engine.read < 10_000
