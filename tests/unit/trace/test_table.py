from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.mail.state import MessageState
from labctl.trace.journey.hop import QueueFileName
from labctl.trace.listing.table import Filters, Row, rows
from labctl.trace.logs.log import Log

LOGS = Path(__file__).parents[2] / "data" / "logs"
NEWEST = datetime(2026, 11, 25, tzinfo=UTC)
MESSAGE_ID = "<1@alpha.test>"
A1, A2, A3, B1, B2 = "AAAAAAAAA1", "AAAAAAAAA2", "AAAAAAAAA3", "BBBBBBBBB1", "BBBBBBBBB2"

Lines = list[tuple[int, str]]
"""Seconds, and what a daemon says then."""


def written(host: str, lines: Lines) -> bytes:
    begin = datetime(2026, 11, 24, 10, tzinfo=UTC)
    return "".join(
        f"{begin + timedelta(seconds=after):%b %d %H:%M:%S} {host} postfix/{text}\n" for after, text in lines
    ).encode()


def log(host: str, *lines: tuple[int, str], name: str = "") -> Log:
    return Log.of_bytes(name or host, written(host, list(lines)), newest=NEWEST, zone=UTC)


def told(*logs: Log, filters: Filters | None = None) -> list[Row]:
    return list(rows(logs, filters or Filters()))


def queued(
    at: int, queue_id: str, message_id: str = MESSAGE_ID, *, nrcpt: int = 1, sender: str = ""
) -> Lines:
    return [
        (at, f"smtpd[21]: {queue_id}: client=unknown[198.18.0.1]"),
        (at, f"cleanup[22]: {queue_id}: message-id={message_id}"),
        (at, active(queue_id, nrcpt, sender or "alice@alpha.test")),
    ]


def active(queue_id: str, nrcpt: int = 1, sender: str = "alice@alpha.test") -> str:
    return f"qmgr[20]: {queue_id}: from=<{sender}>, size=300, nrcpt={nrcpt} (queue active)"


def attempt(
    queue_id: str, recipient: str, status: str, reply: str, program: str = "smtp", *, original: str = ""
) -> str:
    relay = {"smtp": "mx.beta.test[203.0.113.20]:25", "lmtp": "mail.beta.test[198.51.100.143]:24"}
    before = f"orig_to=<{original}>, " if original else ""
    return (
        f"{program}[30]: {queue_id}: to=<{recipient}>, {before}relay={relay.get(program, program)}, "
        f"delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status={status} ({reply})"
    )


def onward(queue_id: str, recipient: str, next_id: str) -> str:
    return attempt(queue_id, recipient, "sent", f"250 2.0.0 Ok: queued as {next_id}")


def saved(queue_id: str, recipient: str = "bob@beta.test", original: str = "") -> str:
    return attempt(queue_id, recipient, "sent", f"250 2.0.0 <{recipient}> x Saved", "lmtp", original=original)


def removed(queue_id: str) -> str:
    return f"qmgr[20]: {queue_id}: removed"


def states(row: Row) -> dict[str, MessageState]:
    return {each.original: each.state for each in row.recipients}


ALPHA: Lines = [*queued(0, A1), (1, onward(A1, "bob@beta.test", B1)), (1, removed(A1))]
BETA: Lines = [*queued(0, B1), (0, saved(B1)), (1, removed(B1))]


def test_a_message_over_two_hosts_is_one_row() -> None:
    (row,) = told(log("mx1", *ALPHA), log("mx2", *BETA))
    assert row.state is MessageState.DELIVERED
    assert row.message_id == MESSAGE_ID
    assert row.mail_from == "alice@alpha.test"
    assert set(row.queue_ids) == {QueueFileName("mx1", A1), QueueFileName("mx2", B1)}
    assert states(row) == {"bob@beta.test": MessageState.DELIVERED}
    assert not row.incomplete


def test_without_the_next_hosts_log_it_is_relayed() -> None:
    (row,) = told(log("mx1", *ALPHA))
    assert row.state is MessageState.RELAYED
    assert not row.incomplete


@pytest.mark.parametrize("skew", [-20, 0, 20])
def test_hosts_whose_clocks_differ_are_joined(skew: int) -> None:
    (row,) = told(log("mx1", *ALPHA), log("mx2", *[(at + skew + 30, text) for at, text in BETA]))
    assert row.state is MessageState.DELIVERED


