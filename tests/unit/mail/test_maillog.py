from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.mail.log.logevent import (
    Accepted,
    ConnectionLost,
    Delivery,
    DeliveryStatus,
    Discarded,
    Event,
    Expired,
    Held,
    NonDelivery,
    NotificationKind,
    Pipelined,
    Queued,
    Received,
    Rejected,
    Released,
    Removed,
)
from labctl.mail.log.maillog import event_of
from labctl.mail.queueid import is_queue_id
from labctl.mail.reply import EnhancedStatus, SmtpReply

LOGS = Path(__file__).parents[2] / "data" / "logs"
LOG_NAMES = ("alpha.log", "beta.log")
LINES = [text for name in LOG_NAMES for text in (LOGS / name).read_text().splitlines()]

PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)
SHORT_ID = st.from_regex(r"[0-9A-F]{9,12}", fullmatch=True)
BASE_52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
LONG_ID = st.builds(
    "{}z{}".format, st.text(BASE_52, min_size=10, max_size=10), st.text(BASE_52[:-1], min_size=1, max_size=8)
)
QUEUE_ID = st.one_of(SHORT_ID, LONG_ID)
LOCAL = st.one_of(
    st.from_regex(r"[a-z0-9.+=-]{1,20}", fullmatch=True),
    st.text(PRINTABLE.filter(lambda char: char not in '"\\'), max_size=30).map('"{}"'.format),
)
MAILBOX = st.builds("{}@{}".format, LOCAL, st.from_regex(r"[a-z]{1,9}\.test", fullmatch=True))
REPLY = st.text(PRINTABLE, max_size=80)


def line(program: str, text: str, *, name: str = "postfix") -> str:
    return f"Nov 24 10:00:00 mx {name}/{program}[123]: {text}"


@given(st.text())
def test_any_text_is_a_line_or_none(text: str) -> None:
    event_of(text)


@given(
    st.sampled_from(["smtp", "smtpd", "lmtp", "qmgr", "cleanup", "pickup", "bounce", "postsuper", "error"]),
    st.sampled_from(
        [
            "to=<",
            "from=<",
            "reject: RCPT from ",
            "hold: ",
            "client=",
            "message-id=",
            "removed",
            "uid=0 from=<",
            "sender non-delivery notification: ",
            "",
        ]
    ),
    st.text(),
)
def test_any_text_behind_a_known_beginning_is_an_event_or_none(program: str, start: str, text: str) -> None:
    event_of(line(program, f"4CBF12345A: {start}{text}"))
    event_of(line(program, f"NOQUEUE: {start}{text}"))


@given(QUEUE_ID, MAILBOX, st.none() | MAILBOX, st.sampled_from(["sent", "deferred", "bounced"]), REPLY)
def test_a_delivery_is_read_as_it_was_written(
    queue_id: str, recipient: str, orig_to: str | None, status: str, reply: str
) -> None:
    original = "" if orig_to is None else f"orig_to=<{orig_to}>, "

    event = event_of(
        line(
            "smtp",
            f"{queue_id}: to=<{recipient}>, {original}relay=mx.beta.test[203.0.113.20]:25, conn_use=2, "
            f"delay=0.04, delays=0.01/0/0.02/0.01, dsn=2.0.0, status={status} ({reply})",
        )
    )

    assert isinstance(event, Delivery)
    assert (event.queue_id, event.recipient, event.orig_to) == (queue_id, recipient, orig_to)
    assert (event.relay, event.delay, event.delays) == (
        "mx.beta.test[203.0.113.20]:25",
        0.04,
        (0.01, 0.0, 0.02, 0.01),
    )
    assert (event.dsn, event.status, event.reply_text) == ("2.0.0", status, reply)


@given(QUEUE_ID, QUEUE_ID)
def test_the_next_queue_id_is_taken_from_the_reply(queue_id: str, next_id: str) -> None:
    event = event_of(
        line(
            "smtp",
            f"{queue_id}: to=<bob@beta.test>, relay=mx.beta.test[203.0.113.20]:25, delay=1, delays=1/0/0/0, "
            f"dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {next_id})",
        )
    )

    assert isinstance(event, Delivery)
    assert event.next_queue_id == next_id


@given(QUEUE_ID)
def test_both_forms_of_queue_ids_are_known(queue_id: str) -> None:
    assert is_queue_id(queue_id)


@pytest.mark.parametrize(
    "text", ["warning", "statistics", "fatal", "NOQUEUE", "daemon", "ABC", "timeout", "DECADEs"]
)
def test_words_are_no_queue_ids(text: str) -> None:
    assert not is_queue_id(text)


