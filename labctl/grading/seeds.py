"""A teacher's roster of seeds: which attempt was handed out with which, whatever the attempt says itself."""

from __future__ import annotations

import csv
import fcntl
import io
import os
import re
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from labctl import output, plainfile
from labctl.errors import OutputError, UsageError
from labctl.lab.attempt import attempt
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

HEAD: Final = ("attempt", "seed")

FORMULA: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001  # the wide ones count too
"""A spreadsheet takes a cell that begins so for a formula ("CSV Injection", OWASP)."""

_LIKE_A_FORMULA: Final = re.compile(rf"[\s']*[{re.escape(''.join(FORMULA))}]")

_LARGEST: Final = 16 << 20
_WAIT: Final = 60.0


def read(path: Path) -> dict[str, str]:
    """Read a roster: CSV (RFC 4180) in UTF-8, with the columns attempt and seed.

    An attempt is named as ``labctl grade`` names it: by its directory. An apostrophe before what a
    spreadsheet would take for a formula is no part of the name.

    Args:
        path: The file.

    Returns:
        The seeds, by attempt.

    Raises:
        UsageError: It can't be read, or a line of it is wrong; file and line are in the message.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{path} is no file", hint="--seeds ROSTER")
        return _parsed(plainfile.content(path, _LARGEST), path)
    except OSError as exc:
        raise UsageError(f"{path} can't be read: {exc.strerror}", hint=f"ls -l {path}") from exc


@contextmanager
def kept(path: Path) -> Iterator[dict[str, str]]:
    """Lend the seeds of a roster, and write it anew where some were added; nobody else adds any meanwhile.

    Args:
        path: The file; made if it is not there. A link to it stays one.

    Raises:
        UsageError: It can't be read, or a line of it is wrong.
        OutputError: It can't be written; it is as it was then.
    """
    path = path.resolve()
    with _locked(path):
        seeds = read(path) if path.exists() and path.stat().st_size else {}
        before = dict(seeds)
        yield seeds
        if seeds != before:
            _write(path, seeds)


def _parsed(content: bytes, path: Path) -> dict[str, str]:
    text = content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    seeds: dict[str, str] = {}
    try:
        if tuple(next(rows, ())) != HEAD:
            raise _wrong(path, 1, f"expected the head {','.join(HEAD)}")
        for row in rows:
            if not row:
                continue
            if len(row) != len(HEAD):
                raise _wrong(path, rows.line_num, f"expected {' and '.join(HEAD)}, and not {len(row)} cells")
            name, seed = _name(row[0]), row[1]
            if not name:
                raise _wrong(path, rows.line_num, "the attempt has no name")
            if name in seeds:
                raise _wrong(path, rows.line_num, f"attempt {name[:80]!r} was there before")
            if not attempt.SEED.fullmatch(seed):
                raise _wrong(path, rows.line_num, f"seed {seed[:80]!r}: expected 16 hexadecimal digits")
            seeds[name] = seed
    except csv.Error as exc:
        raise _wrong(path, rows.line_num, f"this is no CSV: {exc}") from exc
    return seeds


def _wrong(path: Path, line: int, message: str) -> UsageError:
    hint = f"edit {path}; labctl init LAB DIR --seed-from writes such a file"
    return UsageError(f"{path}:{line}: {message}", hint=hint, detail={"file": str(path), "line": line})


def _name(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _LIKE_A_FORMULA.match(cell) else cell


def _cell(name: str) -> str:
    return f"'{name}" if _LIKE_A_FORMULA.match(name) else name


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file's directory: the file itself is another one each time that it is written."""
    try:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise OutputError(f"{path} can't be written: {exc.strerror}", hint=f"ls -ld {path.parent}") from exc
    try:
        if eventually(lambda: _try(directory), within=_WAIT) is None:
            raise OutputError(f"{path} has been locked for {_WAIT:.0f} s", hint=f"fuser {path.parent}")
        yield
    finally:
        os.close(directory)


def _try(directory: int) -> bool | None:
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return True


def _write(path: Path, seeds: Mapping[str, str]) -> None:
    lines = io.StringIO(newline="")
    writer = csv.writer(lines)  # with RFC 4180's line ends; with others it would leave CR as it is
    writer.writerow(HEAD)
    writer.writerows((_cell(name), seed) for name, seed in seeds.items())
    with output.writing(path) as file:
        file.write(lines.getvalue().encode("utf-8", "surrogateescape"))
