from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.commands.status import Endpoint, describe_ready, status
from labctl.engine.model import File
from labctl.errors import LabNotUp, UsageError
from labctl.lab import lock
from labctl.lab.running import instance
from labctl.lab.running.instance import HostState, LabState

if TYPE_CHECKING:
    from labctl.commands.status import Status
    from labctl.engine.fake import FakeEngine
    from tests.unit.conftest import Stage
SERVICES = ["dns", "mx-alpha", "mail-alpha", "mx-beta", "mail-beta"]


def look(stage: Stage) -> Status:
    return status(stage.fake, "x")


def test_a_named_lab_that_is_not_there_is_absent(fake: FakeEngine) -> None:
    found = status(fake, "x")
    assert (found.name, found.state, found.hosts, found.endpoints, found.accounts) == (
        "x",
        LabState.ABSENT,
        (),
        (),
        (),
    )


def test_no_lab_and_no_name_is_the_callers_mistake(fake: FakeEngine) -> None:
    with pytest.raises(LabNotUp):
        status(fake, None)
    with pytest.raises(UsageError, match="expected up to 31"):
        status(fake, "No Name")


def test_a_lab_whose_daemons_all_answer_is_ready(stage: Stage) -> None:
    stage.stand()
    found = look(stage)
    assert found.state == LabState.READY
    assert [host.service for host in found.hosts] == SERVICES
    assert {host.state for host in found.hosts} == {HostState.READY}
    assert found == status(stage.fake, None)


def test_it_tells_where_each_protocol_is_spoken(stage: Stage) -> None:
    stage.stand()
    ports = stage.daemons.ports
    assert look(stage).endpoints[:5] == (
        Endpoint("dns", "dns", "127.0.0.1", ports[53]),
        Endpoint("mx-alpha", "smtp", "127.0.0.1", ports[25]),
        Endpoint("mx-alpha", "submission", "127.0.0.1", ports[587]),
        Endpoint("mail-alpha", "imap", "127.0.0.1", ports[143]),
        Endpoint("mail-alpha", "pop3", "127.0.0.1", ports[110]),
    )


def test_it_tells_the_accounts(stage: Stage) -> None:
    stage.stand()
    assert [(each.address, each.password) for each in look(stage).accounts] == [
        ("alice@alpha.test", "alice"),
        ("amy@alpha.test", "amy"),
        ("bob@beta.test", "bob"),
        ("bea@beta.test", "bea"),
    ]


def test_a_daemon_that_does_not_answer_degrades_its_lab(stage: Stage) -> None:
    stage.daemons.instead["mx-beta", 587] = stage.daemons.deaf
    stage.stand()
    found = look(stage)
    assert found.state == LabState.DEGRADED
    assert {host.service for host in found.hosts if host.state != HostState.READY} == {"mx-beta"}


def test_while_a_labctl_is_at_work_a_lab_that_does_not_answer_yet_is_starting(stage: Stage) -> None:
    stage.daemons.instead["mx-beta", 587] = stage.daemons.closed
    stage.stand()
    with lock.held(stage.fake, "x"):
        assert look(stage).state == LabState.STARTING
    with lock.held(stage.fake, "another"):
        assert look(stage).state == LabState.DEGRADED


def test_a_lab_that_answers_is_ready_even_while_a_labctl_is_at_work(stage: Stage) -> None:
    stage.stand()
    with lock.held(stage.fake, "x"):
        assert look(stage).state == LabState.READY


def test_a_lab_whose_hosts_are_all_stopped_is_stopped(stage: Stage) -> None:
    for host in stage.stand().hosts:
        stage.fake.end(host.running_container().name)
    found = look(stage)
    assert found.state == LabState.STOPPED
    assert found.endpoints == ()
    assert len(found.accounts) == 4


