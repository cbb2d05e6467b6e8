"""``labctl queue``: what waits in the MTAs' queues, and why."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

from labctl.errors import NoSuchHost, ServiceCommandFailed
from labctl.lab import instance
from labctl.lab.instance import HostState
from labctl.lab.role import Role
from labctl.mail.queue import QueuedMessage, parse_headers, parse_queue

if TYPE_CHECKING:
    from labctl.engine.protocol import Engine
    from labctl.lab.instance import Host

_AT_ONCE: Final = 500
"""How many queue files one postcat is asked for; a command line has its limit."""


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
    said = engine.execute(host.running_container().id, ["postqueue", "-j"])
    if said.exit_code != 0:
        complaint = said.stderr.decode("utf-8", "replace").strip()
        raise ServiceCommandFailed(
            f"postqueue on {host.hostname} ended with {said.exit_code}: {complaint}",
            hint=f"labctl logs {host.service}",
        )
    messages = parse_queue(said.stdout.decode("utf-8", "replace"))
    message_ids = _message_ids(engine, host, [each.queue_id for each in messages])
    named = tuple(replace(each, message_id=message_ids.get(each.queue_id)) for each in messages)
    return HostQueue(host.hostname, host.service, HostState.READY, named)


def _message_ids(engine: Engine, host: Host, queue_ids: list[str]) -> dict[str, str | None]:
    """Look up the Message-IDs, which Postfix's own listing lacks."""
    found: dict[str, str | None] = {}
    while queue_ids:
        asked = queue_ids[:_AT_ONCE]
        said = engine.execute(host.running_container().id, ["postcat", "-qeh", *asked])
        found.update(parse_headers(said.stdout.decode("utf-8", "replace")))
        # postcat ends at the first message that has left the queue meanwhile: go on behind that one.
        gone = next((n for n, each in enumerate(asked) if each not in found), len(asked))
        queue_ids = queue_ids[gone + 1 :] if gone < len(asked) else queue_ids[len(asked) :]
    return found
