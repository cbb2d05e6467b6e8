from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.mail.log.delivery import DeliveryTracker, RecipientState
from labctl.mail.log.journal import Journal
from labctl.mail.log.logevent import Accepted, NotificationKind, Queued
from labctl.mail.log.maillog import event_of
from labctl.mail.reply import SmtpReply
from labctl.mail.state import MessageState, contradicts, is_final, least_happy

LOGS = Path(__file__).parents[2] / "data" / "logs"
START = datetime(2026, 11, 24, 10, tzinfo=UTC)
ALPHA, BETA = "mx.alpha.test", "mx.beta.test"
MESSAGE_ID = "<1@alpha.test>"
A1, A2, B1, B2 = "AAAAAAAAA1", "AAAAAAAAA2", "BBBBBBBBB1", "BBBBBBBBB2"

Log = list[tuple[str, str]]
"""A program and what it says, in the order of one host's log."""


def queued(queue_id: str, message_id: str = MESSAGE_ID, *, nrcpt: int = 1) -> Log:
    return [
        ("smtpd", f"{queue_id}: client=unknown[198.18.0.1]"),
        ("cleanup", f"{queue_id}: message-id={message_id}"),
        ("qmgr", f"{queue_id}: from=<alice@alpha.test>, size=300, nrcpt={nrcpt} (queue active)"),
    ]


def attempt(
    queue_id: str,
    recipient: str,
    status: str,
    reply: str,
    *,
    program: str = "smtp",
    orig_to: str | None = None,
    dsn: str = "2.0.0",
) -> Log:
    relay = {"smtp": "mx.beta.test[203.0.113.20]:25", "lmtp": "198.51.100.143[198.51.100.143]:24"}.get(
        program, program
    )
    original = "" if orig_to is None else f"orig_to=<{orig_to}>, "
    return [
        (
            program,
            (
                f"{queue_id}: to=<{recipient}>, {original}relay={relay}, delay=0.1, delays=0/0/0/0.1, "
                f"dsn={dsn}, status={status} ({reply})"
            ),
        )
    ]


def onward(queue_id: str, recipient: str, next_id: str) -> Log:
    return attempt(queue_id, recipient, "sent", f"250 2.0.0 Ok: queued as {next_id}")


def saved(queue_id: str, recipient: str, orig_to: str | None = None) -> Log:
    return attempt(
        queue_id, recipient, "sent", f"250 2.0.0 <{recipient}> abc Saved", program="lmtp", orig_to=orig_to
    )


def removed(queue_id: str) -> Log:
    return [("qmgr", f"{queue_id}: removed")]


def tracker(*recipients: str, queue_id: str | None = A1) -> DeliveryTracker:
    return DeliveryTracker(MESSAGE_ID, queue_id, ALPHA, recipients or ("bob@beta.test",))


def feed(delivery: DeliveryTracker, host: str, log: Log, *, after: int = 0) -> None:
    for second, (program, text) in enumerate(log, start=after):
        line = f"Nov 24 10:00:00 mx postfix/{program}[1]: {text}"
        delivery.feed(host, START + timedelta(seconds=second), event_of(line))


def state_of(delivery: DeliveryTracker) -> MessageState:
    return delivery.state  # read anew: a type checker believes that an attribute stays what it was


def states(delivery: DeliveryTracker) -> dict[str, MessageState]:
    return {recipient.address: recipient.state for recipient in delivery.recipients}


def test_before_any_log_speaks_each_recipients_copy_is_at_the_first_host() -> None:
    told = RecipientState("bob@beta.test", "bob@beta.test", MessageState.SUBMITTED, host=ALPHA)
    assert tracker().recipients == (told,)


def test_without_a_queue_id_nothing_can_be_told() -> None:
    assert tracker(queue_id=None).state is MessageState.UNKNOWN


def test_in_the_first_hosts_queue_it_is_queued() -> None:
    delivery = tracker()

    feed(delivery, ALPHA, queued(A1))

    assert state_of(delivery) is MessageState.QUEUED


