"""``labctl queue``: what waits in the MTAs' queues, and why."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labctl.errors import NoSuchHost
from labctl.lab import instance
from labctl.lab.instance import HostState
from labctl.lab.queues import read_queue
from labctl.lab.role import Role

if TYPE_CHECKING:
    from labctl.engine.protocol import Engine
    from labctl.lab.instance import Host
    from labctl.mail.queue import QueuedMessage


@dataclass(frozen=True, slots=True)
class HostQueue:
    """One MTA's queue; of one that does not run only its state is known."""

    host: str
    service: str
    state: HostState
    messages: tuple[QueuedMessage, ...]


@dataclass(frozen=True, slots=True)
class Queues:
    """The queues of a lab's MTAs."""

    SCHEMA: ClassVar = "labctl/queue/v1"

    hosts: tuple[HostQueue, ...]


def queues(engine: Engine, name: str | None, host: str | None = None) -> Queues:
    """Look into the queue of one MTA, or of all.

    Raises:
        UsageError: No such lab or host, or the host is no MTA.
        ServiceCommandFailed: An MTA runs, but its queue can't be read.
    """
    there = instance.select(engine, name)
    chosen: tuple[Host, ...]
    if host is None:
        chosen = there.of_role(Role.MTA)
    else:
        chosen = (there.host(host),)
        if chosen[0].role not in {Role.MTA, None}:
            mtas = ", ".join(each.service for each in there.of_role(Role.MTA))
            raise NoSuchHost(f"{host} has no mail queue; the MTAs are {mtas}", hint="labctl queue")
    with ThreadPoolExecutor(max_workers=max(len(chosen), 1)) as pool:
        return Queues(tuple(pool.map(lambda each: _queue(engine, each), chosen)))


def _queue(engine: Engine, host: Host) -> HostQueue:
    if not host.running:
        return HostQueue(host.hostname, host.service, host.state, ())
    return HostQueue(host.hostname, host.service, HostState.READY, read_queue(engine, host))
