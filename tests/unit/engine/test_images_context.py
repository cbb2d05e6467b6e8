"""Contexts: the same files make the same hash and the same tar, other files others."""

from __future__ import annotations

import os
import tarfile
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.images.context import Entry, digest, pack, read

if TYPE_CHECKING:
    from pathlib import Path

names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1)
entries = st.lists(
    st.builds(Entry, names, st.binary(max_size=200), st.booleans()),
    max_size=6,
    unique_by=lambda entry: entry.path,
).map(tuple)


def test_files_are_read_sorted_with_their_execute_bits(tmp_path: Path) -> None:
    (tmp_path / "z").write_bytes(b"1")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "run").write_bytes(b"2")
    (tmp_path / "a" / "run").chmod(0o755)
    assert read(tmp_path) == (Entry("a/run", b"2", executable=True), Entry("z", b"1"))


def test_hidden_files_and_those_left_out_are_not_read(tmp_path: Path) -> None:
    for name in (".gitignore", "coredns", "main.go"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_bytes(b"")
    assert [entry.path for entry in read(tmp_path, without=("coredns",))] == ["main.go"]


def test_the_hash_does_not_depend_on_times_and_other_modes(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    before = digest(read(tmp_path))
    os.utime(file, (0, 0))
    file.chmod(0o600)
    assert digest(read(tmp_path)) == before


@given(entries, entries, st.lists(st.text(st.characters(codec="utf-8")), max_size=2))
def test_two_contexts_have_one_hash_only_if_they_are_equal(
    one: tuple[Entry, ...], other: tuple[Entry, ...], seeds: list[str]
) -> None:
    assert (digest(one, *seeds) == digest(other, *seeds)) == (one == other)


def test_parts_do_not_flow_into_each_other() -> None:
    assert digest((Entry("ab", b"c"),)) != digest((Entry("a", b"bc"),))
    assert digest((), "ab", "c") != digest((), "a", "bc")


@given(entries)
def test_the_tar_is_the_same_each_time_and_holds_what_went_in(context: tuple[Entry, ...]) -> None:
    packed = pack(context).read()
    assert packed == pack(context).read()
    with tarfile.open(fileobj=pack(context)) as tar:
        found = []
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            found.append(Entry(member.name, content.read(), executable=member.mode == 0o755))
            assert (member.uid, member.mtime) == (0, 0)
    assert [(e.content, e.executable) for e in found] == [(e.content, e.executable) for e in context]
    assert [e.path for e in found] == [e.path.rstrip("/") for e in context]