@pytest.mark.parametrize(
    "head",
    [
        "Nov 24 10:00:00 mx postfix/qmgr[123]",
        "Nov  4 10:00:00 mx postfix-out/submission/qmgr[7]",
        "2026-11-24T10:00:00.123456+00:00 mx postfix/qmgr[1]",
        "<22>Nov 24 10:00:00 mx postfix/qmgr",
    ],
)
def test_the_forms_of_a_line(head: str) -> None:
    event = event_of(f"{head}: 308ED228636: removed\n")

    assert isinstance(event, Removed)
    assert event.queue_id == "308ED228636"


@pytest.mark.parametrize(
    ("text", "event"),
    [
        (
            line(
                "smtpd",
                "BA13DD0252: client=unknown[198.18.0.1], sasl_method=PLAIN, sasl_username=alice@alpha.test",
            ),
            Received(
                "BA13DD0252",
                "unknown[198.18.0.1]",
                sasl_username="alice@alpha.test",
                sasl_method="PLAIN",
            ),
        ),
        (
            line("smtpd", "BA13DD0252: client=mx.alpha.test[203.0.113.10]"),
            Received("BA13DD0252", "mx.alpha.test[203.0.113.10]"),
        ),
        (line("pickup", "308ED228636: uid=0 from=<a1@alpha.test>"), Received("308ED228636", "", uid=0)),
        (
            line("pickup", "308ED228637: uid=100 from=<a1@alpha.test> orig_id=308ED228636"),
            Received("308ED228637", "", original_queue_id="308ED228636", uid=100),
        ),
        (line("cleanup", "308ED228636: message-id=<1@alpha.test>"), Queued("308ED228636", "<1@alpha.test>")),
        (line("cleanup", "308ED228636: message-id="), Queued("308ED228636", "")),
        (
            line("qmgr", "308ED228636: from=<>, size=2605, nrcpt=1 (queue active)"),
            Accepted("308ED228636", "", 2605, 1),
        ),
        (line("qmgr", "308ED228636: removed"), Removed("308ED228636", "qmgr")),
        (line("postsuper", "308ED228636: removed"), Removed("308ED228636", "postsuper")),
        (line("cleanup", "308ED228636: removed (canceled)"), Removed("308ED228636", "cleanup")),
        (
            line("qmgr", "308ED228636: from=<a1@alpha.test>, status=expired, returned to sender"),
            Expired("308ED228636", "a1@alpha.test", forced=False),
        ),
        (
            line("qmgr", "308ED228636: from=<a1@alpha.test>, status=force-expired, returned to sender"),
            Expired("308ED228636", "a1@alpha.test", forced=True),
        ),
        (
            line("bounce", "308ED228636: sender non-delivery notification: 3E551228653"),
            NonDelivery("308ED228636", "3E551228653", NotificationKind.FAILED, "sender"),
        ),
        (
            line("bounce", "308ED228636: sender delay notification: 3E551228653"),
            NonDelivery("308ED228636", "3E551228653", NotificationKind.DELAYED, "sender"),
        ),
        (
            line("bounce", "308ED228636: postmaster non-delivery notification: 3E551228653"),
            NonDelivery("308ED228636", "3E551228653", NotificationKind.FAILED, "postmaster"),
        ),
        (
            line("bounce", "308ED228636: sender delivery status notification: 3E551228653"),
            NonDelivery("308ED228636", "3E551228653", NotificationKind.SUCCESS, "sender"),
        ),
        (line("postsuper", "308ED228636: placed on hold"), Held("308ED228636", "placed on hold")),
        (line("postsuper", "308ED228636: released from hold"), Released("308ED228636")),
        (
            line(
                "cleanup",
                "C141222844B: hold: header Subject: holdme from mx.alpha.test[10.9.0.10]; "
                "from=<a1@alpha.test> to=<b1@beta.test> proto=ESMTP helo=<mx.alpha.test>: suspicious",
            ),
            Held("C141222844B", "suspicious", "a1@alpha.test", "b1@beta.test"),
        ),
        (
            line(
                "cleanup",
                "C141222844B: discard: header Subject: spam from mx.alpha.test[10.9.0.10]; "
                "from=<a1@alpha.test> to=<b1@beta.test> proto=ESMTP helo=<mx.alpha.test>: not wanted",
            ),
            Discarded("C141222844B", "not wanted", "a1@alpha.test", "b1@beta.test"),
        ),
        (
            line(
                "smtpd",
                "NOQUEUE: reject: RCPT from mx.alpha.test[203.0.113.10]: 550 5.1.1 <x@beta.test>: "
                "Recipient address rejected: User unknown; from=<a@alpha.test> to=<x@beta.test> proto=ESMTP "
                "helo=<mx.alpha.test>",
            ),
            Rejected(
                None,
                "RCPT",
                "mx.alpha.test[203.0.113.10]",
                SmtpReply(
                    550, EnhancedStatus(5, 1, 1), "<x@beta.test>: Recipient address rejected: User unknown"
                ),
                "a@alpha.test",
                "x@beta.test",
                "smtpd",
            ),
        ),
        (
            line(
                "smtpd",
                "NOQUEUE: reject: MAIL from mx.beta.test[203.0.113.20]: 452 4.3.1 Insufficient system "
                "storage; proto=ESMTP helo=<mx.beta.test>",
            ),
            Rejected(
                None,
                "MAIL",
                "mx.beta.test[203.0.113.20]",
                SmtpReply(452, EnhancedStatus(4, 3, 1), "Insufficient system storage"),
                None,
                None,
                "smtpd",
            ),
        ),
        (
            line(
                "cleanup",
                "4BCE4228492: reject: header Subject: virus from mx.alpha.test[10.9.0.10]; "
                "from=<a@alpha.test> to=<b@beta.test> proto=ESMTP helo=<mx.alpha.test>: 5.7.1 no viruses",
            ),
            Rejected(
                "4BCE4228492",
                "header",
                "mx.alpha.test[10.9.0.10]",
                SmtpReply(550, EnhancedStatus(5, 7, 1), "no viruses"),
                "a@alpha.test",
                "b@beta.test",
                "cleanup",
            ),
        ),
        (
            line(
                "cleanup",
                "4BCE4228492: milter-reject: END-OF-MESSAGE from mx.alpha.test[10.9.0.10]: 4.7.1 Service "
                "unavailable; from=<a@alpha.test> to=<b@beta.test> proto=ESMTP helo=<mx.alpha.test>",
            ),
            Rejected(
                "4BCE4228492",
                "END-OF-MESSAGE",
                "mx.alpha.test[10.9.0.10]",
                SmtpReply(450, EnhancedStatus(4, 7, 1), "Service unavailable"),
                "a@alpha.test",
                "b@beta.test",
                "cleanup",
            ),
        ),
        (
            line(
                "smtpd",
                "NOQUEUE: reject: CONNECT from mx.beta.test[203.0.113.20]: 554 5.5.0 Error: SMTP protocol "
                "synchronization; proto=SMTP",
            ),
            Rejected(
                None,
                "CONNECT",
                "mx.beta.test[203.0.113.20]",
                SmtpReply(554, EnhancedStatus(5, 5, 0), "Error: SMTP protocol synchronization"),
                None,
                None,
                "smtpd",
            ),
        ),
        (
            line("smtpd", "NOQUEUE: lost connection after EHLO from mx.alpha.test[203.0.113.10]"),
            ConnectionLost(None, "mx.alpha.test[203.0.113.10]", "EHLO"),
        ),
        (
            line("smtpd", "lost connection after CONNECT from unknown[unknown]"),
            ConnectionLost(None, "unknown[unknown]", "CONNECT"),
        ),
        (
            line("smtpd", "BA13DD0252: lost connection after DATA (512 bytes) from unknown[203.0.113.10]"),
            ConnectionLost("BA13DD0252", "unknown[203.0.113.10]", "DATA"),
        ),
        (
            line("smtpd", "timeout after END-OF-MESSAGE from mx.alpha.test[203.0.113.10]"),
            ConnectionLost(None, "mx.alpha.test[203.0.113.10]", "END-OF-MESSAGE", timed_out=True),
        ),
        (
            line(
                "smtpd",
                "improper command pipelining after CONNECT from mx.beta.test[203.0.113.20]: EHLO x\\r\\n",
            ),
            Pipelined(None, "mx.beta.test[203.0.113.20]", "CONNECT", "EHLO x\\r\\n"),
        ),
        (line("smtpd", "connect from mx.alpha.test[203.0.113.10]"), None),
        (
            line(
                "qmgr", "warning: mail for [198.51.100.143]:24 is using up 4001 of 4062 active queue entries"
            ),
            None,
        ),
        (line("smtp", "308ED228636: host mx.beta.test[203.0.113.20] said: 450 4.2.0 later"), None),
    ],
)
def test_each_kind_of_line_is_its_event(text: str, event: Event | None) -> None:
    assert event_of(text) == event