def test_sent_is_not_delivered() -> None:
    delivery = tracker()

    feed(delivery, ALPHA, queued(A1) + onward(A1, "bob@beta.test", B1) + removed(A1))

    assert state_of(delivery) is MessageState.RELAYED
    assert not is_final(delivery.state)


def test_at_the_next_host_it_is_queued_again_until_the_mailbox_takes_it() -> None:
    delivery = tracker()
    feed(delivery, ALPHA, queued(A1) + onward(A1, "bob@beta.test", B1) + removed(A1))

    feed(delivery, BETA, queued(B1))
    assert state_of(delivery) is MessageState.QUEUED
    feed(delivery, BETA, saved(B1, "bob@beta.test"), after=10)

    assert delivery.recipients == (
        RecipientState(
            "bob@beta.test",
            "bob@beta.test",
            MessageState.DELIVERED,
            "2.0.0",
            "250 2.0.0 <bob@beta.test> abc Saved",
            BETA,
            START + timedelta(seconds=10),
        ),
    )
    assert delivery.queue_ids == ((ALPHA, A1), (BETA, B1))


def test_a_bounce_by_the_next_hosts_mailbox_is_the_messages_bounce() -> None:
    delivery = tracker()
    feed(delivery, ALPHA, queued(A1) + onward(A1, "bob@beta.test", B1) + removed(A1))

    feed(
        delivery,
        BETA,
        queued(B1)
        + attempt(B1, "bob@beta.test", "bounced", "host said: 550 5.1.1 no", program="lmtp", dsn="5.1.1")
        + [
            ("bounce", f"{B1}: sender non-delivery notification: {B2}"),
            ("cleanup", f"{B2}: message-id=<dsn@b>"),
        ]
        + removed(B1),
    )

    (recipient,) = delivery.recipients
    assert (recipient.state, recipient.dsn, recipient.host) == (MessageState.BOUNCED, "5.1.1", BETA)
    file = delivery.journal.last(BETA, B1)
    assert file is not None
    ((at, notice),) = file.notices
    written = delivery.journal.written(file, at, notice)
    assert written is not None
    assert (notice.kind, notice.dsn_queue_id) == (NotificationKind.FAILED, B2)
    assert (written.host, written.message_id, written.about) == (BETA, "<dsn@b>", MESSAGE_ID)


def test_a_deferred_message_may_still_arrive() -> None:
    delivery = tracker()
    feed(delivery, ALPHA, queued(A1) + attempt(A1, "bob@beta.test", "deferred", "refused", dsn="4.4.1"))
    assert state_of(delivery) is MessageState.DEFERRED

    feed(delivery, ALPHA, queued(A1)[2:])
    assert state_of(delivery) is MessageState.DEFERRED
    feed(delivery, ALPHA, onward(A1, "bob@beta.test", B1))
    feed(delivery, BETA, queued(B1) + saved(B1, "bob@beta.test"))

    assert state_of(delivery) is MessageState.DELIVERED


def test_what_was_deferred_for_too_long_expires_with_the_last_reason() -> None:
    delivery = tracker()

    feed(
        delivery,
        ALPHA,
        queued(A1)
        + attempt(A1, "bob@beta.test", "deferred", "connect to mx: refused", dsn="4.4.1")
        + [("qmgr", f"{A1}: from=<alice@alpha.test>, status=expired, returned to sender")]
        + removed(A1),
    )

    (recipient,) = delivery.recipients
    assert (recipient.state, recipient.reason) == (MessageState.EXPIRED, "connect to mx: refused")


def test_a_message_whose_client_was_lost_midway_never_was_one() -> None:
    delivery = tracker()

    received, seen, _ = queued(A1)
    lost = ("smtpd", f"{A1}: lost connection after DATA (33 bytes) from unknown[198.18.0.1]")
    feed(delivery, ALPHA, [received, lost, seen, ("cleanup", f"{A1}: removed (canceled)")])

    (recipient,) = delivery.recipients
    assert (recipient.state, recipient.reason) == (MessageState.UNKNOWN, "removed from the queue by cleanup")


def test_soft_bounces_are_deferrals() -> None:
    delivery = tracker()

    feed(delivery, ALPHA, queued(A1) + attempt(A1, "bob@beta.test", "SOFTBOUNCE", "said: 550", dsn="4.1.1"))

    assert state_of(delivery) is MessageState.DEFERRED