def test_whom_only_the_last_host_does_not_know_is_bounced() -> None:
    unknown = attempt(B1, "bob@beta.test", "bounced", "550 5.1.1 unknown", "lmtp")
    beta: Lines = [
        *queued(0, B1),
        (0, unknown),
        (0, f"cleanup[22]: {B2}: message-id=<2@beta.test>"),
        (0, f"bounce[31]: {B1}: sender non-delivery notification: {B2}"),
        (0, f"qmgr[20]: {B2}: from=<>, size=300, nrcpt=1 (queue active)"),
        (0, removed(B1)),
        (1, attempt(B2, "alice@alpha.test", "sent", "delivered to maildir", "local")),
        (1, removed(B2)),
    ]
    message, notification = sorted(
        told(log("mx1", *ALPHA), log("mx2", *beta)), key=lambda row: row.mail_from == ""
    )
    assert message.state is MessageState.BOUNCED
    assert message.recipients[0].host == "mx2"
    assert message.about is None
    assert notification.mail_from == ""
    assert notification.about == MESSAGE_ID
    assert notification.state is MessageState.DELIVERED
    assert not notification.incomplete


def test_of_several_recipients_the_least_happy_counts() -> None:
    alpha: Lines = [
        *queued(0, A1, nrcpt=3),
        (1, onward(A1, "bob@beta.test", B1)),
        (1, onward(A1, "bea@beta.test", B1)),
        (1, attempt(A1, "off@beta.test", "deferred", "connect to mx: Connection refused")),
    ]
    beta: Lines = [*queued(0, B1, nrcpt=2), (0, saved(B1)), (0, saved(B1, "bea@beta.test")), (1, removed(B1))]
    (row,) = told(log("mx1", *alpha), log("mx2", *beta))
    assert row.state is MessageState.DEFERRED
    assert not row.incomplete  # it waits
    assert states(row) == {
        "bob@beta.test": MessageState.DELIVERED,
        "bea@beta.test": MessageState.DELIVERED,
        "off@beta.test": MessageState.DEFERRED,
    }


def test_recipients_that_no_line_names_count() -> None:
    (row,) = told(log("mx1", *queued(0, A1, nrcpt=2), (1, saved(A1))))
    assert row.state is MessageState.QUEUED
    assert row.incomplete


def test_an_alias_is_followed_into_its_next_queue_file() -> None:
    forwarded = attempt(A1, "list@alpha.test", "sent", f"forwarded as {A2}", "local")
    (row,) = told(
        log(
            "mx1",
            *queued(0, A1),
            (0, f"cleanup[22]: {A2}: message-id={MESSAGE_ID}"),
            (0, active(A2)),
            (0, forwarded),
            (0, removed(A1)),
            (1, saved(A2, "bob@beta.test", "list@alpha.test")),
            (1, removed(A2)),
        )
    )
    assert row.state is MessageState.DELIVERED
    assert [(each.original, each.address) for each in row.recipients] == [
        ("list@alpha.test", "bob@beta.test")
    ]
    assert [each.queue_id for each in row.queue_ids] == [A1, A2]


@pytest.mark.parametrize("reply", [f"250 2.0.0 from MTA: 250 2.0.0 Ok: queued as {A2}", "250 2.0.0 Ok"])
def test_what_a_filter_gives_back_is_the_same_message(reply: str) -> None:
    client = (
        f"smtpd[21]: {A2}: client=localhost[127.0.0.1], orig_queue_id={A1}, orig_client=unknown[198.18.0.1]"
    )
    (row,) = told(
        log(
            "mx1",
            *queued(0, A1),
            (1, client),
            *queued(1, A2)[1:],
            (1, attempt(A1, "bob@beta.test", "sent", reply, "smtp")),
            (1, removed(A1)),
            (2, attempt(A2, "bob@beta.test", "bounced", "550 5.1.1 unknown", "lmtp")),
            (2, removed(A2)),
        )
    )
    assert row.state is MessageState.BOUNCED
    assert len(row.queue_ids) == 2


