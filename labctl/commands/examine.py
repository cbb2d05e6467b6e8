"""``labctl examine``: examines one attempt for another program."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from labctl.engine import images
from labctl.exercises.worker.children import Children
from labctl.grading.examiner import Examiner
from labctl.grading.laboratories import Laboratories
from labctl.lab import origin
from labctl.lab.name import valid_name
from labctl.lab.running import leftovers
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
    specs = origin.image_specs()
    images.ensure(engine, specs, environ=environ, progress=progress)
    leftovers.remove_dead(engine)
    with ExitStack() as ends:
        children = Children(environ, 1)
        ends.callback(children.close)
        laboratories = Laboratories(engine, engine_url, specs)
        ends.callback(laboratories.close)
        return Examiner(engine, laboratories, children.child).examine(job)
