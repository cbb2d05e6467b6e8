"""The labs of a plain run of pytest: found by their names where they run, else brought up and taken down."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from labctl.engine import search
from labctl.engine.docker import DockerEngine
from labctl.exercises.catalogue import discovery
from labctl.exercises.running.stage import Stage
from labctl.lab import catalogue
from labctl.lab.name import valid_name
from labctl.lab.running import instance

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from labctl.engine.endpoint import Endpoint
    from labctl.lab.blueprint.definition import LabDefinition


class Stages(ExitStack):
    """The labs of one process; a context manager that takes down at its end what was brought up.

    Args:
        environ: The environment.
        worker: What tells this process from others of the same run (``gw0``); empty where there are none.
    """

    def __init__(self, environ: Mapping[str, str], worker: str = "") -> None:
        super().__init__()
        self._environ = environ
        self._worker = worker
        self._stages: dict[str, Stage] = {}
        self._engine = DockerEngine(_endpoint(environ))
        self.callback(self._engine.close)

    def of(self, path: Path) -> Stage:
        """Return the lab for the exercises of a file, up.

        Raises:
            UsageError: Another run uses it.
            LabError: It is wrong.
            EngineError: It could not be brought up.
        """
        lab = discovery.lab_around(path) or self._running()
        lab = lab or catalogue.find(discovery.DEFAULT_LAB, self._environ)
        if lab.id not in self._stages:
            self._stages[lab.id] = self._brought(lab)
        return self._stages[lab.id]

    def _brought(self, lab: LabDefinition) -> Stage:
        stage = Stage(self._engine, self._name(lab), lab, self._environ)
        self.enter_context(stage.occupied())
        self.callback(stage.take_down)
        stage.bring(url=self._engine.endpoint.url)
        return stage

    def _name(self, lab: LabDefinition) -> str:
        """Choose a lab's name: the one that was named, unless that is another lab's, or else its id."""
        suffix = f"-{self._worker}" if self._worker else ""
        name = (self._environ.get("LABCTL_NAME") or lab.id) + suffix
        there = instance.observe(self._engine, valid_name(name))
        taken = there.exists and there.lab != lab.id
        taken = taken or any(each.name == name for each in self._stages.values())
        return valid_name(f"{lab.id}-{name}" if taken else name)

    def _running(self) -> LabDefinition | None:
        """Return what the named lab is, or else the only one that runs."""
        if name := self._environ.get("LABCTL_NAME"):
            running = [instance.observe(self._engine, valid_name(name))]
        else:
            running = [*instance.observe_all(self._engine)]
        if len(running) == 1 and running[0].exists:
            return catalogue.definition_of(running[0], self._environ)
        return None


def _endpoint(environ: Mapping[str, str]) -> Endpoint:
    """Find the engine; it is installed where there is none and the environment says so."""
    home = search.home()
    if (found := search.look_around(environ, home).found) is not None:
        return found
    from labctl.engine.local import bootstrap  # noqa: PLC0415  # only where there is none

    return bootstrap.ensure_engine(environ, home, lambda _: environ.get("LABCTL_YES") == "1")
