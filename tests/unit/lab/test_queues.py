from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from labctl.engine.model import ExecResult
from labctl.errors import LabNotUp, ServiceCommandFailed
from labctl.lab.inside.queues import read_queue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.engine.model import Container
    from labctl.lab.running.instance import Host
    from tests.unit.conftest import Stage

IDS = [f"4dG7xR0Lz9z1{letter}" for letter in "BCD"]


@pytest.fixture
def host(stage: Stage) -> Host:
    return stage.stand().host("mx-alpha")


def listed(queue_id: str) -> str:
    """One line of postqueue(1)'s."""
    return json.dumps(
        {
            "queue_name": "deferred",
            "queue_id": queue_id,
            "arrival_time": 1795525200,
            "message_size": 600,
            "forced_expire": False,
            "sender": "alice@alpha.test",
            "recipients": [{"address": "bob@beta.test", "delay_reason": "connection refused"}],
        }
    )


def headers(queue_id: str) -> str:
    """The headers of one message, as ``postcat -qeh`` writes them."""
    return (
        f"*** ENVELOPE RECORDS deferred/4/{queue_id} ***\n"
        "sender: alice@alpha.test\n"
        f"*** MESSAGE CONTENTS deferred/4/{queue_id} ***\n"
        f"Message-ID: <{queue_id}@alpha.test>\n"
        f"*** HEADER EXTRACTED deferred/4/{queue_id} ***\n"
    )


def test_each_message_has_its_message_id_but_those_that_left_meanwhile(stage: Stage, host: Host) -> None:
    def answer(container: Container, argv: Sequence[str]) -> ExecResult:
        assert container.name == "labctl-x-mx-alpha"
        wanted = IDS if argv[0] == "sh" else [each for each in argv if each in IDS]
        told = wanted[: wanted.index(IDS[1])] if IDS[1] in wanted else wanted  # it ends at one that is gone
        said = "".join(map(headers, told))
        if argv[0] == "sh":
            said = "\n".join([*map(listed, IDS), "--", f"{IDS[0]} 1795525210.0000000000", "--", said])
        return ExecResult(0, said.encode(), b"")

    stage.fake.answer = answer
    assert {each.queue_id: each.message_id for each in read_queue(stage.fake, host)} == {
        IDS[0]: f"<{IDS[0]}@alpha.test>",
        IDS[1]: None,
        IDS[2]: f"<{IDS[2]}@alpha.test>",
    }


def test_a_deferred_message_is_due_when_its_file_says_or_its_due_time_is_not_known(
    stage: Stage, host: Host
) -> None:
    said = "\n".join([*map(listed, IDS), "--", f"{IDS[0]} 1795525210.0000000000", "--", *map(headers, IDS)])
    stage.fake.answer = lambda *_: ExecResult(0, said.encode(), b"")
    assert {each.queue_id: each.next_try_at for each in read_queue(stage.fake, host)} == {
        IDS[0]: datetime.fromtimestamp(1795525209, UTC),
        IDS[1]: None,
        IDS[2]: None,
    }


def test_a_queue_without_deferred_messages_has_none_that_is_due(stage: Stage, host: Host) -> None:
    said = "\n".join([listed(IDS[0]).replace("deferred", "hold"), "--", "--", headers(IDS[0])])
    stage.fake.answer = lambda *_: ExecResult(0, said.encode(), b"")
    [held] = read_queue(stage.fake, host)
    assert (held.message_id, held.next_try_at) == (f"<{IDS[0]}@alpha.test>", None)


def test_a_queue_that_can_not_be_read_is_told(stage: Stage, host: Host) -> None:
    stage.fake.answer = lambda *_: ExecResult(69, b"", b"postqueue: fatal: Queue report unavailable\n")
    with pytest.raises(ServiceCommandFailed, match=r"mx\.alpha\.test ended with 69: .*unavailable"):
        read_queue(stage.fake, host)


@pytest.mark.usefixtures("host")
def test_a_host_that_does_not_run_has_no_queue_to_read(stage: Stage) -> None:
    stage.fake.end("labctl-x-mx-alpha")
    with pytest.raises(LabNotUp, match="mx-alpha"):
        read_queue(stage.fake, stage.host("mx-alpha"))
