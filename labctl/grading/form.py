"""Jobs and examinations as JSON: for those who order, those who examine and those who keep."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TypeVar

from labctl.contract import reader
from labctl.errors import GradingError
from labctl.grading.job import Examination, Job

T = TypeVar("T", Job, Examination)


def written(told: Job | Examination) -> str:
    """Write a job or an examination; lone surrogates, which stand for bytes that are no UTF-8, stay so."""
    return json.dumps({"schema": told.SCHEMA, **asdict(told)}, default=reader.plain)


def read(text: str | bytes, made: type[T]) -> T:
    """Read a job or an examination.

    Raises:
        GradingError: It is none.
    """
    try:
        text = text.decode() if isinstance(text, bytes) else text
        return reader.read(text.removeprefix("\ufeff"), made)  # which some programs put there
    except ValueError as exc:
        raise GradingError(f"this is no {made.SCHEMA}: {exc}", hint="labctl grade --help") from exc
