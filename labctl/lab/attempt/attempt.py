"""A student's hand-in: only the files that a lab declares are opened, and only plain ones."""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from labctl.errors import ForbiddenFile, GradingError, MissingFile, UsageError, quoted
from labctl.lab.blueprint import boundedtoml
from labctl.lab.name import NAME_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from labctl.lab.blueprint.definition import LabDefinition

SETTINGS: Final = "labctl.toml"
"""Which lab an attempt is at, and the seed that its student was given."""

LARGEST_FILE: Final = 1 << 20
"""Bytes."""

LARGEST_ATTEMPT: Final = 16 << 20
"""Bytes of all its declared files together."""

SEED: Final = re.compile(r"[0-9a-f]{16}")
"""What ``labctl init`` draws for each attempt."""

_NO_ROOM: Final = f"and what precedes it is larger than {LARGEST_ATTEMPT >> 20} MiB"

MOST_COUNTED: Final = 1000
"""So many entries of an attempt are looked at to tell how many files nobody asked for."""

_LARGEST_SETTINGS: Final = 64 << 10
_DEEPEST: Final = 16
_LONGEST_WANTED: Final = 1000

_HANDED_OUT: Final = frozenset(
    {SETTINGS, "README.md", ".git", ".github", ".gitignore", ".gitlab-ci.yml"}
    | {".labs", "labctl-images.tar.gz", "labctl-results"}
)
"""What ``labctl init`` and the workflows that it writes put at the top of an attempt: no student added it."""

_ITS_OWN_DOING: Final = frozenset(
    {errno.ELOOP, errno.EMLINK, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ENXIO}
    | {errno.ENAMETOOLONG, errno.EINVAL}
)
"""Why open(2) fails for the sake of what lies there, and not of this machine's state."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an attempt says of itself.

    Args:
        lab: The id of the lab that it is at.
        seed: What all that is random in its lab comes from.
        labctl: Which labctl its workflows install; whoever grades it installs nothing for that.
    """

    lab: str | None = None
    seed: str | None = None
    labctl: str | None = None


@dataclass(frozen=True, slots=True)
class HandIn:
    """What was found in an attempt's directory.

    Args:
        files: The contents of the declared files, by the path that the lab gives.
        lab: The id of the lab that it says it is at.
        seed: What it says that all that is random in its lab comes from.
        ignored: How many other files lie there.
        bounded: Whether there may be more of them: not all of the directory was looked at.
    """

    files: Mapping[str, bytes]
    lab: str | None
    seed: str | None
    ignored: int
    bounded: bool


def name_of(directory: Path) -> str:
    """Return what the attempt in a directory is called: as the directory is, which need not be there yet."""
    return os.path.basename(os.path.abspath(directory)) or "attempt"  # noqa: PTH100, PTH119  # a link is named as it is


def read(directory: Path, lab: LabDefinition) -> HandIn:
    """Read the files that a lab declares from an attempt; nothing else there is opened, but its settings.

    Args:
        directory: The attempt; a link to it is followed, one below it never.
        lab: The lab, whose ``[[editable]]`` names the files.

    Raises:
        UsageError: There is no such directory, or the lab lets nothing be handed in.
        MissingFile: A declared file is not there.
        ForbiddenFile: It is a link, lies behind one, is no regular file, has further links, or is too large.
        GradingError: This machine failed to read it.
    """
    if not lab.editable:
        raise UsageError(f"lab {lab.id!r} lets nothing be handed in", hint="labctl labs")
    with _opened(directory) as root:
        files: dict[str, bytes] = {}
        room = LARGEST_ATTEMPT
        for path in (each.path for each in lab.editable):
            files[path] = _content(root, path, LARGEST_FILE)
            room -= len(files[path])
            if room < 0:
                raise _forbidden(path, _NO_ROOM)
        said = _settings(root)
        census = _Census(frozenset(files))
        census.take(root)
    return HandIn(files, said.lab, said.seed, census.ignored, census.bounded)


def settings(directory: Path) -> Settings:
    """Read what an attempt says of itself; nothing where it has no ``labctl.toml``.

    Raises:
        UsageError: There is no such directory, or its ``labctl.toml`` is none.
        GradingError: This machine failed to read it.
    """
    with _opened(directory) as root:
        try:
            return _parsed(_content(root, SETTINGS, _LARGEST_SETTINGS))
        except MissingFile:
            return Settings()
        except (ForbiddenFile, ValueError) as exc:
            said = exc.message if isinstance(exc, ForbiddenFile) else f"{SETTINGS} {exc}"
            raise UsageError(f"attempt {directory}: {said}", hint="--lab LAB names the lab instead") from exc


def checked(files: Mapping[str, bytes], lab: LabDefinition) -> dict[str, bytes]:
    """Check what somebody else has read of an attempt, and return of it what the lab declares.

    Raises:
        MissingFile: A declared file is not among it.
        ForbiddenFile: One is too large.
    """
    room = LARGEST_ATTEMPT
    found: dict[str, bytes] = {}
    for path in (each.path for each in lab.editable):
        if path not in files:
            raise _missing(path)
        found[path] = files[path]
        room -= len(files[path])
        if len(files[path]) > LARGEST_FILE or room < 0:
            raise _too_large(path, LARGEST_FILE) if room >= 0 else _forbidden(path, _NO_ROOM)
    return found


