"""The labs that can be started: those that ship, and those of the user's own directories."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from labctl import resources
from labctl.errors import InvalidLabFile, NoSuchLab, quoted
from labctl.lab.attempt import attempt
from labctl.lab.blueprint import definition
from labctl.lab.mark import labels
from labctl.suggestion import near, question

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from labctl.lab.blueprint.definition import LabDefinition
    from labctl.lab.running.instance import Instance

EXTRA_DIRECTORIES = "LABCTL_LABS"
"""The environment variable that names more directories of labs, separated as in ``PATH``."""


def directories(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the directories in which labs are looked for, in order."""
    extra = (
        Path(os.path.expanduser(each))  # noqa: PTH111  # Path's own fails for a user who is not there
        for each in environ.get(EXTRA_DIRECTORIES, "").split(":")
        if each
    )
    return (*extra, resources.labs_dir())


def all_labs(environ: Mapping[str, str]) -> tuple[LabDefinition, ...]:
    """Read every lab of the catalogue, by id; the first of two with one id counts."""
    found: dict[str, LabDefinition] = {}
    for directory in _lab_directories(environ):
        if directory.name not in found:
            found[directory.name] = _listed(directory)
    return tuple(found[each] for each in sorted(found))


def find(lab: str, environ: Mapping[str, str]) -> LabDefinition:
    """Find a lab by its id or its directory.

    Args:
        lab: An id of the catalogue, or a directory with a ``lab.toml``.
        environ: The environment, for `EXTRA_DIRECTORIES`.

    Raises:
        NoSuchLab: There is none.
        InvalidLabFile: Its ``lab.toml`` is wrong.
    """
    named = _named(lab, environ)
    if named is None or "/" in lab:
        with suppress(OSError):  # a name that is too long, or a directory that is closed
            if (Path(lab) / definition.FILE_NAME).is_file():
                return definition.load(Path(lab).resolve())
    if named is not None:
        return _listed(named)
    with suppress(OSError):  # likewise
        _refuse_path(Path(lab))
    known = sorted({each.name for each in _lab_directories(environ)})
    meant = near(lab, known)
    raise NoSuchLab(
        f"no lab {quoted(lab)}: neither an id of the catalogue ({', '.join(known)}) nor a directory with a"
        f" lab.toml{question(meant)}",
        hint="labctl labs",
        detail={"near": meant},
    )


def definition_of(there: Instance, environ: Mapping[str, str]) -> LabDefinition:
    """Find the definition that a running lab was started from: where it lay then, or else by its id.

    Raises:
        NoSuchLab: There is none any more.
        InvalidLabFile: Its ``lab.toml`` is wrong.
    """
    directory = there.network.labels.get(labels.DIRECTORY, "") if there.network is not None else ""
    if directory and Path(directory).is_dir():
        return find(f"{directory}/", environ)
    return find(there.lab, environ)


def _listed(directory: Path) -> LabDefinition:
    """Read a lab of the catalogue, where a lab is found by its directory's name."""
    lab = definition.load(directory)
    if lab.id != directory.name:
        path = directory / definition.FILE_NAME
        message = f"id {quoted(lab.id)}: expected that of its directory, {quoted(directory.name)}"
        raise InvalidLabFile(message, path=path, line=None, hint=f"edit {path}")
    return lab


def _refuse_path(path: Path) -> None:
    """Say what a directory or a file is that is no lab.

    Raises:
        NoSuchLab: It is there.
    """
    if path.name == definition.FILE_NAME and path.is_file():
        raise NoSuchLab(
            f"{path} is a file of a lab: a lab is named by its directory", hint=f"labctl up {path.parent}/"
        )
    if path.is_dir() and (path / attempt.SETTINGS).is_file():
        raise NoSuchLab(
            f"{path} is an attempt at a lab, and no lab: it has a {attempt.SETTINGS} and no "
            f"{definition.FILE_NAME}",
            hint=f"labctl grade {path}",
        )
    if path.is_dir():
        raise NoSuchLab(f"directory {path} has no {definition.FILE_NAME}", hint="labctl labs")


def _named(lab: str, environ: Mapping[str, str]) -> Path | None:
    return next((each for each in _lab_directories(environ) if each.name == lab), None)


def _lab_directories(environ: Mapping[str, str]) -> Iterator[Path]:
    for parent in directories(environ):
        if parent.is_dir():
            yield from sorted(each.parent for each in parent.glob(f"*/{definition.FILE_NAME}"))