def test_an_address_probe_says_nothing_of_the_message() -> None:
    delivery = tracker()

    feed(
        delivery, ALPHA, queued(A1) + attempt(A1, "bob@beta.test", "undeliverable", "said: 550", dsn="5.1.1")
    )

    assert state_of(delivery) is MessageState.QUEUED


def test_each_recipient_has_a_state_and_the_message_the_least_happy() -> None:
    delivery = tracker("bob@beta.test", "amy@alpha.test", "x@nowhere.test", "bea@beta.test")

    feed(
        delivery,
        ALPHA,
        queued(A1, nrcpt=4)
        + saved(A1, "amy@alpha.test")
        + onward(A1, "bob@beta.test", B1)
        + attempt(A1, "x@nowhere.test", "bounced", "Host not found", dsn="5.4.4"),
    )
    feed(delivery, BETA, queued(B1))

    assert states(delivery) == {
        "bob@beta.test": MessageState.QUEUED,
        "amy@alpha.test": MessageState.DELIVERED,
        "x@nowhere.test": MessageState.BOUNCED,
        "bea@beta.test": MessageState.QUEUED,
    }
    assert [each.address for each in delivery.recipients] == [each.original for each in delivery.recipients]
    assert state_of(delivery) is MessageState.BOUNCED


def test_recipients_that_only_the_log_tells_are_all_known_when_each_was_tried() -> None:
    delivery = DeliveryTracker(MESSAGE_ID, A1, ALPHA, None)
    feed(
        delivery,
        ALPHA,
        queued(A1, nrcpt=2) + attempt(A1, "carol@beta.test", "bounced", "no such user", dsn="5.1.1"),
    )
    assert (states(delivery), delivery.knows_all) == ({"carol@beta.test": MessageState.BOUNCED}, False)

    feed(delivery, ALPHA, onward(A1, "bob@beta.test", B1))

    assert delivery.knows_all


def test_recipients_refused_at_submission_are_rejected() -> None:
    reply = SmtpReply.parse("550 5.1.1 no such user")

    delivery = DeliveryTracker(MESSAGE_ID, A1, ALPHA, (), refused=[("nobody@alpha.test", reply)])

    told = "nobody@alpha.test", "nobody@alpha.test", MessageState.REJECTED
    assert delivery.recipients == (RecipientState(*told, "5.1.1", "550 5.1.1 no such user", ALPHA),)


def test_an_alias_is_delivered_when_all_it_expands_to_is() -> None:
    delivery = tracker("team@beta.test")
    feed(delivery, ALPHA, queued(A1) + onward(A1, "team@beta.test", B1) + removed(A1))

    feed(delivery, BETA, queued(B1, nrcpt=2) + saved(B1, "bob@beta.test", "team@beta.test"))
    assert state_of(delivery) is MessageState.QUEUED
    feed(delivery, BETA, saved(B1, "bea@beta.test", "team@beta.test") + removed(B1))

    assert states(delivery) == dict.fromkeys(("bob@beta.test", "bea@beta.test"), MessageState.DELIVERED)
    assert {recipient.original for recipient in delivery.recipients} == {"team@beta.test"}


def test_an_alias_of_the_first_host_is_followed_to_the_next() -> None:
    delivery = tracker("friend@alpha.test")

    feed(
        delivery,
        ALPHA,
        queued(A1)
        + attempt(A1, "bob@beta.test", "sent", f"250 2.0.0 Ok: queued as {B1}", orig_to="friend@alpha.test"),
    )
    feed(delivery, BETA, queued(B1) + saved(B1, "bob@beta.test"))

    assert states(delivery) == {"bob@beta.test": MessageState.DELIVERED}
    assert [each.original for each in delivery.recipients] == ["friend@alpha.test"]


