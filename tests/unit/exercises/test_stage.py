"""The lab between exercises: as new, as cheaply as what is known of it allows."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from labctl import resources
from labctl.errors import LabInUse, LabNotUp, UsageError
from labctl.exercises.running.stage import Condition
from labctl.exercises.running.stage import Stage as ExerciseStage
from labctl.lab import lock
from labctl.lab.blueprint import definition
from labctl.lab.running.difference import compare
from labctl.lab.running.emptying import SCRIPT

if TYPE_CHECKING:
    from tests.unit.conftest import Stage

LOOKING = {"containers", "networks", "volumes"}
BETA = "labctl-x-mx-beta"


def on(stage: Stage, condition: Condition = Condition.UNKNOWN, lab: str = "two-domains") -> ExerciseStage:
    found = definition.load(resources.labs_dir() / lab)
    return ExerciseStage(stage.fake, "x", found, {}, condition)


def executed(stage: Stage) -> set[str]:
    """Return what was done in hosts: each container's name and the command."""
    return {call.subject for call in stage.fake.calls if call.method == "execute"}


def test_a_lab_of_another_kind_under_its_name_is_left_alone(stage: Stage) -> None:
    stage.stand()
    with pytest.raises(UsageError, match="is a 'two-domains', not a 'dns'"):
        on(stage, lab="dns").bring()


def test_a_lab_that_runs_is_taken_as_it_is_and_left_so(stage: Stage) -> None:
    stage.stand()
    stage.fake.calls.clear()
    ours = on(stage)
    ours.bring()
    ours.take_down()
    assert {call.method for call in stage.fake.calls} <= LOOKING


@pytest.mark.parametrize("lab", ["two-domains", "dns"])
def test_a_lab_that_is_there_is_not_taken_where_a_new_one_is_wanted(stage: Stage, lab: str) -> None:
    stage.stand()
    stage.fake.calls.clear()
    ours = on(stage, lab=lab)
    with pytest.raises(UsageError, match="lab 'x' is"):
        ours.bring(new=True)
    ours.take_down()
    assert {call.method for call in stage.fake.calls} <= LOOKING


@pytest.mark.parametrize("part", ["network", "volume"])
def test_what_is_left_of_a_lab_is_as_little_taken(stage: Stage, part: str) -> None:
    plan = compare(stage.fake, stage.planner).plan
    if part == "network":
        stage.fake.create_network(plan.network)
    else:
        stage.apply("mx-null", "dns")
    with pytest.raises(UsageError, match="there already"):
        on(stage).bring(new=True)


def test_a_pristine_lab_is_not_emptied(stage: Stage) -> None:
    stage.stand()
    on(stage, Condition.PRISTINE).prepare()
    assert executed(stage) == set()


def test_every_host_of_a_used_lab_is_emptied(stage: Stage) -> None:
    there = stage.stand()
    on(stage, Condition.USED).prepare()
    assert executed(stage) == {f"labctl-x-{host.service} {SCRIPT}" for host in there.hosts}


@pytest.mark.parametrize(("well", "expected"), [(True, Condition.USED), (False, Condition.DOUBTFUL)])
def test_after_an_exercise_the_lab_is_used_and_after_one_that_broke_it_is_doubtful(
    stage: Stage, *, well: bool, expected: Condition
) -> None:
    exercise_stage = on(stage, Condition.PRISTINE)
    exercise_stage.left(well=well)
    assert exercise_stage.condition == expected


def test_a_lab_that_is_gone_is_told(stage: Stage) -> None:
    exercise_stage = on(stage)
    assert exercise_stage.complaint() == "lab 'x' is gone"
    with pytest.raises(LabNotUp):
        exercise_stage.prepare()


def test_a_host_that_has_ended_is_a_broken_lab_unless_a_fault_has_stopped_it(stage: Stage) -> None:
    stage.stand()
    stage.fake.end(BETA)
    assert str(on(stage).complaint()).startswith("mx-beta (mx.beta.test) is stopped")
    stage.apply("mta-down", "mx-beta")
    assert on(stage).complaint() is None


def test_a_host_that_seems_paused_for_a_moment_longer_than_it_is_breaks_no_lab(stage: Stage) -> None:
    stage.stand()
    stage.fake.pause(BETA)
    threading.Timer(0.1, stage.fake.unpause, [BETA]).start()
    assert on(stage).complaint() is None
    stage.fake.pause(BETA)
    assert str(on(stage).complaint()).startswith("mx-beta (mx.beta.test) is paused")


def test_two_runs_of_exercises_keep_out_of_each_others_way(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 0.02)
    stage.stand()
    second = on(stage).occupied()
    with on(stage).occupied(), pytest.raises(LabInUse, match="in use by"):
        second.__enter__()
    with on(stage).occupied():
        pass  # the first one is over
