"""Fuzzing: a session of calls, contained."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz import containment


@dataclass(frozen=True, slots=True)
class Found:
    """How many calls were made, and those that went wrong: each with the call, and what is wrong."""

    done: int
    wrong: tuple[dict[str, Any], ...]


def run(seed: int, number: int) -> Found:
    """Make so many calls of a seed."""
    return _session([str(seed), str(number)], "")


def replayed(lines: str) -> Found:
    """Make calls again, a line of JSON each."""
    return _session(["replay"], lines)


def reach() -> dict[str, list[str]]:
    """Say what a call can reach; see `session.reach`."""
    [told] = _told(["reach"], "")
    return dict(told)


def _session(arguments: list[str], stdin: str) -> Found:
    *wrong, last = _told(arguments, stdin)
    return Found(int(last["done"]), tuple(wrong))


def _told(arguments: list[str], stdin: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as root:
        done = subprocess.run(
            containment.contained("tests.fuzz.session", arguments, Path(root)),
            check=False,
            input=stdin,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise RuntimeError(f"the session came to no end: {done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]
