"""What waits in the queues, at one look and at many."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from labctl.commands.queue import queues, watch
from labctl.engine.model import Container, ExecResult
from labctl.errors import EngineError, LabNotUp, NoSuchHost, ServiceCommandFailed
from labctl.lab.running.instance import HostState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.unit.conftest import Stage

A, B, C = (f"4dG7xR0Lz9z1{letter}" for letter in "BCD")
ARRIVED = datetime(2026, 1, 1, tzinfo=UTC)
TAKEN_UP = (
    "Jan  1 00:00:00 mx postfix/qmgr[14]: {}: from=<alice@alpha.test>, size=300, nrcpt=1 (queue active)"
)


def listed(queue_id: str, after: int = 0, queue_name: str = "deferred") -> dict[str, Any]:
    """One message of postqueue(1)'s."""
    return {
        "queue_name": queue_name,
        "queue_id": queue_id,
        "arrival_time": int(ARRIVED.timestamp()) + after,
        "message_size": 300,
        "forced_expire": False,
        "sender": "alice@alpha.test",
        "recipients": [{"address": "bob@beta.test", "delay_reason": "Connection refused"}],
    }


def shown(*messages: dict[str, Any]) -> ExecResult:
    """What a host's shell says of its queue; each deferred message is due 5 s after it came."""
    if not messages:
        return ExecResult(0, b"", b"")
    due = "".join(
        f"{each['queue_id']} {each['arrival_time'] + 5}.0000000000\n"
        for each in messages
        if each["queue_name"] == "deferred"
    )
    headers = "".join(
        f"*** MESSAGE CONTENTS deferred/4/{each['queue_id']} ***\nMessage-ID: <{each['queue_id']}@a.test>\n"
        for each in messages
    )
    lines = "\n".join(json.dumps(each) for each in messages)
    return ExecResult(0, f"{lines}\n--\n{due}--\n{headers}".encode(), b"")


def waiting(up: Stage, *messages: dict[str, Any]) -> None:
    """Let these wait at mx-alpha."""

    def answer(where: Container, _: Sequence[str]) -> ExecResult:
        return shown(*messages) if where.name == "labctl-x-mx-alpha" else shown()

    up.fake.answer = answer


def test_every_mtas_queue_is_told_the_oldest_message_first(up: Stage) -> None:
    waiting(up, listed(B, 7), listed(A, 9, "active"), listed(C))
    alpha, beta = queues(up.fake, None).hosts
    assert (alpha.host, alpha.state) == ("mx.alpha.test", HostState.READY)
    assert [(each.queue_id, each.message_id) for each in alpha.messages] == [
        (queue_id, f"<{queue_id}@a.test>") for queue_id in (C, B, A)
    ]
    assert (beta.host, beta.state, beta.messages) == ("mx.beta.test", HostState.READY, ())


def test_a_queue_is_told_by_one_command_in_its_host(up: Stage) -> None:
    waiting(up, listed(A), listed(B))
    up.fake.calls.clear()
    queues(up.fake, None, "mx-alpha")
    assert [call.method for call in up.fake.calls].count("execute") == 1


@pytest.mark.parametrize(("attempts", "wait"), [(1, 300), (2, 300), (3, 600), (4, 1200), (0, None)])
def test_a_deferred_message_waits_in_the_real_world_as_long_as_its_attempts_make_it(
    up: Stage, attempts: int, wait: float | None
) -> None:
    waiting(up, listed(A), listed(B, queue_name="active"))
    up.fake.say("labctl-x-mx-alpha", TAKEN_UP.format(A), at=ARRIVED - timedelta(days=1))  # another file
    for _ in range(attempts):
        up.fake.say("labctl-x-mx-alpha", TAKEN_UP.format(A), at=ARRIVED + timedelta(seconds=1))
    up.fake.say("labctl-x-mx-alpha", TAKEN_UP.format(B), f"qmgr: {A}: (queue active)", at=ARRIVED)
    deferred, active = queues(up.fake, None, "mx-alpha").hosts[0].messages
    assert (deferred.next_try_at, deferred.real_wait) == (ARRIVED + timedelta(seconds=4), wait)
    assert (active.next_try_at, active.real_wait) == (None, None)