@pytest.mark.parametrize(
    ("what", "state"),
    [("end", HostState.STOPPED), ("pause", HostState.PAUSED), ("remove_container", HostState.ABSENT)],
)
def test_one_host_that_is_not_up_degrades_its_lab_and_has_no_endpoint(
    stage: Stage, what: str, state: HostState
) -> None:
    stage.stand()
    getattr(stage.fake, what)("labctl-x-mail-beta")
    found = look(stage)
    assert found.state == LabState.DEGRADED
    host = next(each for each in found.hosts if each.service == "mail-beta")
    assert (host.state, host.name, host.domain) == (state, "mail.beta.test", "beta.test")
    assert host.container == (None if state == HostState.ABSENT else "labctl-x-mail-beta")
    assert "mail-beta" not in {each.service for each in found.endpoints}


def test_what_a_killed_labctl_left_can_be_looked_at(stage: Stage) -> None:
    """Containers without files, and no record: no reason for an error."""
    plan = stage.planner.on(stage.stand().network.subnets[0])  # type: ignore[union-attr]
    stage.fake.remove_volume("labctl-x")
    for host in plan.hosts:
        stage.fake.remove_container(host.container.name)
        stage.fake.create_container(host.container)
    found = look(stage)
    assert (found.state, found.accounts) == (LabState.STOPPED, ())


def test_a_users_file_that_a_student_broke_can_be_looked_at(stage: Stage) -> None:
    stage.stand()
    stage.fake.remove_volume("labctl-x")
    stage.fake.put_files("labctl-x-mail-beta", [File("/etc/dovecot/users", b"\xff\0:::\n:\nbob\n")])
    assert [each.address for each in look(stage).accounts][:2] == ["alice@alpha.test", "amy@alpha.test"]


def test_what_has_just_answered_is_not_asked_again(stage: Stage) -> None:
    stage.daemons.instead["mx-beta", 25] = stage.daemons.closed
    there = stage.stand()
    assert describe_ready(stage.fake, there).state == LabState.READY
    assert describe_ready(stage.fake, instance.observe(stage.fake, "none")).state == LabState.ABSENT


def states(found: Status) -> dict[str, HostState]:
    return {host.service: host.state for host in found.hosts}


def test_applied_faults_are_named_in_order(stage: Stage) -> None:
    stage.stand()
    stage.apply("refuse", "mx-beta")
    stage.apply("mx-null", "dns")
    found = look(stage)
    assert found.faults == ("mx-null", "refuse")
    assert found.state == LabState.READY  # and answers as it should, as far as that goes


def test_a_faulted_host_that_does_not_answer_is_faulty_and_degrades_its_lab(stage: Stage) -> None:
    stage.daemons.instead["mx-beta", 25] = stage.daemons.busy
    stage.stand()
    stage.apply("refuse", "mx-beta")
    with lock.held(stage.fake, "x"):  # whoever has applied it may be at work still
        found = look(stage)
    assert found.state == LabState.DEGRADED
    assert states(found)["mx-beta"] == HostState.FAULTY
    assert {each.service for each in found.endpoints} == set(SERVICES)


def test_an_mta_whose_mda_is_faulted_is_faulty_where_it_does_not_answer(stage: Stage) -> None:
    stage.daemons.instead["mx-beta", 587] = stage.daemons.deaf
    stage.daemons.instead["mx-alpha", 587] = stage.daemons.deaf
    stage.stand()
    stage.apply("mda-down", "mail-beta")
    stage.fake.end("labctl-x-mail-beta")
    found = states(look(stage))
    assert (found["mx-beta"], found["mail-beta"]) == (HostState.FAULTY, HostState.STOPPED)
    assert found["mx-alpha"] == HostState.STARTING


def test_what_a_fault_affects_is_asked_even_where_all_else_has_just_answered(stage: Stage) -> None:
    stage.daemons.instead["mx-beta", 25] = stage.daemons.closed
    stage.daemons.instead["mx-alpha", 25] = stage.daemons.closed
    stage.stand()
    stage.apply("refuse", "mx-beta")
    found = describe_ready(stage.fake, instance.observe(stage.fake, "x"))
    assert states(found) == {
        **dict.fromkeys(SERVICES, HostState.READY),
        "mx-beta": HostState.FAULTY,
    }
