"""What typer finds wrong with a command line, in labctl's words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from labctl.errors import UsageError
from labctl.suggestion import near, question

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import typer

_NO_COMMAND: Final = re.compile(r"No such command '(.*)'\.", re.DOTALL)
_NO_CHOICE: Final = re.compile(r"'(.*?)' is not one of ", re.DOTALL)


def told(error: typer.TyperException) -> UsageError:
    """Return what is wrong as an error of labctl's, with what may have been meant and the help that helps.

    Args:
        error: What typer raised.
    """
    context = getattr(error, "ctx", None)
    command = context.command if context is not None else None
    message = error.message or error.format_message()
    path = context.command_path if context is not None else "labctl"
    if (option := getattr(error, "option_name", None)) is not None and hasattr(error, "possibilities"):
        if context is not None and context.parent is None and option in _options_within(command):
            return UsageError(f"{option} goes behind the command", hint=f"{path} COMMAND {option}")
        meant = near(f"--{option.lstrip('-')}", _options(command))
        return UsageError(f"no such option: {option}{question(meant)}", hint=f"{path} --help")
    if (match := _NO_COMMAND.fullmatch(message)) is not None:
        meant = near(match[1], getattr(command, "commands", ()))
        return UsageError(f"no such command: {match[1]!r}{question(meant)}", hint=f"{path} --help")
    message = error.format_message()
    if (match := _NO_CHOICE.match(error.message)) is not None:
        choices = getattr(getattr(getattr(error, "param", None), "type", None), "choices", ())
        message = message.removesuffix(".") + question(near(match[1], map(str, choices)))
    return UsageError(message, hint=f"{path} --help")


def _options(command: object) -> Iterator[str]:
    """Yield the long options of a command."""
    for each in getattr(command, "params", ()):
        if each.param_type_name == "option":
            yield from (name for name in each.opts if name.startswith("--"))
    yield "--help"


def _options_within(group: object) -> set[str]:
    """Return those of the commands of a group."""
    inner: Iterable[object] = getattr(group, "commands", {}).values()
    return {option for command in inner for option in _options(command)}
