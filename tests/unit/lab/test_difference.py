from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

import pytest

from labctl.engine.model import ContainerState, NetworkSpec
from labctl.errors import SubnetInUse
from labctl.lab.blueprint.addresses import POOL
from labctl.lab.running import lifecycle
from labctl.lab.running.difference import compare, free_subnet

if TYPE_CHECKING:
    from labctl.engine.fake import FakeEngine
    from labctl.lab.blueprint.plan import Planner
    from tests.unit.conftest import Stage

SERVICES = ["dns", "mx-alpha", "mail-alpha", "mx-beta", "mail-beta"]
ZONE = "/etc/coredns/zones/beta.test.zone"
LOOKING = {"containers", "networks", "volumes", "inspect"}


def said(fake: FakeEngine, planner: Planner) -> list[str]:
    """What would be done, in words; asking changes nothing."""
    fake.calls.clear()
    found = [str(change) for change in compare(fake, planner).changes]
    assert {call.method for call in fake.calls} <= LOOKING
    return found


def network(name: str, subnet: str) -> NetworkSpec:
    found = IPv4Network(subnet)
    return NetworkSpec(name, found, found[1], {})


def test_a_comparison_asks_the_engine_three_questions(stage: Stage) -> None:
    stage.stand()
    stage.fake.calls.clear()
    compare(stage.fake, stage.planner)
    assert sorted(call.method for call in stage.fake.calls) == ["containers", "networks", "volumes"]


@pytest.mark.parametrize(
    ("image", "lost"),
    [("mta", "its mail queue is lost"), ("mda", "its mailboxes are lost"), ("dns", "nothing is lost")],
)
def test_a_changed_image_recreates_its_hosts_and_says_what_is_lost(
    stage: Stage, image: str, lost: str
) -> None:
    stage.stand()
    changed = replace(stage.planner, images={f"labctl/{image}:latest": f"labctl/{image}:0123"})
    services = [each.name for each in stage.planner.topology.services if each.role == image]
    assert said(stage.fake, changed) == [
        f"{service} recreated (another image or environment: {lost})" for service in services
    ]


def test_a_container_that_the_lab_does_not_have_is_removed(stage: Stage) -> None:
    stage.stand()
    spec = compare(stage.fake, stage.planner).plan.host("dns").container
    extra = {**spec.labels, "labctl.service": "extra"}
    stage.fake.create_container(replace(spec, name="labctl-x-extra", labels=extra))
    assert said(stage.fake, stage.planner) == ["labctl-x-extra removed (not in this lab)"]
    lifecycle.bring_up(stage.fake, stage.planner)
    assert {each.name for each in stage.fake.containers({})} == {f"labctl-x-{each}" for each in SERVICES}


def test_a_topology_with_fewer_hosts_wants_another_network(stage: Stage) -> None:
    stage.stand()
    fewer = replace(stage.planner.topology, services=stage.planner.topology.services[:3])
    difference = compare(stage.fake, replace(stage.planner, topology=fewer))
    assert difference.stale_network
    assert [each.name for each in difference.strangers] == ["labctl-x-mail-beta", "labctl-x-mx-beta"]


def test_a_topology_that_has_outgrown_its_network_wants_a_larger_one(stage: Stage) -> None:
    there = stage.stand().network
    assert there is not None
    first, *others = stage.planner.topology.services
    far = replace(first, place=60)
    larger = replace(stage.planner.topology, services=(far, *others), prefix_length=26)
    difference = compare(stage.fake, replace(stage.planner, topology=larger))
    assert difference.stale_network
    assert difference.plan.network.subnet.prefixlen == 26
    assert not difference.plan.network.subnet.overlaps(there.subnets[0])


def test_a_container_that_was_never_started_is_given_its_files_and_started(stage: Stage) -> None:
    """As a labctl leaves it that was killed between creation and start."""
    plan = compare(stage.fake, stage.planner).plan
    stage.fake.create_network(plan.network)
    for host in plan.hosts:
        stage.fake.create_container(host.container)
    steps = compare(stage.fake, stage.planner).steps
    assert not any(step.create for step in steps)
    assert [len(step.files) for step in steps] == [len(host.files) for host in plan.hosts]
    lifecycle.bring_up(stage.fake, stage.planner)
    for host in plan.hosts:
        assert stage.fake.inspect(host.container.name).state == ContainerState.RUNNING
        assert stage.fake.get_file(host.container.name, host.files[0].path) == host.files[0].content


def test_a_free_subnet_overlaps_no_network_of_the_engine(fake: FakeEngine, planner: Planner) -> None:
    first = free_subnet(fake, planner)
    fake.create_network(network("other", str(first)))
    second = free_subnet(fake, planner)
    assert not second.overlaps(first)
    assert not free_subnet(fake, planner, [second]).overlaps(second)


def test_a_pool_without_a_free_subnet_is_told(fake: FakeEngine, planner: Planner) -> None:
    fake.create_network(network("everything", str(POOL)))
    with pytest.raises(SubnetInUse, match=r"no subnet of 198\.18\.0\.0/15 is free"):
        compare(fake, planner)


class TestFaulted:
    """What an applied fault has done is no difference."""

    def test_a_host_that_is_cut_off_is_left_so(self, stage: Stage) -> None:
        stage.stand()
        stage.apply("cut-off", "mx-beta")
        stage.fake.disconnect("labctl-x", "labctl-x-mx-beta")
        assert said(stage.fake, stage.planner) == []

    def test_a_fault_lasts_where_only_a_part_of_what_it_changed_is_made_anew(self, stage: Stage) -> None:
        stage.stand()
        stage.apply("both", "dns", "mx-beta")
        stage.fake.remove_container("labctl-x-dns")
        found = compare(stage.fake, stage.planner)
        assert found.ended_faults == ()
        assert found.affected == {"dns", "mx-alpha", "mx-beta"}

    def test_a_host_that_was_never_started_is_started(self, stage: Stage) -> None:
        stage.stand()
        stage.renew("dns")
        stage.apply("mx-null", "dns")
        assert said(stage.fake, stage.planner) == ["dns started"]

    def test_a_new_file_waits_until_the_fault_is_over(self, stage: Stage) -> None:
        stage.stand()
        changed = replace(stage.planner, handed_in={("dns", ZONE): b"; another\n"})
        stage.apply("mx-null", "dns")
        found = compare(stage.fake, changed)
        assert found.changes == ()
        assert found.record == compare(stage.fake, stage.planner).record
        stage.fake.remove_volume("labctl-x-fault-mx-null")
        assert said(stage.fake, changed) == [f"dns given new files ({ZONE})"]

    def test_without_a_record_nothing_is_known_of_what_is_left(self, stage: Stage) -> None:
        stage.stand()
        stage.apply("mx-null", "dns")
        stage.fake.remove_volume("labctl-x")
        assert compare(stage.fake, stage.planner).record.files["dns"] == {}
