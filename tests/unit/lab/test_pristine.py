from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.engine.model import ContainerState, File
from labctl.lab.running import pristine
from labctl.progress import Progress, silent

if TYPE_CHECKING:
    from tests.unit.conftest import Stage

SERVICES = ["dns", "mx-alpha", "mail-alpha", "mx-beta", "mail-beta"]
ZONE = "/etc/coredns/zones/beta.test.zone"


@pytest.fixture
def up(stage: Stage) -> Stage:
    stage.bring_up()
    stage.fake.calls.clear()
    return stage


def restore(up: Stage, progress: Progress = silent) -> list[str]:
    restored = pristine.restore(up.fake, up.there, lambda: up.planner, progress)
    return [str(change) for change in restored.changes]


def called(up: Stage, method: str) -> list[str]:
    return [call.subject.split(" ")[0] for call in up.fake.calls if call.method == method]


def test_a_lab_that_was_only_used_is_emptied_in_place(up: Stage) -> None:
    before = {each.id for each in up.fake.containers({})}
    assert restore(up) == []
    assert sorted(called(up, "execute")) == sorted(f"labctl-x-{service}" for service in SERVICES)
    assert {each.id for each in up.fake.containers({})} == before
    assert called(up, "put_files") == called(up, "signal") == []


def test_mailboxes_are_emptied_again_behind_mail_that_came_in_meanwhile(up: Stage) -> None:
    up.inside.told["labctl-x-mx-beta"] = ["", "again"]
    up.inside.changed["labctl-x-mail-alpha"] = ["/etc/passwd"]
    assert restore(up) == ["mail-alpha recreated (/etc/passwd was changed: its mailboxes are lost)"]
    assert called(up, "execute").count("labctl-x-mail-beta") == 3


def test_a_lab_that_is_as_it_should_be_is_compared_once_and_asked_once(up: Stage) -> None:
    restore(up)
    methods = [call.method for call in up.fake.calls]
    assert {each: methods.count(each) for each in ("containers", "networks", "volumes", "inspect")} == {
        "containers": 1,
        "networks": 1,
        "volumes": 1,
        "inspect": 0,
    }


def test_a_host_that_a_fault_changed_is_made_anew_and_the_fault_is_over(up: Stage) -> None:
    up.apply("mx-null", "dns")
    assert restore(up) == ["dns recreated (a fault was applied, mx-null: nothing is lost)"]
    assert up.there.faults == ()


def test_a_host_that_a_fault_stopped_is_made_anew(up: Stage) -> None:
    up.apply("mta-down", "mx-beta")
    up.fake.end("labctl-x-mx-beta")
    assert restore(up) == ["mx-beta recreated (a fault was applied, mta-down: its mail queue is lost)"]
    assert up.there.host("mx-beta").running


def test_a_file_of_the_labs_that_was_edited_is_written_again(up: Stage) -> None:
    original = up.fake.get_file("labctl-x-dns", ZONE)
    up.fake.put_files("labctl-x-dns", [File(ZONE, b"; spoiled\n")])
    up.inside.changed["labctl-x-dns"] = [ZONE]
    up.fake.calls.clear()
    assert restore(up) == []
    assert up.fake.get_file("labctl-x-dns", ZONE) == original
    assert called(up, "put_files") == called(up, "signal") == ["labctl-x-dns"]


@pytest.mark.parametrize("path", ["/etc/passwd", "/root/notes", "/opt/new", "/etc/coredns/zones/extra.zone"])
def test_a_host_where_a_person_changed_something_else_is_made_anew(up: Stage, path: str) -> None:
    before = up.fake.inspect("labctl-x-dns").id
    up.inside.changed["labctl-x-dns"] = [path]
    assert restore(up) == [f"dns recreated ({path} was changed: nothing is lost)"]
    assert up.fake.inspect("labctl-x-dns").id != before
    assert called(up, "remove_container") == ["labctl-x-dns"]


def test_what_the_engine_or_a_shell_writes_is_no_change(up: Stage) -> None:
    up.inside.changed["labctl-x-dns"] = ["/etc/hosts", "/etc/resolv.conf", "/root/.bash_history", ZONE]
    assert restore(up) == []


@pytest.mark.parametrize(
    ("service", "lost"),
    [
        ("mx-beta", "its mail queue is lost"),
        ("mail-beta", "its mailboxes are lost"),
        ("dns", "nothing is lost"),
    ],
)
@pytest.mark.parametrize("state", [ContainerState.PAUSED, ContainerState.EXITED])
def test_a_host_that_does_not_run_is_made_anew_since_it_can_not_be_emptied(
    up: Stage, service: str, lost: str, state: ContainerState
) -> None:
    if state == ContainerState.PAUSED:
        up.fake.pause(f"labctl-x-{service}")
    else:
        up.fake.end(f"labctl-x-{service}", 1)
    before = up.fake.inspect(f"labctl-x-{service}").id
    assert restore(up) == [f"{service} recreated (it was {state}: {lost})"]
    assert up.fake.inspect(f"labctl-x-{service}").id != before
    assert up.fake.inspect(f"labctl-x-{service}").state == ContainerState.RUNNING


@pytest.mark.parametrize(
    ("service", "port", "said"),
    [("mx-beta", 587, "port 587"), ("mail-beta", 143, "port 143"), ("dns", 53, "zone alpha.test")],
)
def test_a_host_that_runs_and_does_not_answer_is_made_anew(
    up: Stage, service: str, port: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pristine, "_ANSWERS_WITHIN", 0.02)
    name = f"labctl-x-{service}"
    up.fake.end(name)
    up.daemons.instead[service, port] = up.daemons.closed
    up.fake.start(name)
    up.daemons.instead.clear()  # for the container that takes its place
    (change,) = restore(up)
    assert change.startswith(f"{service} recreated (it did not answer, {said}")
    assert up.there.host(service).running


def test_a_host_that_was_lost_is_made(up: Stage) -> None:
    up.fake.remove_container("labctl-x-mx-alpha")
    assert restore(up) == ["mx-alpha created"]


def test_after_a_reset_everything_is_as_planned(up: Stage) -> None:
    up.inside.changed["labctl-x-mx-alpha"] = ["/etc/passwd"]
    up.fake.pause("labctl-x-mail-beta")
    up.fake.remove_container("labctl-x-dns")
    restore(up)
    up.inside.changed.clear()
    assert up.bring_up() == []
    assert up.there.whole


def test_a_lab_that_is_not_there_at_all_is_made(stage: Stage) -> None:
    changes = restore(stage)
    assert len(changes) == 6
    assert stage.there.whole


def test_a_host_that_can_not_be_emptied_is_made_anew_and_told_with_its_own_words(up: Stage) -> None:
    up.inside.failed["labctl-x-mx-beta"] = "labctl: mail still comes in faster than it can be removed\n"
    [change] = restore(up)
    assert change.startswith("mx-beta recreated (it could not be emptied, labctl: mail still comes in faster")


def test_a_container_that_was_never_started_has_nothing_to_empty(stage: Stage) -> None:
    stage.stand()
    stage.renew("dns")
    changes = restore(stage)
    assert changes == ["dns started"]


def test_it_tells_what_it_does(up: Stage) -> None:
    told: list[tuple[str, str]] = []
    restore(up, lambda subject, state: told.append((subject, state)))
    assert {subject for subject, state in told if state == "emptied"} == set(SERVICES)
