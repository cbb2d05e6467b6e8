"""What a mistyped name may have meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.suggestion import near, question

HOSTS = ["dns", "mx-alpha", "mx-beta", "mail-alpha", "mail-beta"]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("mx-alhpa", ["mx-alpha", "mail-alpha", "mx-beta"]),
        ("MX-ALPHA", ["mx-alpha"]),
        ("alpha-mx", ["mx-alpha", "mail-alpha"]),
        ("mail", ["mail-beta", "mail-alpha"]),  # what begins so, the shortest first
        ("dsn", ["dns"]),
        ("zebra", []),
        ("", []),
        ("d" * 10_000, []),
    ],
)
def test_what_resembles_a_word_or_begins_with_it_is_near(word: str, found: list[str]) -> None:
    assert near(word, HOSTS) == found


@given(st.text(), st.lists(st.text(), max_size=20))
def test_what_is_near_is_known_and_told_once(word: str, known: list[str]) -> None:
    found = near(word, known)
    assert len(found) == len(set(found)) <= 3
    assert set(found) <= set(known)


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        ([], ""),
        (["a"], "; did you mean 'a'?"),
        (["a", "b"], "; did you mean 'a' or 'b'?"),
        (["a", "b", "c"], "; did you mean 'a', 'b' or 'c'?"),
    ],
)
def test_the_question_names_all_of_them(names: list[str], asked: str) -> None:
    assert question(names) == asked
