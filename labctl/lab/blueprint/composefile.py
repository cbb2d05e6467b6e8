"""Compose files as labctl reads them: plain YAML in which every value knows its line.

What labctl does not support is named with file and line, never ignored. A lab's own ``compose.yaml`` is laid
over its topology as Compose lays one file over another: mappings are merged, sequences appended, anything
else is replaced; and a service may extend another. In one thing it differs: a file is looked for beside the
Compose file that names it first, so that a lab can be moved as a whole, and only then where Compose looks,
beside the first file.
Source: the Compose Specification, https://github.com/compose-spec/compose-spec/blob/main/13-merge.md and
https://github.com/compose-spec/compose-spec/blob/main/05-services.md#extends
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from labctl import plainfile
from labctl.errors import InvalidLabFile, quoted
from labctl.lab.blueprint.textfile import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_DEEPEST: Final = 50
"""Collections inside each other; libyaml's own bookkeeping overflows the stack far later, with a crash."""

_TEXT: Final = "tag:yaml.org,2002:str"
_LONGEST_VALUE: Final = 100
"""Characters of what is no text; Python takes a square of their number to read an integer like 1:1:1."""

HINT: Final = "a topology is plain Compose; labctl supports the keys that compose/two-domains.yaml uses"


class Mapping(dict[str, Any]):
    """A mapping of a Compose file that knows where it and each of its keys stand."""

    def __init__(self, path: Path, line: int) -> None:
        super().__init__()
        self.path = path
        self.line = line
        self.lines: dict[str, tuple[Path, int]] = {}

    def wrong(self, message: str, key: str | None = None) -> InvalidLabFile:
        """Return the error that points at a key of this mapping, or at the mapping.

        What a file has taken over from another is what its author did not change: the error points there,
        and says where it comes from.
        """
        path, line = self.lines.get(key or "", (self.path, self.line))
        if path != self.path:
            message = f"{message} (from {path}:{line})"
            path, line = self.path, self.line
        return InvalidLabFile(message, path=path, line=line, hint=HINT)

    def only(self, known: Iterable[str], where: str) -> None:
        """Refuse keys that are not among the known ones; ``x-`` extensions may always be there."""
        for key in self:
            if key not in known and not key.startswith("x-"):
                message = f"{where}: {quoted(key)} is not supported; labctl knows {', '.join(sorted(known))}"
                raise self.wrong(message, key)

    def mapping(self, key: str, where: str) -> Mapping:
        """Return a mapping under a key; an empty one where the key is not there or empty."""
        value = self.get(key)
        if value is None:
            return Mapping(*self.lines.get(key, (self.path, self.line)))
        if not isinstance(value, Mapping):
            raise self.wrong(f"{where}: {key} is {quoted(value)}, expected a mapping", key)
        return value

    def sequence(self, key: str, where: str) -> list[Any]:
        """Return a sequence under a key; an empty one where the key is not there."""
        value = self.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(f"{where}: {key} is {quoted(value)}, expected a list", key)
        return value

    def text(self, key: str, where: str, default: str | None = None) -> str:
        """Return a text or number under a key as text."""
        if self.get(key) == "":
            raise self.wrong(f"{where}: {key} is empty, expected a text", key)
        return self.plain(self.get(key, default), key, where)

    def texts(self, key: str, where: str) -> tuple[str, ...]:
        """Return a list of texts under a key; a single text counts as a list of one."""
        if isinstance(self.get(key), str):
            return (self.text(key, where),)
        return tuple(self.plain(each, key, where) for each in self.sequence(key, where))

    def pairs(self, key: str, where: str) -> dict[str, str]:
        """Return names and values under a key: a mapping, or a list of ``name=value``."""
        value = self.get(key)
        if isinstance(value, list):
            found = {}
            for each in self.texts(key, where):
                name, sign, content = each.partition("=")
                if not sign:  # Compose would take it from the environment of whoever runs it
                    raise self.wrong(f"{where}: {key}: {quoted(each)} has no value", key)
                found[name] = content
            return found
        mapping = self.mapping(key, where)
        return {name: mapping.plain(mapping[name], name, f"{where}: {key}") for name in mapping}

    def file(self, key: str, where: str, first: Path) -> Path:
        """Return the file that a key names: beside this Compose file, or else beside the first one."""
        name = self.text(key, where)
        beside = self.lines.get(key, (self.path, self.line))[0].parent / name
        for path in (beside, first / name):
            if plainfile.is_there(path):
                return path
        raise self.wrong(f"{where}: no file {beside}", key)

    def plain(self, value: Any, key: str, where: str) -> str:
        """Return a scalar as text; it stands at or under a key.

        Raises:
            InvalidLabFile: It is none, or has a variable in it (``$NAME``; ``$$`` is a dollar sign).
        """
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.wrong(f"{where}: {key}: {quoted(value)}, expected a text", key)
        text = str(value)
        if "$" in text.replace("$$", ""):
            raise self.wrong(f"{where}: {key}: {quoted(text)}: variables are not supported", key)
        return text.replace("$$", "$")


def read(path: Path) -> Mapping:
    """Read one Compose file.

    Raises:
        InvalidLabFile: It can't be read, is no YAML, or is no mapping.
    """
    text = text_of(path, hint=HINT, mark=True)
    try:
        content = _content(text, path)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark is not None else None
        raise InvalidLabFile(f"is no YAML: {exc.problem}", path=path, line=line, hint=HINT) from exc
    except yaml.reader.ReaderError as exc:  # it counts bytes or characters, as it was built
        line = text.count("\n", 0, text.index(chr(exc.character))) + 1
        message = f"is no YAML: {exc.reason}: {chr(exc.character)!r}"
        raise InvalidLabFile(message, path=path, line=line, hint=HINT) from exc
    if not isinstance(content, Mapping):
        raise InvalidLabFile("expected a mapping", path=path, line=1, hint=HINT)
    return content


