"""How long a daemon is waited for until it answers as it should, or is taken for one that never will."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from labctl.engine.model import ContainerState
from labctl.errors import LabctlError, ServiceNotReady
from labctl.lab import readiness
from labctl.lab.readiness import Complaint
from labctl.lab.role import Role
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.engine.protocol import Engine
    from labctl.lab.instance import Host

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

_ONCE_STARTED: Final = 1.2
"""Seconds that a daemon which says that it listens may refuse connections, or answer otherwise."""

_UNHEARD: Final = 3
"""A daemon that has not yet said that it listens is waited for so many times as long: the machine is busy."""

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
    given_up: Callable[[], bool] = lambda: False,
) -> None:
    """Wait until a host's daemon answers as it should.

    Args:
        engine: The engine.
        host: The host.
        domains: The zones that a resolver has to be authoritative for.
        within: Seconds to wait on a machine however busy.
        patience: Seconds to wait for a daemon that may never answer as it should, which is less where its log
            and its answers tell that waiting is in vain.
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
    hopeless = _Hopeless(engine, host, began, patience) if patience is not None else None
    while container.state == ContainerState.RUNNING and (left := began + within - time.monotonic()) > 0:
        if eventually(answer, within=min(_DEAD_CHECK, left)):
            return
        container = engine.inspect(container.id)
        if hopeless is not None and hopeless(complaint):
            break
    if container.state != ContainerState.RUNNING:
        ending = "" if container.exit_code is None else f" with exit code {container.exit_code}"
        complaint = Complaint(f"its container is {container.state}{ending}")
    log = "\n".join(line.text for line in engine.logs(container.id, tail=_LOG_TAIL))
    waited = time.monotonic() - began
    raise ServiceNotReady(
        f"{host.service} ({host.hostname}) does not serve after {waited:.1f} s: {complaint}",
        service=host.service,
        waited=waited,
        log=log,
        hint=f"labctl logs {host.service}",
    )


class _Hopeless:
    """Says when to wait no longer for a daemon that may never answer as it should."""

    def __init__(self, engine: Engine, host: Host, began: float, patience: float) -> None:
        self._engine = engine
        self._host = host
        self._began = began
        self._patience = patience
        self._started: float | None = None

    def __call__(self, complaint: Complaint | None) -> bool:
        now = time.monotonic()
        if self._started is None and self._says_that_it_started():
            self._started = now
        if self._started is None:
            return now > self._began + _UNHEARD * self._patience
        slow = complaint is not None and complaint.slow
        return now > (self._began + self._patience if slow else self._started + _ONCE_STARTED)

    def _says_that_it_started(self) -> bool:
        container, role = self._host.container, self._host.role
        if container is None or role is None:
            return False
        lines = self._engine.logs(container.id, tail=_LOG_SEARCHED)
        return any(_STARTED[role] in line.text for line in lines)
