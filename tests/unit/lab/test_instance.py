from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.fake import FakeEngine
from labctl.engine.model import (
    Container,
    ContainerSpec,
    ContainerState,
    File,
    NetworkSpec,
    PublishedPort,
    Volume,
)
from labctl.errors import LabNotUp, NoSuchHost, UsageError
from labctl.lab.account import Account
from labctl.lab.mark import faultrecord, labels, record
from labctl.lab.mark.faultrecord import FaultRecord
from labctl.lab.mark.record import Record
from labctl.lab.role import Role
from labctl.lab.running import instance
from labctl.lab.running.instance import HostState

if TYPE_CHECKING:
    from tests.unit.conftest import Stage

SUBNET = IPv4Network("198.18.0.0/27")


def spec(name: str, marks: dict[str, str]) -> ContainerSpec:
    return ContainerSpec(
        name, "labctl/mta:latest", name, "labctl-x", SUBNET[2], "02:42:c6:12:00:02", labels=marks
    )


def container(state: ContainerState = ContainerState.RUNNING, **more: object) -> Container:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    marks = {labels.NAME: "x", labels.SERVICE: "mx", labels.HOSTNAME: "mx.one.test", labels.ROLE: "mta"}
    found = Container("1", "labctl-x-mx", state, "sha256:0", marks, at, IPv4Address("198.18.0.3"))
    return replace(found, **more)  # type: ignore[arg-type]  # each test names a field


