"""Commands about mail and DNS: send, inbox, dig."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labctl.cli import options
from labctl.cli.connection import connect
from labctl.cli.console import print_result
from labctl.mail.state import MessageState


def send(
    sender: Annotated[str, options.address_argument("FROM", "An account of the lab.")],
    recipients: Annotated[
        list[str],
        typer.Argument(
            metavar="TO…",
            help="Any addresses.",
            callback=options.check_addresses,
            autocompletion=options.complete_address,
        ),
    ],
    *,
    name: options.Name = None,
    subject: Annotated[str, typer.Option("--subject", metavar="TEXT", help="The subject.")] = "A letter",
    body: Annotated[str, typer.Option("--body", metavar="TEXT", help="The text.")] = "Hello.",
    file: Annotated[
        Path | None, typer.Option("--file", metavar="EML", help="Send this message file instead, as it is.")
    ] = None,
    wait: Annotated[
        MessageState | None,
        typer.Option("--wait", metavar="STATE", help="Wait until the message is in that state."),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, metavar="S", help="Seconds to wait at most.")
    ] = 30.0,
    as_json: options.Json = False,
) -> None:
    """Submit one message as a user of the lab, and print its Message-ID.

    With --wait it fails (1) where another final state comes first, or the time is up.
    States: submitted, queued, deferred, delivered, relayed, bounced, expired, held, discarded, rejected.

    \b
    Examples:
      labctl send alice@alpha.test bob@beta.test --wait delivered
      labctl send alice@alpha.test nobody@beta.test --wait bounced
      labctl send bob@beta.test amy@alpha.test --file letter.eml
    """
    from labctl.commands.send import Letter
    from labctl.commands.send import send as submit

    letter, engine = Letter(subject, body, file), connect().engine
    result = submit(engine, name, sender, tuple(recipients), letter, wait=wait, timeout=timeout)
    print_result(result, as_json=as_json)
    raise typer.Exit(0 if result.as_wished else 1)


def inbox(
    address: Annotated[str, options.address_argument("ADDRESS", "An account.")],
    *,
    name: options.Name = None,
    pop3: Annotated[bool, typer.Option("--pop3", help="By POP3 instead of IMAP.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete on the server what was read.")] = False,
    as_json: options.Json = False,
) -> None:
    """Show an account's INBOX. By IMAP the mail stays on the server; POP3 may download and delete it.

    \b
    Examples:
      labctl inbox bob@beta.test
      labctl inbox bob@beta.test --pop3 --delete     and it is gone, for IMAP too
    """
    from labctl.commands.inbox import inbox as read

    print_result(read(connect().engine, name, address, pop3=pop3, delete=delete), as_json=as_json)


def dig(
    question: Annotated[
        str, typer.Argument(metavar="NAME", help="A domain name, or an IP address for its PTR.")
    ],
    rdtype: Annotated[str | None, typer.Argument(metavar="[TYPE]", help="MX, A, PTR, TXT, …")] = None,
    *,
    name: options.Name = None,
    as_json: options.Json = False,
) -> None:
    """Ask the lab's resolver. NXDOMAIN is an answer, too.

    \b
    Examples:
      labctl dig beta.test MX
      labctl dig 203.0.113.10
    """
    from labctl.commands.dig import dig as ask

    print_result(ask(connect().engine, name, question, rdtype), as_json=as_json)