@pytest.mark.parametrize(
    ("what", "state"),
    [("end", HostState.STOPPED), ("pause", HostState.PAUSED), ("remove_container", HostState.ABSENT)],
)
def test_of_an_mta_that_does_not_run_its_state_is_told(up: Stage, what: str, state: HostState) -> None:
    waiting(up, listed(A))
    getattr(up.fake, what)("labctl-x-mx-beta")
    found = {each.service: each for each in queues(up.fake, None).hosts}
    assert (found["mx-beta"].state, found["mx-beta"].messages) == (state, ())
    assert len(found["mx-alpha"].messages) == 1


def test_an_mta_that_is_stopped_while_one_looks_is_a_stopped_one(up: Stage) -> None:
    def answer(where: Container, _: Sequence[str]) -> ExecResult:
        if where.name == "labctl-x-mx-beta":
            up.fake.end(where.name)
            raise EngineError("container is not running", hint="labctl status")
        return shown()

    up.fake.answer = answer
    assert [each.state for each in queues(up.fake, None).hosts] == [HostState.READY, HostState.STOPPED]


def test_a_host_without_a_queue_is_told(up: Stage) -> None:
    with pytest.raises(NoSuchHost, match="dns has no mail queue; the MTAs are mx-alpha, mx-beta"):
        queues(up.fake, None, "dns")


def test_a_queue_that_can_not_be_read_is_told_with_postfixs_words(up: Stage) -> None:
    up.fake.answer = lambda *_: ExecResult(69, b"", b"postqueue: fatal: Queue report unavailable\n")
    with pytest.raises(ServiceCommandFailed, match="ended with 69: postqueue: fatal"):
        queues(up.fake, None)


@pytest.fixture
def seen(up: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[list[str]]]]:
    """Return a function that gives what the next look of a watch sees: each host's state and messages."""
    monkeypatch.setattr("labctl.commands.queue._TICK", 0.2)
    looks = watch(up.fake, None)

    def look() -> list[list[str]]:
        return [[each.state, *(m.queue_id for m in each.messages)] for each in next(looks).hosts]

    yield look
    looks.close()


def test_a_watch_looks_again_as_soon_as_a_daemon_has_said_something(
    up: Stage, seen: Callable[[], list[list[str]]]
) -> None:
    waiting(up)
    assert seen() == [["ready"], ["ready"]]
    waiting(up, listed(A))
    up.fake.say("labctl-x-mx-alpha", TAKEN_UP.format(A))
    assert seen() == [["ready", A], ["ready"]]


def test_a_watch_sees_hosts_stop_and_start_though_nobody_says_so(
    up: Stage, seen: Callable[[], list[list[str]]]
) -> None:
    waiting(up, listed(A))
    assert seen() == [["ready", A], ["ready"]]
    up.fake.end("labctl-x-mx-alpha")
    up.fake.end("labctl-x-mx-beta")
    assert seen() == [["stopped"], ["stopped"]]
    up.fake.start("labctl-x-mx-alpha")
    assert seen() == [["ready", A], ["stopped"]]
    waiting(up)
    up.fake.say("labctl-x-mx-alpha", TAKEN_UP.format(A))
    assert seen() == [["ready"], ["stopped"]]


def test_a_watch_ends_when_its_lab_is_gone(up: Stage, seen: Callable[[], list[list[str]]]) -> None:
    waiting(up)
    seen()
    for each in up.fake.containers({}):
        up.fake.remove_container(each.name)
    for network in up.fake.networks({}):
        up.fake.remove_network(network.name)
    for volume in up.fake.volumes({}):
        up.fake.remove_volume(volume.name)
    with pytest.raises(LabNotUp, match="no lab 'x' is up"):
        seen()
