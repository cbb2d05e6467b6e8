"""Laboratories for attempts: one for each, or one for many where nothing of an attempt is executed."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from labctl.engine.model import File
from labctl.errors import EngineError, LabctlError
from labctl.interruption import undone
from labctl.lab import lock, origin
from labctl.lab.attempt import attempt
from labctl.lab.attempt.rejection import rejection, reloaded
from labctl.lab.blueprint.definition import Grading
from labctl.lab.blueprint.limits import Limits
from labctl.lab.mark import labels
from labctl.lab.role import Role
from labctl.lab.running import emptying, instance, lifecycle, teardown
from labctl.lab.running.lifecycle import Tolerance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from labctl.engine.images import ImageSpec
    from labctl.engine.protocol import Engine
    from labctl.grading.job import Job
    from labctl.lab.blueprint.definition import LabDefinition
    from labctl.lab.blueprint.plan import Planner
    from labctl.lab.running.instance import Instance


@dataclass(frozen=True, slots=True)
class Laboratory:
    """A laboratory with what was handed in.

    Args:
        there: Its hosts.
        remarks: Which of them do not answer as they should, and what is wrong.
    """

    there: Instance
    remarks: tuple[str, ...] = ()


class Laboratories:
    """Makes laboratories of one lab, and takes them down whatever happens in them.

    Args:
        engine: The engine.
        engine_url: Its URL.
        lab: The lab.
        specs: The images.
    """

    def __init__(
        self, engine: Engine, engine_url: str, lab: LabDefinition, specs: tuple[ImageSpec, ...]
    ) -> None:
        self._engine = engine
        self._lab = lab
        self._publish = origin.has_to_publish(engine_url)
        self._specs = specs
        self._idle: list[str] = []
        """The names of laboratories that wait, as new, for another attempt."""

        self._lock = threading.Lock()
        self._abandoned = threading.Event()
        self._ends: dict[str, ExitStack] = {}
        """What gives each laboratory's lock back, by its name."""

    def laboratory(self, job: Job) -> AbstractContextManager[Laboratory]:
        """Give a laboratory with what was handed in, for the length of a block.

        Raises:
            ConfigRejected: A daemon refused a file of the attempt.
            EngineError: The engine failed, or a host that is none of the attempt's.
        """
        return self._lent(job) if self._lab.is_data else self._fresh(job)

    def abandon(self) -> None:
        """Make no more of them, and let those that are being made be taken down at once."""
        self._abandoned.set()

    def close(self) -> None:
        """Take down what still waits."""
        while self._idle:
            self._remove(self._idle.pop())

    # One for each

    @contextmanager
    def _fresh(self, job: Job) -> Iterator[Laboratory]:
        planner = self._planner(job, attempt.for_hosts(job.files, self._lab))
        self._occupy(job.name)
        try:
            tolerance = Tolerance.of(planner)
            lifecycle.bring_up(self._engine, planner, tolerance=tolerance, called_off=self._abandoned.is_set)
            there = instance.observe(self._engine, job.name)
            if (refused := rejection(self._engine, there, self._lab, handed_in=job.files)) is not None:
                raise refused
            yield Laboratory(there, tuple(each.message for _, each in sorted(tolerance.unready.items())))
        finally:
            self._remove(job.name)

    # One for many

    @contextmanager
    def _lent(self, job: Job) -> Iterator[Laboratory]:
        """Give one that is as new the attempt's data, and have it as new again afterwards."""
        name = self._taken(job)
        as_new = False
        try:
            there = instance.observe(self._engine, name)
            self._give(there, job)
            yield Laboratory(there)
            as_new = self._emptied(there)
        finally:
            if as_new:
                with self._lock:
                    self._idle.append(name)
            else:
                self._remove(name)

    def _taken(self, job: Job) -> str:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        self._occupy(job.name)
        with undone(lambda: self._remove(job.name)):
            lifecycle.bring_up(self._engine, self._planner(job, {}), called_off=self._abandoned.is_set)
        return job.name

    def _give(self, there: Instance, job: Job) -> None:
        """Put an attempt's data in the place of what was there."""
        handed_in = sorted(attempt.for_hosts(job.files, self._lab).items())
        for service, group in groupby(handed_in, key=lambda each: each[0][0]):
            host = there.host(service)
            container = host.running_container().id
            since = datetime.now(UTC)
            self._engine.put_files(container, [File(target, content) for (_, target), content in group])
            self._engine.signal(container, host.running_container().labels[labels.RELOAD])
            refused = reloaded(self._engine, there, self._lab, service, since, handed_in=job.files)
            if refused is not None:
                raise refused

    def _emptied(self, before: Instance) -> bool:
        """Make a laboratory as new, but for the attempt's data, which the next one's replaces.

        Returns:
            Whether that is proven: nothing has ended, been started again or run out of memory, no fault is
            left, and every host was emptied but the resolver, which has nothing to forget.
        """
        with suppress(EngineError):
            there = instance.observe(self._engine, before.name)
            containers = _containers(there)
            running = all(each.running for each in there.hosts)
            if not running or there.fault_volumes or containers != _containers(before):
                return False
            if any(self._engine.inspect(each).oom_killed for each in containers):
                return False
            forgetful = tuple(each for each in there.hosts if each.role != Role.DNS)
            return not emptying.empty(self._engine, replace(there, hosts=forgetful))
        return False

    def _planner(self, job: Job, handed_in: Mapping[tuple[str, str], bytes]) -> Planner:
        return origin.planner_for(
            job.name,
            self._lab,
            self._specs,
            publish=self._publish,
            handed_in=handed_in,
            limits=Limits.of(self._lab.grading or Grading()),
            labels={labels.RUN: job.run, labels.SEED: job.seed},
        )

    def _occupy(self, name: str) -> None:
        """Have a laboratory in use from before it is there until it is gone; one of its name goes first."""
        with ExitStack() as ends:
            ends.enter_context(lock.used(self._engine, name, patience=lock.WAIT))
            self._ends[name] = ends.pop_all()

    def _remove(self, name: str) -> None:
        with self._ends.pop(name), suppress(LabctlError):  # who comes next finds it by its labels
            teardown.take_down(self._engine, name)


def _containers(there: Instance) -> list[str]:
    return [each.container.id for each in there.hosts if each.container is not None]
