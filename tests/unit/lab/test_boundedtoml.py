"""TOML of strangers: as tomllib reads it, or refused within bounds."""

from __future__ import annotations

import resource
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.lab.blueprint import boundedtoml
from labctl.lab.blueprint.boundedtoml import NoToml

if TYPE_CHECKING:
    from collections.abc import Callable

PIECES = (
    "a", "b-1", "42", "0x1f", "1.5", "1979-05-27 07:32:00.999", "inf", "true", ".", " ", "\t", "=", " = ",
    "\n", "\r\n", ",", "[", "]", "[[", "]]", "{", "}", '"', "'", '"""', "'''", '""""', "''''", "\\", '\\"',
    "\\\\", "\\u0000", "#", "# [{.\n", '"a.b"', "'x'", '"[[["', "é",
)  # fmt: skip

BOMBS = {
    "one dotted key": b"x" + b".a" * 30_000 + b" = 1",
    "a dotted key with blanks": b"x" + b" .\ta" * 20_000 + b" = 1",
    "a table's name": b"[x" + b".a" * 30_000 + b"]",
    "an array of tables' name": b"[[x" + b". a" * 30_000 + b"]]",
    "quoted parts": b"x" + b".''" * 30_000 + b" = 1",
    "a key in an inline table": b"x = {a" + b".a" * 30_000 + b" = 1}",
    "arrays in arrays": b"x = " + b"[" * 100_000,
    "tables in tables": b"x = " + b"{a=" * 60_000,
    "a long key": b"k" * 100_000 + b" = 1",
    "a long quoted key": b'"' + b"k" * 100_000 + b'" = 1',
    "a long hexadecimal number": b"x = 0x" + b"f" * 6_000,
    "a long binary number": b"x = [0b" + b"1" * 30_000 + b"]",
    "a long decimal number": b"x = " + b"9" * 100_000,
    "a number just too large": b"x = 9223372036854775808",
    "more than anybody writes": b"#" * (boundedtoml.LARGEST + 1),
    "a string that is never closed": b'x = """' + b'\\n"' * 80_000,
    "no text": b"\xff",
}

HEAVY = {
    "deep keys": b"".join(b"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.k%x = 1\n" % n for n in range(6_000)),
    "deep keys apart": b"".join(b"k%x.b.c.d.e.f.g.h.i.j.k.l.m.n.o.a = 1\n" % n for n in range(6_000)),
    "deep tables": b"".join(b"[k%x.b.c.d.e.f.g.h.i.j.k.l.m.n.o.a]\n" % n for n in range(6_000)),
    "many tables": b"[[a]]\n" * 20_000 + b"[a.b]\nx = 1\n[[a]]\n" * 6_000,
    "many arrays": b"x = [" + b"[]," * 80_000 + b"]",
    "many inline tables": b"x = [" + b"{a.b.c.d.e.f.g.h = 1}," * 11_000 + b"]",
    "many escapes": b'x = """' + b"\\n" * 120_000 + b'"""""',
}


def result(parse: Callable[[], object]) -> object:
    """Return what is read; None where it is no TOML."""
    try:
        return repr(parse())
    except (ValueError, RecursionError):
        return None


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=30).map("".join)))
def test_what_is_within_the_bounds_is_read_as_tomllib_reads_it(text: str) -> None:
    content = text.encode("utf-8", "replace")
    assert result(lambda: boundedtoml.parse(content)) == result(lambda: tomllib.loads(content.decode()))


@given(
    st.one_of(st.binary(), st.lists(st.sampled_from(PIECES), max_size=200).map(lambda p: "".join(p).encode()))
)
def test_any_bytes_are_a_table_or_no_toml_in_a_line_that_there_is(content: bytes) -> None:
    lines, said = range(1, content.count(b"\n") + 2), "whatever it is"
    line = 1
    try:
        said = str(boundedtoml.parse(content))
    except NoToml as error:
        line, said = error.line, str(error)[:300]
    assert line in lines
    assert said


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_what_would_cost_more_than_its_size_is_refused(content: bytes) -> None:
    with pytest.raises(NoToml) as caught:
        boundedtoml.parse(content)
    assert caught.value.line == 1
    assert len(str(caught.value)) < 300


def test_no_text_within_the_bounds_takes_much_time_or_memory() -> None:
    """All of them together have a tenth of a gigabyte beyond what Python takes, and half a minute."""

    def bounds() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (160 << 20, 160 << 20))
        resource.setrlimit(resource.RLIMIT_CPU, (30, 30))

    program = (
        "import sys; from labctl.lab.blueprint import boundedtoml\n"
        "for each in sys.stdin.buffer.read().split(b'\\0'): print(len(boundedtoml.parse(each)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=b"\0".join(HEAVY.values()),
        capture_output=True,
        preexec_fn=bounds,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.split()) == len(HEAVY)


@pytest.mark.parametrize(
    "text",
    [
        f"a{'.a' * 15} = 1",
        f"x = {'[' * 16}{']' * 16}",
        f"{'k' * 100} = 1",
        "x = [9223372036854775807, -9223372036854775808, 0xffff]",
        f'x = \'{"[" * 1000}\'  # {"a." * 1000}\ny = """{".a" * 1000}"""""\nz = {"[[]," * 2}[]]]',
        f'"{"." * 50}".x = "\\"[[[[[[[[[[[[[[[[[[[[[["',
        f"x = [{', '.join(['1.5'] * 1000)}]",
        f"x = [{', '.join(['{a.b.c = 1}'] * 1000)}]",
    ],
)
def test_what_people_write_is_read(text: str) -> None:
    assert boundedtoml.parse(text.encode()) == tomllib.loads(text)


def test_a_byte_order_mark_is_told_as_that() -> None:
    with pytest.raises(NoToml, match="byte order mark"):
        boundedtoml.parse("\ufefflab = 'x'".encode())


def test_the_line_of_what_is_too_large_is_told() -> None:
    with pytest.raises(NoToml, match="score is a number of more than 64 bits") as caught:
        boundedtoml.parse(b"a = 1\n[table]\nscore = 99999999999999999999\n")
    assert caught.value.line == 3