def test_a_requeued_message_is_the_same_message() -> None:
    (row,) = told(
        log(
            "mx1",
            *queued(0, A1),
            (1, attempt(A1, "bob@beta.test", "deferred", "refused")),
            (90, f"postsuper[40]: {A1}: requeued"),
            (91, f"pickup[23]: {A2}: uid=101 from=<alice@alpha.test> orig_id={A1}"),
            *queued(91, A2)[1:],
            (200, saved(A2)),
            (200, removed(A2)),
        )
    )
    assert states(row) == {"bob@beta.test": MessageState.DELIVERED}
    assert row.state is MessageState.DELIVERED
    assert not row.incomplete


@pytest.mark.parametrize("gone", [True, False])
def test_an_id_that_is_used_again_is_another_message(gone: bool) -> None:
    first: Lines = [*queued(0, A1), (1, saved(A1)), *([(1, removed(A1))] if gone else [])]
    second: Lines = [*queued(2, A1, "<2@alpha.test>"), (3, saved(A1)), (3, removed(A1))]
    one, other = told(log("mx1", *first, *second))
    assert {one.message_id, other.message_id} == {MESSAGE_ID, "<2@alpha.test>"}
    assert one.state is other.state is MessageState.DELIVERED


def test_files_come_in_any_order() -> None:
    alpha: Lines = [
        line
        for n in range(40)
        for line in (
            *queued(10 * n, f"AAAAAAAA{n:02}", f"<{n}@alpha.test>"),
            (10 * n + 9, saved(f"AAAAAAAA{n:02}")),
            (10 * n + 15, removed(f"AAAAAAAA{n:02}")),
        )
    ]
    alpha.sort(key=lambda line: line[0])
    files = [log("mx1", *alpha[n : n + 20], name=f"mail.log.{n}") for n in range(0, len(alpha), 20)]
    expected = told(log("mx1", *alpha))
    assert len(expected) == 40
    assert not any(row.incomplete for row in expected)
    for seed in range(5):
        random.Random(seed).shuffle(files)  # noqa: S311  # no secret
        assert told(*files) == expected


@pytest.mark.parametrize("cut", range(1, 5))
def test_where_a_beginning_is_cut_off_the_state_is_what_is_left_and_said_to_be_incomplete(cut: int) -> None:
    lines: Lines = [*queued(0, A1), (1, saved(A1)), (1, removed(A1))]
    (row,) = told(log("mx1", *lines[cut:]))
    assert row.incomplete is (cut > 1)  # who sent it, the second line does not tell
    assert row.state is (MessageState.UNKNOWN if cut == 4 else MessageState.DELIVERED)


@pytest.mark.parametrize("cut", range(1, 4))
def test_an_end_that_is_cut_off_is_never_called_delivered(cut: int) -> None:
    (row,) = told(log("mx1", *[*queued(0, A1), (1, saved(A1))][:cut]))
    assert row.incomplete
    assert row.state in {MessageState.SUBMITTED, MessageState.QUEUED}


def test_what_is_refused_without_a_queue_id_is_a_row_too() -> None:
    reject = (
        "smtpd[21]: NOQUEUE: reject: RCPT from unknown[198.18.0.1]: 550 5.1.1 <no@beta.test>: Recipient "
        "address rejected: User unknown; from=<alice@alpha.test> to=<no@beta.test> proto=ESMTP helo=<x>"
    )
    (row,) = told(log("mx2", (0, reject)))
    assert (row.state, row.queue_ids, row.mail_from) == (MessageState.REJECTED, (), "alice@alpha.test")
    assert (row.recipients[0].address, row.recipients[0].dsn) == ("no@beta.test", "5.1.1")


def test_what_was_thrown_away_before_it_had_an_id_is_one_message() -> None:
    discard = (
        "smtpd[21]: NOQUEUE: discard: RCPT from unknown[198.18.0.1]: <no@beta.test>: Recipient address "
        "triggers DISCARD action; from=<alice@alpha.test> to=<no@beta.test> proto=ESMTP helo=<x>"
    )
    (row,) = told(log("mx2", (0, discard), *queued(0, B1)[:2]))
    assert row.state is MessageState.DISCARDED
    assert [each.address for each in row.recipients] == ["no@beta.test"]


