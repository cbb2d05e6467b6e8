"""``labctl examine``: examines one attempt for another program."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from labctl.grading import gradedlab
from labctl.grading.examiner import Examiner
from labctl.lab.blueprint import definition
from labctl.lab.name import valid_name
from labctl.progress import silent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.engine.protocol import Engine
    from labctl.grading.job import Examination, Job
    from labctl.progress import Progress


def examine(
    engine: Engine,
    engine_url: str,
    job: Job,
    *,
    environ: Mapping[str, str],
    progress: Progress = silent,
) -> Examination:
    """Examine one attempt, in a laboratory that is there for nothing else.

    Raises:
        UsageError: The lab is not one to be graded, or the job's name is malformed.
        LabError: The lab or a file of its checks is wrong.
        EngineError: The engine failed, or a host that runs nothing of the attempt.
    """
    name = valid_name(job.name)
    job = replace(job, run=job.run or name)
    lab = gradedlab.load(definition.load(job.lab), job.checks)
    with Examiner.at_work(engine, engine_url, lab, environ=environ, progress=progress) as examiner:
        return examiner.examine(job)