class TestObserve:
    def test_a_lab_that_is_not_there_has_nothing(self, fake: FakeEngine) -> None:
        there = instance.observe(fake, "x")
        assert (there.exists, there.whole, there.hosts, there.network) == (False, False, (), None)
        assert there.created_at is None

    def test_a_lab_is_what_its_labels_say(self, stage: Stage) -> None:
        there = stage.stand()
        assert (there.name, there.lab, there.exists, there.whole) == ("x", "two-domains", True, True)
        assert there.domains == ("alpha.test", "beta.test")
        assert [each.service for each in there.hosts] == [
            each.name for each in stage.planner.topology.services
        ]
        host = there.host("mx-alpha")
        assert (host.hostname, host.role, host.domain) == ("mx.alpha.test", Role.MTA, "alpha.test")
        assert host.addresses == ("203.0.113.10", "192.0.2.10")
        assert there.created_at == min(each.created_at for each in stage.fake.containers({}))

    def test_a_lost_container_is_a_host_that_is_absent_and_known(self, stage: Stage) -> None:
        stage.stand()
        stage.fake.remove_container("labctl-x-mx-beta")
        there = stage.there
        host = there.host("mx.beta.test")
        assert (host.state, host.role, host.container) == (HostState.ABSENT, Role.MTA, None)
        assert not there.whole

    def test_a_stopped_lab_is_whole_as_long_as_it_has_its_network(self, stage: Stage) -> None:
        stage.stand()
        for each in stage.fake.containers({}):
            stage.fake.end(each.name)
        assert stage.there.whole
        stage.fake.remove_network("labctl-x")
        assert not stage.there.whole

    def test_a_container_that_was_never_started_makes_no_whole(self, stage: Stage) -> None:
        stage.stand()
        stage.renew("dns")
        assert not stage.there.whole

    def test_a_record_alone_is_something(self, fake: FakeEngine) -> None:
        fake.create_volume(Record({}, ()).volume("x", "two-domains"))
        there = instance.observe(fake, "x")
        assert (there.exists, there.whole, there.lab) == (True, False, "two-domains")

    def test_all_labs_are_told_by_name(self, fake: FakeEngine) -> None:
        for name in ("b", "a", "c"):
            fake.create_container(spec(f"labctl-{name}-mx", {labels.NAME: name}))
        assert [each.name for each in instance.observe_all(fake)] == ["a", "b", "c"]

    def test_the_laboratories_of_a_grading_run_are_told_where_they_are_wanted(self, stage: Stage) -> None:
        stage.stand()
        planner = replace(stage.planner, name="g", labels={labels.RUN: "r1"})
        there = replace(stage, planner=planner).stand()
        assert (there.run, stage.there.run) == ("r1", "")
        assert [each.name for each in instance.observe_all(stage.fake)] == ["x"]
        assert [each.name for each in instance.observe_all(stage.fake, graded=True)] == ["g", "x"]
        assert instance.select(stage.fake, None).name == "x"
        assert instance.select(stage.fake, "g").name == "g"

    def test_labels_of_a_later_version_are_read_as_far_as_they_are_known(self, fake: FakeEngine) -> None:
        told = '{"mx": {"labctl.role": "proxy", "labctl.weight": 5}, "ns": {"labctl.role": "dns"}}'
        marks = {labels.NAME: "x", labels.HOSTS: told, "labctl.era": "2031"}
        fake.create_network(NetworkSpec("labctl-x", SUBNET, SUBNET[1], marks))
        fake.create_container(
            spec("labctl-x-mx", {labels.NAME: "x", labels.SERVICE: "mx", labels.ROLE: "proxy"})
        )
        there = instance.observe(fake, "x")
        assert [(host.service, host.role) for host in there.hosts] == [("mx", None), ("ns", Role.DNS)]
        assert there.exists

    def test_a_container_that_only_has_a_name_is_a_host(self, fake: FakeEngine) -> None:
        fake.create_container(spec("labctl-x-odd", {labels.NAME: "x"}))
        (host,) = instance.observe(fake, "x").hosts
        assert (host.service, host.hostname, host.role) == ("labctl-x-odd", "labctl-x-odd", None)

    @pytest.mark.parametrize("told", ["", "no json", "[]", "5", "null", '{"mx": 5}', '{"mx": null}'])
    def test_a_list_of_hosts_that_can_not_be_read_is_none(self, fake: FakeEngine, told: str) -> None:
        marks = {labels.NAME: "x", labels.HOSTS: told}
        fake.create_network(NetworkSpec("labctl-x", SUBNET, SUBNET[1], marks))
        assert instance.observe(fake, "x").hosts == ()

    @given(
        st.dictionaries(
            st.sampled_from([labels.LAB, labels.SERVICE, labels.ROLE, labels.ADDRESSES, labels.DOMAIN]),
            st.text(max_size=8),
        ),
        st.text(alphabet='{}[]":,0an', max_size=12),
    )
    def test_whatever_labels_say_a_lab_can_be_looked_at(self, marks: dict[str, str], told: str) -> None:
        engine = FakeEngine(["labctl/mta:latest"])
        engine.create_network(
            NetworkSpec("labctl-x", SUBNET, SUBNET[1], {**marks, labels.NAME: "x", labels.HOSTS: told})
        )
        engine.create_container(spec("labctl-x-mx", {**marks, labels.NAME: "x"}))
        engine.create_volume(Volume("labctl-x", {labels.NAME: "x", "labctl.files": told}))
        there = instance.observe(engine, "x")
        assert there.exists
        assert len(there.hosts) >= 1


class TestFaults:
    def test_they_stand_beside_the_labs_own_record(self, stage: Stage) -> None:
        record_before = stage.stand().record
        stage.apply("refuse", "mx-beta")
        stage.apply("mx-null", "dns", "mx-alpha")
        there = stage.there
        assert [each.name for each in there.faults] == ["mx-null", "refuse"]
        assert there.faulted == {"dns", "mx-alpha", "mx-beta"}
        assert there.record == record_before
        assert there.volume is not None
        assert there.volume.name == "labctl-x"

    @pytest.mark.parametrize(
        ("faulted", "affected"),
        [
            ("dns", {"dns", "mx-alpha", "mx-beta"}),
            ("mail-beta", {"mail-beta", "mx-beta"}),
            ("mx-beta", {"mx-beta"}),
        ],
    )
    def test_an_mta_is_affected_by_what_its_resolver_and_its_mda_suffer(
        self, stage: Stage, faulted: str, affected: set[str]
    ) -> None:
        stage.stand()
        stage.apply("any", faulted)
        assert stage.there.affected == affected

    def test_one_that_is_left_alone_is_a_lab_of_which_something_is_there(self, stage: Stage) -> None:
        stage.apply("mta-down", "mx-beta")
        there = stage.there
        assert (there.exists, there.lab, there.record, there.whole) == (True, "two-domains", None, False)

    def test_one_that_can_not_be_read_is_no_record_of_the_labs(self, stage: Stage) -> None:
        record_before = stage.stand().record
        stage.fake.create_volume(Volume("a", {labels.NAME: "x", faultrecord.FAULT: "later"}))
        there = stage.there
        assert (there.faults, there.record) == ((), record_before)
        assert [each.name for each in there.fault_volumes] == ["a"]

    @given(
        st.text(min_size=1),
        st.dictionaries(st.text(), st.text()),
        st.dictionaries(st.text(), st.dictionaries(st.text(), st.integers() | st.text() | st.none())),
    )
    def test_any_is_read_as_it_was_written(
        self, name: str, parameters: dict[str, str], undo: dict[str, dict[str, object]]
    ) -> None:
        told = FaultRecord(name, parameters, undo)
        assert faultrecord.of(told.volume("x", "two-domains")) == told

    @given(
        st.dictionaries(
            st.sampled_from([faultrecord.FAULT, "labctl.fault.parameters", "labctl.fault.undo"]),
            st.text() | st.sampled_from(["[]", "{}", "1", '{"a": 1}', '{"a": {}}', "null"]),
        )
    )
    def test_whatever_else_a_volume_says_is_one_or_none(self, marks: dict[str, str]) -> None:
        found = faultrecord.of(Volume("v", marks))
        assert found is None or found.services == frozenset(found.undo)


