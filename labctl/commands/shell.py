"""``labctl shell``: a shell on a host, on this terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl.lab.running import instance

if TYPE_CHECKING:
    from labctl.engine.protocol import Engine

SHELL: Final = ("/bin/sh", "-c", "command -v bash > /dev/null && exec bash -l; exec sh")


def shell(engine: Engine, name: str | None, host: str) -> int:
    """Run a shell on a host until it ends; return its exit code.

    Raises:
        UsageError: No such lab or host, or the host does not run.
    """
    return engine.attach(instance.select(engine, name).host(host).running_container().id, SHELL)
