"""A student's hand-in: only the files that a lab declares are opened, and only plain ones."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from labctl.errors import ForbiddenFile, MissingFile, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from labctl.lab.definition import LabDefinition

LARGEST_FILE: Final = 1 << 20
"""Bytes."""


def read(directory: Path, lab: LabDefinition) -> dict[tuple[str, str], bytes]:
    """Read the files that a lab declares from an attempt.

    Args:
        directory: The attempt.
        lab: The lab, whose `[[editable]]` names the files.

    Returns:
        The contents, by service and path in its container.

    Raises:
        UsageError: There is no such directory, or the lab lets nothing be handed in.
        MissingFile: A declared file is not there.
        ForbiddenFile: It is a link, lies behind one, is no regular file, has further links, or is too large.
    """
    if not directory.is_dir():
        raise UsageError(f"no attempt in {directory}: not a directory", hint="labctl up --attempt DIR")
    if not lab.editable:
        raise UsageError(f"lab {lab.id!r} lets nothing be handed in", hint="labctl labs")
    try:
        root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise UsageError(f"attempt {directory} can't be read: {exc.strerror}", hint="ls -ld DIR") from exc
    try:
        return {
            (each.service, each.target): _content(root, each.path) for each in lab.editable if each.service
        }
    finally:
        os.close(root)


def _content(root: int, path: str) -> bytes:
    """Read one file below a directory, following no link anywhere on the way."""
    descriptor = os.dup(root)
    try:
        *parents, name = path.split("/")
        for parent in parents:
            descriptor = _step(descriptor, parent, path, os.O_DIRECTORY)
        descriptor = _step(descriptor, name, path, os.O_NONBLOCK | os.O_NOCTTY)  # no FIFO to wait for
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _forbidden(path, "is no regular file")
        if status.st_nlink != 1:
            raise _forbidden(path, f"has {status.st_nlink} hard links")
        with os.fdopen(os.dup(descriptor), "rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise _forbidden(path, f"is larger than {LARGEST_FILE >> 20} MiB")
        return content
    finally:
        os.close(descriptor)


def _step(descriptor: int, name: str, path: str, flags: int) -> int:
    try:
        below = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=descriptor)
    except FileNotFoundError as exc:
        raise MissingFile(f"the attempt has no {path}", hint=f"put {path} there") from exc
    except OSError as exc:
        raise _forbidden(path, f"can't be opened: {exc.strerror}; links are not followed") from exc
    os.close(descriptor)
    return below


def _forbidden(path: str, reason: str) -> ForbiddenFile:
    return ForbiddenFile(f"{path} {reason}", hint=f"hand in {path} as a plain file")