def test_a_local_forward_is_followed_into_its_own_queue_file() -> None:
    delivery = tracker("list@alpha.test")

    feed(
        delivery,
        ALPHA,
        queued(A1)
        + queued(A2)
        + attempt(A1, "list@alpha.test", "sent", f"forwarded as {A2}", program="local")
        + removed(A1)
        + saved(A2, "amy@alpha.test", "list@alpha.test"),
    )

    assert states(delivery) == {"amy@alpha.test": MessageState.DELIVERED}


def test_the_copies_of_a_list_with_an_owner_are_its_letters_though_none_says_so() -> None:
    delivery = tracker("choir@lists.alpha.test")
    feed(
        delivery,
        ALPHA,
        queued(A1)
        + queued(A2, nrcpt=2)
        + attempt(A1, "choir@lists.alpha.test", "sent", f"forwarded as {A2}", program="local")
        + removed(A1)
        + saved(A2, "amy@alpha.test"),
    )
    assert states(delivery) == {
        "amy@alpha.test": MessageState.DELIVERED,
        "choir@lists.alpha.test": MessageState.QUEUED,
    }

    feed(delivery, ALPHA, attempt(A2, "bob@beta.test", "bounced", "no such user", dsn="5.1.1") + removed(A2))

    assert states(delivery) == {
        "amy@alpha.test": MessageState.DELIVERED,
        "bob@beta.test": MessageState.BOUNCED,
    }


def test_held_is_waited_for_and_released_goes_on() -> None:
    delivery = tracker()
    feed(delivery, ALPHA, [*queued(A1)[:2], ("postsuper", f"{A1}: placed on hold")])
    assert state_of(delivery) is MessageState.HELD

    feed(delivery, ALPHA, [("postsuper", f"{A1}: released from hold")])

    assert state_of(delivery) is MessageState.QUEUED


def test_a_deferred_message_can_be_held_or_deleted() -> None:
    delivery = tracker()
    feed(delivery, ALPHA, queued(A1) + attempt(A1, "bob@beta.test", "deferred", "refused", dsn="4.4.1"))

    feed(delivery, ALPHA, [("postsuper", f"{A1}: placed on hold")])
    assert state_of(delivery) is MessageState.HELD
    feed(delivery, ALPHA, [("postsuper", f"{A1}: removed")])

    (recipient,) = delivery.recipients
    assert recipient.state is MessageState.UNKNOWN
    assert recipient.reason == "removed from the queue by postsuper"


def test_a_requeued_message_is_followed_to_its_new_queue_id() -> None:
    delivery = tracker("bob@beta.test", "amy@alpha.test")
    feed(
        delivery,
        ALPHA,
        queued(A1, nrcpt=2)
        + saved(A1, "amy@alpha.test")
        + attempt(A1, "bob@beta.test", "deferred", "refused", dsn="4.4.1"),
    )

    feed(delivery, ALPHA, [("pickup", f"{A2}: uid=100 from=<a@alpha.test> orig_id={A1}"), *queued(A2)[1:]])
    assert states(delivery) == {
        "bob@beta.test": MessageState.QUEUED,
        "amy@alpha.test": MessageState.DELIVERED,
    }
    assert delivery.queue_ids == ((ALPHA, A1), (ALPHA, A2))
    feed(delivery, ALPHA, saved(A2, "bob@beta.test") + removed(A2))

    assert state_of(delivery) is MessageState.DELIVERED


def test_what_was_requeued_before_it_was_tried_is_followed_too() -> None:
    delivery = tracker()
    requeued = [("pickup", f"{A2}: uid=100 from=<a@alpha.test> orig_id={A1}"), *queued(A2)[1:]]
    feed(delivery, ALPHA, queued(A1) + requeued + saved(A2, "bob@beta.test"))

    assert state_of(delivery) is MessageState.DELIVERED


def rule(action: str, reply: str) -> Log:
    """Return what cleanup(8) says of a rule for header fields."""
    said = f"{A1}: {action}: header Subject: x from a[192.0.2.1]; from=<a@b> proto=ESMTP: {reply}"
    return [("cleanup", said)]


