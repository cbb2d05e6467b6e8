"""Calls of labctl, made of its own commands, options and arguments."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import typer

from labctl.cli.app import create

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NASTY: Final = (
    "",
    " ",
    ".",
    "/",
    "-",
    "--",
    "-1",
    "0",
    "..",
    "\n",
    "a\nb",
    "\t",
    "\x1b[31m",
    "\udcff",
    "é\udcfe",
    "\u202e",
    "\ufeff",
    "%s",
    "{x}",
    "$(id)",
    "'",
    '"',
    "a" * 300,
    "b" * 5000,
    "c/" * 3000,
    "1" * 5000,
    "nan",
    "inf",
    "-inf",
    "1e999",
    "1e-999",
    "0x10",
    "1_0",
    "٣",
    "99999999999999999999",
    "None",
    "true",
    "=",
    "a=b",
    "~",
    "~nobody",
    "@",
    "a@" + "b." * 200,
    "fifo",
    "loop",
    "dangling",
    "socket",
    "line\nend",
    "mail.log/x",
    "no/such/place",
    "/dev/null",
    "/dev/full",
    "/dev/zero",
    "/proc/self/mem",
    "/proc/self/fd/0",
    "/dev/fd/1",
    "/dev/fd/99",
)

_FILES: Final = (
    "mail.log", "mail.log.gz", "cut.gz", "bounce.eml", "raw.eml", "bytes", "empty", "to-log", "\udcff.log",
    "new", "new/below", "attempt", "other", "attempt\udcff", "graded", "torn", "hidden", ".",
)  # fmt: skip
_LABS: Final = (
    "mine", "labs/mine", "./broken", "./bytes-lab", "./over", "./labs/fifo", "two-domains", "fix-the-mx",
    "bounces", "nonsense",
)  # fmt: skip
_ADDRESSES: Final = (
    "alice@alpha.test", "bob@beta.test", "a@b", '"a b"@c.test', "a@[192.0.2.1]", "é@é.test", "a@b@c", "<a@b>",
)  # fmt: skip

PLAUSIBLE: Final[Mapping[str, tuple[str, ...]]] = {
    "lab": _LABS,
    "name": ("mine", "a", "x-1", "A_B"),
    "sender": _ADDRESSES,
    "recipient": (*_ADDRESSES, "@beta.test"),
    "recipients": _ADDRESSES,
    "address": _ADDRESSES,
    "host": ("mx-alpha", "mx.beta.test", "dns", "nonsense"),
    "since": ("0001-01-01", "9999-12-31T23:59:59-23:59", "30m", "9999999999w", "2026-11-24T10:00+99:99"),
    "zone": ("Europe/Berlin", "UTC", "../etc/passwd", "/etc/localtime", "posixrules", "Europe"),
    "timeout": ("1", "0", "0.5", "1e308"),
    "jobs": ("1", "2", "0", "999999999"),
    "shard": ("1/1", "2/1", "0/0", "1/999999", "1/9999999"),
    "question": ("beta.test", ".", "a..b", "192.0.2.1", "::1", "x" * 64 + ".test", "é.test"),
    "rdtype": ("MX", "A", "TYPE65535", "TYPE99999", "ANY", "mx", "NONE"),
    "what": ("4.4.1", "550", "deferred", "550 5.1.1 <b@c>: no", *_FILES),
    "wanted": ("bounces/held-for-a-look", "test_own.py", "test_torn.py", "<1@a>", "77F9B1D814E", *_ADDRESSES),
    "logs": ("mail.log", "mail.log.gz", "cut.gz", "bytes", "-", "to-log"),
    "fault_name": ("mx-null", "greylist", "reject", "mailbox-full", "nonsense"),
    "assignments": ("domain=beta.test", "delay=3", "code=451", "user=bob@beta.test", "delay=9999999"),
    "command": ("true", "--json", "--debug"),
    "base": ("debian:trixie-slim", "::", "x" * 300),
    "subject": ("Hello", "=?utf-8?q?=FF?="),
    "body": ("Hello",),
}  # fmt: skip

ENVIRONMENT: Final[Mapping[str, tuple[str | None, ...]]] = {
    "HOME": (None, "", "/nonexistent", "\udcff"),
    "COLUMNS": ("0", "-1", "x", "1", "99999999999999999999"),
    "TERM": (None, "", "xterm-256color", "\udcff"),
    "LC_ALL": ("C", "POSIX", "xx_XX", "\udcff"),
    "PYTHONIOENCODING": ("ascii", "latin-1"),
    "TZ": ("Europe/Berlin", ":", "nonsense", "\udcff"),
    "TMPDIR": ("/nonexistent", "mail.log", ""),
    "PATH": (None, ""),
    "LABCTL_NAME": ("", "mine", "A_B", "\udcff"),
    "LABCTL_LABS": ("labs", "mail.log", "~nobody", ":", "\udcff", "x" * 300, "."),
    "LABCTL_BASE_IMAGE": ("", "x y", "\udcff"),
    "DOCKER_HOST": (
        "tcp://[::1",
        "ssh://x",
        "unix://",
        "tcp://127.0.0.1:1",
        "x",
        "unix:///\udcff",
        "tcp://a:b",
    ),
    "DOCKER_CONTEXT": ("x", "a\udcff", "default", "b" * 300),
    "DOCKER_CONFIG": ("mail.log", "no/such", "\udcff"),
    "DOCKER_CERT_PATH": ("mail.log", "\udcff"),
    "DOCKER_TLS_VERIFY": ("1",),
    "XDG_RUNTIME_DIR": ("", "\udcff", "x" * 300),
    "GITHUB_ACTIONS": ("true",),
    "NO_COLOR": ("1",),
    "CI": ("true",),
}

ENGINES: Final = ("none", "none", "empty", "odd")
INPUTS: Final = (
    "null",
    "null",
    "closed",
    "job.json",
    "odd.json",
    "deep.json",
    "bytes",
    "mail.log",
    "bounce.eml",
)
OUTPUTS: Final = ("pipe", "pipe", "pipe", "pipe", "pipe", "full", "closed", "gone")

_LEFT_OUT: Final = {"--yes", "--install-completion", "--show-completion"}
"""Nothing is installed, and nobody's shell is set up."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of labctl: its arguments, and what it is started with."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str | None] = field(default_factory=dict)
    """What differs from a plain environment; None where a variable is not set."""

    engine: str = "none"
    """`none` where no engine answers, `empty` where one has nothing, `odd` where it answers anything."""

    stdin: str = "null"
    stdout: str = "pipe"
    stderr: str = "pipe"

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON, to be kept and made again."""
        return asdict(self)

    @classmethod
    def of_json(cls, table: dict[str, Any]) -> Call:
        """Make it again."""
        return cls(**{**table, "arguments": tuple(table["arguments"])})


def calls(seed: int, number: int) -> Iterator[Call]:
    """Yield calls; the same seed gives the same ones."""
    chance = random.Random(seed)  # noqa: S311  # nothing is secret
    commands = list(_commands(typer.main.get_command(create()), ()))
    for _ in range(number):
        yield _call(chance, *chance.choice(commands))


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    yield path, list(command.params)
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(below, (*path, name))


def _call(chance: random.Random, path: tuple[str, ...], parameters: list[Any]) -> Call:
    words: list[str] = []
    for each in parameters:
        words.extend(_words(chance, each))
    if chance.random() < 0.05:
        words.insert(chance.randint(0, len(words)), chance.choice(NASTY))
    changed = chance.sample(sorted(ENVIRONMENT), chance.choice((0, 0, 1, 2)))
    return Call(
        arguments=(*(["--debug"] if chance.random() < 0.05 else []), *path, *words),
        environment={name: chance.choice(ENVIRONMENT[name]) for name in changed},
        engine=chance.choice(ENGINES),
        stdin=chance.choice(INPUTS),
        stdout=chance.choice(OUTPUTS),
        stderr=chance.choice(OUTPUTS),
    )


def _words(chance: random.Random, parameter: Any) -> list[str]:
    flags = [each for each in parameter.opts if each.startswith("-") and each not in _LEFT_OUT]
    if parameter.param_type_name == "option":
        if not flags or chance.random() < (0.5 if parameter.name == "as_json" else 0.75):
            return []
        flag = chance.choice(flags)
        if parameter.is_flag:
            return [flag]
        value = _value(chance, parameter)
        return [f"{flag}={value}"] if flag.startswith("--") and chance.random() < 0.5 else [flag, value]
    if not parameter.required and chance.random() < 0.4:
        return []
    times = chance.choice((1, 1, 1, 2, 3)) if parameter.nargs == -1 else 1
    before = ["--"] if parameter.name == "command" or chance.random() < 0.05 else []
    return before + [_value(chance, parameter) for _ in range(times)]


def _value(chance: random.Random, parameter: Any) -> str:
    if chance.random() < 0.25:
        return chance.choice(NASTY)
    if choices := getattr(parameter.type, "choices", None):
        return str(chance.choice([getattr(each, "value", each) for each in choices]))
    return chance.choice(PLAUSIBLE.get(parameter.name, _FILES))
