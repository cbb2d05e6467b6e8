from __future__ import annotations

import threading
import time
from dataclasses import replace
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

import pytest

from labctl.engine.fake import Call, FakeEngine
from labctl.engine.model import ContainerSpec, ContainerState, NetworkSpec
from labctl.errors import EngineError, EngineUnavailable, NameInUse, ServiceNotReady, SubnetInUse
from labctl.lab.mark import labels
from labctl.lab.running import instance, lifecycle, patience, readiness
from labctl.lab.running.difference import compare
from labctl.lab.running.lifecycle import Tolerance
from labctl.lab.running.teardown import take_down

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.running.instance import Host
    from tests.unit.conftest import Stage

LOOKING = {"containers", "networks", "volumes", "inspect", "get_file", "logs", "version"}

SERVICES = ["dns", "mx-alpha", "mail-alpha", "mx-beta", "mail-beta"]


def failing(
    method: str, error: BaseException, *, subject: str = "", times: int = 1000
) -> Callable[[Call], None]:
    """A hook that lets a method fail."""
    left = times

    def hook(call: Call) -> None:
        nonlocal left
        if call.method == method and subject in call.subject and left:
            left -= 1
            raise error

    return hook


STARTED = {"mx-alpha": "postfix/master[1]: daemon started -- version 3.10.5", "dns": "CoreDNS-1.14.1"}


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else is at work on the fake engine: do not wait long to see whether somebody is."""
    monkeypatch.setattr(lifecycle, "_SETTLED_WITHIN", 0.05)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and wait no longer than the test says."""
    monkeypatch.setattr(patience, "_DEAD_CHECK", 0.01)
    monkeypatch.setattr(patience, "_ONCE_STARTED", 0.0)


def ending(fake: FakeEngine, *names: str) -> Callable[[Call], None]:
    """A hook that ends containers before it is first looked at whether they run."""

    def hook(call: Call) -> None:
        if call.method == "inspect" and call.subject in names:
            fake.end(call.subject, 1)

    return hook


def complaining(monkeypatch: pytest.MonkeyPatch, text: str, **more: bool) -> None:
    """Let every daemon have this wrong with it."""
    complaint = readiness.Complaint(text, **more)
    monkeypatch.setattr(readiness, "complaint", lambda _host, _domains: complaint)


def changing(fake: FakeEngine) -> list[str]:
    """The calls so far that change something."""
    return [f"{call.method} {call.subject}" for call in fake.calls if call.method not in LOOKING]


def nothing_left(fake: FakeEngine) -> bool:
    return not (fake.containers({}) or fake.networks({}) or fake.volumes({}))


def no_thread_left(before: set[threading.Thread]) -> bool:
    return not [each for each in set(threading.enumerate()) - before if "ThreadPool" in each.name]


