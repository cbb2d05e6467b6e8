"""The files of a handout, as they are to be written."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from labctl.errors import InvalidLabFile, UsageError
from labctl.lab.attempt import attempt

if TYPE_CHECKING:
    from labctl.lab.blueprint.definition import LabDefinition

STARTER: Final = "starter"
"""Where a lab has the files that a student begins with."""

README: Final = "README.md"

_WRITTEN: Final = {
    attempt.SETTINGS: "labctl.toml",
    ".github/workflows/labctl.yml": "github.yml",
    ".gitlab-ci.yml": "gitlab-ci.yml",
    ".gitignore": "gitignore",
}
"""What labctl writes itself, by its path in the handout: the name of its template."""


def handed_out(lab: LabDefinition, seed: str, labctl: str | None = None) -> dict[str, bytes]:
    """Return what a student gets: nothing of solutions, variants, mutants and checks is among it.

    Args:
        lab: The lab.
        seed: What all that is random in the checks of this attempt comes from.
        labctl: Which labctl the workflows install; where it is None, they say that nobody told them.

    Returns:
        The contents, by path.

    Raises:
        UsageError: The lab has no starter.
        InvalidLabFile: It can't be read, or a file that a student may hand in is missing there.
    """
    starter = lab.directory / STARTER
    if not starter.is_dir():
        raise UsageError(f"lab {lab.id!r} has no {STARTER}/ to hand out", hint="labctl labs")
    paths = [each for each in starter.rglob("*") if each.is_file()]
    readme = lab.directory / README
    try:
        found = {each.relative_to(starter).as_posix(): each.read_bytes() for each in sorted(paths)}
        if readme.is_file():
            found[README] = readme.read_bytes()
    except OSError as exc:
        raise InvalidLabFile(
            f"can't be read: {exc.strerror}", path=starter, line=None, hint=f"ls -lR {starter}"
        ) from exc
    words = {
        "@LAB@": lab.id,
        "@SEED@": seed,
        "@LABCTL@": '# labctl = "…"'
        if labctl is None
        else f"labctl = {json.dumps(labctl, ensure_ascii=False)}",
        "@INSTALL@": _template("install").rstrip(),
    }
    return found | {path: _filled(template, words).encode() for path, template in _WRITTEN.items()}


def _filled(template: str, words: dict[str, str]) -> str:
    """Put words in the places of a template, one a line; all lines of a word are as far in as its place."""

    def line(found: re.Match[str]) -> str:
        return found[1] + found[2] + words[found[3]].replace("\n", f"\n{found[1]}")

    return re.sub(r"(?m)^( *)(.*?)(@[A-Z]+@)", line, _template(template))


def _template(name: str) -> str:
    return (files("labctl.grading.handout") / "templates" / name).read_text(encoding="utf-8")
