"""Jobs and examinations as JSON: for those who order, those who examine and those who keep."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from typing import TypeVar

from labctl.errors import GradingError
from labctl.grading import typedjson
from labctl.grading.job import Examination, Job

T = TypeVar("T", Job, Examination)


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


def job(text: str | bytes) -> Job:
    """Read a job.

    Raises:
        GradingError: It is none.
    """
    return _read(text, Job)


def examination_text(examination: Examination) -> str:
    """Write an examination; lone surrogates, which stand for bytes that are no UTF-8, stay as they are."""
    return json.dumps({"schema": Examination.SCHEMA, **asdict(examination)})


def examination(text: str | bytes) -> Examination:
    """Read an examination.

    Raises:
        GradingError: It is none.
    """
    return _read(text, Examination)


def _read(text: str | bytes, made: type[T]) -> T:
    schema: str = made.SCHEMA
    try:
        text = text.decode() if isinstance(text, bytes) else text
        return typedjson.read(text.removeprefix("\ufeff"), made, schema)  # which some programs put there
    except ValueError as exc:
        raise GradingError(f"this is no {schema}: {exc}", hint="labctl grade --help") from exc
