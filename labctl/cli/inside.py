"""Commands that look inside a running lab: logs, shell, exec."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from labctl.cli import options
from labctl.cli.connection import connect
from labctl.cli.console import print_result, tell, write, write_said

if TYPE_CHECKING:
    from labctl.lab.inside.logs import Line

_SHELL: Final = ("/bin/sh", "-c", "command -v bash > /dev/null && exec bash -l; exec sh")


def logs(
    host: options.AnyHost = None,
    *,
    name: options.Name = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is said.")] = False,
) -> None:
    """Print what the daemons said, all hosts by time.

    \b
    Examples:
      labctl logs
      labctl logs mx-beta -f
    """
    from labctl.lab.inside import logs as said
    from labctl.lab.running import instance

    engine = connect().engine
    there = instance.select(engine, name)
    hosts = there.hosts if host is None else (there.host(host),)
    if not follow:
        for line in said.said(engine, hosts):
            _print(line)
        return
    with said.followed(engine, hosts) as lines:
        for line in iter(lines.get, None):
            _print(line)


def shell(host: options.Host, *, name: options.Name = None) -> None:
    """Open a shell on a host, as root; its network can't be changed but by the lab's own filter's rules.

    \b
    Examples:
      labctl shell mx-alpha
    """
    from labctl.lab.running import instance

    engine = connect().engine
    container = instance.select(engine, name).host(host).running_container()
    exit_code = engine.attach(container.id, _SHELL)
    raise typer.Exit(0 if exit_code == 0 else 1)


class Outer(typer.core.TyperCommand):
    """A command that runs another one: what stands behind that one's name is its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments as if ``--`` stood before the other command's name."""
        with_value = {
            name
            for each in self.params
            if each.param_type_name == "option" and not getattr(each, "is_flag", False)
            for name in each.opts
        }
        return super().parse_args(ctx, _parted(args, with_value))


def _parted(arguments: list[str], with_value: set[str]) -> list[str]:
    """Put ``--`` before the second word that is no option and no option's value."""
    words, is_value = 0, False
    for n, each in enumerate(arguments):
        if is_value:
            is_value = False
        elif each == "--":
            break
        elif each.startswith("-"):
            is_value = each in with_value
        elif words:
            return [*arguments[:n], "--", *arguments[n:]]
        else:
            words = 1
    return arguments


def execute(
    host: options.Host,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="CMD…", help="The command, and all that follows it."),
    ] = None,
    *,
    name: options.Name = None,
    as_json: options.Json = False,
) -> None:
    """Run a command on a host, as root. Success where the command succeeded, else 1.

    The options of labctl stand before the command: what follows its name, with or without --, is its own.

    \b
    Examples:
      labctl exec mx-alpha postconf -n
      labctl exec mx-alpha --json postconf -n
      labctl exec mail-beta -- doveadm mailbox list -u bob@beta.test
    """
    from labctl.commands.exec import execute as run

    result = run(connect().engine, name, host, command or [])
    if as_json:
        print_result(result, as_json=True)
    else:
        write_said(result.stdout, result.stderr)
        if result.exit_code:
            tell(f"labctl: the command ended with exit code {result.exit_code}\n")
    raise typer.Exit(0 if result.exit_code == 0 else 1)


def _print(line: Line) -> None:
    from labctl.report.layout.plain import harmless

    said = f"{line.at:%H:%M:%S.%f} {line.service:<10} {harmless(line.text)}\n"
    write(sys.stdout, said, as_data=True)