@pytest.mark.parametrize(
    ("log", "state", "dsn", "reason"),
    [
        ([], MessageState.QUEUED, None, None),
        (queued(A1)[2:], MessageState.QUEUED, None, None),
        (rule("hold", "why"), MessageState.HELD, None, "why"),
        (rule("discard", "why"), MessageState.DISCARDED, None, "why"),
        (rule("reject", "5.7.1 no"), MessageState.REJECTED, "5.7.1", "550 5.7.1 no"),
        (rule("reject", "no"), MessageState.REJECTED, None, "550 no"),
        (
            [("postsuper", f"{A1}: removed")],
            MessageState.UNKNOWN,
            None,
            "removed from the queue by postsuper",
        ),
        ([("postsuper", f"{A1}: placed on hold")], MessageState.HELD, None, "placed on hold"),
        ([("postsuper", f"{A1}: released from hold")], MessageState.QUEUED, None, None),
        (
            attempt(A1, "bob@beta.test", "sent", "silently dropped", program="discard"),
            MessageState.DISCARDED,
            "2.0.0",
            "silently dropped",
        ),
        (
            attempt(A1, "bob@beta.test", "sent", "delivered to maildir", program="virtual"),
            MessageState.DELIVERED,
            "2.0.0",
            "delivered to maildir",
        ),
        (
            attempt(A1, "bob@beta.test", "bounced", "mailing to this is off", program="error"),
            MessageState.BOUNCED,
            "2.0.0",
            "mailing to this is off",
        ),
    ],
)
def test_what_a_rule_or_an_agent_does_shows_with_its_reason_and_its_time(
    log: Log, state: MessageState, dsn: str | None, reason: str | None
) -> None:
    delivery = tracker()
    said = queued(A1)[:2] + log
    feed(delivery, ALPHA, said)
    at = START + timedelta(seconds=len(said) - 1)
    expected = RecipientState("bob@beta.test", "bob@beta.test", state, dsn, reason, ALPHA, at)
    assert delivery.recipients == (expected,)


def test_what_was_told_of_it_before_does_not_put_a_held_message_back_into_the_queue() -> None:
    delivery = tracker()
    feed(delivery, ALPHA, [*rule("hold", "why"), queued(A1)[1]])
    assert state_of(delivery) is MessageState.HELD


def test_of_nobody_the_state_is_unknown() -> None:
    assert least_happy([]) is MessageState.UNKNOWN


def test_a_message_with_the_same_queue_id_on_another_host_is_not_this_one() -> None:
    delivery = tracker()
    feed(delivery, ALPHA, queued(A1) + onward(A1, "bob@beta.test", B1))

    feed(delivery, "mx.gamma.test", queued(B1, "<other@gamma.test>") + saved(B1, "bob@beta.test"))

    assert state_of(delivery) is MessageState.RELAYED


def test_of_two_hosts_that_may_hold_it_the_one_that_took_it_does() -> None:
    delivery = tracker()
    feed(delivery, "mx.gamma.test", [*queued(B1)[:1], *attempt(B1, "bob@beta.test", "bounced", "no")])
    feed(delivery, ALPHA, queued(A1) + onward(A1, "bob@beta.test", B1))

    feed(delivery, BETA, queued(B1)[:1] + saved(B1, "bob@beta.test"))

    assert state_of(delivery) is MessageState.DELIVERED


def test_what_a_host_forwards_itself_is_looked_for_on_no_other() -> None:
    delivery = tracker("list@alpha.test")
    feed(delivery, BETA, queued(A2)[:1])
    log = queued(A1) + attempt(A1, "list@alpha.test", "sent", f"forwarded as {A2}", program="local")
    feed(delivery, ALPHA, log + queued(A2) + saved(A2, "amy@alpha.test", "list@alpha.test"))

    assert states(delivery) == {"amy@alpha.test": MessageState.DELIVERED}


@pytest.mark.parametrize(("nrcpt", "state"), [(1, MessageState.BOUNCED), (2, MessageState.QUEUED)])
def test_an_address_that_was_rewritten_is_the_only_recipients_where_there_is_but_one(
    nrcpt: int, state: MessageState
) -> None:
    delivery = tracker()
    feed(delivery, ALPHA, queued(A1, nrcpt=nrcpt) + attempt(A1, "rob@beta.test", "bounced", "no"))
    assert state_of(delivery) is state


