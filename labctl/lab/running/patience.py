"""How long a daemon is waited for until it answers as it should, or is taken for one that never will."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

from labctl.engine.model import ContainerState
from labctl.errors import LabctlError, ServiceNotReady
from labctl.lab.role import Role
from labctl.lab.running import readiness
from labctl.lab.running.readiness import Complaint
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from labctl.engine.model import Container
    from labctl.engine.protocol import Engine
    from labctl.lab.running.instance import Host

READY_WITHIN: Final = 60.0
"""Seconds that a daemon has to answer as it should, on a machine however busy."""

_DEAD_CHECK: Final = 0.3
"""Seconds between two looks at whether a container that does not answer still runs."""

_STARTED: Final = {
    Role.MTA: "daemon started -- version",
    Role.MDA: "starting up for",
    Role.DNS: "CoreDNS-",
}
"""What each daemon says when it listens: it does so before it says this."""

_BROKEN: Final = "throttling"
"""Postfix and Dovecot say it of a process that they can't start: nobody will answer at its port."""

_ONCE_STARTED: Final = 1.2
"""Seconds that a daemon which says that it listens may refuse connections, or answer otherwise."""

_UNHEARD: Final = 3
"""A daemon of which nothing was heard yet is waited for so many times as long: the machine is busy."""

_LOG_TAIL: Final = 15
_LOG_SEARCHED: Final = 200


class GaveUp(LabctlError):
    """Another host's failure ended the start; that failure is the one to tell."""

    def __init__(self) -> None:
        super().__init__("the start was given up", hint="labctl up")


def await_ready(
    engine: Engine,
    host: Host,
    domains: tuple[str, ...],
    *,
    within: float = READY_WITHIN,
    patience: float | None = None,
    listening_is_enough: bool = False,
    given_up: Callable[[], bool] = lambda: False,
) -> None:
    """Wait until a host's daemon answers as it should.

    Args:
        engine: The engine.
        host: The host.
        domains: The zones that a resolver has to be authoritative for.
        within: Seconds to wait on a machine however busy.
        patience: Seconds to wait for a daemon that may never answer as it should: less where its log or its
            answers tell that waiting is in vain, and more where nothing is heard of it.
        listening_is_enough: Of such a daemon: what it needs does not answer, and so it can't.
        given_up: Whether the answer is of no use any more; then `GaveUp` is raised.

    Raises:
        ServiceNotReady: It ended, or did not answer before the deadline.
    """
    assert host.container is not None
    container = host.container
    complaint: Complaint | None = None

    def answer() -> bool | None:
        nonlocal complaint
        if given_up():
            raise GaveUp
        complaint = readiness.complaint(host, domains)
        return True if complaint is None else None

    began = time.monotonic()
    outlook = _Outlook(engine, host.role)
    while container.state == ContainerState.RUNNING and (left := began + within - time.monotonic()) > 0:
        if eventually(answer, within=min(_DEAD_CHECK, left)):
            return
        container = engine.inspect(container.id)
        if patience is not None and complaint is not None:
            outlook.see(container, complaint)
            if outlook.listens and listening_is_enough:
                break
            if time.monotonic() > outlook.deadline(began, patience):
                break
    if container.state != ContainerState.RUNNING:
        ending = "" if container.exit_code is None else f" with exit code {container.exit_code}"
        complaint = Complaint(f"its container is {container.state}{ending}")
    log = "\n".join(log_of(engine, container, _LOG_TAIL))
    waited = time.monotonic() - began
    raise ServiceNotReady(
        f"{host.service} ({host.hostname}) does not serve after {waited:.1f} s: {complaint}",
        service=host.service,
        waited=waited,
        log=log,
        hint=f"labctl logs {host.service}",
    )


def log_of(engine: Engine, container: Container, tail: int, since: datetime | None = None) -> list[str]:
    """Return the last lines of a container's log, of those that were said since a moment."""
    with closing(engine.logs(container.id, since=since, tail=tail)) as lines:
        return [line.text for line in lines]


class _Outlook:
    """What a daemon's log and its answers tell of whether it will ever answer as it should."""

    def __init__(self, engine: Engine, role: Role | None) -> None:
        self._engine = engine
        self._started = _STARTED[role] if role is not None else None
        self._decided = False
        self._listens_since: float | None = None

    @property
    def listens(self) -> bool:
        """Whether it has started, as far as that is known."""
        return self._listens_since is not None

    def see(self, container: Container, complaint: Complaint) -> None:
        """Take a complaint, and the log since the container was started, into account."""
        said = log_of(self._engine, container, _LOG_SEARCHED, since=container.started_at)
        started = self._started is not None and any(self._started in each for each in said)
        if not self.listens and (complaint.listens or started):
            self._listens_since = time.monotonic()
        self._decided = complaint.final or any(_BROKEN in each for each in said)

    def deadline(self, began: float, patience: float) -> float:
        """Return when waiting is over, of what began then, as it looks now."""
        if self._listens_since is None:
            return began + _UNHEARD * patience
        return self._listens_since + _ONCE_STARTED if self._decided else began + patience
