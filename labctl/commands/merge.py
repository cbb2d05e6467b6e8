"""``labctl merge``: joins what several machines have graded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from labctl.commands.grade import Grade
from labctl.errors import UsageError
from labctl.grading.job import Rejection
from labctl.grading.score import GradedAttempt, GradedCheck
from labctl.grading.verdict import AttemptVerdict, CheckVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE_NAME: Final = "grade.json"
"""In a directory that ``labctl grade --out`` wrote: the document."""


def merge(directories: Sequence[Path]) -> Grade:
    """Join the results of shards.

    Args:
        directories: What ``labctl grade --shard i/n --out DIR`` wrote, each.

    Returns:
        All attempts; the seconds are those of the shard that took longest.

    Raises:
        UsageError: A directory holds no result, they are of several labs, or an attempt is in two of them.
    """
    parts = [_read(each / FILE_NAME) for each in directories]
    if len(labs := sorted({each.lab for each in parts})) != 1:
        raise UsageError(
            f"these are results of {', '.join(labs) or 'no lab'}: one lab at a time", hint="labctl merge DIR…"
        )
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


def _read(path: Path) -> Grade:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if table["schema"] != Grade.SCHEMA:
            raise UsageError(f"{path} is no {Grade.SCHEMA}", hint="labctl grade --out DIR")
        attempts = tuple(_attempt(each) for each in table["attempts"])
        return Grade(table["lab"], table["title"], attempts, table["seconds"])
    except OSError as exc:
        raise UsageError(f"{path} can't be read: {exc.strerror}", hint="labctl grade --out DIR") from exc
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise UsageError(f"{path} is no {Grade.SCHEMA}: {exc}", hint="labctl grade --out DIR") from exc


def _attempt(table: dict[str, Any]) -> GradedAttempt:
    rejection = table["rejection"]
    return GradedAttempt(
        **{
            **table,
            "verdict": AttemptVerdict(table["verdict"]),
            "checks": tuple(_check(each) for each in table["checks"]),
            "rejection": None if rejection is None else Rejection(**rejection),
            "remarks": tuple(table["remarks"]),
            "logs": {service: tuple(lines) for service, lines in table["logs"].items()},
        }
    )


def _check(table: dict[str, Any]) -> GradedCheck:
    verdict, evidence = CheckVerdict(table["verdict"]), tuple(table["evidence"])
    return GradedCheck(**{**table, "verdict": verdict, "evidence": evidence})
