from __future__ import annotations

import csv
import os
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import UsageError
from labctl.grading import seeds

SEED = "0123456789abcdef"

NAMES = st.text(st.characters(exclude_characters="\0/", exclude_categories=[]), min_size=1, max_size=20)
"""What a directory may be called; a lone surrogate stands for a byte that is no UTF-8."""


def of_bytes(name: str) -> bool:
    """Say whether a name can be one of a file: whatever is no character has to stand for a byte."""
    with suppress(UnicodeEncodeError):
        return os.fsdecode(os.fsencode(name)) == name
    return False


@given(st.dictionaries(NAMES.filter(of_bytes), st.just(SEED) | st.just("f" * 16), min_size=1, max_size=4))
def test_whatever_attempts_are_called_their_seeds_are_read_as_they_were_kept(known: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "roster.csv")
        for name, seed in known.items():
            with seeds.kept(path) as roster:
                roster[name] = seed

        assert seeds.read(path) == known
        assert [*Path(scratch).iterdir()] == [path]


@given(st.text("' \t\r\n\v", max_size=3), st.sampled_from(seeds.FORMULA))
def test_no_cell_is_a_formula_to_a_spreadsheet(before: str, sign: str) -> None:
    name = f"{before}{sign}cmd|'/C calc'!A0"
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "roster.csv")
        with seeds.kept(path) as roster:
            roster[name] = SEED
        with path.open(encoding="utf-8", newline="") as file:
            [_, row] = csv.reader(file)

        assert row[0].startswith("'")
        assert seeds.read(path) == {name: SEED}


def test_what_a_spreadsheet_saves_is_read(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes(f'\ufeffattempt,seed\r\n"Müller, Eva",{SEED}\r\n\r\n=1+1,{SEED}\r\n'.encode())

    assert seeds.read(path) == {"Müller, Eva": SEED, "=1+1": SEED}


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (b"", 1, "expected the head attempt,seed"),
        (b"attempt;seed\n", 1, "expected the head attempt,seed"),
        (b"attempt,seed\nalice\n", 2, "not 1 cells"),
        (b"attempt,seed\nalice,0123456789abcdef,\n", 2, "not 3 cells"),
        (b"attempt,seed\nalice,1.23457E+15\n", 2, "expected 16 hexadecimal digits"),
        (b"attempt,seed\nalice,0123456789ABCDEF\n", 2, "expected 16 hexadecimal digits"),
        (b'attempt,seed\n"a\nb",0123456789abcdef\nalice,\n', 4, "expected 16 hexadecimal digits"),
        (b"attempt,seed\n,0123456789abcdef\n", 2, "has no name"),
        (b"attempt,seed\na,0123456789abcdef\na,0123456789abcdef\n", 3, "was there before"),
        (b'attempt,seed\n"alice,0123456789abcdef\n', 2, "no CSV"),
        (b"attempt,seed\n" + b"a" * 200_000 + b",0123456789abcdef\n", 2, "no CSV"),
        (b"\xff\xfe\x00", 1, ""),
    ],
)
def test_a_roster_that_is_wrong_is_told_with_its_line(
    tmp_path: Path, content: bytes, line: int, says: str
) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes(content)

    with pytest.raises(UsageError) as caught:
        seeds.read(path)

    assert caught.value.detail == {"file": str(path), "line": line}
    assert caught.value.message.startswith(f"{path}:{line}: ")
    assert says in caught.value.message


@given(st.binary(max_size=300))
def test_whatever_a_roster_holds_it_is_read_or_told_to_be_wrong(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "roster.csv")
        path.write_bytes(content)
        with suppress(UsageError):
            seeds.read(path)


def test_what_is_no_file_is_no_roster(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name in ("fifo", "nowhere", "."):
        with pytest.raises(UsageError):
            seeds.read(tmp_path / name)


def test_where_nothing_comes_of_it_the_roster_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_text(f"attempt,seed\r\nalice,{SEED}\r\n", encoding="utf-8")
    before = path.read_bytes()

    with suppress(KeyError), seeds.kept(path) as roster:
        roster["bob"] = SEED
        raise KeyError
    with seeds.kept(path) as roster:
        assert roster == {"alice": SEED}

    assert path.read_bytes() == before


def test_a_roster_keeps_its_mode_and_a_link_to_it_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.touch(mode=0o600)
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere/link.csv"
    link.symlink_to(path)

    with seeds.kept(link) as roster:
        roster["alice"] = SEED

    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert seeds.read(path) == {"alice": SEED}


def test_many_that_add_at_once_lose_nobodys_row(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    children = []
    for n in range(8):
        if (child := os.fork()) == 0:
            code = 1
            with suppress(BaseException):
                for each in range(5):
                    with seeds.kept(path) as roster:
                        roster[f"{n}-{each}"] = SEED
                        time.sleep(0)  # lets others come between what was read and what is written
                code = 0
            os._exit(code)
        children.append(child)

    assert [os.waitstatus_to_exitcode(os.waitpid(each, 0)[1]) for each in children] == [0] * 8
    assert set(seeds.read(path)) == {f"{n}-{each}" for n in range(8) for each in range(5)}
