from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from labctl.errors import EngineError
from labctl.lab import instance, labels, lock
from labctl.lab.leftovers import alive, of_dead_runs, remove_leftovers

if TYPE_CHECKING:
    from tests.unit.conftest import Stage

URL = "memory://engine"


def stand(stage: Stage, name: str, run: str) -> None:
    replace(stage, planner=replace(stage.planner, name=name, labels={labels.RUN: run})).stand()


def test_what_a_dead_run_left_is_taken_down_and_nothing_else(stage: Stage) -> None:
    stage.stand()
    for name, run in (("a", "dead"), ("b", "dead"), ("c", "live")):
        stand(stage, name, run)
    with alive(URL, "live"):
        assert of_dead_runs(stage.fake, URL) == ("a", "b")
        removed = remove_leftovers(stage.fake, URL)
        assert of_dead_runs(stage.fake, URL) == ()
    assert {"labctl-a", "labctl-b-dns"} <= set(removed)
    assert [each.name for each in instance.observe_all(stage.fake, graded=True)] == ["c", "x"]


def test_a_run_is_alive_on_its_own_engine_only(stage: Stage) -> None:
    stand(stage, "a", "r")
    with alive("memory://another", "r"):
        assert of_dead_runs(stage.fake, URL) == ("a",)


def test_what_is_left_of_a_half_removed_laboratory_is_known_by_whatever_has_its_label(stage: Stage) -> None:
    stand(stage, "a", "r")
    for container in stage.fake.containers({}):
        stage.fake.remove_container(container.id)
    stage.fake.remove_network("labctl-a")
    assert of_dead_runs(stage.fake, URL) == ("a",)
    stage.fake.remove_volume("labctl-a")
    assert of_dead_runs(stage.fake, URL) == ()


def test_one_that_somebody_works_on_is_waited_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "WAIT", 0.02)
    stand(stage, "a", "r")
    with lock.held(URL, "a"), pytest.raises(EngineError, match="another labctl has worked on lab 'a'"):
        remove_leftovers(stage.fake, URL)
    assert instance.observe(stage.fake, "a").whole
