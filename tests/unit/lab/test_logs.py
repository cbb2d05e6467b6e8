from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from labctl.lab.inside import logs
from labctl.lab.running import instance

if TYPE_CHECKING:
    from labctl.lab.inside.logs import Line
    from tests.unit.conftest import Stage

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def said_at(stage: Stage, service: str, second: float, text: str) -> None:
    stage.fake.say(f"labctl-x-{service}", text, at=NOON + timedelta(seconds=second))


def told(lines: list[Line]) -> list[tuple[str, str]]:
    return [(line.service, line.text) for line in lines]


@pytest.mark.usefixtures("stage")
def test_no_host_says_nothing(stage: Stage) -> None:
    assert list(logs.said(stage.fake, ())) == []
    with logs.followed(stage.fake, ()) as lines:
        assert lines.get(timeout=10) is None


def test_what_several_hosts_said_is_told_by_time(stage: Stage) -> None:
    there = stage.stand()
    said_at(stage, "mx-alpha", 1, "one")
    said_at(stage, "mx-alpha", 3, "three")
    said_at(stage, "mail-beta", 2, "two")
    said_at(stage, "dns", 4, "four")
    assert told(list(logs.said(stage.fake, there.hosts))) == [
        ("mx-alpha", "one"),
        ("mail-beta", "two"),
        ("mx-alpha", "three"),
        ("dns", "four"),
    ]


def test_a_host_without_a_container_says_nothing(stage: Stage) -> None:
    stage.stand()
    said_at(stage, "dns", 1, "one")
    stage.fake.remove_container("labctl-x-mx-alpha")
    there = instance.observe(stage.fake, "x")
    assert told(list(logs.said(stage.fake, there.hosts))) == [("dns", "one")]
    with logs.followed(stage.fake, [there.host("mx-alpha")]) as lines:
        assert lines.get(timeout=10) is None


def test_what_is_said_from_now_on_comes_as_it_is_said(stage: Stage) -> None:
    there = stage.stand()
    said_at(stage, "mx-alpha", 1, "before")
    with logs.followed(stage.fake, there.hosts) as lines:
        said_at(stage, "mx-alpha", 2, "after")
        line = lines.get(timeout=10)
        assert line is not None
        assert (line.service, line.text, line.at) == ("mx-alpha", "after", NOON + timedelta(seconds=2))
        said_at(stage, "mail-beta", 3, "more")
        line = lines.get(timeout=10)
        assert line is not None
        assert line.service == "mail-beta"


def test_what_was_said_since_a_moment_comes_first(stage: Stage) -> None:
    there = stage.stand()
    for second in range(4):
        said_at(stage, "dns", second, str(second))
    with logs.followed(stage.fake, [there.host("dns")], since=NOON + timedelta(seconds=2)) as lines:
        said_at(stage, "dns", 9, "9")
        found = [lines.get(timeout=10) for _ in range(3)]
    assert [line.text for line in found if line] == ["2", "3", "9"]


def test_the_end_is_told_once_when_all_have_ended(stage: Stage) -> None:
    there = stage.stand()
    with logs.followed(stage.fake, there.hosts) as lines:
        for host in there.hosts[:-1]:
            stage.fake.end(host.running_container().name)
        said_at(stage, "mail-beta", 1, "still here")
        line = lines.get(timeout=10)
        assert line is not None
        stage.fake.end("labctl-x-mail-beta")
        assert lines.get(timeout=10) is None
        assert lines.empty()


def test_leaving_ends_every_reader(stage: Stage) -> None:
    there = stage.stand()
    with logs.followed(stage.fake, there.hosts) as lines:
        pass
    assert lines.get(timeout=10) is None
