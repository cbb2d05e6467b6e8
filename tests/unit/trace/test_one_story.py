"""The table of all messages, the trace of one and what is told live are one story."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.mail.state import MessageState
from labctl.trace.finding.search import search
from labctl.trace.finding.wanted import Wanted
from labctl.trace.journey.weaving import weave
from labctl.trace.journey.world import World
from labctl.trace.listing.table import Row, rows
from labctl.trace.live import Live
from labctl.trace.logs.log import Log
from tests.unit.trace.test_table import Lines, attempt, onward, queued, removed, saved

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from labctl.trace.journey.hop import TracedMessage

STORIES: Final = Path(__file__).parents[2] / "data" / "stories"
RECORDED: Final = Path(__file__).parents[2] / "data" / "logs"
NEWEST: Final = datetime(2026, 12, 1, tzinfo=UTC)
BEGIN: Final = datetime(2026, 11, 24, 10, tzinfo=UTC)

Story = tuple[object, ...]


def logs_of(*contents: bytes) -> list[Log]:
    return [Log.of_bytes(f"log{n}", content, newest=NEWEST, zone=UTC) for n, content in enumerate(contents)]


def story(told: Row | TracedMessage) -> Story:
    """Return what is told of a message: where it was, its state, its recipients' and why."""
    recipients = frozenset(
        (each.original, each.address, each.state.value, each.dsn, each.reason, each.host, each.at)
        for each in told.recipients
    )
    return told.message_id or "", frozenset(told.queue_ids), told.state.value, recipients


def listed(logs: Sequence[Log]) -> list[Row]:
    """Return the messages of the table that had a queue id."""
    return [row for row in rows(logs) if row.queue_ids]


def traced(logs: Sequence[Log], wanted: str) -> set[Story]:
    found = search(logs, Wanted.parse(wanted))
    assert found.complete
    messages = weave(found.entries, World(), message_ids=found.message_ids, queue_files=found.queue_files)
    return {story(each) for each in messages}


def live(logs: Sequence[Log]) -> set[Story]:
    """Return what is known of each message when the last line has come."""
    told = Live(World())
    entries = [list(log.entries()) for log in logs]
    entries.sort(key=lambda each: [entry.at for entry in each[:1]])  # of a second, older files come first
    for entry in sorted((each for several in entries for each in several), key=lambda each: each.at):
        told.feed(entry)
    return {story(each.message) for each in told.told() if each.message.queue_ids}


def differences(logs: Sequence[Log]) -> list[str]:
    """Say which messages are told in two ways."""
    table = listed(logs)
    told = [f"live: {each}" for each in live(logs) ^ {story(row) for row in table}]
    for row in table:
        names = [row.message_id or "", *(each.queue_id for each in row.queue_ids)]
        told.extend(
            f"{name}: not {story(row)}" for name in names if name and story(row) not in traced(logs, name)
        )
    return told


@pytest.mark.parametrize("path", sorted(STORIES.glob("*.log")), ids=lambda path: path.stem)
def test_the_table_and_the_trace_tell_one_story_of_each_sample(path: Path) -> None:
    assert differences(logs_of(path.read_bytes())) == []


@pytest.mark.parametrize(
    ("name", "states", "recipients"),
    [
        ("deleted-by-postsuper-while-deferred", ["unknown"], [{"b@b.example": "unknown"}]),
        ("discard-by-access", ["queued"], [{}]),
        (
            "filter-pipe-then-deferred",
            ["delivered", "deferred"],
            [{"b@b.example": "delivered"}, {"b@b.example": "deferred"}],
        ),
        ("filter-smtp-no-queued-as-then-bounced", ["bounced"], [{"b@b.example": "bounced"}]),
        ("held", ["held"], [{}]),
        ("only-qmgr-and-delivery", ["delivered"], [{"b@b.example": "delivered"}]),
        (
            "queue-id-used-again-without-removed",
            ["deferred", "delivered"],
            [{"b@b.example": "deferred"}, {"b@b.example": "delivered"}],
        ),
        (
            "recipient-refused-beside-one-accepted",
            ["rejected"],
            [{"amy@alpha.test": "delivered", "nobody@alpha.test": "rejected"}],
        ),
        ("recipient-refused-and-client-gone", ["rejected"], [{"nobody@alpha.test": "rejected"}]),
        ("requeued", ["delivered"], [{"b@b.example": "delivered"}]),
        ("two-rcpts-only-one-tried", ["queued"], [{"b@b.example": "delivered"}]),
    ],
)
def test_what_became_of_the_messages_of_each_sample(
    name: str, states: list[str], recipients: list[dict[str, str]]
) -> None:
    table = listed(logs_of((STORIES / f"{name}.log").read_bytes()))
    assert [row.state for row in table] == [MessageState(each) for each in states]
    assert [{each.address: each.state.value for each in row.recipients} for row in table] == recipients


def test_recorded_logs_are_told_in_one_way() -> None:
    logs = logs_of(*((RECORDED / f"{name}.log").read_bytes() for name in ("alpha", "beta")))
    table = Counter(story(row) for row in listed(logs))
    assert len(table) > 100
    assert live(logs) == set(table)
    for row in listed(logs)[::8]:
        assert story(row) in traced(logs, row.queue_ids[0].queue_id)
        assert story(row) in traced(logs, row.queue_ids[-1].queue_id)