def test_a_recipient_that_imitates_the_rest_of_the_line_deceives_nobody() -> None:
    recipient = '"x>, relay=evil[192.0.2.6]:25, delay=0, delays=0, dsn=2.0.0, status=sent (Saved)"@beta.test'

    event = event_of(
        line(
            "smtp",
            f"308ED228636: to=<{recipient}>, relay=none, delay=1, delays=1/0/0/0, dsn=4.4.1, "
            "status=deferred (connect to mx.beta.test[203.0.113.20]:25: Connection refused)",
        )
    )

    assert isinstance(event, Delivery)
    assert (event.recipient, event.relay, event.status) == (recipient, "none", "deferred")


def test_every_delivery_rejection_and_notification_of_the_recorded_logs_is_understood() -> None:
    telling = [
        text for text in LINES if any(word in text for word in (": to=<", "reject: ", " notification: "))
    ]
    silent = [text for text in telling if event_of(text) is None]

    assert len(telling) > 500
    # bounce(8) also warns about a notification that it could not send.
    assert [text for text in silent if "undeliverable postmaster notification" not in text] == []


def test_the_recorded_logs_hold_every_ending_of_an_attempt() -> None:
    statuses = {event.status for event in map(event_of, LINES) if isinstance(event, Delivery)}

    assert {status.value for status in (DeliveryStatus.SENT, DeliveryStatus.DEFERRED)} < statuses
    assert DeliveryStatus.SOFTBOUNCE in statuses
    assert statuses <= set(DeliveryStatus)


