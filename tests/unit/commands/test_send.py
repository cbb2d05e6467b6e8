from __future__ import annotations

from email import message_from_bytes
from typing import TYPE_CHECKING

import pytest

from labctl.commands.send import Letter, Sent, send
from labctl.errors import LabNotUp, NoSuchAccount, ServiceCommandFailed, UsageError
from labctl.mail.state import MessageState

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import Stage

QUEUE_ID = "4dG7xR0Lz9z1Q"
TO_BOB = (
    f"Nov 24 04:06:15 mx postfix/smtp[595]: {QUEUE_ID}: to=<bob@beta.test>, "
    "relay=mx.beta.test[203.0.113.20]:25, delay=0.04, delays=0.01/0.01/0.02/0.01"
)


def post(
    up: Stage, to: str = "bob@beta.test", *, wait: MessageState | None = None, timeout: float = 20
) -> Sent:
    return send(up.fake, None, "alice@alpha.test", (to,), Letter(), wait=wait, timeout=timeout)


def test_a_letter_is_taken_and_named(up: Stage) -> None:
    found = post(up)
    assert (found.queue_id, found.state, found.waited_for) == (QUEUE_ID, MessageState.QUEUED, None)
    assert (found.from_, found.to) == ("alice@alpha.test", ("bob@beta.test",))
    assert found.message_id.startswith("<")
    assert found.message_id.endswith("@alpha.test>")
    assert found.accepted_at is not None
    assert found.as_wished


def test_no_log_is_read_where_nothing_is_waited_for(up: Stage) -> None:
    up.fake.calls.clear()
    post(up)
    assert "logs" not in {call.method for call in up.fake.calls}


def test_it_is_watched_from_before_it_was_taken(up: Stage) -> None:
    """What the daemons say between the server's yes and labctl's next look is not missed."""
    sent_on = f"{TO_BOB}, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4dG7xS1Mz9z2R)"
    up.daemons.taken.append(lambda: up.fake.say("labctl-x-mx-alpha", sent_on))
    found = post(up, wait=MessageState.RELAYED)
    assert (found.state, found.waited_for, found.as_wished) == (
        MessageState.RELAYED,
        MessageState.RELAYED,
        True,
    )
    assert found.recipients[0].dsn == "2.0.0"


def test_another_final_state_ends_the_waiting(up: Stage) -> None:
    bounced = f"{TO_BOB}, dsn=5.1.1, status=bounced (550 5.1.1 no such user)"
    up.daemons.taken.append(lambda: up.fake.say("labctl-x-mx-alpha", bounced))
    found = post(up, wait=MessageState.DELIVERED, timeout=30)
    assert (found.state, found.as_wished) == (MessageState.BOUNCED, False)


def test_the_waiting_ends_at_its_time(up: Stage) -> None:
    found = post(up, wait=MessageState.DELIVERED, timeout=0.05)
    assert found.waited_for == MessageState.DELIVERED
    assert not found.as_wished


def test_the_waiting_ends_where_all_logs_do(up: Stage) -> None:
    def end() -> None:
        for service in ("mx-alpha", "mx-beta"):
            up.fake.end(f"labctl-x-{service}")

    up.daemons.taken.append(end)
    assert not post(up, wait=MessageState.DELIVERED, timeout=30).as_wished


@pytest.mark.parametrize("address", ["nobody@alpha.test", "alice@beta.test", "alice@gamma.test"])
def test_a_sender_without_an_account_is_told_with_those_there_are(up: Stage, address: str) -> None:
    with pytest.raises(NoSuchAccount, match=r"it has alice@alpha\.test, amy@alpha\.test, bob") as caught:
        send(up.fake, None, address, ("bob@beta.test",), Letter())
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("address", ["", "alice", "@alpha.test", "alice@", "a b@alpha.test", "a@alpha..test"])
def test_a_malformed_address_is_told_before_anything_is_done(up: Stage, address: str) -> None:
    up.fake.calls.clear()
    with pytest.raises(UsageError):
        send(up.fake, None, address, ("bob@beta.test",), Letter())
    with pytest.raises(UsageError):
        send(up.fake, None, "alice@alpha.test", ("bob@beta.test", address), Letter())
    assert up.fake.calls == []


def test_an_mta_that_does_not_run_is_told(up: Stage) -> None:
    up.fake.end("labctl-x-mx-alpha")
    with pytest.raises(LabNotUp, match=r"mx-alpha \(mx\.alpha\.test\) is stopped"):
        post(up)


def test_an_mta_that_was_lost_is_told(up: Stage) -> None:
    up.fake.remove_container("labctl-x-mx-alpha")
    with pytest.raises(LabNotUp, match="is absent"):
        post(up)


def test_a_server_that_does_not_answer_is_told(stage: Stage) -> None:
    stage.daemons.instead["mx-alpha", 587] = stage.daemons.closed
    stage.stand()
    with pytest.raises(ServiceCommandFailed, match="connection refused"):
        post(stage)


def test_without_a_lab_nothing_can_be_sent(stage: Stage) -> None:
    with pytest.raises(LabNotUp):
        post(stage)


def test_a_file_is_sent_with_its_own_message_id(up: Stage, tmp_path: Path) -> None:
    path = tmp_path / "letter.eml"
    path.write_bytes(b"From: alice@alpha.test\r\nMessage-ID: <mine@alpha.test>\r\n\r\nHello.\r\n")
    found = send(up.fake, None, "alice@alpha.test", ("bob@beta.test",), Letter(file=path))
    assert found.message_id == "<mine@alpha.test>"
    assert message_from_bytes(path.read_bytes())["Message-ID"] == found.message_id


def test_a_file_that_can_not_be_read_is_told(up: Stage, tmp_path: Path) -> None:
    for path in (tmp_path / "none.eml", tmp_path):
        with pytest.raises(UsageError, match="message file"):
            send(up.fake, None, "alice@alpha.test", ("bob@beta.test",), Letter(file=path))
