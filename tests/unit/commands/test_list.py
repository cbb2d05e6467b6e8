from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from labctl.commands.list import Row, running
from labctl.engine.model import Volume
from labctl.lab.mark import labels
from labctl.lab.running.instance import LabState

if TYPE_CHECKING:
    from labctl.engine.fake import FakeEngine
    from tests.unit.conftest import Stage


def row(stage: Stage) -> Row:
    (found,) = running(stage.fake).labs
    return found


def test_an_engine_without_labs_lists_none(fake: FakeEngine) -> None:
    assert running(fake).labs == ()


def test_a_running_lab_is_listed(stage: Stage) -> None:
    there = stage.stand()
    assert row(stage) == Row("x", "two-domains", LabState.READY, there.created_at)


def test_the_laboratories_of_a_grading_run_are_not_listed(stage: Stage) -> None:
    graded = replace(stage, planner=replace(stage.planner, name="g", labels={labels.RUN: "r1"}))
    graded.stand()
    assert running(stage.fake).labs == ()
    there = stage.stand()
    assert row(stage) == Row("x", "two-domains", LabState.READY, there.created_at)


def test_a_stopped_lab_is_stopped(stage: Stage) -> None:
    for host in stage.stand().hosts:
        stage.fake.end(host.running_container().name)
    assert row(stage).state == LabState.STOPPED


@pytest.mark.parametrize("what", ["end", "pause", "remove_container"])
def test_a_lab_with_a_host_that_is_not_up_is_degraded(stage: Stage, what: str) -> None:
    stage.stand()
    getattr(stage.fake, what)("labctl-x-dns")
    assert row(stage).state == LabState.DEGRADED


def test_a_lab_without_its_network_is_degraded(stage: Stage) -> None:
    for host in stage.stand().hosts:
        stage.fake.end(host.running_container().name)
    stage.fake.remove_network("labctl-x")
    assert row(stage).state == LabState.DEGRADED


def test_what_is_left_of_a_lab_is_listed_too(fake: FakeEngine) -> None:
    fake.create_volume(Volume("labctl-x", {"labctl.name": "x", "labctl.lab": "two-domains"}))
    assert running(fake).labs == (Row("x", "two-domains", LabState.DEGRADED, None),)


def test_no_daemon_is_asked(stage: Stage) -> None:
    """A list has to be quick: it tells what the engine tells."""
    for port in (25, 587):
        stage.daemons.instead["mx-alpha", port] = stage.daemons.closed
    stage.stand()
    assert row(stage).state == LabState.READY