def test_every_client_of_the_recorded_logs_that_broke_off_or_talked_too_early_is_told() -> None:
    telling = [text for text in LINES if "lost connection after" in text or "improper command" in text]

    assert len(telling) == 6
    assert all(isinstance(event_of(text), ConnectionLost | Pipelined) for text in telling)


@pytest.mark.parametrize("status", ["deliverable", "undeliverable"])
def test_an_address_probe_is_an_attempt_of_its_own_kind(status: str) -> None:
    event = event_of(
        line(
            "smtp",
            "308ED228636: to=<b@beta.test>, relay=mx.beta.test[203.0.113.20]:25, delay=1, delays=0/0/0/1, "
            f"dsn=2.1.5, status={status} (250 2.1.5 Ok)",
        )
    )

    assert isinstance(event, Delivery)
    assert event.status == DeliveryStatus(status)


def test_a_forward_leads_to_the_next_queue_file() -> None:
    event = event_of(
        line(
            "local",
            "308ED228636: to=<b@beta.test>, orig_to=<a@beta.test>, relay=local, delay=0, delays=0/0/0/0, "
            "dsn=2.0.0, status=sent (forwarded as 3E551228653)",
        )
    )

    assert isinstance(event, Delivery)
    assert (event.next_queue_id, event.orig_to) == ("3E551228653", "a@beta.test")


def test_every_sent_of_one_hosts_log_leads_to_a_queue_id_that_the_next_hosts_log_knows() -> None:
    alpha, beta = ([event_of(text) for text in (LOGS / name).read_text().splitlines()] for name in LOG_NAMES)
    onward = {event.next_queue_id for event in alpha if isinstance(event, Delivery) and event.next_queue_id}
    known = {event.queue_id for event in beta if isinstance(event, Received)}

    assert len(onward) > 20
    assert onward <= known


@pytest.mark.parametrize(
    ("start", "repeated"),
    [
        ("", "a"),
        ("4CBF12345A: to=<", "a>, orig_to=<"),
        ("4CBF12345A: to=<", '"\\'),
        ("4CBF12345A: to=<a>, relay=x", ", a=b"),
        ("4CBF12345A: to=<a>, relay=x, delay=1, delays=1, dsn=2.0.0, status=sent (", "queued as "),
        ("4CBF12345A: reject: ", "; from=<"),
        ("4CBF12345A: reject: ", '; from=<\\"'),
        ("4CBF12345A: reject: ", " from a]: "),
        ("4CBF12345A: reject: x; from=<a> proto=ESMTP", " sasl_a=b"),
        ("4CBF12345A: client=a", ", sasl_method=b"),
        ("lost connection after A", " from "),
        ("lost connection after ", "A"),
        ("improper command pipelining after A from ", "["),
        ("improper command pipelining after A from ", " from a[b] from "),
        ("4CBF12345A: message-id=", "<" * 3),
    ],
)
@pytest.mark.parametrize("program", ["smtp", "smtpd", "qmgr", "cleanup"])
def test_a_line_of_ten_megabytes_is_read_without_backtracking(
    program: str, start: str, repeated: str
) -> None:
    # What is not linear here takes hours, so that no clock is needed to see it.
    text = line(program, start + repeated * (10_000_000 // len(repeated)))
    event_of(text)
