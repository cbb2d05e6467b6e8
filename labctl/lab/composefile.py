"""Compose files as labctl reads them: plain YAML in which every value knows its line.

What labctl does not support is named with file and line, never ignored. A lab's own ``compose.yaml`` is laid
over its topology as Compose lays one file over another: mappings are merged, anything else is replaced.
Source: the Compose Specification, https://github.com/compose-spec/compose-spec/blob/main/spec.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from labctl.errors import InvalidLabFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

HINT: Final = "a topology is plain Compose; labctl supports the keys that compose/two-domains.yaml uses"


class Mapping(dict[str, Any]):
    """A mapping of a Compose file that knows where it and each of its keys stand."""

    def __init__(self, path: Path, line: int) -> None:
        super().__init__()
        self.path = path
        self.line = line
        self.lines: dict[str, tuple[Path, int]] = {}

    def wrong(self, message: str, key: str | None = None) -> InvalidLabFile:
        """Return the error that points at a key of this mapping, or at the mapping."""
        path, line = self.lines.get(key or "", (self.path, self.line))
        return InvalidLabFile(message, path=path, line=line, hint=HINT)

    def only(self, known: Iterable[str], where: str) -> None:
        """Refuse keys that are not among the known ones; ``x-`` extensions may always be there."""
        for key in self:
            if key not in known and not key.startswith("x-"):
                message = f"{where}: {key!r} is not supported; labctl knows {', '.join(sorted(known))}"
                raise self.wrong(message, key)

    def mapping(self, key: str, where: str) -> Mapping:
        """Return a mapping under a key; an empty one where the key is not there or empty."""
        value = self.get(key)
        if value is None:
            return Mapping(self.path, self.lines.get(key, (self.path, self.line))[1])
        if not isinstance(value, Mapping):
            raise self.wrong(f"{where}: {key} is {value!r}, expected a mapping", key)
        return value

    def sequence(self, key: str, where: str) -> list[Any]:
        """Return a sequence under a key; an empty one where the key is not there."""
        value = self.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(f"{where}: {key} is {value!r}, expected a list", key)
        return value

    def text(self, key: str, where: str, default: str | None = None) -> str:
        """Return a text or number under a key as text."""
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
            raise self.wrong(f"{where}: {key} is {value!r}, expected a text", key)
        if "${" in (text := str(value)):
            raise self.wrong(f"{where}: {key} is {text!r}: variables are not supported", key)
        return text.replace("$$", "$")

    def texts(self, key: str, where: str) -> tuple[str, ...]:
        """Return a list of texts under a key; a single text counts as a list of one."""
        value = self.get(key)
        if isinstance(value, str):
            return (self.text(key, where),)
        for each in self.sequence(key, where):
            if not isinstance(each, str | int):
                raise self.wrong(f"{where}: {key} holds {each!r}, expected texts", key)
        return tuple(str(each) for each in self.sequence(key, where))


def read(path: Path) -> Mapping:
    """Read one Compose file.

    Raises:
        InvalidLabFile: It can't be read, is no YAML, or is no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidLabFile(f"can't be read: {exc}", path=path, line=None, hint=HINT) from exc
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        content = _plain(loader, node, path) if node is not None else None
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark is not None else None
        raise InvalidLabFile(f"is no YAML: {exc.problem}", path=path, line=line, hint=HINT) from exc
    except (yaml.YAMLError, RecursionError) as exc:
        raise InvalidLabFile(f"is no YAML: {exc}", path=path, line=None, hint=HINT) from exc
    finally:
        loader.dispose()
    if not isinstance(content, Mapping):
        raise InvalidLabFile("expected a mapping", path=path, line=1, hint=HINT)
    return content


def laid_over(lower: Mapping, upper: Mapping) -> Mapping:
    """Lay one file over another and return the outcome; neither is changed."""
    merged = Mapping(lower.path, lower.line)
    merged.update(lower)
    merged.lines.update(lower.lines)
    for key, value in upper.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = laid_over(below, value)  # noqa: PLW2901  # the value to be, whichever way it comes about
        merged[key] = value
        merged.lines[key] = upper.lines[key]
    return merged


def _plain(loader: Any, node: Any, path: Path) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, each, path) for each in node.value]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node)
    loader.flatten_mapping(node)  # resolves YAML's merge key, <<
    mapping = Mapping(path, node.start_mark.line + 1)
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node))
        mapping[key] = _plain(loader, value_node, path)
        mapping.lines[key] = (path, key_node.start_mark.line + 1)
    return mapping
