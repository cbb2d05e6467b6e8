"""Byte order marks are known, and what stands behind them is read."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl import byteordermark
from labctl.errors import InvalidLabFile
from labctl.exercises.catalogue import discovery
from labctl.lab.blueprint import composefile
from labctl.lab.blueprint.textfile import text_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MARKED = {
    "utf-8": codecs.BOM_UTF8 + b"a = 1\n",
    "utf-16-le": codecs.BOM_UTF16_LE + "a = 1\n".encode("utf-16-le"),
    "utf-16-be": codecs.BOM_UTF16_BE + "a = 1\n".encode("utf-16-be"),
    "utf-32-le": codecs.BOM_UTF32_LE + "a = 1\n".encode("utf-32-le"),
}


@pytest.mark.parametrize("encoding", MARKED)
def test_a_mark_tells_the_encoding_and_is_taken_off(encoding: str) -> None:
    content = MARKED[encoding]
    assert byteordermark.encoding_of(content) == encoding
    assert byteordermark.without(content) == b"a = 1\n"
    assert str(byteordermark.fault_of(content)).endswith(": save it as UTF-8 without one")


@given(st.binary())
def test_whatever_is_behind_a_mark_becomes_utf_8(content: bytes) -> None:
    for mark in (codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE):
        assert byteordermark.without(mark + content).decode() is not None
    if byteordermark.encoding_of(content) is None:
        assert byteordermark.without(content) == content


def definition_text(path: Path) -> str:
    return text_of(path, hint="labctl labs")


@pytest.mark.parametrize("encoding", MARKED)
@pytest.mark.parametrize("read", [definition_text, discovery.in_file])
def test_a_file_of_a_lab_that_begins_with_one_is_told_so(
    tmp_path: Path, read: Callable[[Path], object], encoding: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(MARKED[encoding])
    if read is discovery.in_file and encoding == "utf-8":
        assert read(path) == ()  # Python knows it
        return
    with pytest.raises(InvalidLabFile, match=r"file:1: begins with .*byte order mark \(BOM\)"):
        read(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_yaml_may_begin_with_one(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "compose.yaml"
    path.write_bytes("\ufeffservices:\r\n  a: {}\r\n".encode("utf-8" if encoding == "utf-8" else "utf-16-le"))
    assert list(composefile.read(path)) == ["services"]
