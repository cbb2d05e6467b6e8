from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.mail.log.delivery import RecipientState
from labctl.mail.state import MessageState
from labctl.report.layout.plain import harmless
from labctl.report.layout.wrap import columns
from labctl.report.tracing import table as tracetable
from labctl.trace.journey.hop import Note, NoteKind, QueueFileName
from labctl.trace.listing.table import Row

AT = datetime(2026, 11, 24, 10, 0, 1, tzinfo=UTC)


def row(
    state: MessageState = MessageState.DELIVERED,
    *recipients: str,
    reason: str = "250 Saved",
    sender: str | None = "alice@alpha.test",
    seconds: float = 2.5,
    incomplete: bool = False,
    about: str | None = None,
) -> Row:
    return Row(
        AT - timedelta(seconds=seconds),
        AT,
        "<1@alpha.test>",
        sender,
        tuple(
            RecipientState(each, each, state, "2.0.0", reason, "mx", AT)
            for each in recipients or ("bob@beta.test",)
        ),
        state,
        (QueueFileName("mx", "4dJq2K1Xz3zB"),),
        about,
        incomplete,
    )


def test_a_line_tells_when_what_who_how_long_and_the_queue_id() -> None:
    line = tracetable.line(row(), 120)
    assert line.split() == [
        "11-24",
        "10:00:01",
        "delivered",
        "alice@alpha.test",
        "bob@beta.test",
        "2.5",
        "s",
        "4dJq2K1Xz3zB",
    ]


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0 s"), (75, "1m15s"), (3700, "1h01m"), (90000, "1d01h")]
)
def test_a_delay_is_written_as_people_say_it(seconds: int, expected: str) -> None:
    assert f" {expected} " in tracetable.line(row(seconds=seconds), 120)


def test_what_did_not_arrive_tells_the_reason_of_the_other_host() -> None:
    line = tracetable.line(row(MessageState.BOUNCED, reason="host mx[1.2.3.4] said: 550 5.1.1 unknown"), 120)
    assert "550 5.1.1 unknown" in line


def test_further_recipients_are_counted_though_the_first_is_long() -> None:
    line = tracetable.line(row(MessageState.DELIVERED, "b" * 60 + "@beta.test", "bea@beta.test", "c@d.e"), 80)
    assert "… +2 " in line


def test_what_is_not_known_is_a_question_mark_and_the_null_sender_is_shown() -> None:
    assert " ? " in tracetable.line(row(sender=None), 80)
    assert " <> " in tracetable.line(row(sender=""), 80)
    assert " unknown? " in tracetable.line(row(MessageState.UNKNOWN, incomplete=True), 80)


def test_the_last_line_counts_the_states() -> None:
    *_, last = tracetable.lines([row(), row(), row(MessageState.BOUNCED)], 80)
    assert last == "3 messages: 1 bounced, 2 delivered"
    assert list(tracetable.lines([], 80))[-1] == "No messages."


@given(st.text(max_size=300), st.text(max_size=300), st.integers(80, 200))
def test_whatever_a_log_holds_a_line_is_one_harmless_line_that_fits(
    address: str, reason: str, width: int
) -> None:
    line = tracetable.line(row(MessageState.BOUNCED, address, "x@y.z", reason=reason, sender=address), width)
    assert columns(line) <= width
    assert harmless(line) == line
    assert len(line.splitlines()) == 1


def test_the_columns_stand_under_their_names() -> None:
    head, line = tracetable.head(80), tracetable.line(row(), 80)
    assert head.index("STATE") == line.index("delivered")
    assert head.index("QUEUE ID") == line.index("4dJq2K1Xz3zB")


def test_json_comes_message_by_message_and_is_one_document() -> None:
    pieces = list(
        tracetable.json_pieces(iter([row(), row(MessageState.UNKNOWN, incomplete=True, about="<0@a.b>")]))
    )
    assert len(pieces) == 4
    document = json.loads("".join(pieces))
    assert document["schema"] == "labctl/trace/v1"
    first, second = document["messages"]
    assert first["state"] == "delivered"
    assert first["recipients"] == [
        {
            "address": "bob@beta.test",
            "original": "bob@beta.test",
            "state": "delivered",
            "dsn": "2.0.0",
            "reason": "250 Saved",
            "host": "mx",
            "at": "2026-11-24T10:00:01.000000Z",
        }
    ]
    assert (first["hops"], first["bounce"], first["notices"], first["notes"]) == ([], None, [], [])
    assert first["queue_ids"] == [{"host": "mx", "queue_id": "4dJq2K1Xz3zB"}]
    assert (first["about"], second["about"]) == (None, "<0@a.b>")
    assert [note["kind"] for note in second["notes"]] == ["incomplete"]


def test_json_of_nothing_is_a_document_too() -> None:
    document = json.loads("".join(tracetable.json_pieces(())))
    assert document == {"schema": "labctl/trace/v1", "messages": [], "notes": []}


def test_what_must_be_known_of_the_logs_is_told_at_the_end() -> None:
    note = Note(NoteKind.LOG_CUT, "the log of mx.beta.test begins at noon: older lines are gone")
    assert [*tracetable.lines((), 80, [note])][-1] == f"! {note.text}"
    document = json.loads("".join(tracetable.json_pieces((), [note])))
    assert document["notes"] == [{"kind": "log-cut", "text": note.text}]


@given(st.text(st.characters(codec="utf-8"), max_size=50))
def test_json_holds_any_text(text: str) -> None:
    document = json.loads(
        "".join(tracetable.json_pieces([row(MessageState.BOUNCED, text + "\udcff", reason=text)]))
    )
    assert document["messages"][0]["recipients"][0]["reason"] == text
