"""The files that a command is told to write: refused, where they can't be, before anything is done."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.errors import OutputError
from labctl.output import STANDARD_OUTPUT, check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def check_outputs(
    named: Mapping[str, Path | None],
    *,
    as_json: bool,
    inputs: Iterable[Path] = (),
    added: frozenset[str] = frozenset(),
) -> bool:
    """Refuse files that can't be written, that are named twice, or that the command reads.

    Args:
        named: The files, by what names them on the command line; None for one that is not asked for.
        as_json: Whether the command's result is to be a document on standard output.
        inputs: The files that the command reads.
        added: Which of them are added to.

    Returns:
        Whether standard output is free for the command's result: ``-`` takes it for a file.

    Raises:
        OutputError: One can't be written.
    """
    read = {_real(each) for each in inputs}
    taken: dict[Path, str] = {STANDARD_OUTPUT: "--json"} if as_json else {}
    for option, path in named.items():
        if path is None:
            continue
        try:
            place = path if path == STANDARD_OUTPUT else check(path, append=option in added)
        except OutputError as exc:
            raise OutputError(f"{option} {exc.message}", hint=exc.hint) from exc
        where = "standard output" if place == STANDARD_OUTPUT else str(path)
        if place in taken:
            raise OutputError(
                f"{option} {path} can't be written: {taken[place]} goes to {where} already",
                hint="name another file",
            )
        if place in read:
            raise OutputError(
                f"{option} {path} can't be written: the command reads it", hint="name another file"
            )
        taken[place] = option
    return STANDARD_OUTPUT not in taken or as_json


def check_directory(option: str, path: Path, unmade: ExitStack) -> None:
    """Refuse a directory that can't be made or written in, before anything is done; makes it.

    Args:
        option: What names it on the command line.
        path: The directory.
        unmade: Takes away again what was made, where something else is refused.

    Raises:
        OutputError: It can't.
    """
    try:
        missing = [each for each in (path, *path.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir(exist_ok=True)
            unmade.callback(_remove, each)
        path.mkdir(exist_ok=True)
    except OSError as exc:
        raise OutputError(
            f"{option} {path} can't be made: {exc.strerror}", hint=f"ls -ld {path.parent}"
        ) from exc
    if not os.access(path, os.W_OK | os.X_OK):
        raise OutputError(f"{option} {path} can't be written: Permission denied", hint=f"ls -ld {path}")


def _remove(directory: Path) -> None:
    with suppress(OSError):  # somebody else has put something there
        directory.rmdir()


def _real(path: Path) -> Path:
    with suppress(OSError):
        return Path(os.path.realpath(path))
    return path
