"""Columns stand under each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.report.layout.table import size, table


def test_columns_begin_at_the_same_place_in_every_line() -> None:
    head, first, second = table(("A", "LONG"), [("wide cell", "x"), ("", "y")]).splitlines()
    assert head.index("LONG") == first.index("x") == second.index("y")


def test_a_table_without_rows_is_its_head() -> None:
    assert table(("A", "B"), []) == "A  B"


def test_wide_and_combining_characters_are_counted_as_a_terminal_draws_them() -> None:
    _, wide, combining, plain = table(
        ("A", "B"), [("東京", "x"), ("e\u0301e\u0301ab", "x"), ("abcd", "x")]
    ).splitlines()
    assert wide == "東京  x"
    assert combining == "e\u0301e\u0301ab  x"
    assert plain == "abcd  x"


@given(st.lists(st.tuples(st.text(st.characters()), st.text(st.characters()))))
def test_a_row_is_one_line_whatever_its_cells_hold(rows: list[tuple[str, str]]) -> None:
    assert len(table(("A", "B"), rows).split("\n")) == len(rows) + 1


@pytest.mark.parametrize(
    ("count", "wanted"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_345, "12 kB"),
        (98_765_432, "99 MB"),
        (5 * 10**12, "5000 GB"),
    ],
)
def test_a_size_is_rounded_to_what_a_person_wants_to_know(count: int, wanted: str) -> None:
    assert size(count) == wanted