class TestBringUp:
    def test_a_lab_that_is_not_there_is_made_and_ready(self, stage: Stage) -> None:
        changes = stage.bring_up()
        subnet = stage.fake.networks({})[0].subnets[0]
        assert changes == [
            f"network created ({subnet})",
            *(f"{service} created" for service in SERVICES),
        ]
        there = stage.there
        assert there.whole
        assert [host.service for host in there.hosts if host.running] == SERVICES
        assert there.record == compare(stage.fake, stage.planner).plan.record

    def test_every_container_has_its_files_before_it_starts(self, stage: Stage) -> None:
        stage.bring_up()
        for host in compare(stage.fake, stage.planner).plan.hosts:
            calls = [call.method for call in stage.fake.calls if call.subject == host.container.name]
            assert calls.index("create_container") < calls.index("put_files") < calls.index("start")
            for file in host.files:
                assert stage.fake.get_file(host.container.name, file.path) == file.content

    def test_an_mta_is_probed_only_behind_its_resolver_and_its_mda(self, stage: Stage) -> None:
        told: list[tuple[str, str]] = []
        stage.bring_up(lambda subject, state: told.append((subject, state)))
        for mta, mda in (("mx-alpha", "mail-alpha"), ("mx-beta", "mail-beta")):
            for needed in ("dns", mda):
                assert told.index((needed, "ready")) < told.index((mta, "starting"))
        assert {subject for subject, state in told if state == "ready"} == set(SERVICES)

    def test_the_second_time_nothing_is_changed(self, stage: Stage) -> None:
        stage.bring_up()
        stage.fake.calls.clear()
        assert stage.bring_up() == []
        assert changing(stage.fake) == []

    def test_two_labs_of_one_kind_get_networks_apart(self, stage: Stage) -> None:
        for name in ("a", "b", "c"):
            stage.named(name).bring_up()
        subnets = [network.subnets[0] for network in stage.fake.networks({})]
        assert not any(one.overlaps(other) for one in subnets for other in subnets if one != other)
        assert len(set(subnets)) == 3
        assert len(stage.fake.containers({labels.NAME: "b"})) == 5

    @pytest.mark.parametrize("error", [EngineError("it failed", hint="labctl doctor"), KeyboardInterrupt()])
    @pytest.mark.parametrize(
        "method", ["create_network", "create_container", "put_files", "start", "inspect", "create_volume"]
    )
    def test_whatever_fails_of_a_new_lab_nothing_of_it_is_left(
        self, stage: Stage, method: str, error: BaseException
    ) -> None:
        before = set(threading.enumerate())
        stage.fake.hook = failing(method, error, subject="x", times=1)
        with pytest.raises(type(error)):
            stage.bring_up()
        assert nothing_left(stage.fake)
        assert no_thread_left(before)

    def test_a_failure_of_the_cleaning_up_does_not_hide_the_first(self, stage: Stage) -> None:
        gone = EngineUnavailable("the engine stopped answering", hint="labctl doctor")

        def hook(call: Call) -> None:
            if call.method == "create_network":
                raise EngineError("no bridge", hint="labctl doctor")
            if call.method == "remove_container":
                raise gone

        stage.fake.hook = hook
        with pytest.raises(EngineError, match="no bridge"):
            stage.bring_up()

    def test_a_failure_leaves_a_lab_that_was_there(self, stage: Stage) -> None:
        stage.bring_up()
        stage.fake.remove_container("labctl-x-dns")
        stage.fake.hook = failing("start", EngineError("no memory", hint="free"))
        with pytest.raises(EngineError, match="no memory"):
            stage.bring_up()
        assert len(stage.fake.containers({})) == 5

    def test_a_subnet_that_is_taken_meanwhile_is_exchanged(self, stage: Stage) -> None:
        wanted = compare(stage.fake, stage.planner).plan.network.subnet
        taken = NetworkSpec("foreign", wanted, wanted[1], {})

        def hook(call: Call) -> None:
            if call == Call("create_network", "labctl-x") and not stage.fake.networks({}):
                stage.fake.create_network(taken)

        stage.fake.hook = hook
        stage.bring_up()
        subnets = {network.name: network.subnets[0] for network in stage.fake.networks({})}
        assert subnets["foreign"] == wanted
        assert not subnets["labctl-x"].overlaps(wanted)
        assert stage.there.whole
        assert stage.bring_up() == []

    def test_a_subnet_that_only_the_engine_knows_as_taken_is_not_asked_for_twice(self, stage: Stage) -> None:
        stage.fake.hook = failing(
            "create_network", SubnetInUse("overlaps with a route", hint="ip route"), times=3
        )
        stage.bring_up()
        assert [call.method for call in stage.fake.calls].count("create_network") == 4
        assert stage.there.whole

    def test_a_name_that_somebody_else_has_is_told(self, stage: Stage) -> None:
        subnet = IPv4Network("10.250.0.0/24")
        stage.fake.create_network(NetworkSpec("labctl-x", subnet, subnet[1], {}))
        with pytest.raises(NameInUse, match="labctl-x"):
            stage.bring_up()
        take_down(stage.fake, "x")
        assert [network.labels for network in stage.fake.networks({})] == [{}]
        assert stage.fake.containers({}) == ()

    def test_a_container_that_ends_at_once_is_told_with_its_log_and_the_lab_stays(self, stage: Stage) -> None:
        before = set(threading.enumerate())

        def hook(call: Call) -> None:
            if call == Call("inspect", "labctl-x-mail-beta"):
                stage.fake.say("labctl-x-mail-beta", "doveconf: Fatal: Error in configuration file")
                stage.fake.end("labctl-x-mail-beta", 89)

        stage.fake.hook = hook
        with pytest.raises(ServiceNotReady, match="exited with exit code 89") as caught:
            stage.bring_up()
        assert caught.value.detail["service"] == "mail-beta"
        assert "doveconf: Fatal" in caught.value.detail["log"]
        assert len(stage.fake.containers({})) == 5
        assert no_thread_left(before)

    def test_a_container_that_ends_while_it_is_asked_is_told_too(self, stage: Stage) -> None:
        stage.daemons.instead["dns", 53] = stage.daemons.closed
        asked: list[Call] = []

        def hook(call: Call) -> None:
            if call == Call("inspect", "labctl-x-dns"):
                asked.append(call)
                if len(asked) == 2:
                    stage.fake.end("labctl-x-dns", 1)

        stage.fake.hook = hook
        with pytest.raises(ServiceNotReady, match="exited with exit code 1") as caught:
            stage.bring_up()
        assert caught.value.detail["service"] == "dns"

    def test_after_a_start_that_failed_the_next_writes_all_files_again(self, stage: Stage) -> None:
        stage.fake.hook = ending(stage.fake, "labctl-x-dns")
        with pytest.raises(ServiceNotReady):
            stage.bring_up()
        stage.fake.hook = lambda _call: None
        changes = stage.bring_up()
        assert "dns started" in changes
        assert {change.split()[0] for change in changes if "given new files" in change} == set(SERVICES)
        assert stage.bring_up() == []

    @pytest.mark.parametrize("lost", [SERVICES, ["mx-alpha", "mail-alpha", "mx-beta"]], ids=["all", "some"])
    def test_no_two_hosts_join_the_network_at_once(self, stage: Stage, lost: list[str]) -> None:
        stage.stand()
        for each in lost:
            stage.fake.remove_container(f"labctl-x-{each}")
        joining: list[str] = []
        most = 0

        def hook(call: Call) -> None:
            nonlocal most
            if call.method == "start":
                joining.append(call.subject)
                most = max(most, len(joining))
                time.sleep(0.02)
                joining.remove(call.subject)

        stage.fake.hook = hook
        assert len(lifecycle.bring_up(stage.fake, stage.planner)) == len(lost)
        assert most == 1

    @pytest.mark.parametrize("method", ["create_container", "put_files", "create_network", "start"])
    def test_a_labctl_that_was_killed_at_any_moment_is_taken_up(self, stage: Stage, method: str) -> None:
        """A kill leaves no time for cleaning up: all calls fail from that moment on."""
        killed = threading.Event()

        def hook(call: Call) -> None:
            if killed.is_set() or (call.method == method and "mx-alpha" in call.subject + "mx-alpha"):
                killed.set()
                raise EngineError("killed", hint="")

        stage.fake.hook = hook
        with pytest.raises(EngineError, match="killed"):
            stage.bring_up()
        stage.fake.hook = lambda _call: None
        stage.bring_up()
        assert stage.there.whole
        assert stage.bring_up() == []

    def test_a_changed_file_is_written_and_its_daemon_reloaded(self, stage: Stage) -> None:
        stage.bring_up()
        stage.fake.calls.clear()
        zone = "/etc/coredns/zones/beta.test.zone"
        changed = stage.handing_in("dns", zone, b"; another zone\n")
        assert changed.bring_up() == [f"dns given new files ({zone})"]
        assert stage.fake.get_file("labctl-x-dns", zone) == b"; another zone\n"
        assert "signal labctl-x-dns USR1" in changing(stage.fake)
        assert not [call for call in changing(stage.fake) if "mx-" in call or "start" in call]
        assert changed.bring_up() == []

    def test_the_record_is_gone_while_files_are_written(self, stage: Stage) -> None:
        stage.bring_up()
        seen: list[int] = []

        def hook(call: Call) -> None:
            if call.method == "put_files":
                seen.append(len(stage.fake.volumes({})))

        stage.fake.hook = hook
        stage.handing_in("dns", "/etc/coredns/Corefile", b".").bring_up()
        assert seen == [0]
        assert len(stage.fake.volumes({})) == 1

    def test_a_host_that_was_removed_is_made_and_nothing_else(self, stage: Stage) -> None:
        stage.bring_up()
        stage.fake.remove_container("labctl-x-mx-beta")
        stage.fake.calls.clear()
        assert stage.bring_up() == ["mx-beta created"]
        others = [
            call for call in changing(stage.fake) if call.split()[0] in {"put_files", "start", "signal"}
        ]
        assert others == ["put_files labctl-x-mx-beta", "start labctl-x-mx-beta"]

    def test_after_a_reboot_every_host_is_started_again(self, stage: Stage) -> None:
        stage.bring_up()
        for container in stage.fake.containers({}):
            stage.fake.end(container.name, 255)
        changes = stage.bring_up()
        assert changes == [f"{service} started" for service in SERVICES]
        assert stage.bring_up() == []

    def test_a_frozen_host_goes_on(self, stage: Stage) -> None:
        stage.bring_up()
        stage.fake.pause("labctl-x-mx-alpha")
        assert stage.bring_up() == ["mx-alpha unpaused"]
        assert stage.fake.inspect("labctl-x-mx-alpha").state == ContainerState.RUNNING

    def test_a_network_that_was_lost_takes_the_whole_lab_with_it(self, stage: Stage) -> None:
        stage.bring_up()
        for container in stage.fake.containers({}):
            stage.fake.stop(container.name, timeout=1)
        stage.fake.remove_network("labctl-x")
        old = {container.id for container in stage.fake.containers({})}
        created, *others = stage.bring_up()
        assert created.startswith("network created")
        assert others == [
            "dns recreated (a new network: nothing is lost)",
            "mx-alpha recreated (a new network: its mail queue is lost)",
            "mail-alpha recreated (a new network: its mailboxes are lost)",
            "mx-beta recreated (a new network: its mail queue is lost)",
            "mail-beta recreated (a new network: its mailboxes are lost)",
        ]
        assert not old & {container.id for container in stage.fake.containers({})}
        assert stage.there.whole

    def test_a_network_that_is_let_go_late_is_waited_for(self, stage: Stage) -> None:
        stage.bring_up()
        topology = stage.planner.topology
        fewer = replace(topology, services=topology.services[:-1])
        stale = replace(stage, planner=replace(stage.planner, topology=fewer))
        busy = EngineError("network labctl-x has active endpoints", hint="labctl doctor")
        stage.fake.hook = failing("remove_network", busy, times=2)
        assert stale.bring_up()[0].startswith("network recreated")
        assert len(stage.fake.containers({})) == 4