class TestSelect:
    def up(self, fake: FakeEngine, *names: str) -> None:
        for name in names:
            fake.create_container(spec(f"labctl-{name}-mx", {labels.NAME: name}))

    def test_none_is_told(self, fake: FakeEngine) -> None:
        with pytest.raises(LabNotUp, match="no lab is up") as caught:
            instance.select(fake, None)
        assert caught.value.hint == "labctl up"
        assert caught.value.exit_code == 2

    def test_another_name_is_told_with_those_that_are_up(self, fake: FakeEngine) -> None:
        self.up(fake, "a", "b")
        with pytest.raises(LabNotUp, match="no lab 'c' is up") as caught:
            instance.select(fake, "c")
        assert caught.value.detail == {"running": ["a", "b"], "near": []}
        assert caught.value.hint == "labctl up --name c"

    def test_several_are_listed(self, fake: FakeEngine) -> None:
        self.up(fake, "a", "b")
        with pytest.raises(UsageError, match=r"2 labs are up \(a, b\)") as caught:
            instance.select(fake, None)
        assert "--name a" in caught.value.hint

    @pytest.mark.parametrize("name", ["", "A", "-a", "a" * 32, "a b", "a/b", "a\n", "ä"])
    def test_a_malformed_name_is_not_looked_for(self, fake: FakeEngine, name: str) -> None:
        with pytest.raises(UsageError, match="expected up to 31") as caught:
            instance.select(fake, name)
        assert not isinstance(caught.value, LabNotUp)
        assert fake.calls == []


