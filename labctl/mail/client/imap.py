"""IMAP (RFC 9051): an account's folders from the outside, by IMAPClient."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError
from imapclient.imap4 import IMAP4WithTimeout
from imapclient.imapclient import SocketTimeout

from labctl.errors import ServiceCommandFailed
from labctl.interruption import undone
from labctl.mail.client.mailbox import (
    DONE_WITHIN,
    UNREADABLE,
    MailboxMessage,
    failed,
    message_of,
    refused,
    said_in,
    translated,
)
from labctl.mail.client.tls import LONGEST_ANSWER, connected
from labctl.mail.content.mailheader import parse_header
from labctl.mail.content.message import normal_message_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from labctl.bounds import BoundedSocket

INBOX: Final = "INBOX"

_FETCH: Final = ("FLAGS", "RFC822.SIZE", "BODY.PEEK[HEADER]")
_TOLD_AT_ONCE: Final = 1 << 20
"""Bytes of what a server tells by itself."""

_CLOCK_GRAIN: Final = 0.05


class ImapMailbox:
    r"""An account's folders over IMAP; a context manager.

    Reading them changes nothing, not even the flag ``\Seen``: folders are examined, messages are peeked at.
    Every method raises `ServiceCommandFailed` where the server refuses, breaks off or falls silent.
    """

    protocol: Final = "imap"

    def __init__(self, client: IMAPClient, where: str, timeout: float) -> None:
        self._client = client
        self._where = where
        self._timeout = timeout

    @classmethod
    def open(cls, host: str, port: int, address: str, password: str, *, timeout: float = 10) -> Self:
        """Connect and log in.

        Raises:
            ServiceCommandFailed: Nobody answers, or the server refuses the user.
        """
        where = f"imap://{address}@{host}:{port}"
        with translated(where, IMAPClientError, timeout):
            client = _Client(host, port, ssl=False, timeout=SocketTimeout(timeout, timeout))
            with undone(client.shutdown):
                try:
                    client.login(address, password)
                except LoginError as error:
                    raise refused(where, said_in(error)) from error
        return cls(client, where, timeout)

    def create_folder(self, name: str) -> None:
        """Make a folder; that there is one of that name already is the server's error."""
        with self._translated():
            self._client.create_folder(name)

    def messages(self, folder: str = INBOX) -> tuple[MailboxMessage, ...]:
        """List a folder, the oldest first."""
        with self._translated():
            self._client.select_folder(folder, readonly=True)  # EXAMINE
            return self._listed(self._client.search("ALL"))

    def find(self, message_id: str, folder: str = INBOX) -> MailboxMessage | None:
        """Return the message of a Message-ID, the first if there are more; None where there is none."""
        wanted = normal_message_id(message_id)
        # The server looks for a part of the field's text, and a question mark may stand for what it has not.
        part = max(wanted.strip("<>").split("?"), key=len)
        with self._translated():
            self._client.select_folder(folder, readonly=True)
            found = self._listed(self._client.search(["HEADER", "Message-ID", part]))
        return next((message for message in found if message.message_id == wanted), None)

    def content(self, uid: int, folder: str = INBOX) -> bytes | None:
        """Return a whole message; None where the folder has none of that UID."""
        with self._translated():
            self._client.select_folder(folder, readonly=True)
            data = self._client.fetch([uid], ("BODY.PEEK[]",)).get(uid)
        return None if data is None else _literal(data, b"BODY[]")

    def flag(self, uid: int, flags: Sequence[str], folder: str = INBOX) -> None:
        r"""Set flags of a message: ``\Seen``, ``\Flagged``, or a keyword of one's own."""
        with self._translated():
            self._client.select_folder(folder)
            self._client.add_flags([uid], flags, silent=True)

    def move(self, uid: int, to: str, folder: str = INBOX) -> None:
        """Move a message into another folder (RFC 6851), by copying it where the server can't move."""
        with self._translated():
            self._client.select_folder(folder)
            if self._client.has_capability("MOVE"):
                self._client.move([uid], to)
            else:
                self._client.copy([uid], to)
                self._expunge([uid])

    def delete(self, uids: Sequence[int], folder: str = INBOX) -> None:
        """Delete messages for good: those named, and no other that somebody has marked (RFC 4315)."""
        if not uids:
            return
        with self._translated():
            self._client.select_folder(folder)
            self._expunge(uids)

    def download(self, *, delete: bool = False) -> tuple[MailboxMessage, ...]:
        """List the INBOX, then delete there what was listed, if told to."""
        messages = self.messages()
        if delete:
            self.delete([message.uid for message in messages])
        return messages

    @contextmanager
    def idle(self, folder: str = INBOX) -> Iterator[Idling]:
        """Let the server tell of new messages by itself (RFC 2177), as long as the context lasts.

        What came before the context began may never be told: look for that first.
        """
        with self._translated():
            self._client.select_folder(folder, readonly=True)
            self._client.idle()
        with undone(self._done_idling):
            yield Idling(self._client, self._where, self._timeout)
        with self._translated():
            self._client.idle_done()

    def _done_idling(self) -> None:
        with suppress(ServiceCommandFailed), self._translated():
            self._client.idle_done()  # else the server would take LOGOUT for a mistake

    def close(self) -> None:
        """Log out; a server that is gone by then does not matter."""
        _bound(self._client, self._timeout, within=self._timeout)
        try:
            self._client.logout()
        except (OSError, IMAPClientError, *UNREADABLE):
            with suppress(OSError):
                self._client.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _translated(self) -> AbstractContextManager[None]:
        _bound(self._client, self._timeout, within=DONE_WITHIN)
        return translated(self._where, IMAPClientError)

    def _listed(self, uids: Sequence[int]) -> tuple[MailboxMessage, ...]:
        """List messages of the selected folder; of reports the whole is fetched."""
        fetched = self._client.fetch(uids, _FETCH) if uids else {}
        headers = {uid: parse_header(_literal(data, b"BODY[HEADER]")) for uid, data in fetched.items()}
        reports = [uid for uid, header in headers.items() if header.is_dsn]
        bodies = self._client.fetch(reports, ("BODY.PEEK[]",)) if reports else {}
        return tuple(
            message_of(
                uid,
                header,
                size=int(fetched[uid].get(b"RFC822.SIZE", 0)),
                flags=tuple(flag.decode("utf-8", "replace") for flag in fetched[uid].get(b"FLAGS", ())),
                content=_literal(bodies.get(uid, {}), b"BODY[]") if header.is_dsn else None,
            )
            for uid, header in sorted(headers.items())
        )

    def _expunge(self, uids: Sequence[int]) -> None:
        self._client.delete_messages(list(uids), silent=True)
        self._client.uid_expunge(list(uids))


