"""POP3 (RFC 1939): a maildrop from the outside, by poplib."""

from __future__ import annotations

import poplib
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from labctl.errors import ServiceCommandFailed
from labctl.interruption import undone
from labctl.mail.client.mailbox import DONE_WITHIN, MailboxMessage, message_of, refused, said_in, translated
from labctl.mail.client.tls import LONGEST_ANSWER, connected
from labctl.mail.content.mailheader import parse_header

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from labctl.bounds import BoundedSocket

_ALL_LINES: Final = 2**31 - 1


class Pop3Mailbox:
    """An account's maildrop over POP3; a context manager.

    What is deleted goes only when the session ends well, with QUIT (RFC 1939, section 6): leaving the context
    normally commits, leaving it by an exception loses nothing.
    """

    protocol: Final = "pop3"

    def __init__(self, client: _Pop3, where: str, timeout: float) -> None:
        self._client = client
        self._where = where
        self._timeout = timeout
        self._marked = 0

    @classmethod
    def open(cls, host: str, port: int, address: str, password: str, *, timeout: float = 10) -> Self:
        """Connect and log in.

        Raises:
            ServiceCommandFailed: Nobody answers, or the server refuses the user.
        """
        where = f"pop3://{address}@{host}:{port}"
        with translated(where, poplib.error_proto, timeout):
            client = _Pop3(host, port, timeout)
            with undone(client.close):
                try:
                    client.user(address)
                    client.pass_(password)
                except poplib.error_proto as error:
                    if "[AUTH]" in (said := said_in(error)):  # RFC 3206
                        raise refused(where, said) from error
                    raise
        return cls(client, where, timeout)

    def messages(self) -> tuple[MailboxMessage, ...]:
        """List the maildrop by TOP, which leaves the flag Seen alone, as RETR does not."""
        with self._bounded():
            return tuple(self._read(whole=False))

    def content(self, uid: int) -> bytes | None:
        """Return a whole message by RETR; None where there is none of that number."""
        with self._bounded():
            if str(uid) not in self._numbered("UIDL"):
                return None
            return _joined(self._client.retr(uid)[1])

    def download(self, *, delete: bool = False) -> tuple[MailboxMessage, ...]:
        """Fetch every message by RETR; if told to, mark what was fetched for deletion at the end."""
        with self._bounded():
            messages = tuple(self._read(whole=True))
        if delete:
            self.delete([message.uid for message in messages])
        return messages

    def delete(self, uids: Sequence[int]) -> None:
        """Mark messages for deletion at the session's end."""
        with self._bounded():
            for uid in uids:
                self._client.dele(uid)
                self._marked += 1

    def _bounded(self) -> AbstractContextManager[None]:
        """Do something that has its time as a whole, and tell its failures as labctl's."""
        self._client.bound(silence=self._timeout, within=DONE_WITHIN)
        return translated(self._where, poplib.error_proto)

    def _read(self, *, whole: bool) -> Iterator[MailboxMessage]:
        sizes = self._numbered("LIST")
        uidls = self._numbered("UIDL")
        for number, size in sizes.items():
            content = _joined(self._client.retr(number)[1] if whole else self._client.top(number, 0)[1])
            header = parse_header(content)
            if header.is_dsn and not whole:
                content = _joined(self._client.top(number, _ALL_LINES)[1])
            yield message_of(
                int(number),
                header,
                size=int(size),
                content=content if header.is_dsn else None,
                uidl=uidls.get(number),
            )

    def _numbered(self, command: str) -> dict[str, str]:
        """Return a listing's values by message number."""
        lines = self._client.list()[1] if command == "LIST" else self._client.uidl()[1]
        pairs = (line.decode("ascii", "replace").partition(" ") for line in lines)
        return {number: value for number, _, value in pairs}

    def commit(self) -> None:
        """End the session with QUIT: only now is gone what was marked.

        Raises:
            ServiceCommandFailed: Something was marked, and the server did not confirm.
        """
        try:
            with self._bounded():
                self._client.quit()
        except ServiceCommandFailed:
            self._client.close()
            if self._marked:
                raise

    def abandon(self) -> None:
        """Hang up without QUIT: nothing is deleted."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self.commit()
        else:
            self.abandon()


class _Pop3(poplib.POP3):
    """A connection with bounds; poplib leaves it open when the server does not greet as it should."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        with undone(self._hang_up):
            super().__init__(host, port, timeout=timeout)

    def _hang_up(self) -> None:
        with suppress(AttributeError):  # there was no connection yet
            self.close()

    def _create_socket(self, timeout: float) -> BoundedSocket:
        self._bounded = connected(self.host, self.port, timeout)
        self._bounded.bound(silence=timeout, within=timeout, most=LONGEST_ANSWER)
        return self._bounded

    def bound(self, *, silence: float, within: float) -> None:
        """Give what is done next its time as a whole."""
        self._bounded.bound(silence=silence, within=within, most=LONGEST_ANSWER)


def _joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\r\n" for line in lines)
