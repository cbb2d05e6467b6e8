"""Making a lab be there, and making it be gone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from labctl.engine.model import ContainerState
from labctl.errors import EngineError, EngineUnavailable, ServiceNotReady, SubnetInUse
from labctl.interruption import held_back, undone
from labctl.lab.mark import labels
from labctl.lab.role import Role, needs
from labctl.lab.running import instance
from labctl.lab.running.difference import compare, free_subnet, from_nothing
from labctl.lab.running.patience import READY_WITHIN, GaveUp, await_ready
from labctl.lab.running.teardown import remove_containers, remove_network, take_down
from labctl.progress import Progress, silent
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Network

    from labctl.engine.protocol import Engine
    from labctl.lab.blueprint.plan import PlannedHost, Planner
    from labctl.lab.running.difference import Change, Difference, Step

_ALIVE: Final = frozenset({ContainerState.RUNNING, ContainerState.PAUSED})

_RESTARTED_WITHIN: Final = 1
"""Seconds that a daemon has to end before it is killed: what mail it has taken is on disk."""

_ATTEMPTS: Final = 3

_SETTLED_WITHIN: Final = 2.0
"""Seconds that the engine has to finish what others asked it for."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Which hosts of a lab may run without answering as they should, or have ended: a student's.

    Where their files change they are started anew: a daemon that finds that it can't use them may go on with
    what it had.

    Args:
        services: These hosts, by service.
        patience: Seconds that they are waited for, at most three times that where a daemon says nothing.
        unready: Filled by the start: what was wrong with each of them that did not answer.
    """

    services: frozenset[str]
    patience: float = 5.0
    unready: dict[str, ServiceNotReady] = field(default_factory=dict)

    @classmethod
    def of(cls, planner: Planner) -> Tolerance:
        """Name the hosts that carry files of an attempt, and those that need these to answer."""
        given = {service for service, _ in planner.handed_in}
        services = planner.topology.services
        needed = [each for each in services if each.name in given]
        return cls(
            frozenset(given) | {each.name for each in services if any(needs(each, it) for it in needed)}
        )


class _Start:
    """One start of a lab: every host on a thread of its own, waiting only for what it really needs."""

    def __init__(
        self,
        engine: Engine,
        difference: Difference,
        progress: Progress,
        tolerance: Tolerance,
        called_off: Callable[[], bool],
    ) -> None:
        self._engine = engine
        self._difference = difference
        self._progress = progress
        self._tolerance = tolerance
        self._called_off = called_off
        self._network = threading.Event()
        self._joined = {service: threading.Event() for service in self._turns()}
        self._ready = {step.host.service.name: threading.Event() for step in difference.steps}
        self._failed = threading.Event()
        self._there: int | None = None
        """How many were on the network when it was last looked at; None where somebody has left it since."""

        # While a fault is at work, what it affects may never answer as it should.
        self._unsure = difference.affected

    def run(self) -> None:
        # Each host has a thread that sees to it, and one in which its container is being started.
        with ThreadPoolExecutor(max_workers=2 * len(self._difference.steps) + 1) as pool:
            self._pool = pool
            with undone(self._give_up):
                with held_back():
                    work = [pool.submit(self._guarded, self._make_network)]
                    work += [pool.submit(self._guarded, self._bring, step) for step in self._difference.steps]
                failures = [failure for each in work if (failure := each.exception()) is not None]
        if failures:
            raise next((each for each in failures if not isinstance(each, GaveUp)), failures[0])

    def _guarded(self, work: Callable[..., None], *arguments: object) -> None:
        with undone(self._give_up):
            work(*arguments)

    def _give_up(self) -> None:
        """Wake all that wait for what will not come."""
        self._failed.set()
        self._network.set()
        for event in (*self._joined.values(), *self._ready.values()):
            event.set()

    def _wait_for(self, event: threading.Event) -> None:
        event.wait()
        if self._given_up():
            raise GaveUp

    def _given_up(self) -> bool:
        return self._failed.is_set() or self._called_off()

    def _make_network(self) -> None:
        spec = self._difference.plan.network
        if self._difference.new_network:
            if self._difference.stale_network:
                remove_network(self._engine, spec.name)
            created = self._engine.create_network(spec)
            # An engine goes on with what a labctl that was killed has asked for, and so there may be two.
            for network in self._engine.networks({labels.NAME: self._difference.plan.name}):
                if network.id != created:
                    remove_network(self._engine, network.id)
            self._progress("network", f"created, {spec.subnet}")
        self._network.set()

    def _bring(self, step: Step) -> None:
        name = step.host.container.name
        service = step.host.service.name
        if self._called_off():
            raise GaveUp
        if step.create:
            self._progress(service, "creating")
            self._engine.create_container(step.host.container)
            self._engine.put_files(name, step.host.files)
            self._launch(step)
        elif not step.left:
            if step.files:
                self._engine.put_files(name, step.host.files)
            self._resume(step)
        answers = service not in self._unsure and self._answers(step)
        self._ready[service].set()
        if answers:
            self._progress(service, "ready")

    def _resume(self, step: Step) -> None:
        assert step.found is not None
        name = step.host.container.name
        match step.found.state:
            case ContainerState.RUNNING | ContainerState.PAUSED as state:
                if state == ContainerState.PAUSED:
                    self._engine.unpause(name)
                if self._restarts(step):
                    self._launch(step)
                elif step.files:
                    self._engine.signal(name, step.host.service.reload_signal)
            case _:
                self._launch(step)

    def _restarts(self, step: Step) -> bool:
        """Say whether a container that runs has to be stopped and started for its new files."""
        if step.create or step.left or step.found is None or not step.files:
            return False
        return step.service in self._tolerance.services and step.found.state in _ALIVE

    def _turns(self) -> list[str]:
        """Name the services to start, those first that others wait for."""
        waited_for = {Role.DNS: 0, Role.MDA: 1, Role.MTA: 2}
        services = [
            step.host.service
            for step in self._difference.steps
            if step.create
            or self._restarts(step)
            or (step.found is not None and not step.left and step.found.state not in _ALIVE)
        ]
        return [each.name for each in sorted(services, key=lambda service: waited_for[service.role])]

    def _launch(self, step: Step) -> None:
        """Start a container when the one before it is on the network.

        Docker Engine counts what is on a network, and counts one too many where two join it at once (a change
        of libnetwork's endpointCnt is made again on top of the other's). A network with such a count can only
        be removed once the engine has been restarted. Joining is quick; it is the rest that takes long.
        """
        self._wait_for(self._network)
        name, service = step.host.container.name, step.host.service.name
        network = self._difference.plan.network.name
        turns = list(self._joined)
        if before := turns[: turns.index(service)]:
            self._wait_for(self._joined[before[-1]])
        if self._restarts(step):
            self._engine.stop(name, timeout=_RESTARTED_WITHIN)
            self._there = None
        if service == turns[-1]:
            self._engine.start(name)  # nobody waits for it to join
            return
        there = self._engine.endpoints(network) if self._there is None else self._there
        start = self._pool.submit(self._engine.start, name)

        def has_joined() -> bool | None:
            self._there = self._engine.endpoints(network)
            return start.done() or self._there > there or None

        eventually(has_joined, within=READY_WITHIN)
        self._joined[service].set()
        start.result()

    def _answers(self, step: Step) -> bool:
        """Wait until a host answers as it should; say whether it does, where that may be otherwise."""
        if step.service not in self._tolerance.services:
            self._await_ready(step, None)
            return True
        try:
            self._await_ready(step, self._tolerance.patience)
        except ServiceNotReady as failure:
            self._tolerance.unready[step.service] = failure
            self._progress(step.service, "does not answer as it should")
            return False
        return True

    def _await_ready(self, step: Step, patience: float | None) -> None:
        for needed in self._needed(step.host):
            self._wait_for(self._ready[needed])
        if step.changes:
            self._progress(step.host.service.name, "starting")
        container = step.found
        if container is None or step.changes:  # its address and ports may be others now
            container = self._engine.inspect(step.host.container.name)
        await_ready(
            self._engine,
            instance.observed(container),
            self._difference.plan.topology.domains,
            patience=patience,
            listening_is_enough=any(each in self._tolerance.unready for each in self._needed(step.host)),
            given_up=self._given_up,
        )

    def _needed(self, host: PlannedHost) -> list[str]:
        """Name the services that one is not even asked without."""
        if not self._difference.changes:
            return []
        services = (each.service for each in self._difference.plan.hosts)
        return [each.name for each in services if needs(host.service, each)]


def bring_up(
    engine: Engine,
    planner: Planner,
    progress: Progress = silent,
    *,
    known: Difference | None = None,
    tolerance: Tolerance | None = None,
    called_off: Callable[[], bool] = lambda: False,
) -> tuple[Change, ...]:
    """Make a lab be there: what is missing is created, what is stale replaced, and all of it answers.

    Args:
        engine: The engine.
        planner: The lab's planner.
        progress: Told what is going on.
        known: The difference to make up for, where it has just been found out.
        tolerance: Which hosts need not answer; None where all have to.
        called_off: Whether the lab is not wanted any more; then `GaveUp` is raised.

    Returns:
        What was changed; nothing where all was there.

    Raises:
        EngineError: The engine failed, or a daemon did not become ready (`ServiceNotReady`: then the lab
            stays, so that its logs can be read). A lab that was not there before is removed otherwise.
    """
    first = before = known or compare(engine, planner)
    refused: list[IPv4Network] = []
    attempts = 0
    with undone(lambda: _undo(engine, first), unless=(ServiceNotReady, EngineUnavailable)):
        while True:
            try:
                _apply(engine, before, progress, tolerance or Tolerance(frozenset()), called_off)
            except SubnetInUse:
                refused.append(before.plan.network.subnet)
                take_down(engine, planner.name)
                before = from_nothing(planner.on(free_subnet(engine, planner, refused)), before.there)
            except (ServiceNotReady, EngineUnavailable):
                raise
            except EngineError:
                attempts += 1
                if attempts == _ATTEMPTS or not _moved(engine, before):
                    raise
                before = compare(engine, planner)
            else:
                return before.changes


def _moved(engine: Engine, before: Difference) -> bool:
    """Say whether somebody else is at work on a lab: its containers are, or soon will be, others.

    An engine goes on with what a labctl that was killed has asked it for, and a container that it is removing
    looks like any other until it is gone. Another user's labctl holds another lock, too.
    """

    def ids() -> set[str]:
        return {each.id for each in engine.containers({labels.NAME: before.plan.name})}

    kept = {step.found.id for step in before.steps if step.found is not None and not step.create}
    there = ids()
    return not kept <= there or bool(
        eventually(lambda: True if ids() != there else None, within=_SETTLED_WITHIN)
    )


def _undo(engine: Engine, first: Difference) -> None:
    """Remove what a failed start left of a lab that was not there before."""
    if not first.there.exists:
        with suppress(EngineError):  # the failure that led here says more than what follows from it
            take_down(engine, first.plan.name)


def _apply(
    engine: Engine,
    before: Difference,
    progress: Progress,
    tolerance: Tolerance,
    called_off: Callable[[], bool],
) -> None:
    """Do what a difference asks for, and record it; while it is being done there is no record.

    Faults that end with it are taken off the record at last: one too many there can be undone.
    """
    record = before.record
    unrecorded = before.there.record != record
    if (before.changes or unrecorded) and before.there.volume is not None:
        engine.remove_volume(before.there.volume.name)
    _clear(engine, before)
    _Start(engine, before, progress, tolerance, called_off).run()
    if before.changes or unrecorded:
        engine.create_volume(record.volume(before.plan.name, before.plan.lab.id))
    for volume in before.ended_faults:
        engine.remove_volume(volume)


def _clear(engine: Engine, before: Difference) -> None:
    """Remove the containers that are in the way."""
    doomed = [*before.strangers, *(step.found for step in before.steps if step.create and step.found)]
    remove_containers(engine, before.plan.name, doomed)