class TestBringUpBesideFaults:
    def test_a_faulted_host_is_neither_touched_nor_waited_for(self, stage: Stage) -> None:
        stage.bring_up()
        stage.apply("mta-down", "mx-beta")
        stage.fake.end("labctl-x-mx-beta")
        stage.fake.calls.clear()
        assert stage.bring_up() == []
        assert changing(stage.fake) == []
        assert stage.host("mx-beta").state == instance.HostState.STOPPED

    def test_who_relies_on_a_faulted_host_is_not_waited_for_either(self, stage: Stage) -> None:
        stage.bring_up()
        stage.apply("mda-down", "mail-beta")
        stage.fake.pause("labctl-x-mail-beta")
        stage.daemons.instead["mx-beta", 587] = stage.daemons.deaf
        stage.fake.end("labctl-x-mx-beta")
        assert stage.bring_up() == ["mx-beta started"]
        assert stage.host("mx-beta").running
        assert stage.host("mail-beta").state == instance.HostState.PAUSED

    def test_a_faulted_host_that_is_missing_is_made_and_the_fault_is_over(self, stage: Stage) -> None:
        stage.bring_up()
        stage.apply("mx-null", "dns")
        stage.fake.remove_container("labctl-x-dns")
        assert stage.bring_up() == ["dns created"]
        assert stage.there.faults == ()
        assert stage.there.record == stage.planner.on(stage.fake.networks({})[0].subnets[0]).record

    def test_a_fault_that_a_killed_down_left_on_record_is_not_one_of_a_new_lab(self, stage: Stage) -> None:
        stage.apply("mx-null", "dns")
        stage.bring_up()
        assert (stage.there.whole, stage.there.faults) == (True, ())

    def test_a_change_elsewhere_leaves_a_fault_on_record(self, stage: Stage) -> None:
        stage.bring_up()
        stage.apply("mta-down", "mx-beta")
        stage.fake.end("labctl-x-mx-beta")
        stage.fake.end("labctl-x-dns")
        assert stage.bring_up() == ["dns started"]
        assert [each.name for each in stage.there.faults] == ["mta-down"]
        assert stage.there.record is not None