IDS: Final = ["AAAAAAAAA1", "AAAAAAAAA2", "BBBBBBBBB1", "BBBBBBBBB2", "BBBBBBBBB3"]


def letter(chance: Random, number: int, at: int, free: list[str]) -> dict[str, Lines]:
    """Make up the lines of a message that one host hands to another, or not."""
    here, there = free.pop(), free.pop()
    message_id = chance.choice([f"<{number}@a.example>"] * 8 + ["<same@a.example>", "<>"])
    if message_id.startswith("<same"):  # nobody gives a message the ids that another one had
        here, there = f"CCCCCCCC{number}1", f"CCCCCCCC{number}2"
    to = chance.sample(["b@b.example", "c@b.example", "d@b.example"], chance.choice([1, 1, 1, 2]))
    mx1: Lines = queued(at, here, message_id, nrcpt=len(to))
    mx2: Lines = []
    end: Lines = [(at + 9, removed(here))]
    match chance.choice(["onward", "onward", "saved", "bounced", "deferred", "held", "filtered", "requeued"]):
        case "onward":
            mx1 += [(at + 1, onward(here, each, there)) for each in to]
            mx2 += [*queued(at + 1, there, message_id, nrcpt=len(to))]
            mx2 += [(at + 2, saved(there, each)) for each in to]
            mx2 += [(at + 3, removed(there))]
        case "saved":
            mx1 += [(at + 1, saved(here, each)) for each in to]
        case "bounced":
            mx1 += [(at + 1, attempt(here, each, "bounced", "550 5.1.1 no")) for each in to]
            mx1 += [
                (at + 1, f"cleanup[22]: {there}: message-id=<{number}@mx1>"),
                (at + 1, f"qmgr[20]: {there}: from=<>, size=9, nrcpt=1 (queue active)"),
                (at + 1, f"bounce[31]: {here}: sender non-delivery notification: {there}"),
                (at + 2, saved(there, "alice@alpha.test")),
                (at + 2, removed(there)),
            ]
        case "deferred":
            mx1 += [(at + 1, attempt(here, each, "deferred", "timeout")) for each in to]
            end = []
        case "held":
            mx1 += [(at + 1, f"postsuper[40]: {here}: placed on hold")]
            end = []
        case "filtered":
            mx1 += [(at + 1, attempt(here, each, "sent", "250 ok by filter")) for each in to]
            back = f"smtpd[21]: {there}: client=localhost[127.0.0.1], orig_queue_id={here}"
            mx1 += [(at + 2, back), *queued(at + 2, there, message_id, nrcpt=len(to))[1:]]
            mx1 += [(at + 3, attempt(there, each, "bounced", "550 no")) for each in to]
            mx1 += [(at + 4, removed(there))]
        case "requeued":
            mx1 += [(at + 1, attempt(here, each, "deferred", "timeout")) for each in to]
            mx1 += [(at + 2, f"pickup[23]: {there}: uid=0 from=<alice@alpha.test> orig_id={here}")]
            mx1 += queued(at + 2, there, message_id, nrcpt=len(to))[1:]
            mx1 += [(at + 3, saved(there, each)) for each in to]
            mx1 += [(at + 3, removed(there))]
            end = []
    return {"mx1": mx1 + end, "mx2": mx2}


def spoiled(chance: Random, lines: Lines) -> Lines:
    """Cut a log, drop lines of it, or double some."""
    match chance.choice(["", "", "begin", "end", "drop", "double"]):
        case "begin":
            return lines[chance.randrange(len(lines) + 1) :]
        case "end":
            return lines[: chance.randrange(len(lines) + 1)]
        case "drop":
            return [each for each in lines if chance.random() > 0.2]
        case "double":
            return [each for line in lines for each in [line] * chance.choice([1, 1, 1, 2])]
        case _:
            return lines


def written(host: str, lines: Iterable[tuple[int, str]]) -> bytes:
    return "".join(
        f"{BEGIN + timedelta(seconds=at):%b %d %H:%M:%S} {host} postfix/{text}\n" for at, text in lines
    ).encode()


def mail(seed: int, count: int) -> list[bytes]:
    """Make up the logs of two hosts, rotated between two seconds, of which lines may be lost or doubled."""
    chance = Random(seed)  # noqa: S311  # no secret
    hosts: dict[str, Lines] = {"mx1": [], "mx2": []}
    free = {at: chance.sample(IDS, len(IDS)) for at in range(0, 200, 20)}  # an id is one message's at a time
    for number in range(count):
        at = chance.choice([at for at, ids in free.items() if len(ids) > 1])
        for host, lines in letter(chance, number, at, free[at]).items():
            hosts[host] += lines
    contents: list[bytes] = []
    for host, lines in hosts.items():
        left = spoiled(chance, sorted(lines, key=lambda line: line[0]))
        cut = chance.randrange(200)
        contents += [
            written(host, [line for line in left if (line[0] < cut) is old]) for old in (True, False)
        ]
    chance.shuffle(contents)
    return contents


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(1, 6))
def test_whatever_logs_have_lost_they_are_told_in_one_way(seed: int, count: int) -> None:
    assert differences(logs_of(*mail(seed, count))) == []
