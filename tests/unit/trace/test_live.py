"""Hops while they happen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from labctl.mail.state import MessageState
from labctl.trace.finding.wanted import Wanted
from labctl.trace.journey.hop import HopEvent
from labctl.trace.journey.weaving import weave
from labctl.trace.journey.world import World
from labctl.trace.live import Live, LiveHop, live_hops
from tests.unit.trace.lines import BOUNCED, BOUNCED_ID, DELIVERED, DELIVERED_ID, HOSTS, entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from labctl.trace.logs.entry import Entry

NOTICE_ID = "<20261124160956.ABD6E1D8167@mx.alpha.test>"


def told(lines: Iterable[Entry], wanted: Wanted | None = None) -> list[LiveHop]:
    return list(live_hops(lines, Live(World(hosts=HOSTS), wanted)))


def of(hops: Sequence[LiveHop], message_id: str) -> list[HopEvent]:
    return [each.hop.event for each in hops if each.message_id == message_id]


def test_what_is_told_live_is_what_a_trace_tells_afterwards() -> None:
    lines = entries(DELIVERED, BOUNCED)
    hops = told(lines)

    for message in weave(lines, World(hosts=HOSTS), message_ids=[DELIVERED_ID, BOUNCED_ID]):
        assert sorted(of(hops, message.message_id)) == sorted(each.event for each in message.hops)


@given(st.sets(st.integers(min_value=0, max_value=45)))
def test_each_hop_is_told_once_wherever_the_lines_pause(pauses: set[int]) -> None:
    live = Live(World(hosts=HOSTS))
    hops: list[LiveHop] = []
    for n, line in enumerate(entries(DELIVERED, BOUNCED)):
        live.feed(line)
        if n in pauses:
            hops.extend(live.told())
    hops.extend(live.told())

    names = [(each.message_id, each.hop.at, each.hop.host, each.hop.text) for each in hops]
    assert len(names) == len(set(names))
    assert of(hops, DELIVERED_ID).count(HopEvent.DELIVERED) == 1
    assert of(hops, BOUNCED_ID).count(HopEvent.BOUNCED) == 1


def test_a_message_that_is_named_is_told_with_the_notification_about_it() -> None:
    hops = told(entries(DELIVERED, BOUNCED), Wanted.parse(BOUNCED_ID))

    assert {each.message_id for each in hops} == {BOUNCED_ID, NOTICE_ID}


def test_a_message_may_be_named_by_its_queue_id() -> None:
    hops = told(entries(DELIVERED, BOUNCED), Wanted.parse("77F9B1D814E"))

    assert {each.message_id for each in hops} == {DELIVERED_ID}
    assert HopEvent.STORED in of(hops, DELIVERED_ID)


def test_an_address_names_the_messages_to_it() -> None:
    hops = told(entries(DELIVERED, BOUNCED), Wanted.parse("bob@beta.test"))

    assert {each.message_id for each in hops} == {DELIVERED_ID}


def test_a_client_from_outside_that_is_refused_is_told_though_it_left_no_message() -> None:
    refused = {
        "mx.alpha.test": (
            "2026-11-24T16:09:57.000000001Z Nov 24 16:09:57 mx postfix/submission/smtpd[20]: "
            "NOQUEUE: reject: RCPT from unknown[198.19.116.33]: 501 5.1.3 <x@>: Bad address syntax; "
            "from=<alice@alpha.test> to=<x@> proto=ESMTP helo=<x>\n"
        )
    }
    [hop] = told(entries(refused))

    assert (hop.message_id, hop.hop.event) == ("", HopEvent.REJECTED)


def test_a_hop_comes_with_what_is_known_of_its_message_by_then() -> None:
    [told_of] = [each for each in told(entries(BOUNCED)) if each.hop.event is HopEvent.BOUNCED]

    assert told_of.message.state is MessageState.BOUNCED
    assert [each.address for each in told_of.message.recipients] == ["nobody@beta.test"]
    assert told_of.message.hops == (told_of.hop,)


def test_after_a_reset_nothing_of_before_is_told() -> None:
    mark = {
        "mx.alpha.test": "2026-11-24T16:09:57.5Z Nov 24 16:09:57 mx postfix/labctl[77]: labctl: reset\n",
        "mail.beta.test": "2026-11-24T16:09:57.6Z labctl: reset\n",
    }
    live = Live(World(hosts=HOSTS))
    for line in entries(DELIVERED, mark):
        live.feed(line)

    assert live.told() == []


def test_what_is_gone_for_long_is_forgotten() -> None:
    live = Live(World(hosts=HOSTS))
    lines = entries(DELIVERED)
    for line in lines:
        live.feed(line)
    live.told()
    live.forget(lines[-1].at.replace(hour=23))

    assert not live._parts
    assert live._journal.size == 0


def test_a_message_that_waits_is_still_known_when_it_is_tried_again_hours_later() -> None:
    lines = [each for each in entries(DELIVERED) if each.host == "mx.alpha.test"]
    *before, attempt, removed = lines
    later = timedelta(hours=3)
    live = Live(World(hosts=HOSTS))
    for line in before:
        live.feed(line)
    live.told()
    live.forget(before[-1].at + later)
    for line in (attempt, removed):
        live.feed(replace(line, at=line.at + later))

    assert HopEvent.RELAYED in of(live.told(), DELIVERED_ID)
