"""Commands that look inside a running lab: logs, shell, exec."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import options
from labctl.cli.connection import connect
from labctl.cli.console import print_result, write_line, write_said

if TYPE_CHECKING:
    from labctl.lab.logs import Line


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
    from labctl.commands import logs as command

    engine = connect().engine
    if not follow:
        for line in command.logs(engine, name, host):
            _print(line)
        return
    with command.followed(engine, name, host) as lines:
        for line in lines:
            _print(line)


def shell(host: options.Host, *, name: options.Name = None) -> None:
    """Open a shell on a host, as root; its network can't be changed but by the lab's own filter's rules.

    \b
    Examples:
      labctl shell mx-alpha
    """
    from labctl.commands.shell import shell as open_shell

    exit_code = open_shell(connect().engine, name, host)
    raise typer.Exit(0 if exit_code == 0 else 1)


def execute(
    host: options.Host,
    command: Annotated[list[str] | None, typer.Argument(metavar="-- CMD…", help="The command.")] = None,
    *,
    name: options.Name = None,
    as_json: options.Json = False,
) -> None:
    """Run a command on a host, as root. Success where the command succeeded, else 1.

    \b
    Examples:
      labctl exec mx-alpha -- postconf -n
      labctl exec mail-beta -- doveadm mailbox list -u bob@beta.test
    """
    from labctl.commands.exec import execute as run

    result = run(connect().engine, name, host, command or [])
    if as_json:
        print_result(result, as_json=True)
    else:
        write_said(result.stdout, result.stderr)
        if result.exit_code:
            sys.stderr.write(f"labctl: the command ended with exit code {result.exit_code}\n")
    raise typer.Exit(0 if result.exit_code == 0 else 1)


def _print(line: Line) -> None:
    from labctl.report.plain import harmless

    write_line(f"{line.at:%H:%M:%S.%f} {line.service:<10} {harmless(line.text)}")
