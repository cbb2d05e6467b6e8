"""A lab's definition: what its ``lab.toml`` says."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from labctl.errors import InvalidLabFile, quoted
from labctl.lab.account import Account
from labctl.lab.blueprint.textfile import line_of, table_of, text_of
from labctl.lab.name import NAME_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE_NAME: Final = "lab.toml"

CLOCK_SETTINGS: Final = frozenset(
    {
        "queue_run_delay",
        "minimal_backoff_time",
        "maximal_backoff_time",
        "transport_retry_time",
        "delay_warning_time",
        "maximal_queue_lifetime",
        "bounce_queue_lifetime",
        "smtp_connect_timeout",
        "lmtp_connect_timeout",
        "smtp_helo_timeout",
        "smtp_mail_timeout",
        "smtp_rcpt_timeout",
        "smtp_data_init_timeout",
        "smtp_data_xfer_timeout",
        "smtp_data_done_timeout",
        "anvil_rate_time_unit",
    }
)
"""The settings of Postfix that a lab's clock may turn; postconf(5) describes each."""

_DURATION: Final = re.compile(r"[0-9]+[smhdw]?")

_ZONE: Final = re.compile(r"/etc/coredns/zones/[^/]+\.zone")

_ADDRESS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9.-]+")
"""What needs no quoting anywhere: neither in Dovecot's passwd-file nor in Postfix's tables."""

_PASSWORD: Final = re.compile(r"[!-9;-~]+")
"""Printable ASCII without the colon, which ends a field of a passwd-file."""


@dataclass(frozen=True, slots=True)
class ClockPair:
    """One setting's value in the real world and in the lab, in Postfix's notation (``5m``, ``1s``)."""

    real: str
    lab: str


@dataclass(frozen=True, slots=True)
class Editable:
    """A file that a student may hand in.

    Args:
        path: Where it lies in an attempt.
        service: The service that it is for; empty for a file that only checks read, as a student's answers.
        target: Where it lies in that service's container.
        check: How the service's own tools validate it there; no shell.
    """

    path: str
    service: str = ""
    target: str = ""
    check: tuple[str, ...] = ()

    @property
    def is_data(self) -> bool:
        """Whether no daemon does what it says: answers, and zones, which CoreDNS only serves."""
        return not self.service or bool(_ZONE.fullmatch(self.target))


@dataclass(frozen=True, slots=True)
class Grading:
    """The score of the untouched starter, and what an attempt may use.

    Args:
        starter_score: The points that the starter gets as it is handed out.
        memory: Of each container, swap included, as ``256m``.
        cpus: Of each container.
        pids: Processes and threads of each container.
        file_size: The most that one file in a container may hold, as ``64m``.
        seconds: For all checks together.
        seeded: Whether the seed decides what is asked, so that answers to one are answers to whoever says it.
    """

    starter_score: float = 0
    memory: str = "256m"
    cpus: float = 1
    pids: int = 200
    file_size: str = "64m"
    seconds: float = 120
    seeded: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """One graded check as the definition declares it.

    Args:
        id: The name of its function, without ``test_`` and with ``-`` for ``_``.
        points: What it gives.
        hint: Where to look when it fails.
        needs: The checks without which it is not run.
        points_if_blocked: What it gives then.
    """

    id: str
    points: float
    hint: str = ""
    needs: tuple[str, ...] = ()
    points_if_blocked: float = 0


@dataclass(frozen=True, slots=True)
class LabDefinition:
    """All that a ``lab.toml`` says."""

    id: str
    title: str
    topology: str
    directory: Path
    clock: Mapping[str, ClockPair] = field(default_factory=dict)
    accounts: tuple[Account, ...] = ()
    editable: tuple[Editable, ...] = ()
    grading: Grading | None = None
    checks: tuple[Check, ...] = ()

    @property
    def max_score(self) -> float:
        """The points of all checks."""
        return sum(check.points for check in self.checks)

    @property
    def is_data(self) -> bool:
        """Whether no daemon does what any file of an attempt says."""
        return all(each.is_data for each in self.editable)


def load(directory: Path) -> LabDefinition:
    """Read the definition of the lab in a directory.

    Raises:
        InvalidLabFile: It can't be read, is no TOML, or says something that labctl does not know.
    """
    path = directory / FILE_NAME
    return parse(text_of(path, hint="labctl labs"), path)


def parse(text: str, path: Path) -> LabDefinition:
    """Read a definition from the text of its file; `path` is where it lies.

    Raises:
        InvalidLabFile: With the line, where one can be named.
    """
    return _Reader(text, path).definition(table_of(text, path))