def test_an_outcome_that_nobody_knows_is_unknown() -> None:
    delivery = tracker()
    feed(delivery, ALPHA, queued(A1) + attempt(A1, "bob@beta.test", "vanished", "?"))
    assert state_of(delivery) is MessageState.UNKNOWN


def test_a_use_whose_beginning_is_not_told_is_not_the_one_that_is_over() -> None:
    delivery = tracker()
    feed(delivery, ALPHA, queued(A1) + saved(A1, "bob@beta.test") + removed(A1))

    feed(delivery, ALPHA, attempt(A1, "bob@beta.test", "bounced", "no"))

    assert state_of(delivery) is MessageState.DELIVERED


def test_an_earlier_use_of_a_queue_id_is_not_this_message() -> None:
    delivery = tracker()

    feed(delivery, ALPHA, queued(A1, "<old@alpha.test>") + saved(A1, "bob@beta.test") + removed(A1))
    assert state_of(delivery) is MessageState.SUBMITTED
    feed(
        delivery, ALPHA, queued(A1) + attempt(A1, "bob@beta.test", "bounced", "no", dsn="5.0.0") + removed(A1)
    )

    assert state_of(delivery) is MessageState.BOUNCED


def test_a_later_use_of_a_queue_id_changes_nothing() -> None:
    delivery = tracker()
    feed(delivery, ALPHA, queued(A1) + saved(A1, "bob@beta.test") + removed(A1))

    feed(delivery, ALPHA, queued(A1, "<new@alpha.test>") + attempt(A1, "bob@beta.test", "bounced", "no"))

    assert state_of(delivery) is MessageState.DELIVERED


def test_a_circle_of_queue_ids_ends() -> None:
    delivery = tracker()

    feed(delivery, ALPHA, queued(A1) + onward(A1, "bob@beta.test", B1))
    feed(delivery, BETA, queued(B1) + onward(B1, "bob@beta.test", A1))

    assert state_of(delivery) is MessageState.RELAYED
    assert delivery.queue_ids == ((ALPHA, A1), (BETA, B1))


def test_the_log_being_read_twice_changes_nothing() -> None:
    delivery = tracker()
    log = queued(A1) + onward(A1, "bob@beta.test", B1) + removed(A1)
    feed(delivery, BETA, queued(B1) + saved(B1, "bob@beta.test") + removed(B1))
    feed(delivery, ALPHA, log)
    once = states(delivery)

    feed(delivery, ALPHA, log)

    assert states(delivery) == once == {"bob@beta.test": MessageState.DELIVERED}


def test_a_journal_forgets_the_longest_untouched_queue_ids_only() -> None:
    journal = Journal(max_queue_ids=3)

    for number in range(5):
        file = journal.take(ALPHA, START, Queued(f"AAAAAAAA0{number}", f"<{number}@alpha.test>"))

    assert [journal.last(ALPHA, f"AAAAAAAA0{number}") is None for number in range(5)] == [True] * 2 + [
        False
    ] * 3
    assert file is not None
    assert journal.size == 3 * file.size


def test_a_journal_does_not_forget_the_queue_id_that_was_spoken_of_last() -> None:
    journal = Journal(max_queue_ids=2)

    for queue_id in (A1, A2):
        journal.take(ALPHA, START, Queued(queue_id, MESSAGE_ID))
    journal.take(ALPHA, START, Accepted(A1, "alice@alpha.test", 300, 1))
    journal.take(ALPHA, START, Queued(B1, "<2@alpha.test>"))

    assert [journal.last(ALPHA, each) is None for each in (A1, A2, B1)] == [False, True, False]


def test_many_retries_leave_one_attempt_in_memory() -> None:
    delivery = tracker()

    feed(delivery, ALPHA, queued(A1) + attempt(A1, "bob@beta.test", "deferred", "refused", dsn="4.4.1") * 500)

    file = delivery.journal.last(ALPHA, A1)
    assert file is not None
    assert len(file.copies) == 1


