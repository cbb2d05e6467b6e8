"""Running a workflow's steps as its service would: by a shell, in a clean directory, by its own Python."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).parents[2]

_LONGEST_STEP: Final = 300.0

_OF_THE_MACHINE: Final = ("DOCKER_HOST", "DOCKER_CONTEXT", "LABCTL_BASE_IMAGE", "LANG")


@dataclass(frozen=True)
class Step:
    """One step of a job: what a shell is given, or the name of an action."""

    script: str
    uses: str


@dataclass(frozen=True)
class Job:
    """A job's steps, what its environment adds, its shell, and whether one shell runs all steps."""

    steps: tuple[Step, ...]
    variables: Mapping[str, str]
    shell: tuple[str, ...]
    together: bool = False

    @property
    def scripts(self) -> tuple[str, ...]:
        """What its steps give to a shell."""
        return tuple(each.script for each in self.steps if each.script)


def github(text: str, name: str) -> Job:
    """Read a job of GitHub Actions, whose shell is ``bash -e`` for each step."""
    workflow = yaml.safe_load(text)
    job = workflow["jobs"][name]
    steps = tuple(Step(each.get("run", ""), each.get("uses", "")) for each in job["steps"])
    return Job(steps, {**workflow.get("env", {}), **job.get("env", {})}, ("bash", "-e"))


def gitlab(text: str, name: str) -> Job:
    """Read a job of GitLab CI, which gives all steps to one shell, with ``pipefail``."""
    pipeline = yaml.safe_load(text)
    job = pipeline[name]
    lines = (*job.get("before_script", ()), *job["script"])
    steps = tuple(Step(each, "") for each in lines)
    return Job(steps, pipeline.get("variables", {}), ("bash", "-eo", "pipefail"), together=True)


class Runner:
    """A machine of a service.

    Args:
        directory: Its own.
        python: The Python that is set up on it, as a virtual environment.
        wheels: Where pip finds labctl and all that it needs.
    """

    def __init__(self, directory: Path, python: Path, wheels: Path) -> None:
        self._directory = directory
        self.summary = directory / "summary.md"
        self.summary.touch()
        (directory / "home").mkdir()
        kept = {name: os.environ[name] for name in _OF_THE_MACHINE if name in os.environ}
        self._environment = {
            **kept,
            "PATH": f"{python / 'bin'}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(directory / "home"),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def runs(
        self, job: Job, attempt: Path, scripts: Sequence[str] = (), **variables: str
    ) -> Iterator[subprocess.CompletedProcess[str]]:
        """Run a job's scripts, or these of them, until one fails, and yield what came of each."""
        scripts = scripts or job.scripts
        for script in ("\n".join(scripts),) if job.together else scripts:
            yield (done := self._run(job, script, attempt, variables))
            if done.returncode:
                return

    def _run(
        self, job: Job, script: str, attempt: Path, variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        file = self._directory / "step.sh"
        file.write_text(script, encoding="utf-8")
        return subprocess.run(
            [*job.shell, str(file)],
            env={**self._environment, **job.variables, **variables},
            cwd=attempt,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LONGEST_STEP,
            check=False,
        )


def make_python(directory: Path) -> Path:
    """Make a Python that has nothing installed; who comes second finds what the first one has installed."""
    subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    return directory


def make_wheels(directory: Path) -> Path:
    """Build labctl's wheel, with those of all that it needs beside it."""
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", directory, ROOT], check=True
    )
    return directory
