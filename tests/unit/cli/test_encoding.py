"""Every sign that labctl draws can be drawn in ASCII, in the same place."""

from __future__ import annotations

import ast
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import labctl
from labctl.cli.encoding import ERRORS

PACKAGE = Path(labctl.__file__).parent


def signs() -> set[str]:
    """Return all characters beyond ASCII, letters apart, in texts of the modules that are read by people."""
    found: set[str] = set()
    for part in ("cli", "report", "commands", "exercises", "faults", "lab", "trace"):
        for path in (PACKAGE / part).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found |= {each for each in node.value if not each.isascii() and not each.isalpha()}
    drawn = {each for each in found if unicodedata.category(each) in {"So", "Sm", "Po", "Pi", "Pf", "Pd"}}
    return {each for each in drawn if unicodedata.east_asian_width(each) != "F"}  # those spreadsheets get


def test_each_sign_takes_one_column_in_ascii_too() -> None:
    drawn = {each: each.encode("ascii", ERRORS) for each in signs()}
    assert {"┏", "✗", "→", "…"} <= set(drawn)
    assert {each for each, plain in drawn.items() if len(plain) != 1} == set()


def test_the_marks_and_frames_of_a_picture_differ_in_ascii_too() -> None:
    for alternatives in ("━═┄─", "┃│┊", "✓✗●◷·"):
        plain = {each.encode("ascii", ERRORS) for each in alternatives}
        assert len(plain) == len(alternatives)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252"])
@given(text=st.text(st.characters(codec=None)))
def test_whatever_a_text_holds_it_can_be_written(encoding: str, text: str) -> None:
    written = text.encode(encoding, ERRORS)
    if text.isascii():
        assert written == text.encode()
    assert written.decode(encoding) or not text
