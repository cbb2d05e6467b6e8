"""``labctl exec``: a command on a host of a lab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labctl.errors import UsageError
from labctl.lab.running import instance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.engine.protocol import Engine


@dataclass(frozen=True, slots=True)
class Executed:
    """What the command said, as text (bytes that are no text are escaped), and its own exit code."""

    SCHEMA: ClassVar = "labctl/exec/v1"

    exit_code: int
    stdout: str
    stderr: str


def execute(engine: Engine, name: str | None, host: str, argv: Sequence[str]) -> Executed:
    """Run a command on a host and wait for its end.

    Raises:
        UsageError: No such lab or host, no command, or the host does not run.
        ServiceCommandFailed: It said more than there is room for.
    """
    if not argv:
        raise UsageError("no command to run", hint=f"labctl exec {host} postconf -n")
    container = instance.select(engine, name).host(host).running_container()
    said = engine.execute(container.id, argv, within=None)  # a person waits, and may have enough of it
    return Executed(
        exit_code=said.exit_code,
        stdout=said.stdout.decode("utf-8", "backslashreplace"),
        stderr=said.stderr.decode("utf-8", "backslashreplace"),
    )