def for_hosts(files: Mapping[str, bytes], lab: LabDefinition) -> dict[tuple[str, str], bytes]:
    """Return the contents that go into a laboratory, by service and path in its container."""
    return {(each.service, each.target): files[each.path] for each in lab.editable if each.service}


def _settings(root: int) -> Settings:
    """Read what an attempt says of itself, where anything it says can be used."""
    try:
        return _parsed(_content(root, SETTINGS, _LARGEST_SETTINGS))
    except (MissingFile, ForbiddenFile, ValueError):
        return Settings()


def _parsed(content: bytes) -> Settings:
    """Read settings.

    Raises:
        ValueError: They are none; the text begins with a verb.
    """
    try:
        table = boundedtoml.parse(content)
    except boundedtoml.NoToml as exc:
        raise ValueError(f"is no TOML: line {exc.line}: {exc}") from exc
    return Settings(
        _of_form(table, "lab", NAME_PATTERN, "the id of a lab"),
        _of_form(table, "seed", SEED, "16 hexadecimal digits"),
        wanted if isinstance(wanted := table.get("labctl"), str) and is_installable(wanted) else None,
    )


def is_installable(wanted: str) -> bool:
    """Say whether that may be what pip is told to install: one line of text, and no option."""
    plain = wanted.isprintable() and wanted == wanted.strip()
    return plain and 0 < len(wanted) <= _LONGEST_WANTED and not wanted.startswith("-")


def _of_form(table: dict[str, Any], key: str, form: re.Pattern[str], expected: str) -> str | None:
    value = table.get(key)
    if value is None or (isinstance(value, str) and form.fullmatch(value)):
        return value
    raise ValueError(f"has {key} = {quoted(value)}: expected {expected}")


@contextmanager
def _opened(directory: Path) -> Iterator[int]:
    if not directory.is_dir():
        raise UsageError(f"no attempt in {directory}: not a directory", hint="ls -ld DIR")
    try:
        root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise UsageError(f"attempt {directory} can't be read: {exc.strerror}", hint="ls -ld DIR") from exc
    try:
        yield root
    finally:
        os.close(root)


def _content(root: int, path: str, most: int) -> bytes:
    """Read one file below a directory, following no link anywhere on the way."""
    *parents, name = path.split("/")
    try:
        with _directory(root, parents) as parent:
            # Looked at before it is opened, as opening a device may do something, and again after that:
            # what lies there could be another file by then.
            _must_be_plain(os.stat(name, dir_fd=parent, follow_symlinks=False), path, most)
            with os.fdopen(_step(parent, name, os.O_NONBLOCK | os.O_NOCTTY), "rb") as file:
                _must_be_plain(os.fstat(file.fileno()), path, most)
                content = file.read(most + 1)
    except FileNotFoundError as exc:
        raise _missing(path) from exc
    except OSError as exc:
        if exc.errno in _ITS_OWN_DOING:
            raise _forbidden(path, f"can't be opened: {exc.strerror}; links are not followed") from exc
        raise GradingError(f"{path} can't be read: {exc.strerror}", hint="labctl doctor") from exc
    if len(content) > most:  # it grew while it was read
        raise _too_large(path, most)
    return content


@contextmanager
def _directory(root: int, parents: list[str]) -> Iterator[int]:
    descriptor = os.dup(root)
    try:
        for parent in parents:
            below = _step(descriptor, parent, os.O_DIRECTORY)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _step(directory: int, name: str, flags: int) -> int:
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=directory)


def _must_be_plain(status: os.stat_result, path: str, most: int) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise _forbidden(path, "is a link, and links are not followed")
    if not stat.S_ISREG(status.st_mode):
        raise _forbidden(path, "is no regular file")
    if status.st_nlink > 1:
        raise _forbidden(path, f"has {status.st_nlink} hard links")
    if status.st_size > most:
        raise _too_large(path, most)


def _missing(path: str) -> MissingFile:
    return MissingFile(f"the attempt has no {path}", hint=f"put {path} there", detail={"file": path})


def _too_large(path: str, most: int) -> ForbiddenFile:
    return _forbidden(path, f"is larger than {_size(most)}")


def _forbidden(path: str, reason: str) -> ForbiddenFile:
    return ForbiddenFile(f"{path} {reason}", hint=f"hand in {path} as a plain file", detail={"file": path})


def _size(octets: int) -> str:
    return f"{octets >> 20} MiB" if octets >= 1 << 20 else f"{octets >> 10} KiB"


class _Census:
    """Counts the files that nobody asked for, as far as that takes no time.

    Args:
        expected: The paths of those that somebody did.
    """

    def __init__(self, expected: frozenset[str]) -> None:
        self._expected = expected
        self._left = MOST_COUNTED
        self.ignored = 0
        self.bounded = False

    def take(self, directory: int, above: str = "", depth: int = 0) -> None:
        """Count what lies in a directory and below; links are counted, not followed."""
        with os.scandir(directory) as entries:
            for entry in entries:
                if not above and entry.name in _HANDED_OUT:
                    continue
                if not self._left:
                    self.bounded = True
                    return
                self._left -= 1
                path = f"{above}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    self._below(directory, entry.name, f"{path}/", depth + 1)
                elif path not in self._expected:
                    self.ignored += 1

    def _below(self, directory: int, name: str, above: str, depth: int) -> None:
        if depth > _DEEPEST:
            self.bounded = True
            return
        try:
            with _directory(directory, [name]) as below:
                self.take(below, above, depth)
        except OSError:  # unreadable, or another thing by now: nothing that is in it is asked for
            self.bounded = True
