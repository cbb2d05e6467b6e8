from __future__ import annotations

import io
from dataclasses import replace
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

import pytest

from labctl.commands.prune import Pruned, prune
from labctl.engine import lockfile
from labctl.lab import lock
from labctl.lab.mark import labels
from labctl.lab.running import instance
from labctl.lab.running.leftovers import of_all

if TYPE_CHECKING:
    from labctl.engine.fake import FakeEngine
    from tests.unit.conftest import Stage


def test_where_nothing_is_nothing_is_left_over(fake: FakeEngine) -> None:
    assert of_all(fake).removable == ()
    assert prune(fake).removed == ()


def test_a_whole_lab_is_no_leftover_in_whatever_state(stage: Stage) -> None:
    there = stage.stand()
    assert of_all(stage.fake).removable == ()
    stage.fake.pause("labctl-x-dns")
    stage.fake.end("labctl-x-mx-alpha", 1)
    assert of_all(stage.fake).removable == ()
    for host in there.hosts:
        if host.service not in {"dns", "mx-alpha"}:
            stage.fake.end(host.running_container().name)
    assert prune(stage.fake).removed == ()
    assert instance.observe(stage.fake, "x").whole


def test_what_a_killed_start_left_is_removed_and_another_lab_is_not(stage: Stage) -> None:
    stage.stand()
    other = replace(stage.planner, name="y").on(stage.fake.networks({})[0].subnets[0])
    for host in other.hosts[:2]:
        stage.fake.create_container(host.container)
    assert of_all(stage.fake).removable == ("y",)
    assert set(prune(stage.fake).removed) == {"labctl-y-dns", "labctl-y-mx-alpha"}
    assert instance.observe(stage.fake, "x").whole
    assert of_all(stage.fake).removable == ()


def test_a_lab_that_a_labctl_is_making_is_no_leftover(stage: Stage) -> None:
    stage.fake.create_container(stage.planner.on(_subnet()).host("dns").container)
    with lock.held(stage.fake, "x"):
        assert of_all(stage.fake).removable == ()
        assert prune(stage.fake).removed == ()
    assert of_all(stage.fake).removable == ("x",)


@pytest.mark.parametrize("name", ["", "../x", "a b"])
def test_a_label_that_no_labctl_wrote_takes_no_lab_with_it(stage: Stage, name: str) -> None:
    stage.stand()
    planned = stage.planner.on(_subnet()).host("dns").container
    stage.fake.create_container(
        replace(planned, name="odd", labels={"labctl.name": name, labels.LOCKS: lockfile.voucher()})
    )
    assert prune(stage.fake).removed == ("odd",)
    assert instance.observe(stage.fake, "x").whole


def test_the_laboratories_of_a_dead_grading_run_are_leftovers_and_those_of_a_live_one_are_not(
    stage: Stage,
) -> None:
    stage.stand()
    for name, run in (("g", "r1"), ("h", "r2")):
        stage.named(name, run=run).stand()
    with lock.used(stage.fake, "h"):
        assert of_all(stage.fake).removable == ("g",)
        assert {each.rpartition("g")[0] for each in prune(stage.fake).removed} == {"labctl-"}
        assert of_all(stage.fake).removable == ()
    assert of_all(stage.fake).removable == ("h",)
    assert instance.observe(stage.fake, "x").whole


def test_images_of_other_versions_go_unless_a_container_uses_them(ready: FakeEngine, stage: Stage) -> None:
    for n, name in enumerate(("mta", "mda")):
        context = io.BytesIO(bytes([n]))
        list(ready.build(context, tag=f"labctl/{name}:old", labels={"labctl.image": name}, build_args={}))
    used = stage.planner.on(_subnet()).host("mx-alpha").container
    ready.create_container(replace(used, image="labctl/mta:old", labels={}))
    tags = {tag for image in ready.images({}) for tag in image.tags}
    assert prune(ready).removed == ("labctl/mda:old",)
    assert {tag for image in ready.images({}) for tag in image.tags} == tags - {"labctl/mda:old"}


def _subnet() -> IPv4Network:
    return IPv4Network("10.250.0.0/24")


def test_a_faulted_lab_is_no_leftover(stage: Stage) -> None:
    stage.stand()
    stage.apply("mta-down", "mx-beta")
    stage.fake.end("labctl-x-mx-beta")
    assert of_all(stage.fake).removable == ()
    assert prune(stage.fake).removed == ()


def test_the_record_of_a_fault_alone_is_a_leftover(stage: Stage) -> None:
    stage.apply("mta-down", "mx-beta")
    assert of_all(stage.fake).removable == ("x",)
    assert prune(stage.fake).removed == ("labctl-x-fault-mta-down",)


def test_what_may_be_in_use_elsewhere_is_left_and_named(stage: Stage) -> None:
    there = stage.named("g", run="r1", locks="elsewhere").stand()
    assert prune(stage.fake) == Pruned((), ("g",))
    for host in there.hosts:
        stage.fake.end(host.running_container().name)
    assert "labctl-g-dns" in prune(stage.fake).removed
    assert prune(stage.fake) == Pruned(())
