"""What waits in an MTA's queue, read on its host."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from labctl.errors import ServiceCommandFailed
from labctl.mail.log.logevent import Accepted
from labctl.mail.log.maillog import event_of
from labctl.mail.queue import QueuedMessage, QueueName, parse_due, parse_headers, parse_queue

if TYPE_CHECKING:
    from datetime import datetime

    from labctl.engine.protocol import Engine
    from labctl.lab.running.instance import Host

_AT_ONCE: Final = 500
"""How many queue files one postcat is asked for; a command line has its limit."""

LOOK: Final = f"""
listed=$(postqueue -j) || exit
[ -n "$listed" ] || exit 0
printf '%s\\n' "$listed"
echo --
find "$(postconf -h queue_directory)/deferred" -type f -printf '%f %T@\\n'
echo --
printf '%s\\n' "$listed" | sed -n 's/^{{"queue_name": "[a-z]*", "queue_id": "\\([0-9A-Za-z]*\\)".*/\\1/p' |
xargs -r -n {_AT_ONCE} postcat -qeh
exit 0
"""
"""For an MTA's shell: its listing, when what is deferred is due, and all headers, in one call."""


def read_queue(engine: Engine, host: Host) -> tuple[QueuedMessage, ...]:
    """Read a running MTA's queue, with what Postfix's own listing (postqueue(1)) lacks.

    That are the Message-IDs, and when a deferred message is tried again.

    Raises:
        LabNotUp: The host does not run.
        ServiceCommandFailed: Its queue can't be read.
    """
    said = engine.execute(host.running_container().id, ["sh", "-c", LOOK], again=True)
    if said.exit_code != 0:
        complaint = said.stderr.decode("utf-8", "replace").strip()
        raise ServiceCommandFailed(
            f"postqueue on {host.hostname} ended with {said.exit_code}: {complaint}",
            hint=f"labctl logs {host.service}",
            detail={"service": host.service},
        )
    listed, _, rest = said.stdout.decode("utf-8", "replace").partition("\n--\n")
    files, _, headers = f"\n{rest}".partition("\n--\n")
    due = parse_due(files)
    messages = parse_queue(listed)
    message_ids = parse_headers(headers)
    message_ids |= _message_ids(
        engine, host, [each.queue_id for each in messages if each.queue_id not in message_ids]
    )
    return tuple(
        replace(
            each,
            message_id=message_ids.get(each.queue_id),
            next_try_at=due.get(each.queue_id) if each.queue_name == QueueName.DEFERRED else None,
        )
        for each in messages
    )


def attempts(engine: Engine, host: Host, since: datetime) -> Counter[str]:
    """Count by queue id how often the queue manager took up a message since a moment, as its log tells."""
    found: Counter[str] = Counter()
    with closing(engine.logs(host.running_container().id, since=since)) as lines:
        for line in lines:
            if "(queue active)" in line.text and isinstance(event := event_of(line.text), Accepted):
                found[event.queue_id] += 1
    return found


def _message_ids(engine: Engine, host: Host, missing: list[str]) -> dict[str, str | None]:
    """Read the Message-IDs that are missing because postcat ends at the first message that left the queue."""
    found: dict[str, str | None] = {}
    left = missing[1:]  # the first one is gone: go on behind it
    while left:
        asked = left[:_AT_ONCE]
        said = engine.execute(host.running_container().id, ["postcat", "-qeh", *asked], again=True)
        found |= parse_headers(said.stdout.decode("utf-8", "replace"))
        gone = next((n for n, each in enumerate(asked) if each not in found), len(asked) - 1)
        left = left[gone + 1 :]
    return found