class TestSeed:
    def test_a_lab_has_the_seed_that_it_was_given_last(self, stage: Stage) -> None:
        stage.bring_up()
        assert stage.there.seed == ""
        for seed in ("s1", "s2"):
            assert stage.named("x", seed=seed).bring_up() == []
            assert stage.there.seed == seed

    def test_whoever_knows_no_seed_leaves_it(self, stage: Stage) -> None:
        stage.named("x", seed="s1").bring_up()
        stage.fake.calls.clear()
        assert stage.bring_up() == []
        assert changing(stage.fake) == []
        stage.fake.remove_container("labctl-x-dns")
        stage.bring_up()
        assert stage.there.seed == "s1"

    def test_a_lab_without_a_record_has_the_seed_that_it_was_started_with(self, stage: Stage) -> None:
        stage.named("x", seed="s1").bring_up()
        stage.fake.remove_volume("labctl-x")
        assert stage.there.seed == "s1"


class TestTolerance:
    def test_who_carries_a_students_files_and_who_needs_these_may_be_silent(self, stage: Stage) -> None:
        def tolerated(*services: str) -> frozenset[str]:
            given = {(service, "/x"): b"" for service in services}
            return Tolerance.of(replace(stage.planner, handed_in=given)).services

        assert tolerated() == frozenset()
        assert tolerated("mx-beta") == {"mx-beta"}
        assert tolerated("mail-beta") == {"mail-beta", "mx-beta"}
        assert tolerated("dns") == {"dns", "mx-alpha", "mx-beta"}

    @pytest.mark.parametrize("kind", ["busy", "closed"])
    def test_one_that_answers_otherwise_is_noted_and_the_lab_is_there(
        self, stage: Stage, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("labctl.lab.running.patience._ONCE_STARTED", 0.1)
        stage.daemons.instead["mail-beta", 143] = getattr(stage.daemons, kind)
        tolerance = Tolerance(frozenset({"mail-beta", "mx-beta"}), patience=0.01)
        stage.bring_up(tolerance=tolerance)
        assert set(tolerance.unready) == {"mail-beta"}
        assert "port 143" in tolerance.unready["mail-beta"].message
        assert stage.there.whole
        assert stage.bring_up(tolerance=tolerance) == []

    def test_one_that_has_ended_is_noted_with_its_exit_code(self, stage: Stage) -> None:
        stage.fake.hook = ending(stage.fake, "labctl-x-mx-beta")
        tolerance = Tolerance(frozenset({"mx-beta"}))
        stage.bring_up(tolerance=tolerance)
        assert "exited with exit code 1" in tolerance.unready["mx-beta"].message

    @pytest.mark.parametrize("state", ["running", "paused"])
    def test_one_whose_files_change_is_started_anew(self, stage: Stage, state: str) -> None:
        stage.bring_up()
        if state == "paused":
            stage.fake.pause("labctl-x-mail-beta")
        changed = stage.handing_in("mail-beta", "/etc/dovecot/dovecot.conf", b"mine")
        stage.fake.calls.clear()
        changed.bring_up(tolerance=Tolerance.of(changed.planner))
        calls = [each.method for each in stage.fake.calls if each.subject == "labctl-x-mail-beta"]
        assert calls.index("put_files") < calls.index("stop") < calls.index("start")
        assert {each.subject for each in stage.fake.calls if each.method in {"stop", "signal"}} == {
            "labctl-x-mail-beta"
        }
        stage.fake.calls.clear()
        assert changed.bring_up(tolerance=Tolerance.of(changed.planner)) == []
        assert changing(stage.fake) == []

    def test_all_others_have_to_answer(self, stage: Stage) -> None:
        stage.fake.hook = ending(stage.fake, "labctl-x-mx-alpha", "labctl-x-mx-beta")
        with pytest.raises(ServiceNotReady, match="mx-alpha"):
            stage.bring_up(tolerance=Tolerance(frozenset({"mx-beta"})))


class TestAwaitReady:
    def test_one_that_never_answers_as_it_should_is_told_with_what_it_said(self, stage: Stage) -> None:
        stage.daemons.instead["mx-alpha", 25] = stage.daemons.busy
        host = stage.stand().host("mx-alpha")
        stage.fake.say("labctl-x-mx-alpha", *(f"line {n}" for n in range(30)))
        with pytest.raises(ServiceNotReady, match=r"421 4\.3\.2 not now") as caught:
            patience.await_ready(stage.fake, host, ("alpha.test",), within=0.1)
        assert caught.value.detail["log"].splitlines() == [f"line {n}" for n in range(15, 30)]
        assert caught.value.detail["waited"] >= 0.1
        assert caught.value.hint == "labctl logs mx-alpha"

    @pytest.mark.parametrize(
        ("door", "kind", "said"),
        [
            (("mx-alpha", 587), "deaf", "port 587 offers no AUTH"),
            (("mx-alpha", 587), "closed", "port 587"),
            (("mx-alpha", 25), "closed", "port 25"),
            (("mail-alpha", 143), "busy", "port 143: 421"),
            (("mail-alpha", 110), "closed", "port 110"),
            (("dns", 53), "closed", "zone alpha.test"),
        ],
    )
    def test_each_protocol_has_to_answer(
        self, stage: Stage, door: tuple[str, int], kind: str, said: str
    ) -> None:
        stage.daemons.instead[door] = getattr(stage.daemons, kind)
        host = stage.stand().host(door[0])
        with pytest.raises(ServiceNotReady) as caught:
            patience.await_ready(stage.fake, host, ("alpha.test", "beta.test"), within=0.02)
        assert said in caught.value.message

    def test_a_deadline_holds_where_a_daemon_takes_its_time_over_each_answer(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A probe that takes longer than the time between two looks must not stretch the whole wait."""
        asked: list[str] = []

        def slow(host: Host, domains: tuple[str, ...]) -> readiness.Complaint:
            asked.append(f"{host.service} {domains}")
            threading.Event().wait(0.2)
            return readiness.Complaint("nothing yet")

        monkeypatch.setattr(readiness, "complaint", slow)
        monkeypatch.setattr(patience, "_DEAD_CHECK", 0.01)
        with pytest.raises(ServiceNotReady, match="nothing yet"):
            patience.await_ready(stage.fake, stage.stand().host("dns"), (), within=0.3)
        assert len(asked) <= 4

    @pytest.mark.usefixtures("quick")
    @pytest.mark.parametrize(("door", "kind"), [(("mx-alpha", 25), "busy"), (("mx-alpha", 587), "closed")])
    def test_the_definite_answer_of_a_daemon_that_has_started_needs_no_more_patience(
        self, stage: Stage, door: tuple[str, int], kind: str
    ) -> None:
        stage.daemons.instead[door] = getattr(stage.daemons, kind)
        host = stage.stand().host(door[0])
        stage.fake.say(f"labctl-x-{door[0]}", STARTED[door[0]])
        with pytest.raises(ServiceNotReady) as caught:
            patience.await_ready(stage.fake, host, (), within=60, patience=60)
        assert caught.value.detail["waited"] < 30

    @pytest.mark.usefixtures("quick")
    @pytest.mark.parametrize("broken", [True, False])
    def test_a_daemon_that_listens_and_can_not_answer_needs_no_more_patience(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch, *, broken: bool
    ) -> None:
        """It says itself that it can't start who would answer, or what it needs does not answer either."""
        complaining(monkeypatch, "port 25: timed out", final=False)
        host = stage.stand().host("mx-beta")
        if broken:
            said = (
                "postfix/master[1]: warning: /usr/lib/postfix/sbin/smtpd: bad command startup -- throttling"
            )
            stage.fake.say("labctl-x-mx-beta", said)
        with pytest.raises(ServiceNotReady, match="timed out") as caught:
            patience.await_ready(stage.fake, host, (), within=60, patience=60, listening_is_enough=not broken)
        assert caught.value.detail["waited"] < 30

    @pytest.mark.usefixtures("quick")
    @pytest.mark.parametrize(("started", "slow", "least"), [(True, True, 0.2), (False, False, 0.6)])
    def test_a_slow_answer_and_a_silent_daemon_get_the_whole_patience(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch, *, started: bool, slow: bool, least: float
    ) -> None:
        complaining(monkeypatch, "not yet", listens=False, final=not slow)
        host = stage.stand().host("dns")
        if started:
            stage.fake.say("labctl-x-dns", STARTED["dns"])
        with pytest.raises(ServiceNotReady, match="not yet") as caught:
            patience.await_ready(stage.fake, host, (), within=60, patience=0.2)
        assert caught.value.detail["waited"] >= least

    @pytest.mark.usefixtures("quick")
    def test_what_a_daemon_said_before_it_was_started_anew_does_not_count(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        complaining(monkeypatch, "connection refused", listens=False)
        stage.stand()
        stage.fake.say("labctl-x-mx-beta", STARTED["mx-alpha"])
        stage.fake.stop("labctl-x-mx-beta", timeout=0)
        stage.fake.start("labctl-x-mx-beta")
        with pytest.raises(ServiceNotReady, match="connection refused") as caught:
            patience.await_ready(stage.fake, stage.host("mx-beta"), (), within=60, patience=0.2)
        assert caught.value.detail["waited"] >= 0.6

    def test_a_resolver_of_a_lab_without_mail_has_to_answer_too(self, stage: Stage) -> None:
        patience.await_ready(stage.fake, stage.stand().host("dns"), ())
        stage.daemons.instead["dns", 53] = stage.daemons.closed
        stage.fake.end("labctl-x-dns")
        stage.fake.start("labctl-x-dns")
        with pytest.raises(ServiceNotReady, match="port 53"):
            patience.await_ready(stage.fake, stage.host("dns"), (), within=0.02)

    def test_one_on_no_network_is_not_asked_for_by_name(self, stage: Stage) -> None:
        container = stage.stand().host("mx-alpha").running_container()
        host = instance.observed(replace(container, address=None, published=()))
        with pytest.raises(ServiceNotReady, match="mx-alpha is on no network"):
            patience.await_ready(stage.fake, host, ("alpha.test",), within=0.02)


class TestTakeDown:
    def test_everything_of_one_lab_goes_and_nothing_of_another(self, stage: Stage) -> None:
        stage.bring_up()
        stage.named("y").bring_up()
        removed = take_down(stage.fake, "x")
        assert removed == ("labctl-x", *(f"labctl-x-{service}" for service in sorted(SERVICES)))
        assert {each.labels[labels.NAME] for each in stage.fake.containers({})} == {"y"}
        assert stage.named("y").there.whole
        assert [volume.name for volume in stage.fake.volumes({})] == ["labctl-y"]

    def test_faults_stay_on_record_until_nothing_is_left_that_they_changed(self, stage: Stage) -> None:
        stage.stand()
        stage.apply("mx-null", "dns")
        stage.apply("mta-down", "mx-beta")
        stage.fake.calls.clear()
        removed = take_down(stage.fake, "x")
        assert {"labctl-x-fault-mta-down", "labctl-x-fault-mx-null"} <= set(removed)
        assert nothing_left(stage.fake)
        order = [f"{call.method} {call.subject}" for call in stage.fake.calls if "remove" in call.method]
        assert order[0] == "remove_volume labctl-x"
        assert sorted(order[-2:]) == [
            "remove_volume labctl-x-fault-mta-down",
            "remove_volume labctl-x-fault-mx-null",
        ]

    def test_what_a_killed_run_left_is_taken_down_by_the_next(self, stage: Stage) -> None:
        stage.stand()
        stage.apply("mx-null", "dns")
        stage.fake.hook = failing("remove_volume", EngineUnavailable("gone", hint="x"), subject="fault")
        with pytest.raises(EngineUnavailable):
            take_down(stage.fake, "x")
        assert stage.there.exists
        stage.fake.hook = lambda _: None
        assert take_down(stage.fake, "x") == ("labctl-x-fault-mx-null",)
        assert nothing_left(stage.fake)

    def test_where_nothing_is_nothing_is_removed(self, stage: Stage) -> None:
        assert take_down(stage.fake, "x") == ()

    def test_only_labels_are_needed(self, stage: Stage) -> None:
        stage.fake.create_container(_foreign("from-the-future", {labels.NAME: "x", "labctl.new": "thing"}))
        assert take_down(stage.fake, "x") == ("from-the-future",)

    def test_a_network_with_an_endpoint_that_has_just_gone_is_asked_again(self, stage: Stage) -> None:
        stage.bring_up()
        busy = EngineError("network labctl-x has active endpoints", hint="labctl doctor")
        stage.fake.hook = failing("remove_network", busy, times=3)
        assert "labctl-x" in take_down(stage.fake, "x")
        assert nothing_left(stage.fake)

    def test_another_failure_of_a_networks_removal_is_told_at_once(self, stage: Stage) -> None:
        stage.bring_up()
        stage.fake.hook = failing("remove_network", EngineError("permission denied", hint="id"), times=1)
        with pytest.raises(EngineError, match="permission denied"):
            take_down(stage.fake, "x")

    def test_a_label_without_a_value_takes_only_itself_down(self, stage: Stage) -> None:
        stage.bring_up()
        stage.fake.create_container(_foreign("odd", {labels.NAME: ""}))
        assert take_down(stage.fake, "") == ("odd",)
        assert stage.there.whole


def _foreign(name: str, marks: dict[str, str]) -> ContainerSpec:
    subnet = IPv4Network("10.250.0.0/24")
    mac = "02:42:0a:fa:00:05"
    return ContainerSpec(name, "labctl/mta:latest", name, "bridge", subnet[5], mac, labels=marks)
