"""What an examination depends on, as keys: two of one key would see the same."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from labctl import resources
from labctl.grading import alteration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from labctl.grading.gradedlab import GradedLab
    from labctl.lab.blueprint.definition import Grading

_NOT_EXAMINED: Final = frozenset({"README.md", "lab.toml", "solution", *alteration.DIRECTORIES, "exercises"})
"""What may lie beside a lab's definition and changes nothing that can be seen of an attempt. A starter may:
where it is laid over the topology, for those who look at the lab without an attempt."""


def of_lab(lab: GradedLab, images: Iterable[str]) -> str:
    """Return the key of all that is the same for every attempt; what checks are worth is no part of it.

    Args:
        lab: The lab with its checks.
        images: The tags of the images, which name their content.
    """
    definition = lab.lab
    measured = {
        "labctl": version("labctl"),
        "images": sorted(images),
        "id": definition.id,
        "topology": definition.topology,
        "clock": {name: asdict(pair) for name, pair in definition.clock.items()},
        "accounts": [asdict(each) for each in definition.accounts],
        "editable": [asdict(each) for each in definition.editable],
        "limits": _limits(definition.grading),
        "checks": [(each.id, sorted(each.needs)) for each in lab.checks],
    }
    digest = hashlib.sha256(json.dumps(measured, sort_keys=True).encode())
    compose = resources.compose_dir()
    topology = [compose / f"{definition.topology}.yaml", *_files(compose / definition.topology)]
    for name, path in _named(compose, topology):
        _add(digest, f"compose/{name}", path.read_bytes())
    for name, path in _named(definition.directory, _files(definition.directory)):
        if name.split("/")[0] not in _NOT_EXAMINED:
            _add(digest, f"lab/{name}", path.read_bytes())
    if lab.hidden_directory is not None:
        for name, path in _named(lab.hidden_directory, _files(lab.hidden_directory)):
            if path.suffix != ".toml":
                _add(digest, f"hidden/{name}", path.read_bytes())
    return digest.hexdigest()


def _limits(grading: Grading | None) -> dict[str, Any]:
    """Return what an attempt may use; what the starter is worth, and who is believed, changes nothing."""
    told = asdict(grading) if grading is not None else {}
    return {name: value for name, value in told.items() if name not in {"starter_score", "seeded"}}


def of_files(files: Mapping[str, bytes]) -> str:
    """Return the key of what was handed in."""
    digest = hashlib.sha256()
    for path in sorted(files):
        _add(digest, path, files[path])
    return digest.hexdigest()


def of_attempt(lab_key: str, files: Mapping[str, bytes], seed: str) -> str:
    """Return the key of an attempt's examination."""
    return hashlib.sha256(f"{lab_key} {of_files(files)} {seed}".encode()).hexdigest()


def _add(digest: hashlib._Hash, name: str, content: bytes) -> None:
    head = f"{len(name)} {name} {len(content)}\n"  # none can pass for the end of another
    digest.update(head.encode("utf-8", "surrogateescape") + content)


def _files(directory: Path) -> list[Path]:
    return [each for each in directory.rglob("*") if each.is_file() and "__pycache__" not in each.parts]


def _named(directory: Path, paths: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    return iter(sorted((each.relative_to(directory).as_posix(), each) for each in paths))
