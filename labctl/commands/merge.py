"""``labctl merge``: joins what several machines have graded."""

from __future__ import annotations

import json
import stat
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from labctl import plainfile
from labctl.commands.grade import Grade
from labctl.errors import UsageError
from labctl.grading.job import Rejection
from labctl.grading.score import GradedAttempt, GradedCheck
from labctl.grading.seedfrom import SeedFrom
from labctl.grading.verdict import AttemptVerdict, CheckVerdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

T = TypeVar("T")

FILE_NAME: Final = "grade.json"
"""In a directory that ``labctl grade --out`` wrote: the document."""

LARGEST_FILE: Final = 256 << 20
_MOST_SHARDS: Final = 999_999
_MOST_NAMED: Final = 10
_LARGEST: Final = 1e12


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
        table = json.loads(plainfile.content(path, LARGEST_FILE))
        if table["schema"] != Grade.SCHEMA:
            raise UsageError(f"{path} is no {Grade.SCHEMA}", hint="labctl grade --out DIR")
        return Grade(
            _text(table["lab"], some=True),
            _text(table["title"]),
            tuple(_attempt(each) for each in table["attempts"]),
            _number(table["seconds"]),
            _maybe(_shard, table.get("shard")),
        )
    except OSError as exc:
        raise UsageError(f"{path} can't be read: {exc.strerror}", hint="labctl grade --out DIR") from exc
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError) as exc:
        raise UsageError(f"{path} is no {Grade.SCHEMA}: {exc}", hint="labctl grade --out DIR") from exc


def _attempt(table: dict[str, Any]) -> GradedAttempt:
    if (table["verdict"] == AttemptVerdict.REJECTED) == (table["rejection"] is None):
        raise ValueError("a rejection and its reason belong together")
    return GradedAttempt(
        id=_text(table["id"], some=True),
        verdict=AttemptVerdict(table["verdict"]),
        score=_number(table["score"]),
        max_score=_number(table["max_score"]),
        seed=_text(table["seed"]),
        seconds=_number(table["seconds"]),
        checks=tuple(_check(each) for each in table["checks"]),
        explanation=_text(table["explanation"]),
        rejection=_maybe(_rejection, table["rejection"]),
        remarks=_lines(table["remarks"]),
        logs={service: _lines(lines) for service, lines in table["logs"].items()},
        cached=bool(table["cached"]),
        seed_from=_maybe(SeedFrom, table.get("seed_from")),
    )


def _check(table: dict[str, Any]) -> GradedCheck:
    return GradedCheck(
        id=_text(table["id"], some=True),
        title=_text(table["title"]),
        verdict=CheckVerdict(table["verdict"]),
        score=_number(table["score"]),
        max_score=_number(table["max_score"]),
        attempts=_count(table["attempts"]),
        explanation=_text(table["explanation"]),
        hint=_text(table["hint"]),
        evidence=_lines(table["evidence"]),
        seconds=_number(table["seconds"]),
        hidden=bool(table["hidden"]),
        path=_maybe(_text, table.get("path")),
        line=_maybe(_count, table.get("line")),
    )


def _rejection(table: dict[str, Any]) -> Rejection:
    return Rejection(
        code=_text(table["code"], some=True),
        text=_text(table["text"], some=True),
        hint=_text(table["hint"], some=True),
        file=_maybe(_text, table["file"]),
        line=_maybe(_count, table["line"]),
        service=_maybe(_text, table["service"]),
        said=_text(table["said"]),
    )


def _shard(value: Any) -> tuple[int, int]:
    part, parts = map(_count, value)
    if not part <= parts <= _MOST_SHARDS:
        raise ValueError(f"no shard {part} of {parts}")
    return part, parts


def _maybe(read: Callable[[Any], T], value: Any) -> T | None:
    return None if value is None else read(value)


def _text(value: Any, *, some: bool = False) -> str:
    if not isinstance(value, str) or (some and not value.strip()):
        raise TypeError(f"expected text, not {value!r:.80}")
    return value


def _lines(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"expected lines, not {value!r:.80}")
    return tuple(_text(each) for each in value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST:
        raise TypeError(f"expected a number from 0 to {_LARGEST:g}, not {value!r:.80}")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise TypeError(f"expected a whole number from 1, not {value!r:.80}")
    return value