@pytest.mark.parametrize(
    ("filters", "matches"),
    [
        (Filters(state=MessageState.DELIVERED), True),
        (Filters(state=MessageState.BOUNCED), False),
        (Filters(mail_from="ALICE@alpha.test"), True),
        (Filters(mail_from="@beta.test"), False),
        (Filters(mail_from="<>"), False),
        (Filters(rcpt_to="@BETA.test"), True),
        (Filters(rcpt_to="alice@alpha.test"), False),
        (Filters(address="alice@alpha.test"), True),
        (Filters(address="bob@beta.test"), True),
        (Filters(address="lice@alpha.test"), False),
        (Filters(since=datetime(2026, 11, 24, 10, tzinfo=UTC)), True),
        (Filters(since=datetime(2026, 11, 24, 11, tzinfo=UTC)), False),
    ],
)
def test_filters_choose(filters: Filters, matches: bool) -> None:
    assert bool(told(log("mx1", *ALPHA), log("mx2", *BETA), filters=filters)) is matches


def test_where_there_is_no_room_the_longest_untouched_is_told_as_it_stands() -> None:
    waiting: Lines = [
        line
        for n in range(100)
        for line in (
            *queued(n, f"AAAAAAAA{n:02}", f"<{n}@alpha.test>"),
            (n, attempt(f"AAAAAAAA{n:02}", "bob@beta.test", "deferred", "refused")),
        )
    ]
    again: Lines = [(200, saved("AAAAAAAA00")), (200, removed("AAAAAAAA00"))]
    found = list(rows([log("mx1", *waiting, *again)], max_bytes=20_000))
    assert [row.state for row in found if row.message_id == "<0@alpha.test>"] == [MessageState.DEFERRED]
    late = next(row for row in found if row.message_id is None)
    assert late.incomplete
    assert late.state is MessageState.DELIVERED
    assert len(found) == 101


def real() -> list[bytes]:
    return [(LOGS / f"{name}.log").read_bytes() for name in ("alpha", "beta")]


def of_contents(*contents: bytes) -> list[Row]:
    return told(
        *(Log.of_bytes(str(n), content, newest=NEWEST, zone=UTC) for n, content in enumerate(contents))
    )


def test_real_logs_have_only_messages_that_begin_and_end_there() -> None:
    found = of_contents(*real())
    assert len(found) > 150
    joined = [row for row in found if len({each.host for each in row.queue_ids}) == 2]
    assert len(joined) > 20
    assert {row.state for row in found} >= {
        MessageState.DELIVERED,
        MessageState.BOUNCED,
        MessageState.DEFERRED,
    }
    assert sum(row.incomplete for row in found) < 5


def test_lines_are_read_quickly_only_where_it_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = set(of_contents(*real()))
    monkeypatch.setattr("labctl.trace.listing.merging.QUICK", re.compile(b"(?!)"))
    assert set(of_contents(*real())) == quick


@pytest.mark.parametrize("wrap", ["{}", "<22>{}", "2026-11-24T10:00:00.5Z {}"])
def test_lines_in_other_wrappers_tell_the_same(wrap: str) -> None:
    lines = written("mx1", [*queued(0, A1), (1, saved(A1)), (1, removed(A1))]).decode().splitlines()
    (row,) = of_contents("\n".join(wrap.format(line) for line in lines).encode())
    assert row.state is MessageState.DELIVERED
    assert not row.incomplete


@given(st.lists(st.booleans(), min_size=9, max_size=9), st.integers(0, 40))
def test_however_hosts_interleave_the_row_is_the_same(turns: list[bool], pause: int) -> None:
    alpha, beta, at = list(ALPHA), list(BETA), 0
    timed: dict[bool, Lines] = {True: [], False: []}
    for turn in turns:
        side = alpha if (turn and alpha) or not beta else beta
        if not side:
            break
        timed[side is alpha].append((at, side.pop(0)[1]))
        at += pause // 10
    for key, left in ((True, alpha), (False, beta)):
        timed[key] += [(at, text) for _, text in left]
    (row,) = told(log("mx1", *timed[True]), log("mx2", *timed[False]))
    assert row.state is MessageState.DELIVERED
    assert not row.incomplete


@given(
    st.lists(st.binary(max_size=80) | st.sampled_from(real()[0].splitlines()[:200]), max_size=60), st.data()
)
def test_any_bytes_make_rows_or_nothing(lines: list[bytes], data: st.DataObject) -> None:
    content = b"\n".join(lines)
    cut = data.draw(st.integers(0, len(content)))
    for row in of_contents(content[:cut], content[cut:]):
        assert row.first_at <= row.last_at
        if not row.queue_ids:
            assert row.state is MessageState.REJECTED
