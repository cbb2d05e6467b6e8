"""A lab in memory for the vocabulary: the tests say what its daemons log."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from labctl import resources
from labctl.engine.model import ExecResult
from labctl.exercises.result.narration import Narrator
from labctl.exercises.vocabulary.lab import ExerciseLab
from labctl.lab.blueprint import definition
from tests.unit.conftest import QUEUE_ID, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.exercises.vocabulary.letter import Letter
    from labctl.exercises.vocabulary.person import Person
    from labctl.lab.blueprint.plan import Planner
    from tests.bed.bed import Bed
    from tests.unit.conftest import Daemons

STAMP = "Nov 24 04:06:15 mx postfix"
DELAYS = "delay=0.04, delays=0.01/0.01/0.02/0.01"


def waiting(letter: Letter, reason: str) -> ExecResult:
    """Return what a host says of its queue in which a letter to Bob waits (postqueue(1), postcat(1))."""
    about = {
        "queue_name": "deferred",
        "queue_id": letter.queue_id,
        "arrival_time": 1790000000,
        "message_size": 400,
        "sender": "alice@alpha.test",
        "recipients": [{"address": "bob@beta.test", "delay_reason": reason}],
    }
    header = f"*** MESSAGE CONTENTS deferred/4/{letter.queue_id} ***\nMessage-ID: {letter.message_id}\n"
    return ExecResult(0, f"{json.dumps(about)}\n--\n--\n{header}".encode(), b"")


@dataclass(frozen=True)
class Scene:
    """A lab, and what its daemons are made to say in it."""

    lab: ExerciseLab
    stage: Stage

    def says(self, service: str, *texts: str) -> None:
        """Let a host's daemons log lines."""
        self.stage.fake.say(f"labctl-x-{service}", *(f"{STAMP}/{each}" for each in texts))

    def says_soon(self, service: str, *texts: str, after: float = 0.1) -> None:
        """Let a host's daemons log lines while an expectation already waits."""
        threading.Timer(after, self.says, [service, *texts]).start()

    def sent(self, to: str = "bob@beta.test") -> Letter:
        """Let alice send a letter, which her server takes and logs."""
        letter = self.lab.account("alice@alpha.test").send(to)
        self.says(
            "mx-alpha",
            f"submission/smtpd[1]: {QUEUE_ID}: client=unknown[198.18.0.1], sasl_username=alice@alpha.test",
            f"cleanup[2]: {QUEUE_ID}: message-id={letter.message_id}",
            f"qmgr[3]: {QUEUE_ID}: from=<alice@alpha.test>, size=400, nrcpt=1 (queue active)",
        )
        return letter

    def attempt(self, status: str, dsn: str, says: str, to: str = "bob@beta.test") -> str:
        """Return what smtp(8) logs of an attempt."""
        relay = "mx.beta.test[203.0.113.20]:25"
        return f"smtp[4]: {QUEUE_ID}: to=<{to}>, relay={relay}, {DELAYS}, dsn={dsn}, status={status} ({says})"


@pytest.fixture
def scene(stage: Stage) -> Iterator[Scene]:
    there = stage.stand()
    lab = definition.load(resources.labs_dir() / "two-domains")
    with closing(ExerciseLab(stage.fake, there, lab, Narrator())) as exercise_lab:
        yield Scene(exercise_lab, stage)


@dataclass(frozen=True)
class Town:
    """A lab whose hosts carry mail, and two of its people."""

    lab: ExerciseLab
    bed: Bed
    alice: Person
    bob: Person


@pytest.fixture
def town(bed: Bed, planner: Planner, daemons: Daemons) -> Iterator[Town]:
    there = Stage(bed.engine, planner, daemons).named("two-domains").stand()
    definition_ = definition.load(resources.labs_dir() / "two-domains")
    with closing(ExerciseLab(bed.engine, there, definition_, Narrator())) as lab:
        yield Town(lab, bed, lab.account("alice@alpha.test"), lab.account("bob@beta.test"))
