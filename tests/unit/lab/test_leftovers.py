from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.lab import lock
from labctl.lab.running import instance
from labctl.lab.running.leftovers import Leftovers, of_all, of_runs, remove_dead

if TYPE_CHECKING:
    from tests.unit.conftest import Stage


def test_what_a_dead_run_left_is_taken_down_and_nothing_else(stage: Stage) -> None:
    stage.stand()
    for name, run in (("a", "dead"), ("b", "dead"), ("c", "live")):
        stage.named(name, run=run).stand()
    with lock.used(stage.fake, "c"):
        assert of_runs(stage.fake) == Leftovers(("a", "b"))
        removed = remove_dead(stage.fake)
        assert of_runs(stage.fake) == Leftovers()
    assert {"labctl-a", "labctl-b-dns"} <= set(removed)
    assert [each.name for each in instance.observe_all(stage.fake, graded=True)] == ["c", "x"]


def test_a_laboratory_of_a_run_is_in_use_on_its_own_engine_only(stage: Stage) -> None:
    stage.named("a", run="r").stand()
    own = stage.fake.id
    stage.fake.id = "another"
    with lock.used(stage.fake, "a"):
        stage.fake.id = own
        assert of_runs(stage.fake) == Leftovers(("a",))


@pytest.mark.parametrize("locks", ["elsewhere", ""])
def test_what_another_directory_of_locks_vouches_for_is_not_taken_for_dead(stage: Stage, locks: str) -> None:
    stage.named("a", run="r", locks=locks).stand()
    assert of_runs(stage.fake) == Leftovers(unknown=("a",))
    assert remove_dead(stage.fake) == ()


def test_what_another_directory_vouches_for_and_runs_no_more_is_known_to_be_stopped(stage: Stage) -> None:
    there = stage.named("a", run="r", locks="before the boot").stand()
    for host in there.hosts[1:]:
        stage.fake.end(host.running_container().name)
    assert of_runs(stage.fake) == Leftovers(unknown=("a",))
    stage.fake.end(there.hosts[0].running_container().name)
    assert of_runs(stage.fake) == Leftovers(stopped=("a",))
    assert remove_dead(stage.fake) == ()


def test_a_lab_that_is_being_made_elsewhere_is_not_taken_for_stopped(stage: Stage) -> None:
    young = stage.named("a", locks="elsewhere")
    planned = young.planner.on(young.stand().network.subnets[0]).host("dns").container  # type: ignore[union-attr]
    for each in stage.fake.containers({}):
        stage.fake.remove_container(each.id)
    stage.fake.remove_volume("labctl-a")
    assert of_all(stage.fake) == Leftovers(unknown=("a",))
    stage.fake.create_container(planned)
    assert of_all(stage.fake) == Leftovers(unknown=("a",))


def test_one_object_that_another_directory_vouches_for_is_enough(stage: Stage) -> None:
    stage.named("a", run="r").stand()
    stage.named("a", run="r", locks="elsewhere").renew("dns")
    assert of_runs(stage.fake) == Leftovers(unknown=("a",))


def test_what_is_left_of_a_half_removed_laboratory_is_known_by_whatever_has_its_label(stage: Stage) -> None:
    stage.named("a", run="r").stand()
    for container in stage.fake.containers({}):
        stage.fake.remove_container(container.id)
    stage.fake.remove_network("labctl-a")
    assert of_runs(stage.fake) == Leftovers(("a",))
    stage.fake.remove_volume("labctl-a")
    assert of_runs(stage.fake) == Leftovers()