@dataclass(frozen=True, slots=True)
class Idling:
    """A folder that is being watched."""

    _client: IMAPClient
    _where: str
    _timeout: float

    def wait_for_exists(self, within: float) -> int | None:
        """Wait until the server says how many messages there are now.

        Returns:
            The number it said last; None where it said none in time.

        Raises:
            ServiceCommandFailed: The connection was lost.
        """
        deadline = time.monotonic() + within
        while (left := deadline - time.monotonic()) > 0:
            _bound(self._client, self._timeout, within=left + self._timeout, most=_TOLD_AT_ONCE)
            with translated(self._where, IMAPClientError):
                told = self._client.idle_check(timeout=left)
            counts = [response[0] for response in told if response[1:] == (b"EXISTS",)]
            if counts:
                return int(counts[-1])
            # IMAPClient says nothing where it met the end of the connection.
            if not told and deadline - time.monotonic() > _CLOCK_GRAIN:
                raise failed(self._where, "the connection was lost while it was watched")
        return None


class _Client(IMAPClient):  # type: ignore[misc]  # it carries no types
    """IMAPClient over a connection with bounds."""

    def _create_IMAP4(self) -> _Imap4:  # noqa: N802  # IMAPClient's own name
        return _Imap4(self.host, self.port, self._timeout.connect)


class _Imap4(IMAP4WithTimeout):  # type: ignore[misc]  # as above
    def _create_socket(self, timeout: float) -> BoundedSocket:
        found = connected(self.host, self.port, timeout)
        found.bound(silence=timeout, within=timeout, most=LONGEST_ANSWER)
        return found


def _bound(client: IMAPClient, timeout: float, *, within: float, most: int = LONGEST_ANSWER) -> None:
    """Give what is done next its time as a whole."""
    client.socket().bound(silence=timeout, within=within, most=most)


def _literal(data: dict[bytes, Any], key: bytes) -> bytes:
    value = data.get(key)
    return value if isinstance(value, bytes) else b""
