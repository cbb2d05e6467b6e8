"""An engine in memory, for tests and for those who script labctl: it refuses what Docker Engine refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.engine.fake.containers import Containers, Execute, Publish
from labctl.engine.fake.memory import Call
from labctl.engine.model import ExecResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Call", "FakeEngine"]


class FakeEngine(Containers):
    """An engine in memory behind `labctl.engine.protocol.Engine`. Nothing in its containers runs by itself.

    Args:
        images: Tags that it has from the beginning, and that `pull` can fetch again.
        execute: Answers commands inside containers; by default each succeeds and says nothing.
        publish: Chooses the port of this machine for a published port that leaves the choice.
        hook: Called before each call has its effect; what it raises, the call raises.
    """

    def __init__(
        self,
        images: Iterable[str] = (),
        *,
        execute: Execute = lambda _container, _argv: ExecResult(0, b"", b""),
        publish: Publish | None = None,
        hook: Callable[[Call], None] = lambda _call: None,
    ) -> None:
        super().__init__(hook)
        self.answer = execute
        self.publish = publish or self.publish
        self.stock(images)