class TestHost:
    def test_a_host_is_named_by_its_service_and_by_its_fqdn(self, stage: Stage) -> None:
        there = stage.stand()
        assert there.host("mail-beta") == there.host("mail.beta.test")

    def test_another_name_is_told_with_all_hosts(self, stage: Stage) -> None:
        with pytest.raises(NoSuchHost, match=r"no host 'mx'.*mx-alpha \(mx\.alpha\.test\)"):
            stage.stand().host("mx")

    def test_a_host_that_is_mistyped_is_told_with_the_nearest(self, stage: Stage) -> None:
        with pytest.raises(NoSuchHost, match=r"did you mean 'mx-alpha'") as caught:
            stage.stand().host("mx-alhpa")
        assert caught.value.detail["near"][0] == "mx-alpha"

    def test_hosts_are_found_by_what_they_do_and_for_whom(self, stage: Stage) -> None:
        there = stage.stand()
        assert [host.service for host in there.of_role(Role.MTA)] == ["mx-alpha", "mx-beta"]
        assert [host.service for host in there.of_role(Role.MTA, "beta.test")] == ["mx-beta"]
        assert there.of_role(Role.MTA, "gamma.test") == ()

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            (ContainerState.RUNNING, HostState.STARTING),
            (ContainerState.RESTARTING, HostState.STARTING),
            (ContainerState.PAUSED, HostState.PAUSED),
            (ContainerState.CREATED, HostState.STOPPED),
            (ContainerState.EXITED, HostState.STOPPED),
            (ContainerState.DEAD, HostState.STOPPED),
            (ContainerState.REMOVING, HostState.ABSENT),
        ],
    )
    def test_its_state_is_the_containers_and_only_a_running_one_has_doors(
        self, state: ContainerState, expected: HostState
    ) -> None:
        host = instance.observed(container(state))
        assert host.state == expected
        assert host.reachable == (state == ContainerState.RUNNING)
        if not host.reachable:
            with pytest.raises(LabNotUp, match=expected):
                host.door(25)

    def test_its_door_is_on_this_machine_where_it_is_published(self) -> None:
        host = instance.observed(container(published=(PublishedPort(25, "tcp", 40025),)))
        assert host.door(25) == ("127.0.0.1", 40025)
        assert host.door(587) == ("198.18.0.3", 587)
        assert host.door(25, "udp") == ("198.18.0.3", 25)

    def test_on_no_network_it_has_no_door(self) -> None:
        host = instance.observed(container(address=None))
        assert not host.reachable
        with pytest.raises(LabNotUp, match=r"mx \(mx\.one\.test\) is on no network"):
            host.door(25)


class TestAccounts:
    def test_they_are_as_recorded(self, stage: Stage) -> None:
        there = stage.stand()
        stage.fake.calls.clear()
        assert [each.address for each in instance.accounts(stage.fake, there)] == [
            "alice@alpha.test",
            "amy@alpha.test",
            "bob@beta.test",
            "bea@beta.test",
        ]
        assert stage.fake.calls == []

    def test_without_a_record_the_mdas_own_files_tell_them(self, stage: Stage) -> None:
        stage.stand()
        stage.fake.remove_volume("labctl-x")
        users = b"# users\ncarol@beta.test:{PLAIN}secret::::::\n"
        stage.fake.put_files("labctl-x-mail-beta", [File("/etc/dovecot/users", users)])
        stage.fake.end("labctl-x-mail-beta")
        found = instance.accounts(stage.fake, stage.there)
        assert found[-1] == Account("carol@beta.test", "secret")
        assert [each.address for each in found[:-1]] == ["alice@alpha.test", "amy@alpha.test"]

    def test_an_mda_that_was_never_given_its_files_has_none(self, stage: Stage) -> None:
        stage.stand()
        stage.fake.remove_volume("labctl-x")
        stage.renew("mail-alpha")
        found = instance.accounts(stage.fake, stage.there)
        assert [each.address for each in found] == ["bob@beta.test", "bea@beta.test"]


class TestRecord:
    @given(
        st.dictionaries(st.text(), st.dictionaries(st.text(), st.text(), max_size=3), max_size=3),
        st.lists(st.builds(Account, st.text(), st.text()), max_size=3),
    )
    def test_any_record_is_read_as_it_was_written(
        self, files: dict[str, dict[str, str]], accounts: list[Account]
    ) -> None:
        some = Record(files, tuple(accounts))
        volume = some.volume("x", "y")
        assert (volume.name, volume.labels[labels.NAME]) == ("labctl-x", "x")
        assert record.of(volume) == some

    @given(st.dictionaries(st.sampled_from(["labctl.files", "labctl.accounts"]), st.text(max_size=20)))
    def test_whatever_else_a_volume_says_is_no_record_or_one(self, marks: dict[str, str]) -> None:
        found = record.of(Volume("labctl-x", marks))
        assert found is None or isinstance(found, Record)

    @pytest.mark.parametrize(
        ("files", "accounts"),
        [
            ("{}", "{"),
            ("[]", "[]"),
            ("5", "[]"),
            ('{"dns": 5}', "[]"),
            ("{}", "[5]"),
            ("{}", '[["a"]]'),
            ("{}", '[["a", "b", "c"]]'),
            ("{}", "5"),
        ],
    )
    def test_one_of_another_version_is_none(self, files: str, accounts: str) -> None:
        marks = {"labctl.files": files, "labctl.accounts": accounts}
        assert record.of(Volume("labctl-x", marks)) is None
