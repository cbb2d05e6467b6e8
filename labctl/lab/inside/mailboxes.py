"""What lies in an MDA's mailboxes, looked up on its host: no reader's session is seen in its log for that."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, Final

from labctl.errors import ServiceCommandFailed
from labctl.mail.client.mailbox import MailboxMessage, message_of
from labctl.mail.content.mailheader import parse_header
from labctl.mail.content.message import normal_message_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from labctl.engine.protocol import Engine
    from labctl.lab.running.instance import Host

_AT_ONCE: Final = 100
"""How many messages one command looks for; a command line has its limit."""

_FIELDS: Final = "mailbox uid flags size.virtual hdr"


def find_messages(
    engine: Engine, host: Host, addresses: Sequence[str], message_ids: Collection[str]
) -> dict[str, tuple[tuple[str, MailboxMessage], ...]]:
    """Look for messages in all folders of some accounts (doveadm-fetch(1)), which changes no flag.

    By IMAP the same would leave a session in the log that is not to be told from that of whoever reads mail.

    Returns:
        By account the messages, each with its folder; an account that never got mail has none.

    Raises:
        LabNotUp: The host does not run.
        ServiceCommandFailed: Its mailboxes can't be read.
    """
    wanted = {normal_message_id(each) for each in message_ids} - {""}
    found: dict[str, list[dict[str, Any]]] = {each: [] for each in addresses}
    for some in _batches(sorted(wanted), _AT_ONCE):
        alternatives = [["header", "message-id", _part(each)] for each in some]
        query = [word for each in alternatives for word in ("OR", *each)][1:]
        asked = [(each, _FIELDS, ["(", *query, ")"]) for each in addresses]
        for address, records in zip(addresses, _fetched(engine, host, asked), strict=True):
            found[address] += records
    return {
        address: tuple(_messages(engine, host, address, records, wanted))
        for address, records in found.items()
    }


def _messages(
    engine: Engine, host: Host, address: str, records: Sequence[Mapping[str, Any]], wanted: Collection[str]
) -> Iterator[tuple[str, MailboxMessage]]:
    """Yield what is wanted of what was found; of reports the whole is fetched."""
    told = [(each, parse_header(_bytes(each, "hdr"))) for each in records]
    told = [(each, header) for each, header in told if header.message_id in wanted]
    reports = [each for each, header in told if header.is_dsn]
    asked = [(address, "text", ["mailbox", each["mailbox"], "uid", str(each["uid"])]) for each in reports]
    contents = {
        (each["mailbox"], each["uid"]): _bytes(whole[0], "text")
        for each, whole in zip(reports, _fetched(engine, host, asked), strict=True)
        if whole
    }
    for each, header in told:
        yield (
            str(each["mailbox"]),
            message_of(
                int(each["uid"]),
                header,
                size=int(each["size.virtual"]),
                flags=tuple(str(each["flags"]).split()),
                content=contents.get((each["mailbox"], each["uid"])),
            ),
        )


def _fetched(
    engine: Engine, host: Host, asked: Sequence[tuple[str, str, Sequence[str]]]
) -> list[list[dict[str, Any]]]:
    """Ask for fields of accounts' messages, all by one command in the container: each takes 40 ms."""
    if not asked:
        return []
    commands = (
        shlex.join(["doveadm", "-f", "json", "fetch", "-u", address, fields, *query])
        for address, fields, query in asked
    )
    script = "".join(f"{command}\necho\n" for command in commands)
    said = engine.execute(host.running_container().id, ["/bin/sh", "-c", script], again=True)
    *lines, _ = said.stdout.decode("utf-8", "replace").split("\n")
    lines += [""] * (len(asked) - len(lines))  # it was killed
    try:
        return [json.loads(line) if line else [] for line, _ in zip(lines, asked, strict=False)]
    except ValueError as error:
        complaint = said.stderr.decode("utf-8", "replace").strip()
        raise ServiceCommandFailed(
            f"doveadm on {host.hostname} said what is no JSON ({error}): {complaint}",
            hint=f"labctl logs {host.service}",
        ) from error


def _part(message_id: str) -> str:
    """Return what to look for: a part of the field's text, without what may stand for what it has not."""
    return max(message_id.strip("<>").split("?"), key=len)


def _bytes(record: Mapping[str, Any], field: str) -> bytes:
    return str(record[field]).encode("utf-8", "surrogateescape")


def _batches(items: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))
