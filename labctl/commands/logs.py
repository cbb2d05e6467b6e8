"""``labctl logs``: what the daemons said, by time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from labctl.lab.inside import logs as lab_logs
from labctl.lab.running import instance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.engine.protocol import Engine
    from labctl.lab.inside.logs import Line
    from labctl.lab.running.instance import Host


def logs(engine: Engine, name: str | None, host: str | None) -> Iterator[Line]:
    """Yield what the daemons of one host, or of all, have said so far, in the order of time.

    Raises:
        UsageError: No such lab or host.
    """
    return lab_logs.said(engine, _hosts(engine, name, host))


@contextmanager
def followed(engine: Engine, name: str | None, host: str | None) -> Iterator[Iterator[Line]]:
    """Give what the daemons say from now on, as it comes, until all of them have ended.

    Raises:
        UsageError: No such lab or host.
    """
    with lab_logs.followed(engine, _hosts(engine, name, host)) as lines:
        yield iter(lines.get, None)


def _hosts(engine: Engine, name: str | None, host: str | None) -> list[Host]:
    there = instance.select(engine, name)
    return [there.host(host)] if host is not None else list(there.hosts)
