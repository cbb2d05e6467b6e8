"""What `labctl run` and the process that runs the exercises tell each other: JSON, a line each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final, get_args

from labctl.contract import reader
from labctl.exercises.result.narration import Step
from labctl.exercises.result.outcome import Outcome
from labctl.lab.blueprint.definition import LabDefinition


@dataclass(frozen=True, slots=True)
class Exam:
    """What makes exercises the checks of an attempt: run one after the other in one lab, never emptied.

    Args:
        files: What was handed in: contents by the attempt's own paths.
        seed: What all that is random comes from.
        needs: The checks that have to pass before one is run, by its id.
        order: The ids of the checks in the order in which they are run.
        guarded: The services that execute what was handed in.
        students: The services that anything of the attempt was given to, those that only serve it included.
        seconds: How long all checks may take together.
        passed: The checks that have passed already, in a process that is gone.
        used: How long checks took there.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    seed: str = "0"
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    guarded: tuple[str, ...] = ()
    students: tuple[str, ...] = ()
    seconds: float = 120.0
    passed: tuple[str, ...] = ()
    used: float = 0.0

    @property
    def digest(self) -> str:
        """What tells one set of files from another: the SHA-256 of paths and contents, in hexadecimal."""
        content = json.dumps(sorted(self.files.items()), default=reader.plain)
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Setup:
    """The first order: what to run, and how."""

    name: str
    """Of the running lab."""

    lab: LabDefinition
    """With its whole directory: whoever runs exercises reads no definition."""

    root: str
    """The directory of the files: no configuration that lies above it counts."""

    files: Mapping[str, tuple[str, ...] | None]
    """The wanted functions of each file, or None for all."""

    done: tuple[str, ...] = ()
    """The keys of exercises that are over."""

    limit: float = 60.0
    step: bool = False
    keep_faults: bool = False
    exam: Exam | None = None


@dataclass(frozen=True, slots=True)
class Go:
    """The order to begin: the lab is there and as new."""


@dataclass(frozen=True, slots=True)
class Continue:
    """The order to go on with a step that was announced."""


@dataclass(frozen=True, slots=True)
class Collecting:
    """A file is being imported."""

    path: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """A file has no exercise that can be run."""

    path: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Begins:
    """An exercise begins; `key` tells it from all others."""

    key: str
    id: str
    title: str
    path: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class StepBegins:
    """A step begins, or would like to."""

    text: str


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step is over."""

    step: Step


@dataclass(frozen=True, slots=True)
class Ended:
    """An exercise is over, and what it did is undone."""

    key: str
    seconds: float
    outcome: Outcome
    printed: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """Every exercise that was wanted is over, or was not to be found in its file: then it is named."""

    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Free:
    """The process can take another setup."""


Message = (
    Setup | Go | Continue | Collecting | Unusable | Begins | StepBegins | StepEnded | Ended | Finished | Free
)

_KINDS: Final[Mapping[str, type[Message]]] = {each.__name__: each for each in get_args(Message)}


def encode(message: Message) -> bytes:
    """Return a message as one line."""
    told = {"kind": type(message).__name__, **asdict(message)}
    return json.dumps(told, default=reader.plain).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Read one line.

    Raises:
        ValueError: It is no message.
    """
    try:
        told = json.loads(line)
        return reader.of(_KINDS[told["kind"]], told)
    except (ValueError, KeyError, TypeError) as exc:
        raise ValueError(f"no message: {line[:200]!r}") from exc
