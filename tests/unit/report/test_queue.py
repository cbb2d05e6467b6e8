"""The queues as people read them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from labctl.lab.running.instance import HostState
from labctl.mail.queue import QueuedRecipient, QueueName
from labctl.report.layout.wrap import columns
from labctl.report.queue import queue
from tests.unit.report.conftest import NOON

if TYPE_CHECKING:
    from labctl.commands.queue import Queues
    from labctl.mail.queue import QueuedMessage


def only(result: Queues, *messages: QueuedMessage) -> Queues:
    """Return a result with these messages on one host."""
    return replace(result, hosts=(replace(result.hosts[0], messages=messages),))


def next_try(result: Queues, message: QueuedMessage, **changes: Any) -> str:
    """Return what is said of a message's next try."""
    head, row = queue(only(result, replace(message, **changes))).splitlines()[1:3]
    return row[head.index("NEXT TRY") : head.index("FROM")].strip()


def test_a_table_shows_who_waits_how_long_until_when_and_why(queues: Queues) -> None:
    assert queue(queues).splitlines() == [
        "mx.alpha.test (mx-alpha): 2 messages (1 deferred, 1 active), the oldest 3 s",
        "QUEUE ID  QUEUE     AGE  NEXT TRY         FROM              TO",
        "4bXy1z    deferred  3 s  in 2 s (10 min)  alice@alpha.test  bob@beta.test",
        "  | and to bea@beta.test",
        "  | connect to mx.beta.test[203.0.113.20]:25: Connection refused",
        "4bXy2z    active    3 s  now              <>                bob@beta.test",
        "",
        "mx.beta.test (mx-beta) is stopped: its queue can't be looked into.",
        "",
        "mx.gamma.test (mx-gamma): the queue is empty.",
        "",
        "In brackets: from the last try to the next one in the real world.",
    ]


def test_queues_that_are_empty_are_told_in_a_line_each(queues: Queues) -> None:
    said = queue(replace(queues, hosts=queues.hosts[1:]))
    assert said.splitlines() == [
        "mx.beta.test (mx-beta) is stopped: its queue can't be looked into.",
        "mx.gamma.test (mx-gamma): the queue is empty.",
    ]
    assert queue(replace(queues, hosts=())) == "This lab has no MTA, and so no queue."


def test_the_next_try_of_a_message_is_told_by_its_queue(queues: Queues) -> None:
    deferred, active = queues.hosts[0].messages
    assert next_try(queues, active) == "now"
    assert next_try(queues, active, queue_name="incoming") == "now"
    assert next_try(queues, active, queue_name="hold") == "never by itself"
    assert next_try(queues, deferred, next_try_at=None, real_wait=None) == "not known"
    assert next_try(queues, deferred, next_try_at=NOON, real_wait=None) == "any moment"
    assert next_try(queues, deferred, next_try_at=NOON + timedelta(hours=1, seconds=3)) == "in 1 h (10 min)"


def test_what_an_operator_has_given_up_is_told(queues: Queues) -> None:
    deferred, _ = queues.hosts[0].messages
    assert "given up at the next try" not in queue(only(queues, deferred))
    assert "given up at the next try" in queue(only(queues, replace(deferred, forced_expire=True)))


def test_each_reason_stands_below_those_who_wait_for_it(queues: Queues) -> None:
    deferred, _ = queues.hosts[0].messages
    recipients = (
        QueuedRecipient("bob@beta.test", "450 4.2.0 greylisted"),
        QueuedRecipient("bea@beta.test", "connection refused"),
        QueuedRecipient("ben@beta.test", "450 4.2.0 greylisted"),
        QueuedRecipient("bill@beta.test", None),
    )
    said = queue(only(queues, replace(deferred, recipients=recipients))).splitlines()
    assert said[2].endswith("bob@beta.test")
    assert said[3:8] == [
        "  | and to ben@beta.test",
        "  | 450 4.2.0 greylisted",
        "  | to bea@beta.test",
        "  | connection refused",
        "  | to bill@beta.test",
    ]


def test_of_many_recipients_some_are_named_and_the_others_counted(queues: Queues) -> None:
    deferred, _ = queues.hosts[0].messages
    recipients = tuple(QueuedRecipient(f"user{n}@beta.test", "full") for n in range(1000))
    said = queue(only(queues, replace(deferred, recipients=recipients)))
    assert "and 994 more" in said
    assert len(said.splitlines()) < 10


@pytest.mark.parametrize("width", [30, 60, 80])
def test_no_line_is_wider_than_there_is_room_and_no_reason_is_cut(queues: Queues, width: int) -> None:
    deferred, active = queues.hosts[0].messages
    words = [f"word{n}" for n in range(60)] + ["x" * 200, "郵便" * 40]
    long = replace(
        deferred,
        sender="somebody-with-a-long-name@department.of.a.big.organisation.test",
        recipients=(QueuedRecipient("bob@beta.test", " ".join(words)),),
        real_wait=None,
    )
    said = queue(only(queues, long, active), width).splitlines()[1:]
    head, _ = said[:2]
    assert head.split() == ["QUEUE", "ID", "QUEUE", "AGE", "NEXT", "TRY"]
    assert max(columns(line) for line in said[2:]) <= width
    together = "".join("".join(each.removeprefix("  | ") for each in said).split())
    for each in (*words, long.sender):
        assert each in together


def test_totals_are_told_of_each_host_and_of_all(queues: Queues) -> None:
    alpha, _, gamma = queues.hosts
    said = queue(replace(queues, hosts=(alpha, replace(gamma, messages=alpha.messages[:1]))))
    assert "mx.gamma.test (mx-gamma): 1 message (1 deferred)\n" in said
    assert "In all queues: 3 messages (2 deferred, 1 active), the oldest 3 s" in said


def test_an_old_message_leaves_room_for_the_rest_of_its_row(queues: Queues) -> None:
    held = replace(
        queues.hosts[0].messages[1], queue_name=QueueName.HOLD, arrival_time=NOON - timedelta(hours=30)
    )
    said = queue(only(queues, held, held)).splitlines()
    assert said[0].endswith("2 messages (2 hold), the oldest 1 day")
    assert said[2] == "4bXy2z    hold   1 day  never by itself  <>    bob@beta.test"


def test_a_paused_host_is_no_empty_one(queues: Queues) -> None:
    paused = replace(queues.hosts[1], state=HostState.PAUSED)
    assert queue(replace(queues, hosts=(paused,))).startswith("mx.beta.test (mx-beta) is paused")
