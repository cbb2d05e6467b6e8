"""Text that a stranger wrote can't command a terminal, hide or turn around."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.report.layout.plain import harmless, one_line
from tests.unit.report.formats import HARMFUL, controls

any_text = st.text(st.characters())


def test_exactly_the_characters_are_escaped_that_unicode_calls_control_format_or_surrogate() -> None:
    every = [chr(code) for code in range(sys.maxunicode + 1)]
    left = [each for each in every if controls(each) and harmless(each) == each]
    changed = [
        each
        for each in every
        if unicodedata.category(each) not in {*HARMFUL, "Cn"} and harmless(each) != each
    ]
    assert left == []
    assert changed == []


@given(any_text)
def test_no_harmful_character_survives(text: str) -> None:
    assert controls(harmless(text)) == set()


@given(any_text)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    once = harmless(text)
    assert harmless(once) == once


@given(any_text, st.integers(min_value=2, max_value=300))
def test_one_line_is_one_harmless_line_of_the_length_wanted(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    assert "\t" not in line
    assert controls(line) == set()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("a\rb", r"a\x0db"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u061cx", r"\u061cx"),
        ("\U000e0041", r"\U000e0041"),
        ("caf\udce9", r"caf\xe9"),
        ("grüße, 東京\n\tend", "grüße, 東京\n\tend"),
    ],
)
def test_a_harmful_character_is_shown_by_its_number(text: str, wanted: str) -> None:
    assert harmless(text) == wanted


def test_a_line_that_is_too_long_ends_with_an_ellipsis() -> None:
    assert one_line("abc  \n def", 6) == "abc d…"
