"""``labctl queue``: what waits in the MTAs' queues, why, and when it is tried again."""

from __future__ import annotations

import queue
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Final

from labctl.contract.value import Word
from labctl.errors import EngineError, LabError, LabNotUp, NoSuchHost, NoSuchLab
from labctl.lab import catalogue
from labctl.lab.blueprint.clock import Clock
from labctl.lab.inside import logs
from labctl.lab.inside.queues import attempts, read_queue
from labctl.lab.role import Role
from labctl.lab.running import instance
from labctl.lab.running.instance import HostState

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from labctl.engine.protocol import Engine
    from labctl.lab.inside.logs import Line
    from labctl.lab.running.instance import Host, Instance
    from labctl.mail.clock import Schedule
    from labctl.mail.queue import QueuedMessage

_TICK: Final = 1.0
"""Seconds from one look to the next where no daemon says anything: ages grow by the second."""

_QUIET: Final = 0.05
"""Seconds of silence after which what a daemon does is taken to be done."""


@dataclass(frozen=True, slots=True)
class HostQueue:
    """One MTA's queue; of one that does not run only its state is known."""

    host: Word
    service: Word
    state: HostState
    messages: tuple[QueuedMessage, ...]
    """The oldest first."""


@dataclass(frozen=True, slots=True)
class Queues:
    """The queues of a lab's MTAs."""

    SCHEMA: ClassVar = "labctl/queue/v1"

    hosts: tuple[HostQueue, ...]
    looked_at: datetime


def queues(
    engine: Engine, name: str | None, host: str | None = None, *, environ: Mapping[str, str] | None = None
) -> Queues:
    """Look into the queue of one MTA, or of all.

    Args:
        engine: The engine.
        name: The lab's name, or None for the only one that runs.
        host: An MTA's service or hostname, or None for all of them.
        environ: The environment, in which the lab's definition is looked for: it has the lab's clock.

    Raises:
        UsageError: No such lab or host, or the host is no MTA.
        ServiceCommandFailed: An MTA runs, but its queue can't be read.
    """
    there = instance.select(engine, name)
    return _look(engine, there, _chosen(there, host), _real(there, environ))


def watch(
    engine: Engine, name: str | None, host: str | None = None, *, environ: Mapping[str, str] | None = None
) -> Generator[Queues]:
    """Look into the queues again whenever an MTA says something, and each second: without end.

    Hosts and the lab may come, stop and go meanwhile.

    Args:
        engine: The engine.
        name: See `queues`.
        host: See `queues`.
        environ: See `queues`.

    Raises:
        UsageError: No such lab or host, or the host is no MTA, or the lab is no longer there.
        ServiceCommandFailed: An MTA runs, but its queue can't be read.
    """
    there = instance.select(engine, name)
    real = _real(there, environ)
    while True:
        followed = _chosen(there, host)
        with logs.followed(engine, [each for each in followed if each.running]) as lines:
            while (chosen := _chosen(there, host)) == followed:
                yield _look(engine, there, chosen, real)
                _wait(lines)
                there = instance.select(engine, there.name)


def _wait(lines: queue.SimpleQueue[Line | None]) -> None:
    """Wait until an MTA has said something and then fallen silent, for a tick at most."""
    until = time.monotonic() + _TICK
    pause = _TICK
    with suppress(queue.Empty):
        while (left := until - time.monotonic()) > 0:
            if lines.get(timeout=min(pause, left)) is not None:
                pause = _QUIET


def _chosen(there: Instance, host: str | None) -> tuple[Host, ...]:
    if host is None:
        return there.of_role(Role.MTA)
    chosen = there.host(host)
    if chosen.role not in {Role.MTA, None}:
        mtas = ", ".join(each.service for each in there.of_role(Role.MTA))
        raise NoSuchHost(f"{host} has no mail queue; the MTAs are {mtas}", hint="labctl queue")
    return (chosen,)


def _real(there: Instance, environ: Mapping[str, str] | None) -> Schedule | None:
    """Return when the real world tries mail; None where the lab's definition is no longer to be found."""
    try:
        return Clock.of(catalogue.definition_of(there, environ or {})).real
    except (NoSuchLab, LabError):
        return None


def _look(engine: Engine, there: Instance, chosen: tuple[Host, ...], real: Schedule | None) -> Queues:
    with ThreadPoolExecutor(max_workers=max(len(chosen), 1)) as pool:
        found = tuple(pool.map(lambda each: _queue(engine, there, each, real), chosen))
    return Queues(found, datetime.now(UTC))


def _queue(engine: Engine, there: Instance, host: Host, real: Schedule | None) -> HostQueue:
    try:
        messages = _messages(engine, host, real) if host.running else None
    except (EngineError, LabNotUp):
        host = instance.observe(engine, there.name).host(host.service)
        if host.running:
            raise
        messages = None  # it was stopped just now
    if messages is None:
        return HostQueue(host.hostname, host.service, host.state, ())
    return HostQueue(host.hostname, host.service, HostState.READY, messages)


def _messages(engine: Engine, host: Host, real: Schedule | None) -> tuple[QueuedMessage, ...]:
    found = sorted(read_queue(engine, host), key=lambda each: (each.arrival_time, each.queue_id))
    waiting = [each.arrival_time for each in found if each.next_try_at is not None]
    if real is None or not waiting:
        return tuple(found)
    made = attempts(engine, host, min(waiting))
    return tuple(
        replace(each, real_wait=_gap(real, made[each.queue_id])) if each.next_try_at is not None else each
        for each in found
    )


def _gap(real: Schedule, made: int) -> float | None:
    """Return how long the real world waits after so many attempts; None where its log tells of none."""
    return real.attempt_at(made) - real.attempt_at(made - 1) if made else None
