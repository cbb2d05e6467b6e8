"""The command ``labctl trace``."""

from __future__ import annotations

import os
import shlex
import sys
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from labctl import plainfile
from labctl.cli import options
from labctl.cli.connection import connect
from labctl.cli.console import print_result, tell, width, write, write_file, write_line
from labctl.cli.streams import standard_input
from labctl.errors import UsageError, quoted
from labctl.mail.state import MessageState

if TYPE_CHECKING:
    from labctl.trace.finding.wanted import Wanted
    from labctl.trace.listing.table import Filters

_MESSAGES: Final = {".eml", ".mbox", ".msg"}
"""How the names of files end that hold messages, and no log."""


def trace(
    wanted: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MESSAGE-ID|QUEUE-ID|ADDRESS]",
            help="The message; all where none is named.",
            autocompletion=options.complete_address,
        ),
    ] = None,
    *,
    name: options.Name = None,
    logs: Annotated[
        list[str] | None,
        typer.Option(
            "--logs",
            metavar="FILE…",
            help="Read log files of anyone's Postfix and Dovecot, not a lab's; - is standard input.",
        ),
    ] = None,
    state: Annotated[
        MessageState | None, typer.Option("--state", metavar="STATE", help="List only those in that state.")
    ] = None,
    sender: Annotated[
        str | None,
        typer.Option("--from", metavar="ADDRESS", help="List only those from it; @DOMAIN is a whole domain."),
    ] = None,
    recipient: Annotated[
        str | None, typer.Option("--to", metavar="ADDRESS", help="List only those to it, likewise.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="T", help="List only later ones: 2026-11-24T10:00, or 30m, 2h, 1d ago."
        ),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(
            "--zone", metavar="ZONE", help="In which time zone log files are that say none: Europe/Berlin."
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write a page with all the evidence, too; - is standard output."
        ),
    ] = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Write the picture, too; likewise.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Tell what happens as it happens, until Ctrl-C.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Tell what became of a message, and why; without one named, list all since the lab's last reset.

    Several files may follow --logs, packed or not, of several hosts, in any order.
    States: submitted, queued, deferred, delivered, relayed, bounced, expired, held, discarded, rejected.

    \b
    Examples:
      labctl trace                                       what there is
      labctl trace '<17955@alpha.test>'                  one message, by its Message-ID
      labctl trace 77F9B1D814E --html trace.html         by its queue id, as a page
      labctl trace --follow                              live
      labctl trace --logs mail.log mail.log.1.gz --state bounced
      journalctl -o export -u postfix@- | labctl trace --logs - bob@example.org
    """
    from labctl.trace.listing.table import Filters

    paths, message = _parted(wanted or [], logs or [])
    filters = Filters(state=state, mail_from=sender, rcpt_to=recipient, since=_moment(since))
    if message is None and (html or svg):
        raise UsageError("a page or a picture is of one message, and none is named", hint="labctl trace")
    if message is not None and filters != Filters():
        raise UsageError(
            "--state, --from, --to and --since list messages, and one is named", hint="labctl trace"
        )
    if follow:
        if paths or html or svg:
            raise UsageError("--follow is for a running lab, in the terminal", hint="labctl trace --follow")
        _follow(name, message, as_json=as_json)
    elif message is None:
        _list(name, paths, filters, _zone(zone), as_json=as_json)
    else:
        _tell(name, paths, message, _zone(zone), html=html, svg=svg, as_json=as_json)


def _tell(
    name: str | None,
    paths: list[str],
    message: Wanted,
    zone: tzinfo,
    *,
    html: Path | None,
    svg: Path | None,
    as_json: bool,
) -> None:
    """Tell of one message, or of all those of one address."""
    from labctl.cli.outputs import check_outputs
    from labctl.commands import trace as command

    printed = check_outputs(
        {"--html": html, "--svg": svg}, as_json=as_json, inputs=[Path(each) for each in paths if each != "-"]
    )
    if paths:
        result = command.trace_files(paths, message, zone=zone, stdin=standard_input())
    else:
        result = command.trace(connect().engine, name, message, environ=os.environ)
    for note in result.notes:
        tell(f"! {note.text}\n")
    if html is not None:
        from labctl.report.tracing.page import page

        write_file(html, page(result))
    if svg is not None:
        from labctl.report.tracing.svg import svg as picture

        write_file(svg, picture(result.messages[-1]))
    if printed:
        print_result(result, as_json=as_json)


def _list(name: str | None, paths: list[str], filters: Filters, zone: tzinfo, *, as_json: bool) -> None:
    """List messages, each as soon as its end is known."""
    from labctl.commands import trace as command
    from labctl.report.tracing import table as tracetable

    if paths:
        listed = command.table_of_files(paths, filters, zone=zone, stdin=standard_input())
    else:
        listed = command.table(connect().engine, name, filters)
    with listed as table:
        if as_json:
            for piece in tracetable.json_pieces(table.rows, table.notes):
                write(sys.stdout, piece)
        else:
            for line in tracetable.lines(table.rows, width(), table.notes):
                write_line(line)


def _follow(name: str | None, message: Wanted | None, *, as_json: bool) -> None:
    """Tell each hop as it happens."""
    from labctl.commands import trace as command
    from labctl.report.tracing import livetrace

    with command.following(connect().engine, name, message, environ=os.environ) as hops:
        tell("Following; Ctrl-C ends it.\n")
        for each in hops:
            write_line(livetrace.json_line(each) if as_json else livetrace.line(each, width()))


def _parted(words: list[str], logs: list[str]) -> tuple[list[str], Wanted | None]:
    """Part the words of a command line into log files and what names a message."""
    from labctl.trace.finding.wanted import Wanted

    if not logs:
        _refuse_files(words)
    files = [each for each in words if logs and (each == "-" or plainfile.is_there(each, directory=True))]
    names = [each for each in words if each not in files]
    if len(names) > 1:
        what = "a log file that is there" if logs else "needed: one message is traced at a time"
        raise UsageError(f"{names[1] if not logs else names[0]!r} is not {what}", hint="labctl trace --help")
    return [*logs, *files], Wanted.parse(names[0]) if names else None


def _names_message(word: str) -> bool:
    from labctl.trace.finding.wanted import Wanted

    try:
        Wanted.parse(word)
    except UsageError:
        return False
    return True


def _refuse_files(words: list[str]) -> None:
    """Refuse a file where the name of a message is expected, and tell the command that reads it.

    An address, a Message-ID and a queue id are that, whatever files there are.
    """
    files = [
        each
        for each in words
        if (each == "-" or plainfile.is_there(each, directory=True)) and not _names_message(each)
    ]
    if not files:
        return
    command = (
        ("explain", files[0])
        if Path(files[0]).suffix.casefold() in _MESSAGES
        else ("trace", "--logs", *words)
    )
    raise UsageError(f"{files[0]} is a file, and names no message", hint=shlex.join(("labctl", *command)))


def _moment(text: str | None) -> datetime | None:
    """Read a moment, or how long ago it was.

    Raises:
        UsageError: It is neither.
    """
    from labctl.mail.clock import parse_time

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        try:
            return datetime.now(UTC) - timedelta(seconds=parse_time(text))
        except (UsageError, OverflowError) as exc:
            raise UsageError(
                f"--since {quoted(text)} is no time", hint="--since 2026-11-24T10:00, or --since 30m"
            ) from exc
    try:
        return found.astimezone(UTC)
    except (ValueError, OverflowError):  # at the ends of the calendar, where no log is
        return found.replace(tzinfo=UTC)


def _zone(name: str | None) -> tzinfo:
    """Return a time zone by its name; this machine's own where none is named.

    Raises:
        UsageError: There is no such zone.
    """
    from zoneinfo import ZoneInfo

    try:
        if name is not None:
            return ZoneInfo(name)
        with Path("/etc/localtime").open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError, KeyError) as exc:
        if name is None:
            return UTC
        raise UsageError(f"there is no time zone {quoted(name)}", hint="--zone Europe/Berlin") from exc
