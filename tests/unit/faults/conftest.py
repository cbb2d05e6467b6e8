"""A lab in memory whose daemons say that they have read their configuration again when they are told to."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from labctl.engine.model import ExecResult
from labctl.faults import application, catalogue
from labctl.lab.running import instance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from labctl.engine.fake import Call, FakeEngine
    from labctl.engine.model import Container
    from labctl.lab.running.instance import Instance
    from tests.unit.conftest import Stage

SAID = {
    "USR1": "[INFO] Reloading complete",
    "HUP": "master: Warning: SIGHUP received - reloading configuration",
}


@dataclass
class Faulty:
    """A lab in memory, and what faults do to it."""

    stage: Stage
    commands: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    """What was run in which container, in the order of time."""
    refuses: Callable[[str, Sequence[str]], str | None] = lambda _name, _argv: None
    """Returns what a container complains about a command, or None where that succeeds."""

    @property
    def fake(self) -> FakeEngine:
        return self.stage.fake

    @property
    def there(self) -> Instance:
        return instance.observe(self.fake, self.stage.planner.name)

    def apply(self, name: str, **given: str) -> application.Applied:
        return application.apply(self.fake, self.there, catalogue.find(name), given)

    def revert(self, name: str) -> None:
        application.revert(self.fake, self.there, name)

    def read(self, service: str, path: str) -> str:
        return self.fake.get_file(f"labctl-x-{service}", path).decode()

    def files(self) -> dict[tuple[str, str], bytes]:
        """Return every file of every container."""
        boxes = self.fake._boxes.items()
        return {(name, path): content for name, box in boxes for path, content in box.files.items()}

    @contextmanager
    def spared(self) -> Iterator[None]:
        """See that a block leaves no fault, and every file as it was."""
        before = self.files()
        yield
        assert self.there.faults == ()
        assert self.files() == before

    def ran(self, part: str) -> list[str]:
        """Name the containers in which something was run that has a text in it."""
        return [name for name, argv in self.commands if any(part in each for each in argv)]

    def answer(self, container: Container, argv: Sequence[str]) -> ExecResult:
        """Answer a command: `rm` removes, the rest succeeds unless it is refused."""
        self.commands.append((container.name, tuple(argv)))
        if (complaint := self.refuses(container.name, argv)) is not None:
            return ExecResult(1, b"", complaint.encode())
        if len(argv) > 2 and argv[2].startswith("rm -f"):
            for path in argv[4:]:
                self.fake._boxes[container.name].files.pop(path, None)
        return ExecResult(0, b"", b"")

    def hear(self, call: Call) -> None:
        """Have a daemon say that it does what a signal tells it."""
        if call.method == "signal":
            name, _, signal = call.subject.partition(" ")
            self.fake.say(name, SAID[signal])


@pytest.fixture
def faulty(stage: Stage) -> Faulty:
    """A lab that stands, with no fault applied."""
    lab = Faulty(stage)
    stage.stand()
    stage.fake.answer = lab.answer
    stage.fake.hook = lab.hear
    return lab
