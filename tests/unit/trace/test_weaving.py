"""A message's journey, from real lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from labctl.lab.blueprint.clock import DEFAULTS, Clock
from labctl.mail.clock import Schedule
from labctl.mail.log.logevent import NotificationKind
from labctl.mail.state import MessageState
from labctl.trace.journey.hop import Hop, HopEvent, NoteKind, TracedMessage
from labctl.trace.journey.weaving import weave
from labctl.trace.journey.world import World
from tests.unit.trace.lines import BOUNCED, BOUNCED_ID, DELIVERED, DELIVERED_ID, HOSTS, entries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.trace.logs.entry import Entry

CLOCK = Clock(
    Schedule.parse({name: real for name, (real, _) in DEFAULTS.items()}),
    Schedule.parse({name: lab for name, (_, lab) in DEFAULTS.items()}),
)
ONWARD = "mx.beta.test[203.0.113.20]:25"


def the_message(*logs: dict[str, str], message_id: str = "<1@alpha.test>") -> TracedMessage:
    [message] = weave(entries(*logs), World(hosts=HOSTS, clock=CLOCK), message_ids=[message_id])
    return message


def events(message: TracedMessage) -> list[str]:
    return [each.event.value for each in message.hops]


def the(message: TracedMessage, event: HopEvent) -> Hop:
    [hop] = [each for each in message.hops if each.event is event]
    return hop


def notes(message: TracedMessage) -> set[NoteKind]:
    return {each.kind for each in message.notes}


def log(*lines: str, pid: int = 7) -> str:
    """Write lines of Postfix's, each ``SECONDS PROGRAM TEXT`` after ten o'clock."""
    found = []
    for line in lines:
        seconds, program, text = line.split(" ", 2)
        minutes, rest = divmod(float(seconds), 60)
        stamp = f"2026-11-24T10:{int(minutes):02}:{rest:09.6f}"
        found.append(f"{stamp}000Z Nov 24 10:00:00 mx postfix/{program}[{pid}]: {text}\n")
    return "".join(found)


def begun(queue_id: str = "AAAAAAAAAA", at: float = 0, message_id: str = "<1@alpha.test>") -> tuple[str, ...]:
    return (
        f"{at + 0.1} smtpd {queue_id}: client=unknown[198.18.0.1]",
        f"{at + 0.11} cleanup {queue_id}: message-id={message_id}",
        f"{at + 0.12} qmgr {queue_id}: from=<alice@alpha.test>, size=447, nrcpt=1 (queue active)",
    )


def tried(
    at: float,
    status: str,
    reply: str,
    *,
    to: str = "bob@beta.test",
    program: str = "smtp",
    relay: str = ONWARD,
    dsn: str = "4.4.1",
    queue_id: str = "AAAAAAAAAA",
) -> str:
    return (
        f"{at} {program} {queue_id}: to=<{to}>, relay={relay}, delay=1, delays=0.1/0.1/0.1/0.1, dsn={dsn}, "
        f"status={status} ({reply})"
    )


def test_a_delivered_message_goes_from_its_sender_to_its_reader() -> None:
    message = the_message(DELIVERED, message_id=DELIVERED_ID)

    assert message.state is MessageState.DELIVERED
    assert events(message) == [
        "submitted",
        "queued",
        "lookup",
        "lookup",
        "lookup",
        "received",
        "relayed",
        "queued",
        "removed",
        "stored",
        "delivered",
        "removed",
        "deleted",
        "fetched",
    ]
    assert [(each.host, each.queue_id) for each in message.queue_ids] == [
        ("mx.alpha.test", "77F9B1D814E"),
        ("mx.beta.test", "7C1991D8153"),
    ]
    assert message.notes == ()
    assert message.bounce is None


def test_who_submitted_it_and_how_is_told() -> None:
    detail = the(the_message(DELIVERED, message_id=DELIVERED_ID), HopEvent.SUBMITTED).detail

    assert detail["sasl_username"] == "alice@alpha.test"
    assert detail["sasl_method"] == "PLAIN"


def test_a_relayed_message_names_the_next_queue_and_where_the_time_went() -> None:
    detail = the(the_message(DELIVERED, message_id=DELIVERED_ID), HopEvent.RELAYED).detail

    assert (detail["next_host"], detail["next_queue_id"]) == ("mx.beta.test", "7C1991D8153")
    assert detail["delays"] == {
        "before_queue_manager": 0.01,
        "in_queue": 0.01,
        "connection": 0.0,
        "transmission": 0.01,
    }
    assert "status=sent" in detail["lines"][0]


def test_the_lookups_are_those_of_the_hosts_that_worked_on_it() -> None:
    message = the_message(DELIVERED, message_id=DELIVERED_ID)

    lookups = [each.detail for each in message.hops if each.event is HopEvent.LOOKUP]
    assert [(each["asked_by"], each["type"], each["name"]) for each in lookups] == [
        ("mx.alpha.test", "MX", "beta.test."),
        ("mx.alpha.test", "A", "mx.beta.test."),
        ("mx.beta.test", "PTR", "10.113.0.203.in-addr.arpa."),
    ]
    assert [each["shared_with"] for each in lookups] == [[], [], []]


def test_a_lookup_that_may_have_been_for_another_message_says_so() -> None:
    other = {
        "mx.alpha.test": (
            "2026-11-24T16:09:56.490000000Z Nov 24 16:09:56 mx postfix/cleanup[22]: "
            "BBBBBBBBBB: message-id=<2@alpha.test>\n"
            "2026-11-24T16:09:56.510600000Z Nov 24 16:09:56 mx postfix/smtp[24]: "
            "BBBBBBBBBB: to=<bea@beta.test>, relay=mx.beta.test[203.0.113.20]:25, delay=0.02, "
            "delays=0.01/0.01/0/0.01, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as CCCCCCCCCC)\n"
        )
    }
    message = the_message(DELIVERED, other, message_id=DELIVERED_ID)

    shared = {
        each.detail["type"]: each.detail["shared_with"]
        for each in message.hops
        if each.event is HopEvent.LOOKUP
    }
    assert shared == {"MX": ["<2@alpha.test>"], "A": ["<2@alpha.test>"], "PTR": []}


def test_a_refusal_is_told_by_the_host_that_refused_though_it_knew_no_queue_id() -> None:
    message = the_message(BOUNCED, message_id=BOUNCED_ID)

    rejected = the(message, HopEvent.REJECTED)
    assert rejected.host == "mx.beta.test"
    assert (rejected.detail["code"], rejected.detail["dsn"]) == (550, "5.1.1")
    assert events(message) == [
        "submitted",
        "queued",
        "rejected",
        "bounced",
        "notified",
        "removed",
    ]


def test_a_bounce_is_joined_with_its_own_way_back() -> None:
    bounce = the_message(BOUNCED, message_id=BOUNCED_ID).bounce

    assert bounce is not None
    assert (bounce.kind, bounce.host) == (NotificationKind.FAILED, "mx.alpha.test")
    assert bounce.message_id == "<20261124160956.ABD6E1D8167@mx.alpha.test>"
    assert bounce.state is MessageState.DELIVERED
    assert [each.event.value for each in bounce.hops] == ["queued", "stored", "delivered", "removed"]


def test_each_attempt_and_its_wait_is_told_here_and_in_the_real_world() -> None:
    refused = "connect to mx.beta.test[203.0.113.20]:25: Connection refused"
    message = the_message(
        {
            "mx.alpha.test": log(
                *begun(),
                f"0.2 smtp {refused}",
                tried(0.2, "deferred", refused, relay="none"),
                "2.2 qmgr AAAAAAAAAA: from=<alice@alpha.test>, size=447, nrcpt=1 (queue active)",
                f"2.3 smtp {refused}",
                tried(2.3, "deferred", refused, relay="none"),
            )
        }
    )

    first, second = (each.detail for each in message.hops if each.event is HopEvent.DEFERRED)
    assert message.state is MessageState.DEFERRED
    assert (first["attempt"], first["next_try_in"], first["real_wait"]) == (0, 2.1, 300.0)
    assert (second["attempt"], second["next_try_in"], second["real_wait"]) == (1, 0.8, 300.0)
    assert events(message).count("unreachable") == 2
    assert events(message).count("retried") == 1


def test_a_message_that_was_thrown_away_has_vanished() -> None:
    message = the_message(
        {
            "mx.alpha.test": log(
                *begun(),
                tried(0.2, "sent", "silently dropped", program="discard", relay="none", dsn="2.0.0"),
                "0.3 qmgr AAAAAAAAAA: removed",
            )
        }
    )

    assert message.state is MessageState.DISCARDED
    assert NoteKind.VANISHED in notes(message)


def test_a_message_that_a_script_threw_away_is_not_delivered_though_every_mta_says_so() -> None:
    dropped = (
        DELIVERED["mail.beta.test"]
        .splitlines()[0]
        .replace("Info: msgid=", "Info: sieve: msgid=")
        .replace(
            "saved mail to INBOX",
            "marked message to be discarded if not explicitly delivered (discard action)",
        )
    )
    message = the_message({**DELIVERED, "mail.beta.test": dropped}, message_id=DELIVERED_ID)

    assert message.state is MessageState.DISCARDED
    assert NoteKind.VANISHED in notes(message)


def test_a_message_on_hold_is_held_for_the_recipient_that_the_log_names() -> None:
    message = the_message(
        {
            "mx.alpha.test": log(
                *begun()[:2],
                "0.12 cleanup AAAAAAAAAA: hold: header Subject: wait from unknown[198.18.0.1]; "
                "from=<alice@alpha.test> to=<bob@beta.test> proto=ESMTP helo=<x>: look at it first",
            )
        }
    )

    assert message.state is MessageState.HELD
    assert [each.address for each in message.recipients] == ["bob@beta.test"]
    assert message.mail_from == "alice@alpha.test"


def test_a_message_taken_twice_after_a_lost_connection_is_told_as_twice() -> None:
    lost = (
        "lost connection with mx.beta.test[203.0.113.20] while sending end of data -- "
        "message may be sent more than once"
    )

    def arrived(queue_id: str, at: float) -> tuple[str, ...]:
        return (
            f"{at} smtpd {queue_id}: client=mx.alpha.test[203.0.113.10]",
            f"{at} cleanup {queue_id}: message-id=<1@alpha.test>",
            f"{at} qmgr {queue_id}: from=<alice@alpha.test>, size=447, nrcpt=1 (queue active)",
            tried(at + 0.1, "sent", "250 2.0.0 Saved", program="lmtp", relay="x[1]", queue_id=queue_id),
            f"{at + 0.1} qmgr {queue_id}: removed",
        )

    message = the_message(
        {
            "mx.alpha.test": log(
                *begun(),
                tried(0.3, "deferred", lost, dsn="4.4.2"),
                tried(2.3, "sent", "250 2.0.0 Ok: queued as DDDDDDDDDD", dsn="2.0.0"),
                "2.4 qmgr AAAAAAAAAA: removed",
            ),
            "mx.beta.test": log(*arrived("CCCCCCCCCC", 0.2), *arrived("DDDDDDDDDD", 2.2)),
        }
    )

    assert message.state is MessageState.DELIVERED
    assert NoteKind.DUPLICATE in notes(message)
    assert {each.queue_id for each in message.queue_ids} == {"AAAAAAAAAA", "CCCCCCCCCC", "DDDDDDDDDD"}


def test_a_loop_is_told_as_a_loop() -> None:
    message = the_message(
        {
            "mx.alpha.test": log(
                *begun(),
                tried(0.2, "bounced", "mail for beta.test loops back to myself", relay="none", dsn="5.4.6"),
                "0.3 qmgr AAAAAAAAAA: removed",
            )
        }
    )

    assert message.state is MessageState.BOUNCED
    assert NoteKind.LOOP in notes(message)


def test_two_messages_of_one_message_id_are_two_messages() -> None:
    found = weave(
        entries(
            {
                "mx.alpha.test": log(
                    *begun("AAAAAAAAAA"),
                    tried(0.2, "sent", "250 ok", dsn="2.0.0"),
                    "0.3 qmgr AAAAAAAAAA: removed",
                    *begun("BBBBBBBBBB", at=5),
                    tried(5.2, "bounced", "no", dsn="5.0.0", queue_id="BBBBBBBBBB"),
                )
            }
        ),
        World(hosts=HOSTS),
        message_ids=["<1@alpha.test>"],
    )

    assert [each.state for each in found] == [MessageState.RELAYED, MessageState.BOUNCED]
    assert all(NoteKind.DUPLICATE_ID in notes(each) for each in found)


def test_a_queue_id_used_again_is_another_message() -> None:
    lines = log(
        *begun("AAAAAAAAAA"),
        tried(0.2, "bounced", "no", dsn="5.0.0"),
        *begun("AAAAAAAAAA", at=50, message_id="<2@alpha.test>"),
        tried(50.2, "sent", "250 ok", dsn="2.0.0"),
    )
    first = the_message({"mx.alpha.test": lines})
    second = the_message({"mx.alpha.test": lines}, message_id="<2@alpha.test>")

    assert (first.state, second.state) == (MessageState.BOUNCED, MessageState.RELAYED)
    assert first.last_at is not None
    assert second.first_at is not None
    assert first.last_at < second.first_at


def test_a_message_whose_next_host_is_unknown_is_relayed_and_says_where_to() -> None:
    message = the_message(
        {"mx.alpha.test": log(*begun(), tried(0.2, "sent", "250 2.0.0 Ok: queued as 4X1", dsn="2.0.0"))}
    )

    assert message.state is MessageState.RELAYED
    [note] = [each for each in message.notes if each.kind is NoteKind.ELSEWHERE]
    assert "mx.beta.test" in note.text


def test_a_message_whose_beginning_is_not_in_the_log_is_incomplete() -> None:
    found = weave(
        entries({"mx.alpha.test": log(tried(0.2, "deferred", "no"), tried(2.2, "sent", "250 ok"))}),
        World(),
        queue_files=[("mx.alpha.test", "AAAAAAAAAA")],
    )

    assert [notes(each) >= {NoteKind.INCOMPLETE, NoteKind.NO_ID} for each in found] == [True]


def test_a_filter_that_gives_a_message_back_is_part_of_its_way() -> None:
    message = the_message(
        {
            "mx.alpha.test": log(
                *begun(),
                tried(
                    0.3,
                    "sent",
                    "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as BBBBBBBBBB",
                    relay="127.0.0.1[127.0.0.1]:10024",
                    dsn="2.0.0",
                ),
                "0.2 smtpd BBBBBBBBBB: client=localhost[127.0.0.1], orig_queue_id=AAAAAAAAAA",
                "0.21 cleanup BBBBBBBBBB: message-id=<1@alpha.test>",
                "0.31 qmgr AAAAAAAAAA: removed",
                tried(0.4, "bounced", "no", dsn="5.1.1", queue_id="BBBBBBBBBB"),
            )
        }
    )

    assert message.state is MessageState.BOUNCED
    assert [each.queue_id for each in message.queue_ids] == ["AAAAAAAAAA", "BBBBBBBBBB"]


def test_what_was_refused_before_it_had_a_queue_id_is_found_by_its_address() -> None:
    refused = log(
        "1 smtpd NOQUEUE: reject: RCPT from unknown[198.18.0.1]: 554 5.7.1 <x@y.test>: Relay access denied; "
        "from=<eve@example.org> to=<x@y.test> proto=SMTP helo=<x>"
    )
    lines = entries({"mx.alpha.test": refused}, BOUNCED)
    world = World(hosts=HOSTS)

    [message] = weave(lines, world, address="X@y.test")
    assert (message.state, message.message_id) == (MessageState.REJECTED, "")
    assert [each.address for each in message.recipients] == ["x@y.test"]
    assert weave(lines, world, address="nobody@beta.test") == ()  # a part of another message's journey


@given(st.data())
def test_whichever_host_is_read_first_the_story_is_the_same(data: st.DataObject) -> None:
    whole = entries(DELIVERED, BOUNCED)
    hosts = data.draw(st.permutations(sorted({each.host for each in whole})))
    shuffled = sorted(whole, key=lambda each: (each.at, hosts.index(each.host)))

    assert told(shuffled) == told(whole)


@given(st.sets(st.integers(min_value=0, max_value=40)))
def test_lines_that_are_missing_never_make_a_message_happier(missing: set[int]) -> None:
    whole = entries(BOUNCED)
    left = [each for n, each in enumerate(whole) if n not in missing]

    for message in weave(left, World(hosts=HOSTS), message_ids=[BOUNCED_ID]):
        assert message.state is not MessageState.DELIVERED


def told(lines: Sequence[Entry]) -> list[tuple[str, MessageState, list[str]]]:
    found = weave(lines, World(hosts=HOSTS), message_ids=[DELIVERED_ID, BOUNCED_ID])
    return [(each.message_id, each.state, events(each)) for each in found]


def test_a_notification_that_is_asked_for_itself_lacks_no_beginning() -> None:
    message = the_message(BOUNCED, message_id="<20261124160956.ABD6E1D8167@mx.alpha.test>")

    assert events(message)[0] == "queued"
    assert notes(message) == set()


def test_whether_an_address_would_do_is_asked_without_sending() -> None:
    asked = log(
        *begun(), tried(1, "deliverable", "250 2.1.5 Ok", dsn="2.1.5"), "1.1 qmgr AAAAAAAAAA: removed"
    )
    message = the_message({"mx.alpha.test": asked})

    assert message.state is MessageState.UNKNOWN
    assert "asked only: deliverable for <bob@beta.test>" in the(message, HopEvent.REMARKED).text
