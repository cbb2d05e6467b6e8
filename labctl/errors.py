"""The exception tree: everything that labctl itself can fail with.

```
LabctlError
├ UsageError     NoSuchLab · NoSuchHost · NoSuchAccount · NoSuchMessage · NoSuchFault · NoSuchExercise
│                FaultClash · LabNotUp · LabInUse
├ LabError       InvalidLabFile
├ FaultError
├ OutputError
├ MachineError
├ GradingError
├ AttemptError   MissingFile · ForbiddenFile · ConfigRejected
└ EngineError    EngineUnavailable · ImageUnavailable · ServiceNotReady · ServiceCommandFailed
                 NoSuchObject · NameInUse · SubnetInUse
```

What becomes of a message (a bounce, a deferral, a 4xx or 5xx reply, NXDOMAIN) is never an exception: those
are values. Errors of libraries are translated into this tree at one edge, with ``raise … from``.
"""

from __future__ import annotations

import errno
import os
import re
import reprlib
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_OF_PATHS: Final = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
    | {errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.ENXIO, errno.ENODEV, errno.EFBIG}
)
"""Why the system refuses a path for its own sake."""

_LONG_WORD: Final = re.compile(r"\S{256,}")
_KEPT: Final = 80

_LONG_INTEGER: Final = 1024
"""Bits."""


def refused(error: OSError | MemoryError) -> LabctlError:
    """Translate what the system refused, where no command has said it better.

    Returns:
        A UsageError where a path can't be what a command wanted it to be, else a MachineError.
    """
    if isinstance(error, FileNotFoundError) and error.filename is None and _nowhere():
        return UsageError("the current directory is not there any more", hint="cd to one that is")
    if isinstance(error, OSError) and error.errno in _OF_PATHS and error.filename is not None:
        return UsageError(
            f"{quoted(os.fsdecode(error.filename))} can't be used: {error.strerror}",
            hint="name another path, or mend what lies there",
        )
    said = "there is no memory left" if isinstance(error, MemoryError) else error.strerror or error
    return MachineError(f"this machine failed: {said}", hint="labctl doctor")


def _nowhere() -> bool:
    try:
        os.getcwd()  # noqa: PTH109  # the call that fails
    except FileNotFoundError:
        return True
    return False


def quoted(value: object, limit: int = 80) -> str:
    """Return how Python writes a value that somebody else wrote, on one line and not longer than `limit`."""
    return _Quoting(limit).repr(value)


