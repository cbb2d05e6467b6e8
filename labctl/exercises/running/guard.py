"""An engine that runs nothing in hosts where an attempt's daemons run: no program there can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labctl.errors import GradingError
from labctl.lab.mark import labels

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from labctl.engine.model import ExecResult, File
    from labctl.engine.protocol import Engine


def guarded(engine: Engine, services: Collection[str]) -> Engine:
    """Return an engine that refuses to run anything in some hosts, or to write into them.

    What was handed in may have replaced any program and any file there, and what an engine runs in a
    container is root with the container's own capabilities. A start is refused too: it runs the entrypoint.
    Logs, a pause, a stop and the rest are passed on.

    Args:
        engine: The engine.
        services: The services of those hosts.
    """
    return _Guarded(engine, frozenset(services)) if services else engine


@dataclass(frozen=True, slots=True)
class _Guarded:
    """Passes on what is not refused."""

    _engine: Engine
    _services: frozenset[str]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def execute(self, name: str, argv: Sequence[str], **options: Any) -> ExecResult:
        self._refuse(name, f"run {' '.join(argv)[:80]!r}")
        return self._engine.execute(name, argv, **options)

    def attach(self, name: str, argv: Sequence[str]) -> int:
        self._refuse(name, f"run {' '.join(argv)[:80]!r}")
        return self._engine.attach(name, argv)

    def start(self, name: str) -> None:
        self._refuse(name, "start it")
        self._engine.start(name)

    def put_files(self, name: str, files: Sequence[File]) -> None:
        self._refuse(name, f"write {', '.join(each.path for each in files)[:80]}")
        self._engine.put_files(name, files)

    def _refuse(self, name: str, what: str) -> None:
        service = self._engine.inspect(name).labels.get(labels.SERVICE)
        if service in self._services:
            raise GradingError(
                f"{service} runs what was handed in: a check can't {what} there",
                hint="look from outside: over SMTP, IMAP, POP3 or DNS, and at the logs",
                detail={"service": service},
            )
