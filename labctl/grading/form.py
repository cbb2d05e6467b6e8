"""Jobs and examinations as JSON: for those who order, those who examine and those who keep."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from labctl.errors import GradingError
from labctl.grading.job import Examination, Job, Observation, Rejection
from labctl.grading.seedfrom import SeedFrom
from labctl.grading.verdict import CheckVerdict

if TYPE_CHECKING:
    from collections.abc import Callable


T = TypeVar("T")


def job_text(job: Job) -> str:
    """Write a job; contents are in base64 (RFC 4648)."""
    return json.dumps(
        {
            "schema": Job.SCHEMA,
            "attempt": job.attempt,
            "lab": str(job.lab),
            "checks": None if job.checks is None else str(job.checks),
            "files": {path: base64.b64encode(content).decode() for path, content in job.files.items()},
            "seed": job.seed,
            "name": job.name,
            "run": job.run,
            "seed_from": job.seed_from,
        }
    )


def job(text: str) -> Job:
    """Read a job.

    Raises:
        GradingError: It is none.
    """

    def read(table: dict[str, Any]) -> Job:
        return Job(
            attempt=table["attempt"],
            lab=Path(table["lab"]),
            checks=None if table["checks"] is None else Path(table["checks"]),
            files={path: base64.b64decode(content) for path, content in table["files"].items()},
            seed=table["seed"],
            name=table["name"],
            run=table["run"],
            seed_from=_seed_from(table),
        )

    return _read(text, Job.SCHEMA, read)


def examination_text(examination: Examination) -> str:
    """Write an examination; lone surrogates, which stand for bytes that are no UTF-8, stay as they are."""
    return json.dumps({"schema": Examination.SCHEMA, **asdict(examination)})


def examination(text: str) -> Examination:
    """Read an examination.

    Raises:
        GradingError: It is none.
    """

    def read(table: dict[str, Any]) -> Examination:
        rejection = table["rejection"]
        return Examination(
            attempt=table["attempt"],
            lab=table["lab"],
            seed=table["seed"],
            seconds=table["seconds"],
            checks=tuple(_observation(each) for each in table["checks"]),
            rejection=None if rejection is None else Rejection(**rejection),
            broken=table["broken"],
            remarks=tuple(table["remarks"]),
            logs={service: tuple(lines) for service, lines in table["logs"].items()},
            seed_from=_seed_from(table),
        )

    return _read(text, Examination.SCHEMA, read)


def _seed_from(table: dict[str, Any]) -> SeedFrom | None:
    """Read who says the seed; what was written before that was told does not say so."""
    return None if (said := table.get("seed_from")) is None else SeedFrom(said)


def _observation(table: dict[str, Any]) -> Observation:
    evidence = tuple(table["evidence"])
    return Observation(**{**table, "verdict": CheckVerdict(table["verdict"]), "evidence": evidence})


def _read(text: str, schema: str, read: Callable[[dict[str, Any]], T]) -> T:
    try:
        table = json.loads(text.removeprefix("\ufeff"))  # which some programs put before every text
        if table.pop("schema") != schema:
            raise GradingError(f"this is no {schema}", hint="labctl grade --help")
        return read(table)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        message = f"this is no {schema}: {type(exc).__name__}: {exc}"
        raise GradingError(message, hint="labctl grade --help") from exc
