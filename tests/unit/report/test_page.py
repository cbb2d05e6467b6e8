"""The page holds each step's evidence, no script, and nothing that a message could have put there."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.commands.trace import Trace
from labctl.report.tracing.page import page
from labctl.trace.journey.hop import HopEvent
from tests.unit.report.hostile import HOSTILE, spoilt
from tests.unit.trace import samples

VOID = {"meta", "br"}


class Reader(HTMLParser):
    """Keeps what a page is made of, and that it closes what it opens."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for key, value in attrs:
            self.attributes.add(key)
            if key == "id":
                self.ids.append(value or "")
            if key == "href":
                self.links.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words += data


def read(*names: str) -> Reader:
    return Reader(page(Trace(tuple(samples.EVERY[name]() for name in names))))


@pytest.mark.parametrize("name", samples.EVERY)
def test_each_link_of_the_picture_leads_to_evidence_that_is_on_the_page(name: str) -> None:
    found = read(name)
    assert found.links
    assert {each.removeprefix("#") for each in found.links} <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    assert found.tags & {"script", "img", "iframe", "link", "object", "form"} == set()


def test_a_bounce_is_told_with_its_log_lines_its_report_and_what_it_means() -> None:
    said = read("bounced").words
    for each in (
        "Bounced: mx.beta.test refused ghost@beta.test",
        "NOQUEUE: reject: RCPT from mx.alpha.test",
        "sender non-delivery notification",
        "Final-Recipient",
        "Usually:",
        "beta.test MX",
    ):
        assert each in said


def test_it_forbids_scripts_and_whatever_it_might_fetch() -> None:
    assert "default-src 'none'; style-src 'unsafe-inline'" in page(Trace((samples.delivered(),)))


@pytest.mark.parametrize("junk", HOSTILE)
@pytest.mark.parametrize("name", samples.EVERY)
def test_hostile_text_becomes_text(name: str, junk: str) -> None:
    good = read(name)
    bad = Reader(page(Trace((spoilt(samples.EVERY[name](), junk),))))
    assert bad.tags <= good.tags | {"br", "p", "dl", "pre"}
    assert bad.attributes <= good.attributes
    assert "planted" not in bad.ids


@given(st.sampled_from(sorted(samples.EVERY)), st.text(st.characters()))
def test_any_text_leaves_it_a_page(name: str, junk: str) -> None:
    source = page(Trace((spoilt(samples.EVERY[name](), junk),)))
    assert not Reader(source).attributes & {"onerror", "onload", "onclick", "src"}
    source.encode("utf-8")


def test_a_line_of_10_mb_is_cut_with_its_length_told() -> None:
    line = "x" * 10_000_000
    first = samples.bounced().hops[0]
    long = replace(first, text=line, detail={"lines": [line], "reply": line})
    source = page(Trace((replace(samples.bounced(), hops=(long,), message_id=line, mail_from=line),)))
    assert "10,000,000 characters in all" in source
    assert len(source) < 100_000


def test_a_page_of_10_000_steps_stays_small() -> None:
    message = samples.bounced()
    many = tuple(
        samples.hop(HopEvent.REMARKED, n, samples.ALPHA, samples.FIRST, "said", lines=["y" * 5000] * 50)
        for n in range(10_000)
    )
    source = page(Trace((replace(message, hops=many),)))
    assert "9400 more steps" in source
    assert len(source) < 40_000_000


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("bounced", [("failed", "MTA mx.beta.test", "refused it at RCPT TO")]),
        ("deferred", [("failed", "MTA mx.beta.test", ""), ("waiting", "MTA mx.alpha.test", "waits")]),
        ("delivered", [("here", "", "")]),
    ],
)
def test_on_a_narrow_screen_the_stations_that_decide_come_before_the_picture(
    name: str, ends: list[tuple[str, str, str]]
) -> None:
    source = page(Trace((samples.EVERY[name](),)))
    before, _, after = source.partition('<div class="picture"')
    found = re.findall(r'<div class="end ([a-z-]+)"><b>(?:<a [^>]*>)?([^<]*).*?<ul>(.*?)</ul>', before)
    assert len(found) == len(ends)
    for (state, station, lines), (its_state, its_name, said) in zip(found, ends, strict=True):
        assert state == its_state
        assert its_name in station
        assert said in lines
    assert 'class="end' not in after
    wide, _, narrow = source.partition("@media (max-width:44rem)")
    assert ".end{display:none" in wide
    assert narrow.startswith("{.end{display:block}")
