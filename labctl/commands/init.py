"""``labctl init``: hands a lab out to a student."""

from __future__ import annotations

import re
import secrets
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from labctl import plainfile, resources
from labctl.contract.value import LabName, Rule, Word
from labctl.errors import OutputError, UsageError
from labctl.grading import seeds
from labctl.grading.handout.files import handed_out
from labctl.lab import catalogue
from labctl.lab.attempt import attempt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from labctl.lab.blueprint.definition import LabDefinition

_OF_AN_INDEX: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(?<!\.whl)(?<!\.gz)(?<!\.zip)\s*(?:\[[^]]*\]\s*)?(?:[<>=!~;][^/@]*)?"
)
"""A requirement without a URL (PEP 508)."""


@dataclass(frozen=True, slots=True)
class HandedOut:
    """A lab that was handed out.

    Args:
        lab: Its id.
        title: Its title.
        directory: Where it is now, as it was named.
        files: All files of the handout, as paths in the directory.
        written: Those that were not there before.
        note: What else who handed it out needs to know, in a sentence.
    """

    SCHEMA: ClassVar = "labctl/init/v1"

    lab: LabName
    title: Word
    directory: Word
    files: Annotated[tuple[Word, ...], Rule(least=1)]
    written: tuple[Word, ...]
    note: Word | None = None


def init(  # what may be asked for
    lab: str,
    directory: Path,
    environ: Mapping[str, str],
    *,
    labctl: str | None = None,
    seed_from: Path | None = None,
) -> HandedOut:
    """Hand a lab out into a directory: all of it or nothing, and no file that is there is changed.

    Args:
        lab: The lab: an id, or a directory.
        directory: Where; made if it is not there.
        environ: The environment, for the catalogue.
        labctl: Which labctl the workflows install: a URL, a path or a requirement, as pip takes them.
        seed_from: A roster of seeds (`seeds.kept`), which has that of this directory, or gets it.

    Raises:
        NoSuchLab: There is none of that name.
        UsageError: It has no starter, the directory has other files of those names, nothing of that form can
            be installed, or the roster is wrong.
        InvalidLabFile: The lab is wrong.
        OutputError: A file can't be written.
    """
    if labctl is not None and not attempt.is_installable(labctl):
        raise UsageError(
            f"--labctl {labctl[:80]!r}: expected a URL, a path or a requirement, as pip takes them",
            hint="--labctl git+https://host/labctl@v1",
        )
    found = catalogue.find(lab, environ)
    there = _settings_there(directory, found)
    labctl = labctl or there.labctl
    no_roster: dict[str, str] = {}
    with nullcontext(no_roster) if seed_from is None else seeds.kept(seed_from) as known:
        seed = known.setdefault(attempt.name_of(directory), there.seed or secrets.token_hex(8))
        files = handed_out(found, seed, labctl)
        clashes = [path for path, content in files.items() if _differs(directory / path, content)]
        if clashes:
            raise UsageError(
                f"nothing was written: {directory} has its own {', '.join(sorted(clashes))}",
                hint=f"labctl init {lab} DIR, with a directory that is not there yet",
                detail={"files": sorted(clashes)},
            )
    new = tuple(sorted(path for path in files if not (directory / path).exists()))
    _write(directory, {path: files[path] for path in new})
    return HandedOut(found.id, found.title, str(directory), tuple(sorted(files)), new, _note(found, labctl))


def _settings_there(directory: Path, lab: LabDefinition) -> attempt.Settings:
    """Return what this lab's handout in a directory says, so that a second call has nothing to do."""
    with suppress(UsageError):  # there is no such directory yet, or what it has is not ours
        said = attempt.settings(directory)
        if said.lab == lab.id:
            return said
    return attempt.Settings()


def _differs(path: Path, content: bytes) -> bool:
    """Whether something else is there already; a link counts as something else, wherever it leads."""
    if any(each.exists() and not each.is_dir() for each in path.parents):
        return True
    try:
        return path.is_symlink() or plainfile.content(path, len(content)) != content
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _write(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write files that are not there; where one can't be written, none is left."""
    made: list[Path] = []
    try:
        for name, content in files.items():
            path = directory / name
            for parent in [each for each in reversed(path.parents) if not each.exists()]:
                parent.mkdir()
                made.append(parent)
            with path.open("xb") as file:
                made.append(path)
                file.write(content)
    except OSError as exc:
        for each in reversed(made):
            with suppress(OSError):
                each.rmdir() if each.is_dir() else each.unlink()
        raise OutputError(
            f"nothing was written: {exc.filename or directory}: {exc.strerror}", hint=f"ls -ld {directory}"
        ) from exc


def _note(lab: LabDefinition, labctl: str | None) -> str | None:
    notes = []
    if labctl is None:
        notes.append(
            "The workflows grade nothing yet: labctl.toml does not say which labctl they install, and none is"
            " on PyPI. labctl init --labctl URL|PATH|SPEC says it."
        )
    elif _OF_AN_INDEX.fullmatch(labctl):
        notes.append(
            f"The workflows take {labctl} from the index that pip uses there: make sure that it has this"
            " labctl, which is not on PyPI."
        )
    if lab.directory.parent.resolve() != resources.labs_dir().resolve():
        notes.append(
            f"{lab.id} does not come with labctl: whoever grades needs its directory, which may lack"
            " solution/, variants/ and mutants/, in one that LABCTL_LABS names: .labs in the workflows."
        )
    return " ".join(notes) or None
