"""An engine in memory with whole labs on it: their hosts answer, and carry mail."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from labctl import resources
from labctl.engine.fake import FakeEngine
from labctl.engine.images import image_specs
from labctl.engine.model import ExecResult, Network
from labctl.errors import NoSuchObject
from labctl.lab.mark import labels
from labctl.lab.running.emptying import SCRIPT, SEARCH
from tests.bed.api import serving
from tests.bed.daemons import Harbour
from tests.bed.post import ZoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from labctl.engine.fake import Call
    from labctl.engine.model import Container
    from tests.bed.post import Post

_RELOADED: Final = {
    "USR1": "[INFO] Reloading complete",
    "HUP": "master: Warning: SIGHUP received - reloading configuration",
}


_IDLE: Final = {"mta": "idle 100.0 200.0", "mda": "began 200.0"}
"""What a host without mail tells a reset, by its role."""


@dataclass
class Inside:
    """What the containers of an engine in memory answer to a reset's script; to others they say nothing."""

    engine: FakeEngine
    changed: dict[str, list[str]] = field(default_factory=dict)
    """Paths that a person changed, by the name of the container."""
    failed: dict[str, str] = field(default_factory=dict)
    """Complaints of scripts that failed, by the name of the container."""
    told: dict[str, list[str]] = field(default_factory=dict)
    """What a container's next resets tell, one after the other; an MTA then tells that it was idle."""

    def __call__(self, container: Container, argv: Sequence[str]) -> ExecResult:
        """See `FakeEngine.answer`."""
        if complaint := self.failed.get(container.name):
            return ExecResult(1, b"", complaint.encode())
        if argv[0] == SCRIPT:
            return ExecResult(0, self._next(container, *argv[1:]).encode(), b"")
        if SEARCH not in argv:
            return ExecResult(0, b"", b"")
        changed = self.changed.get(container.name, [])
        told = [self._next(container), "changes:", *changed, "files:"]
        for path in set(argv).intersection(changed):
            with suppress(NoSuchObject):
                digest = hashlib.sha256(self.engine.get_file(container.id, path)).hexdigest()
                told += [f"{digest}  {path}", f"644  {path}"]
        return ExecResult(0, "".join(f"{line}\n" for line in told).encode(), b"")

    def _next(self, container: Container, *arguments: str) -> str:
        if queue := self.told.get(container.name):
            return queue.pop(0)
        return "" if arguments else _IDLE.get(container.labels[labels.ROLE], "")


@dataclass
class Bed:
    """An engine in memory on which labctl's own commands run, in this process or in another.

    Args:
        engine: The engine.
        harbour: The ports of its labs.
        inside: What is answered to commands in its containers.
        url: Where it answers by Docker Engine's API; a lab's ports are published on it.
    """

    engine: FakeEngine
    harbour: Harbour
    inside: Inside
    url: str

    @property
    def post(self) -> Post:
        """The mail of its labs."""
        return self.harbour.post

    @property
    def environ(self) -> dict[str, str]:
        """The environment by which programs find it."""
        return {"DOCKER_HOST": self.url}

    def container(self, service: str, lab: str = "two-domains") -> Container:
        return self.engine.inspect(f"labctl-{lab}-{service}")

    def answer(self, container: Container, argv: Sequence[str]) -> ExecResult:
        """See `FakeEngine.answer`: what empties a host has its users' mail forgotten."""
        if container.labels.get(labels.ROLE) == "mda" and (argv[0] == SCRIPT or SEARCH in argv):
            self.post.empty(container)
        return self.inside(container, argv)

    def hear(self, call: Call) -> None:
        """See `FakeEngine.hook`: a daemon says that it does what a signal tells it, or why it can't."""
        name, _, signal = call.subject.partition(" ")
        if call.method == "signal" and signal in _RELOADED:
            said = _RELOADED[signal]
            try:
                self.post.zones(self.engine.inspect(name))
            except ZoneError as exc:
                said = f"[ERROR] Restart failed: {exc}"
            self.engine.say(name, said)


@contextmanager
def made(directory: Path) -> Iterator[Bed]:
    """Make a bed for the length of a block, whose socket lies in a directory."""
    engine = FakeEngine()
    engine._networks["none"] = Network(engine.id, "none", (), {})  # of containers that are on no network
    for spec in image_specs(resources.compose_dir() / "images"):
        engine.stock([spec.tag])
        engine.tag(spec.tag, spec.plain_tag)
    harbour = Harbour(engine)
    engine.publish = harbour.port
    (directory / ".docker").mkdir()  # as of an engine in a machine of its own, whose labs publish their ports
    path = directory / ".docker" / "engine"
    with serving(engine, path):
        bed = Bed(engine, harbour, Inside(engine), f"unix://{path}")
        engine.answer, engine.hook = bed.answer, bed.hear
        engine.calls.clear()
        yield bed
    harbour.close()