class _Quoting(reprlib.Repr):
    """Looks at no more of a value than it writes: YAML's aliases make endless ones of a few lines."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 3, limit, limit
        self._limit = limit

    def repr(self, x: object) -> str:
        said = super().repr(x)
        return said if len(said) <= self._limit else f"{said[: self._limit - 1]}…"

    def repr_instance(self, x: object, level: int) -> str:
        return self.repr_dict({**x}, level) if isinstance(x, dict) else super().repr_instance(x, level)

    def repr_str(self, x: str, level: int) -> str:  # noqa: ARG002  # as reprlib calls it
        return repr(x[: self._limit])

    def repr_int(self, x: int, level: int) -> str:  # noqa: ARG002  # as above
        return repr(x) if x.bit_length() < _LONG_INTEGER else hex(x)  # in decimal Python refuses long ones


def _cut(word: re.Match[str]) -> str:
    return f"{word[0][:_KEPT]}…"


class LabctlError(Exception):
    """The root of all errors that a user may meet.

    A word in it that is longer than any name is cut: somebody gave it that way.

    Args:
        message: What failed, on which host or in which file, and what was seen.
        hint: One next command or step.
        code: The error's stable name for scripts: NoSuchLab is ``no-such-lab``, UsageError ``usage``.
        detail: Further facts, JSON-ready, such as a log's tail.
    """

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 70

    def __init_subclass__(cls) -> None:
        words = re.findall("[A-Z][a-z]+", cls.__name__.removesuffix("Error"))
        cls.code = "-".join(words).lower()

    def __init__(self, message: str, *, hint: str, detail: Mapping[str, Any] | None = None) -> None:
        self.message = _LONG_WORD.sub(_cut, message)
        self.hint = _LONG_WORD.sub(_cut, hint)
        super().__init__(self.message)
        self.detail: dict[str, Any] = dict(detail or {})

    @property
    def told(self) -> str:
        """The message, and below it what a daemon said, where it said something."""
        said = str(self.detail.get("log") or self.detail.get("said") or "")
        return "\n".join((self.message, *(f"  | {each}" for each in said.splitlines())))


class UsageError(LabctlError):
    """An argument is malformed or names nothing, or the lab is not up."""

    exit_code = 2


class NoSuchLab(UsageError):
    """No lab of that id or directory."""


class NoSuchHost(UsageError):
    """The lab has no host of that name."""


class NoSuchAccount(UsageError):
    """The lab has no account of that address."""


class NoSuchMessage(UsageError):
    """No message of that id."""


class NoSuchFault(UsageError):
    """No fault of that name."""


class NoSuchExercise(UsageError):
    """No exercise of that name or in that file."""


class FaultClash(UsageError):
    """The fault is applied already, or another one that changes the same is."""


class LabNotUp(UsageError):
    """The command needs a running lab, and there is none (or none of that name)."""


class LabInUse(UsageError):
    """Exercises or checks run in the lab, or another command changes it.

    Args:
        message: Which lab, and who has it.
        holder: Who has it, in words.
        facts: The same, JSON-ready.
        hint: The next step.
    """

    def __init__(self, message: str, *, holder: str, facts: Mapping[str, Any], hint: str) -> None:
        super().__init__(message, hint=hint, detail={"holder": facts})
        self.holder = holder


class LabError(LabctlError):
    """The lab itself is wrong: its author's to mend, not the student's."""

    exit_code = 3


class InvalidLabFile(LabError):
    """A file of a lab is not what labctl understands.

    Args:
        message: What was found and what was expected.
        path: The file.
        line: Its line, counted from 1; None where the file as a whole is meant.
        hint: The next step.
    """

    def __init__(self, message: str, *, path: Path, line: int | None, hint: str) -> None:
        where = f"{path}:{line}" if line is not None else str(path)
        super().__init__(f"{where}: {message}", hint=hint, detail={"path": str(path), "line": line})
        self.path = path
        self.line = line


class FaultError(LabctlError):
    """A host refused a fault, or this machine can't bear it; nothing of it is left."""

    exit_code = 4


class OutputError(LabctlError):
    """A result can't be written, as on a full disk."""

    exit_code = 2


class MachineError(LabctlError):
    """This machine refused what every command needs: memory, a descriptor, a process."""

    exit_code = 4


class GradingError(LabctlError):
    """Grading itself went wrong: what it was told, or what a check tried, is none of the student's doing."""

    exit_code = 4


class AttemptError(LabctlError):
    """What a student handed in can't be used."""

    exit_code = 1


class MissingFile(AttemptError):
    """A file that the lab asks for is not in the attempt."""


class ForbiddenFile(AttemptError):
    """A file of the attempt is a link, no regular file, or too large."""


class ConfigRejected(AttemptError):
    """The daemon's own check refused a file of the attempt.

    Args:
        message: What was handed in, and that it was refused.
        service: The service whose daemon refused it.
        file: The file as the attempt names it.
        line: Its line, where the daemon said one.
        said: The daemon's own words.
        hint: The next step.
    """

    def __init__(
        self, message: str, *, service: str, file: str, line: int | None, said: str, hint: str
    ) -> None:
        super().__init__(
            message, hint=hint, detail={"service": service, "file": file, "line": line, "said": said}
        )


class EngineError(LabctlError):
    """The engine, an image or a service failed: not the student's fault."""

    exit_code = 4


class EngineUnavailable(EngineError):
    """No container engine answers where one was looked for."""


class ImageUnavailable(EngineError):
    """An image is neither here nor to be had."""


class ServiceNotReady(EngineError):
    """A service did not answer as it should before its deadline.

    Args:
        message: Which service, on which host, and what it last answered.
        service: The service's name.
        waited: Seconds waited.
        log: The tail of its log.
        hint: The next step.
    """

    def __init__(self, message: str, *, service: str, waited: float, log: str, hint: str) -> None:
        super().__init__(
            message, hint=hint, detail={"service": service, "waited": round(waited, 3), "log": log}
        )


class ServiceCommandFailed(EngineError):
    """A command inside a container failed that labctl relies on."""


class NoSuchObject(EngineError):
    """The engine knows no container, network or image of that name."""


class NameInUse(EngineError):
    """The engine already has an object of that name."""


class SubnetInUse(EngineError):
    """The engine or its machine already uses an overlapping subnet."""
