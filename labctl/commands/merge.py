"""``labctl merge``: joins what several machines have graded."""

from __future__ import annotations

import stat
from itertools import islice
from typing import TYPE_CHECKING, Final

from labctl import plainfile
from labctl.commands.grade import Grade
from labctl.contract import reader
from labctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from labctl.grading.score import GradedAttempt

FILE_NAME: Final = "grade.json"
"""In a directory that ``labctl grade --out`` wrote: the document."""

LARGEST_FILE: Final = 256 << 20
_MOST_NAMED: Final = 10


def merge(directories: Sequence[Path]) -> Grade:
    """Join the results of shards.

    Args:
        directories: What ``labctl grade --shard i/n --out DIR`` wrote, each.

    Returns:
        All attempts; the seconds are those of the shard that took longest.

    Raises:
        UsageError: A directory holds no result, they are of several labs, a shard is missing, or an attempt
            is in two of them.
    """
    parts = [_read(each / FILE_NAME) for each in directories]
    if len(labs := sorted({each.lab for each in parts})) != 1:
        raise UsageError(
            f"these are results of {', '.join(labs) or 'no lab'}: one lab at a time", hint="labctl merge DIR…"
        )
    _check_whole(parts)
    attempts: dict[str, GradedAttempt] = {}
    for part, directory in zip(parts, directories, strict=True):
        for each in part.attempts:
            if each.id in attempts:
                raise UsageError(
                    f"attempt {each.id!r} is in {directory} and in another shard", hint="labctl merge DIR…"
                )
            attempts[each.id] = each
    ordered = tuple(attempts[each] for each in sorted(attempts))
    return Grade(parts[0].lab, parts[0].title, ordered, max(each.seconds for each in parts))


def _check_whole(parts: Sequence[Grade]) -> None:
    """Refuse shards of which one is missing."""
    seen: dict[int, set[int]] = {}
    for each in parts:
        if each.shard is not None:
            part, of = each.shard
            seen.setdefault(of, set()).add(part)
    for of, there in seen.items():
        if missing := list(islice((each for each in range(1, of + 1) if each not in there), _MOST_NAMED)):
            raise UsageError(
                f"of {of} shards these are missing: {', '.join(map(str, missing))}",
                hint=f"labctl grade ATTEMPT… --shard {missing[0]}/{of} --out DIR",
            )


def _read(path: Path) -> Grade:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_FILE:
            raise UsageError(f"{path} is no regular file of 256 MiB at most", hint="labctl grade --out DIR")
        read = reader.read(plainfile.content(path, LARGEST_FILE), Grade)
    except OSError as exc:
        raise UsageError(f"{path} can't be read: {exc.strerror}", hint="labctl grade --out DIR") from exc
    except ValueError as exc:
        raise UsageError(f"{path} is no {Grade.SCHEMA}: {exc}", hint="labctl grade --out DIR") from exc
    part, parts = read.shard or (1, 1)
    if part > parts:
        raise UsageError(f"{path} is shard {part} of {parts}", hint="labctl grade --out DIR")
    return read
