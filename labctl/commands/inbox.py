"""``labctl inbox``: what lies in a mailbox, seen by a mail reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from labctl.contract.value import EmailAddress
from labctl.lab.inside.mailhosts import find_account, mda_of
from labctl.lab.running import instance
from labctl.mail.address import Address
from labctl.mail.client.imap import ImapMailbox
from labctl.mail.client.pop3 import Pop3Mailbox

if TYPE_CHECKING:
    from labctl.engine.protocol import Engine
    from labctl.mail.client.mailbox import MailboxMessage


@dataclass(frozen=True, slots=True)
class Inbox:
    """An account's messages, the oldest first."""

    SCHEMA: ClassVar = "labctl/inbox/v1"

    address: EmailAddress
    protocol: Literal["imap", "pop3"]
    messages: tuple[MailboxMessage, ...]
    deleted: bool = False
    """Whether what is listed is gone from the server now."""


def inbox(
    engine: Engine, name: str | None, address: str, *, pop3: bool = False, delete: bool = False
) -> Inbox:
    """List an account's INBOX by IMAP, which leaves the mail on the server, or by POP3.

    Args:
        engine: The engine.
        name: The lab's name, or None for the only one that runs.
        address: The account.
        pop3: Download by POP3.
        delete: Delete on the server what was listed.

    Raises:
        UsageError: A malformed address, no such lab or account, or the host does not run.
        ServiceCommandFailed: The server does not answer, or refuses the user.
    """
    wanted = str(Address.parse(address))
    there = instance.select(engine, name)
    account = find_account(engine, there, wanted)
    mda = mda_of(there, account.address)
    opener, port = (Pop3Mailbox, 110) if pop3 else (ImapMailbox, 143)
    with opener.open(*mda.door(port), account.address, account.password) as mailbox:
        messages = mailbox.download(delete=True) if delete else mailbox.messages()
    return Inbox(account.address, mailbox.protocol, messages, deleted=delete)