def load_checks(path: Path, known: tuple[Check, ...]) -> tuple[Check, ...]:
    """Read the declarations of a teacher's hidden checks: ``[[checks]]``, as a lab's own file has them.

    Args:
        path: The file.
        known: The lab's own checks, which these may need.

    Raises:
        InvalidLabFile: With the line, where one can be named.
    """
    text = text_of(path, hint="labctl labs")
    return _Reader(text, path).further_checks(table_of(text, path), known)


class _Reader:
    """Reads one file's tables, and knows where in it to point."""

    def __init__(self, text: str, path: Path) -> None:
        self._content = text
        self._path = path

    def definition(self, table: dict[str, Any]) -> LabDefinition:
        self._only(
            table,
            {"id", "title", "topology", "clock", "accounts", "editable", "grading", "checks"},
            "the file",
        )
        lab_id = self._text(table, "id", "the file")
        if not NAME_PATTERN.fullmatch(lab_id):
            raise self._wrong("id", f"id {quoted(lab_id)}: expected lower-case letters, digits and hyphens")
        topology = self._text(table, "topology", "the file")
        if not NAME_PATTERN.fullmatch(topology):
            raise self._wrong(
                "topology", f"topology {quoted(topology)}: expected the name of one of compose/"
            )
        accounts = tuple(self._account(each) for each in self._tables(table, "accounts"))
        editable = tuple(self._editable(each) for each in self._tables(table, "editable"))
        checks = tuple(self._check(each) for each in self._tables(table, "checks"))
        self._needs_exist(checks)
        self._distinct("account", (each.address for each in accounts))
        self._distinct("editable path", (each.path for each in editable))
        self._distinct(
            "editable target", (f"{each.service}:{each.target}" for each in editable if each.service)
        )
        self._distinct("check", (each.id for each in checks))
        return LabDefinition(
            id=lab_id,
            title=self._text(table, "title", "the file"),
            topology=topology,
            directory=self._path.parent,
            clock=self._clock(table.get("clock", {})),
            accounts=accounts,
            editable=editable,
            grading=self._grading(table["grading"]) if "grading" in table else None,
            checks=checks,
        )

    def further_checks(self, table: dict[str, Any], known: tuple[Check, ...]) -> tuple[Check, ...]:
        self._only(table, {"checks"}, "the file")
        checks = tuple(self._check(each) for each in self._tables(table, "checks"))
        self._needs_exist((*known, *checks))
        self._distinct("check", (each.id for each in (*known, *checks)))
        return checks

    def _clock(self, table: Any) -> dict[str, ClockPair]:
        if not isinstance(table, dict):
            raise self._wrong("clock", "clock: expected a table of settings")
        self._only(table, CLOCK_SETTINGS, "[clock]")
        pairs = {}
        for setting, value in table.items():
            match value:
                case [str(real), str(lab)] if _DURATION.fullmatch(real) and _DURATION.fullmatch(lab):
                    pairs[setting] = ClockPair(real, lab)
                case _:
                    raise self._wrong(
                        setting, f'{setting}: expected ["real time", "lab time"], as ["5m", "1s"]'
                    )
        return pairs

    def _account(self, table: dict[str, Any]) -> Account:
        self._only(table, {"address", "password"}, "[[accounts]]")
        address = self._text(table, "address", "[[accounts]]")
        if not _ADDRESS.fullmatch(address):
            raise self._wrong(address, f"address {quoted(address)}: expected user@domain", "address")
        if "password" not in table:
            return Account(address, address.partition("@")[0])
        password = self._text(table, "password", "[[accounts]]")
        if not _PASSWORD.fullmatch(password):
            raise self._wrong(
                "password", f"password {quoted(password)}: expected ASCII without spaces and colons"
            )
        return Account(address, password)

    def _editable(self, table: dict[str, Any]) -> Editable:
        self._only(table, {"path", "service", "target", "check"}, "[[editable]]")
        path = self._text(table, "path", "[[editable]]")
        if not _is_plain(path) or PurePosixPath(path).is_absolute():
            raise self._wrong(path, f"path {quoted(path)}: expected a path inside the attempt", "path")
        check = self._texts(table, "check", "[[editable]]")
        if not {"service", "target", "check"} & table.keys():
            return Editable(path)
        target = self._text(table, "target", "[[editable]]")
        if not _is_plain(target) or not PurePosixPath(target).is_absolute():
            raise self._wrong(
                target, f"target {quoted(target)}: expected an absolute path in the container", "target"
            )
        return Editable(path, self._text(table, "service", "[[editable]]"), target, check)

    def _grading(self, table: Any) -> Grading:
        if not isinstance(table, dict):
            raise self._wrong("grading", "grading: expected a table")
        self._only(table, {"starter_score", "limits", "seeded"}, "[grading]")
        limits = table.get("limits", {})
        if not isinstance(limits, dict):
            raise self._wrong("limits", "limits: expected a table")
        if not isinstance(seeded := table.get("seeded", False), bool):
            raise self._wrong("seeded", f"seeded {seeded!r}: expected true or false")
        self._only(limits, {"memory", "cpus", "pids", "file_size", "seconds"}, "limits")
        return Grading(
            starter_score=self._number(table, "starter_score", 0),
            memory=self._size(limits, "memory", "256m"),
            cpus=self._positive(limits, "cpus", 1),
            pids=math.ceil(self._positive(limits, "pids", 200)),
            file_size=self._size(limits, "file_size", "64m"),
            seconds=self._positive(limits, "seconds", 120),
            seeded=seeded,
        )

    def _size(self, table: dict[str, Any], key: str, default: str) -> str:
        size = table.get(key, default)
        if not isinstance(size, str) or not re.fullmatch(r"[1-9][0-9]*[kmg]", size):
            raise self._wrong(key, f'{key} {quoted(size)}: expected a size as "{default}"')
        return size

    def _check(self, table: dict[str, Any]) -> Check:
        self._only(table, {"id", "points", "hint", "needs", "points_if_blocked"}, "[[checks]]")
        check_id = self._text(table, "id", "[[checks]]")
        if "points" not in table:
            raise self._wrong(check_id, f"check {quoted(check_id)}: points are missing", "checks")
        hint = self._text(table, "hint", "[[checks]]") if "hint" in table else ""
        return Check(
            check_id,
            self._number(table, "points", 0),
            hint,
            self._texts(table, "needs", "[[checks]]"),
            self._number(table, "points_if_blocked", 0),
        )

    def _needs_exist(self, checks: tuple[Check, ...]) -> None:
        known = {check.id for check in checks}
        for check in checks:
            if strangers := set(check.needs) - known:
                stranger = min(strangers)
                raise self._wrong(
                    stranger, f"check {quoted(check.id)} needs {quoted(stranger)}: no such check"
                )
        try:
            TopologicalSorter({check.id: check.needs for check in checks}).prepare()
        except CycleError as exc:
            raise self._wrong("needs", f"checks need each other: {' > '.join(exc.args[1])}") from exc

    def _distinct(self, what: str, names: Iterable[str]) -> None:
        for name, times in Counter(names).items():
            if times > 1:
                message = f"{what} {quoted(name)} is there {times} times"
                raise self._wrong(name.rpartition(":")[2], message, what.split(maxsplit=1)[0])

    def _tables(self, table: dict[str, Any], key: str) -> list[dict[str, Any]]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self._wrong(key, f"{key}: expected [[{key}]] tables")
        return value

    def _text(self, table: dict[str, Any], key: str, where: str) -> str:
        if key not in table:
            raise self._wrong(where.strip("[]"), f"{where}: {key} is missing")
        value = table[key]
        if not isinstance(value, str) or not value:
            raise self._wrong(key, f"{where}: {key} = {quoted(value)}, expected a text")
        return value

    def _texts(self, table: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self._wrong(key, f"{where}: {key} = {quoted(value)}, expected a list of texts")
        return tuple(value)

    def _number(self, table: dict[str, Any], key: str, default: float) -> float:
        value = table.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise self._wrong(key, f"{key} = {quoted(value)}, expected a number from 0 on")
        return value

    def _positive(self, table: dict[str, Any], key: str, default: float) -> float:
        """Read what an engine would take for no limit at all if it were 0."""
        if not (value := self._number(table, key, default)):
            raise self._wrong(key, f"{key} = {quoted(value)}, expected a number above 0")
        return value

    def _only(self, table: dict[str, Any], known: Iterable[str], where: str) -> None:
        for key in table:
            if key not in known:
                raise self._wrong(
                    key, f"{where} has an unknown key {quoted(key)}; known: {', '.join(sorted(known))}"
                )

    def _wrong(self, word: str, message: str, key: str | None = None) -> InvalidLabFile:
        """Point at the line that is about the word; where it is not there as it is, at that of a key."""
        line = line_of(self._content, word, key or word)
        return InvalidLabFile(message, path=self._path, line=line, hint=f"edit {self._path}")


def _is_plain(path: str) -> bool:
    """Say whether a path is written in the one plain way: no ``..``, no ``//``, nothing unprintable."""
    parts = PurePosixPath(path)
    as_written = str(parts) == path and path.isprintable()
    return as_written and bool(parts.name) and not {"..", "//"} & {*parts.parts}