def laid_over(lower: Mapping, upper: Mapping) -> Mapping:
    """Lay one file over another and return the outcome; neither is changed.

    Raises:
        InvalidLabFile: What is a list in one is a mapping in the other: Compose would merge some of these.
    """
    merged = Mapping(upper.path, upper.line)
    merged.update(lower)
    merged.lines.update(lower.lines)
    for key, value in upper.items():
        match merged.get(key), value:
            case below, None if below is not None:
                continue
            case Mapping() as below, Mapping():
                merged[key] = laid_over(below, value)
            case list() as below, list():
                merged[key] = _joined(below, value)
            case (Mapping(), list()) | (list(), Mapping()):
                raise upper.wrong(f"{key} is a list in one file and a mapping in the other", key)
            case _:
                merged[key] = value
        merged.lines[key] = upper.lines[key]
    return merged


def extended(content: Mapping, first: Path) -> Mapping:
    """Lay each service of a file over the one that it extends and return the outcome; nothing is changed.

    Args:
        content: The file, as `read` returns it.
        first: The directory of the first Compose file.

    Raises:
        InvalidLabFile: What is extended is not there, or extends itself in the end.
    """
    services = content.mapping("services", "the file")
    outcome = Mapping(content.path, content.line)
    outcome.update(content)
    outcome.lines.update(content.lines)
    if services:
        outcome["services"] = whole = Mapping(services.path, services.line)
        whole.lines.update(services.lines)
        for name in services:
            whole[name] = _extended(services, name, first, ())
    return outcome


def _extended(services: Mapping, name: str, first: Path, inside: tuple[tuple[Path, str], ...]) -> Any:
    """Return one service, laid over what it extends; `inside` are those whose extending led here."""
    service = services[name]
    if not isinstance(service, Mapping) or "extends" not in service:
        return service
    where = f"service {name}: extends"
    if (here := (services.path.resolve(), name)) in inside:
        raise service.wrong(f"{where}: it extends itself", "extends")
    if isinstance(service["extends"], str):
        file, wanted = None, service.text("extends", f"service {name}")
    else:
        told = service.mapping("extends", f"service {name}")
        told.only({"file", "service"}, where)
        file = told.file("file", where, first) if "file" in told else None
        wanted = told.text("service", where, "")
    theirs = services if file is None else read(file).mapping("services", "the file")
    if wanted not in theirs:
        raise service.wrong(f"{where}: no service {quoted(wanted)} in {theirs.path}", "extends")
    own = Mapping(service.path, service.line)
    own.update((key, value) for key, value in service.items() if key != "extends")
    own.lines.update(service.lines)
    below = _extended(theirs, wanted, first, (*inside, here))
    return laid_over(below, own) if isinstance(below, Mapping) else own


def _joined(below: list[Any], value: list[Any]) -> list[Any]:
    """Append a sequence to another; of entries alike, or for one ``target``, only the last is kept."""
    targets = [each["target"] for each in value if isinstance(each, Mapping) and "target" in each]
    kept = [
        each
        for each in below
        if each not in value and not (isinstance(each, Mapping) and each.get("target") in targets)
    ]
    return [*kept, *value]


def _content(text: str, path: Path) -> Any:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            message = f"more than {_DEEPEST} collections inside each other"
            raise InvalidLabFile(message, path=path, line=_line(event), hint=HINT)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return _Reader(loader, path).value(node) if node is not None else None
    finally:
        loader.dispose()


class _Reader:
    """Makes values of one file's YAML nodes."""

    def __init__(self, loader: Any, path: Path) -> None:
        self._loader = loader
        self._path = path
        self._made: dict[int, Any] = {}
        """By node: merging changes a node, so each is read once, however many aliases it has."""

    def value(self, node: Any) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) not in self._made:
            self._made[id(node)] = _Reader  # until it is read, whoever meets it is inside it
            is_list = isinstance(node, yaml.SequenceNode)
            self._made[id(node)] = self._sequence(node) if is_list else self._mapping(node)
        if self._made[id(node)] is _Reader:
            raise self._wrong(node, "contains itself")
        return self._made[id(node)]

    def _scalar(self, node: Any) -> Any:
        if node.tag != _TEXT and len(node.value) > _LONGEST_VALUE:
            raise self._wrong(node, f"{quoted(node.value)} is longer than a number or a date may be")
        try:
            return self._loader.construct_object(node)
        except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError) as exc:
            # 0x_ and 2024-99-99 look like values, and !!int "" is said to be one
            raise self._wrong(node, f"{quoted(node.value)} is no value: {exc}") from exc

    def _sequence(self, node: Any) -> list[Any]:
        return [self.value(each) for each in node.value]

    def _mapping(self, node: Any) -> Mapping:
        self._no_key_twice(node)
        self._loader.flatten_mapping(node)  # resolves YAML's merge key, <<
        mapping = Mapping(self._path, _line(node))
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._wrong(key_node, "a key is no text")
            key = str(self._scalar(key_node))
            mapping[key] = self.value(value_node)
            mapping.lines[key] = (self._path, _line(key_node))
        return mapping

    def _no_key_twice(self, node: Any) -> None:
        """Check the keys as they are written: merged ones may be there again."""
        seen = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    raise self._wrong(key_node, f"the key {quoted(key_node.value)} is there twice")
                seen.add(key_node.value)

    def _wrong(self, node: Any, message: str) -> InvalidLabFile:
        return InvalidLabFile(message, path=self._path, line=_line(node), hint=HINT)


def _line(marked: Any) -> int:
    return int(marked.start_mark.line) + 1
