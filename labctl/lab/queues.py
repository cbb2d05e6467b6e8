"""What waits in an MTA's queue, read on its host."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from labctl.errors import ServiceCommandFailed
from labctl.mail.queue import QueuedMessage, parse_headers, parse_queue

if TYPE_CHECKING:
    from labctl.engine.protocol import Engine
    from labctl.lab.instance import Host

_AT_ONCE: Final = 500
"""How many queue files one postcat is asked for; a command line has its limit."""


def read_queue(engine: Engine, host: Host) -> tuple[QueuedMessage, ...]:
    """Read a running MTA's queue, with the Message-IDs that Postfix's own listing (postqueue(1)) lacks.

    Raises:
        LabNotUp: The host does not run.
        ServiceCommandFailed: Its queue can't be read.
    """
    said = engine.execute(host.running_container().id, ["postqueue", "-j"])
    if said.exit_code != 0:
        complaint = said.stderr.decode("utf-8", "replace").strip()
        raise ServiceCommandFailed(
            f"postqueue on {host.hostname} ended with {said.exit_code}: {complaint}",
            hint=f"labctl logs {host.service}",
        )
    messages = parse_queue(said.stdout.decode("utf-8", "replace"))
    message_ids = _message_ids(engine, host, [each.queue_id for each in messages])
    return tuple(replace(each, message_id=message_ids.get(each.queue_id)) for each in messages)


def _message_ids(engine: Engine, host: Host, queue_ids: list[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    while queue_ids:
        asked = queue_ids[:_AT_ONCE]
        said = engine.execute(host.running_container().id, ["postcat", "-qeh", *asked])
        found.update(parse_headers(said.stdout.decode("utf-8", "replace")))
        # postcat ends at the first message that has left the queue meanwhile: go on behind that one.
        gone = next((n for n, each in enumerate(asked) if each not in found), len(asked))
        queue_ids = queue_ids[gone + 1 :] if gone < len(asked) else queue_ids[len(asked) :]
    return found
