"""Mailboxes from the outside: IMAP (RFC 9051, by IMAPClient) and POP3 (RFC 1939, by poplib)."""

from __future__ import annotations

import poplib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError
from imapclient.imapclient import SocketTimeout

from labctl.errors import ServiceCommandFailed
from labctl.mail import dsn
from labctl.mail.mailheader import parse_header
from labctl.mail.tls import Tls, laboratory_context

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from types import TracebackType

    from labctl.mail.mailheader import MailHeader

_FETCH: Final = ("FLAGS", "RFC822.SIZE", "BODY.PEEK[HEADER]")
_ALL_LINES: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class MailboxMessage:
    """A message as a mail reader lists it."""

    uid: int
    """IMAP's UID; for POP3 the number in this session."""
    message_id: str
    from_: str
    to: tuple[str, ...]
    subject: str
    date: datetime | None
    flags: tuple[str, ...]
    """IMAP's flags; POP3 has none."""
    size: int
    is_dsn: bool
    dsn: dsn.Dsn | None
    uidl: str | None = None
    """POP3's own lasting identifier (RFC 1939, section 7)."""


class ImapMailbox:
    """An account's INBOX over IMAP; a context manager. Reading it changes nothing, not even the flag Seen."""

    protocol: Final = "imap"

    def __init__(self, client: IMAPClient, where: str) -> None:
        self._client = client
        self._where = where

    @classmethod
    def open(
        cls, host: str, port: int, address: str, password: str, *, timeout: float = 10, tls: str = Tls.NONE
    ) -> Self:
        """Connect and log in.

        Raises:
            ServiceCommandFailed: Nobody answers, or the server refuses the user.
        """
        where = f"imap://{address}@{host}:{port}"
        with _translated(where, timeout):
            secure = tls == Tls.IMPLICIT
            client = IMAPClient(
                host,
                port,
                ssl=secure,
                ssl_context=laboratory_context() if secure else None,
                timeout=SocketTimeout(timeout, timeout),
            )
            try:
                if tls == Tls.STARTTLS:
                    client.starttls(laboratory_context())
                client.login(address, password)
            except BaseException:
                client.shutdown()
                raise
        return cls(client, where)

    def messages(self) -> tuple[MailboxMessage, ...]:
        """List the INBOX, the oldest first."""
        with _translated(self._where):
            self._client.select_folder("INBOX", readonly=True)  # EXAMINE
            uids = self._client.search("ALL")
            fetched = self._client.fetch(uids, _FETCH) if uids else {}
            headers = {uid: parse_header(_literal(data, b"BODY[HEADER]")) for uid, data in fetched.items()}
            reports = [uid for uid, header in headers.items() if header.is_dsn]
            bodies = self._client.fetch(reports, ("BODY.PEEK[]",)) if reports else {}
        return tuple(
            _message(
                uid,
                header,
                size=int(fetched[uid].get(b"RFC822.SIZE", 0)),
                flags=tuple(flag.decode("utf-8", "replace") for flag in fetched[uid].get(b"FLAGS", ())),
                content=_literal(bodies.get(uid, {}), b"BODY[]") if header.is_dsn else None,
            )
            for uid, header in sorted(headers.items())
        )

    def content(self, uid: int) -> bytes | None:
        """Return a whole message; None where the INBOX has none of that UID."""
        with _translated(self._where):
            self._client.select_folder("INBOX", readonly=True)
            data = self._client.fetch([uid], ("BODY.PEEK[]",)).get(uid)
        return None if data is None else _literal(data, b"BODY[]")

    def delete(self, uids: Sequence[int]) -> None:
        """Delete messages for good: those named, and no other that somebody has marked (RFC 4315)."""
        if not uids:
            return
        with _translated(self._where):
            self._client.select_folder("INBOX")
            self._client.delete_messages(list(uids), silent=True)
            self._client.uid_expunge(list(uids))

    def download(self, *, delete: bool = False) -> tuple[MailboxMessage, ...]:
        """List the INBOX, then delete there what was listed, if told to."""
        messages = self.messages()
        if delete:
            self.delete([message.uid for message in messages])
        return messages

    def close(self) -> None:
        """Log out; a server that is gone by then does not matter."""
        try:
            self._client.logout()
        except (OSError, IMAPClientError):
            with suppress(OSError):
                self._client.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Pop3Mailbox:
    """An account's maildrop over POP3; a context manager.

    What is deleted goes only when the session ends well, with QUIT (RFC 1939, section 6): leaving the context
    normally commits, leaving it by an exception loses nothing.
    """

    protocol: Final = "pop3"

    def __init__(self, client: poplib.POP3, where: str) -> None:
        self._client = client
        self._where = where
        self._marked = 0

    @classmethod
    def open(
        cls, host: str, port: int, address: str, password: str, *, timeout: float = 10, tls: str = Tls.NONE
    ) -> Self:
        """Connect and log in.

        Raises:
            ServiceCommandFailed: Nobody answers, or the server refuses the user.
        """
        where = f"pop3://{address}@{host}:{port}"
        with _translated(where, timeout):
            client: poplib.POP3 = (
                _Pop3Ssl(host, port, timeout=timeout, context=laboratory_context())
                if tls == Tls.IMPLICIT
                else _Pop3(host, port, timeout=timeout)
            )
            try:
                if tls == Tls.STARTTLS:
                    client.stls(laboratory_context())
                client.user(address)
                client.pass_(password)
            except BaseException:
                client.close()
                raise
        return cls(client, where)

    def messages(self) -> tuple[MailboxMessage, ...]:
        """List the maildrop by TOP, which leaves the flag Seen alone, as RETR does not."""
        with _translated(self._where):
            return tuple(self._read(whole=False))

    def content(self, uid: int) -> bytes | None:
        """Return a whole message by RETR; None where there is none of that number."""
        with _translated(self._where):
            if str(uid) not in self._numbered("UIDL"):
                return None
            return _joined(self._client.retr(uid)[1])

    def download(self, *, delete: bool = False) -> tuple[MailboxMessage, ...]:
        """Fetch every message by RETR; if told to, mark what was fetched for deletion at the end."""
        with _translated(self._where):
            messages = tuple(self._read(whole=True))
            if delete:
                for message in messages:
                    self._client.dele(message.uid)
                    self._marked += 1
        return messages

    def delete(self, uids: Sequence[int]) -> None:
        """Mark messages for deletion at the session's end."""
        with _translated(self._where):
            for uid in uids:
                self._client.dele(uid)
                self._marked += 1

    def _read(self, *, whole: bool) -> Iterator[MailboxMessage]:
        sizes = self._numbered("LIST")
        uidls = self._numbered("UIDL")
        for number, size in sizes.items():
            content = _joined(self._client.retr(number)[1] if whole else self._client.top(number, 0)[1])
            header = parse_header(content)
            if header.is_dsn and not whole:
                content = _joined(self._client.top(number, _ALL_LINES)[1])
            yield _message(
                int(number),
                header,
                size=int(size),
                flags=(),
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
            with _translated(self._where):
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.abandon()


class _Greeted(poplib.POP3):
    """poplib leaves the connection open when the server does not greet as it should."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().__init__(*args, **kwargs)
        except BaseException:
            with suppress(AttributeError):  # there was no connection yet
                self.close()
            raise


class _Pop3(_Greeted):
    pass


class _Pop3Ssl(_Greeted, poplib.POP3_SSL):
    pass


@contextmanager
def _translated(where: str, timeout: float | None = None) -> Iterator[None]:
    """Turn the libraries' exceptions into labctl's."""
    try:
        yield
    except (IMAPClientError, poplib.error_proto) as error:
        said = _said(error)
        if isinstance(error, LoginError) or "[AUTH]" in said:
            said = f"the server refused the user name or password: {said}"
        raise _failed(where, said or "the connection was lost") from error
    except TimeoutError as error:
        raise _failed(where, f"no answer within {timeout:g} s" if timeout else "no answer in time") from error
    except ConnectionRefusedError as error:
        raise _failed(where, "connection refused") from error
    except OSError as error:
        raise _failed(where, f"the connection failed ({error})") from error


def _said(error: Exception) -> str:
    """Return the server's words; imaplib wraps them in bytes, in the text of bytes, or in a list of bytes."""
    text = error.args[0] if error.args else ""
    if isinstance(text, bytes):
        return text.decode("utf-8", "replace")
    return str(text).removeprefix("b'").removesuffix("'")


def _failed(where: str, seen: str) -> ServiceCommandFailed:
    return ServiceCommandFailed(
        f"the mailbox {where} can't be read: {seen}",
        hint="labctl status",
        detail={"mailbox": where, "seen": seen},
    )


def _literal(data: dict[bytes, Any], key: bytes) -> bytes:
    value = data.get(key)
    return value if isinstance(value, bytes) else b""


def _joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\r\n" for line in lines)


def _message(
    uid: int,
    header: MailHeader,
    *,
    size: int,
    flags: tuple[str, ...],
    content: bytes | None,
    uidl: str | None = None,
) -> MailboxMessage:
    report = dsn.parse(content) if content is not None else None
    return MailboxMessage(
        uid,
        header.message_id,
        header.from_,
        header.to,
        header.subject,
        header.date,
        flags,
        size,
        is_dsn=report is not None,
        dsn=report,
        uidl=uidl,
    )