HOPS: dict[str, Log] = {
    ALPHA: queued(A1, nrcpt=2)
    + attempt(A1, "bob@beta.test", "deferred", "refused", dsn="4.4.1")
    + saved(A1, "amy@alpha.test")
    + onward(A1, "bob@beta.test", B1)
    + removed(A1),
    BETA: queued("BBBBBBBBB9", "<other@beta.test>")
    + queued(B1)
    + saved("BBBBBBBBB9", "bea@beta.test")
    + saved(B1, "bob@beta.test")
    + removed(B1),
    "mx.gamma.test": queued(B1, "<third@gamma.test>")
    + attempt(B1, "bob@beta.test", "bounced", "no", dsn="5.1.1"),
}


@given(st.permutations([host for host, log in HOPS.items() for _ in log]))
def test_the_interleaving_of_the_hosts_does_not_matter(turns: list[str]) -> None:
    delivery = tracker("bob@beta.test", "amy@alpha.test")
    position = dict.fromkeys(HOPS, 0)

    for host in turns:
        feed(delivery, host, [HOPS[host][position[host]]], after=position[host])
        position[host] += 1
        assert delivery.state in MessageState

    assert states(delivery) == dict.fromkeys(("bob@beta.test", "amy@alpha.test"), MessageState.DELIVERED)


def test_the_recorded_messages_are_followed_across_both_hosts() -> None:
    journal = Journal()
    senders: dict[str, str] = {}
    for name, host in (("alpha.log", ALPHA), ("beta.log", BETA)):
        for number, text in enumerate((LOGS / name).read_text().splitlines()):
            event = event_of(text)
            journal.take(host, START + timedelta(milliseconds=number), event)
            if name == "alpha.log" and isinstance(event, Queued):
                senders[event.message_id] = event.queue_id

    def followed(message_id: str, recipient: str) -> RecipientState:
        (state,) = DeliveryTracker(
            message_id, senders[message_id], ALPHA, [recipient], journal=journal
        ).recipients
        return state

    delivered = followed("<20261124040615.308ED228636@mx.alpha.test>", "b1@beta.test")
    assert (delivered.state, delivered.host) == (MessageState.DELIVERED, BETA)
    bounced_there = followed("<20261124040618.3453C228645@mx.alpha.test>", "nobody@beta.test")
    assert (bounced_there.state, bounced_there.dsn, bounced_there.host) == (
        MessageState.BOUNCED,
        "5.2.0",
        BETA,
    )
    null_mx = followed("<20261124040627.4117F228656@mx.alpha.test>", "b1@nullmx.test")
    assert (null_mx.state, null_mx.dsn, null_mx.host) == (MessageState.BOUNCED, "5.1.0", ALPHA)
    expired = followed("<20261124041214.E233C228442@mx.alpha.test>", "b1@refuse.test")
    assert (expired.state, expired.dsn) == (MessageState.EXPIRED, "4.4.1")
    local = followed("<20261124040624.3C038228651@mx.alpha.test>", "nobody@alpha.test")
    assert (local.state, local.dsn) == (MessageState.BOUNCED, "5.2.0")


def test_only_outcomes_are_final() -> None:
    assert {state for state in MessageState if is_final(state)} == {
        MessageState.DELIVERED,
        MessageState.BOUNCED,
        MessageState.EXPIRED,
        MessageState.DISCARDED,
        MessageState.REJECTED,
    }


@pytest.mark.parametrize(
    ("state", "wanted", "in_vain"),
    [
        (MessageState.BOUNCED, MessageState.DELIVERED, True),
        (MessageState.DELIVERED, MessageState.DELIVERED, False),
        (MessageState.DEFERRED, MessageState.DELIVERED, False),
        (MessageState.DELIVERED, MessageState.DEFERRED, True),
        (MessageState.HELD, MessageState.DELIVERED, False),
    ],
)
def test_a_final_state_contradicts_every_other(
    state: MessageState, wanted: MessageState, *, in_vain: bool
) -> None:
    assert contradicts(state, wanted) is in_vain


@given(st.lists(st.sampled_from(MessageState), min_size=1))
def test_a_message_is_delivered_only_if_all_recipients_are(found: list[MessageState]) -> None:
    assert (least_happy(found) is MessageState.DELIVERED) == (set(found) == {MessageState.DELIVERED})
