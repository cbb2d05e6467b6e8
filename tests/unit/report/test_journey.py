"""A journey in a terminal: what became of the message comes first, in 80 columns, harmless."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.commands.trace import Trace
from labctl.mail.state import MessageState
from labctl.report.layout.wrap import columns, wrapped
from labctl.report.tracing.journey import journey, text
from labctl.trace.journey.hop import HopEvent
from tests.unit.report.formats import controls
from tests.unit.report.hostile import HOSTILE, spoilt
from tests.unit.trace import samples


def flat(said: str) -> str:
    return " ".join(said.split())


@pytest.mark.parametrize("width", [40, 80, 132])
@pytest.mark.parametrize("name", samples.EVERY)
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    for line in journey(samples.EVERY[name](), width).splitlines():
        assert columns(line) <= width, line


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("delivered", "delivered: it lies at mail.beta.test in the mailbox of bob@beta.test"),
        ("downloaded", "delivered: bob@beta.test has it: downloaded, then deleted"),
        ("bounced", "bounced: mx.beta.test refused ghost@beta.test: no such mailbox"),
        ("no_such_domain", "bounced: the DNS knows no way to bob@bta.test"),
        ("deferred", "deferred: it waits at mx.alpha.test for bob@beta.test"),
        ("mixed", "2 delivered, 1 deferred, 1 bounced: mx.beta.test refused ghost@beta.test"),
        ("discarded", "discarded: mx.alpha.test threw it away, and nobody was told"),
        ("held", "held: it is on hold at mx.alpha.test"),
        ("foreign", "relayed: gmail-smtp-in.l.google.com took it for"),
        ("twice", "delivered twice"),
        ("rejected", "rejected: mx.alpha.test refused bob@beta.test"),
    ],
)
def test_the_headline_says_what_became_of_it(name: str, words: str) -> None:
    assert words in flat(journey(samples.EVERY[name]()).partition("\n\n")[0])


def test_a_bounce_is_told_from_the_picture_to_what_to_look_at_next() -> None:
    said = flat(journey(samples.bounced()))
    for each in (
        "✗ refused it at",
        "alice@alpha.test was told so by mx.alpha.test",
        "THE WAY BACK of the non-delivery notification",
        "0.02 s to connect",
        "WHAT IT MEANS 550 5.1.1",
        "compare the part before the @ letter by letter",
    ):
        assert each in said


def test_a_deferral_tells_the_next_try_and_what_the_real_world_would_wait() -> None:
    assert "next try: in 1 s, at 12:00:01; in the real world after 5 min" in flat(
        journey(samples.deferred(1))
    )


def test_200_retries_are_told_by_the_first_and_the_last() -> None:
    said = journey(samples.deferred(200))
    assert "198 more retries like this one" in said
    assert len(said.splitlines()) < 120


def test_a_loop_is_named() -> None:
    assert "came back to mx.alpha.test, 6 times" in flat(journey(samples.looping(6)))


def test_of_others_whom_a_lookup_may_have_been_for_some_are_named() -> None:
    others = [f"<{n}@alpha.test>" for n in range(9)]
    asked = samples.lookup(0.01, "beta.test", "MX", "10 mx.beta.test.", shared_with=others)
    said = flat(journey(samples.message((*samples.submitted(), asked), samples.saved())))
    assert "<0@alpha.test>, <1@alpha.test>, <2@alpha.test> and 6 more" in said


def test_several_messages_are_told_one_after_the_other_and_many_as_a_table() -> None:
    two = text(Trace((samples.bounced(), samples.delivered())))
    assert "bounced: " in two
    assert "delivered: " in two
    many = text(Trace((samples.bounced(),) * 9))
    assert len(many.splitlines()) == 10


@pytest.mark.parametrize("junk", HOSTILE)
@pytest.mark.parametrize("name", samples.EVERY)
def test_hostile_text_commands_no_terminal(name: str, junk: str) -> None:
    said = journey(spoilt(samples.EVERY[name](), junk))
    assert controls(said) == set()
    assert all(columns(line) <= 80 for line in said.splitlines())


@given(st.sampled_from(sorted(samples.EVERY)), st.text(st.characters()))
def test_any_text_is_told_harmless(name: str, junk: str) -> None:
    assert controls(journey(spoilt(samples.EVERY[name](), junk))) == set()


@given(st.text(), st.integers(min_value=2, max_value=40))
def test_wrapped_text_fits_and_keeps_all_that_is_not_blank(said: str, width: int) -> None:
    line = " ".join(said.split())
    lines = wrapped(line, width)
    assert all(columns(each) <= width for each in lines)
    assert "".join(lines).replace(" ", "") == line.replace(" ", "")


def test_10_000_steps_and_300_recipients_are_told_in_short() -> None:
    many = tuple(samples.fate(f"u{n}@beta.test", MessageState.QUEUED) for n in range(300))
    hops = tuple(
        samples.hop(HopEvent.REMARKED, n, samples.ALPHA, samples.FIRST, "x" * 10_000) for n in range(10_000)
    )
    said = journey(replace(samples.message(samples.submitted(), *many), hops=hops))
    assert "9940 more steps" in said
    assert "and 288 more" in said
    assert len(said) < 100_000
