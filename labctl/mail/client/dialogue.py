"""A conversation with an SMTP server, line by line (RFC 5321): for what no well-behaved client would say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self

from labctl.errors import ServiceCommandFailed, UsageError
from labctl.interruption import undone
from labctl.mail.client.failure import seen_in
from labctl.mail.client.tls import connected, laboratory_context
from labctl.mail.reply import MAX_REPLY, SmtpReply

if TYPE_CHECKING:
    from labctl.bounds import BoundedSocket

HUNG_UP: Final = SmtpReply(0, None, "")
"""The answer of a server that closed the connection instead."""

READY_FOR_TLS: Final = 220
"""The consent to STARTTLS (RFC 3207, section 4)."""

_REPLY_LINE: Final = re.compile(r"([0-9]{3})(?:([ -])(.*))?", re.DOTALL)


class SmtpDialogue:
    """One connection to an SMTP server; a context manager that hangs up at its end, without QUIT.

    Nothing is said that the caller does not say, nothing is read that the caller does not ask for, and what
    the server answers, its hanging up included, is a value. `transcript` has all of it.
    """

    def __init__(self, connection: BoundedSocket, where: str, timeout: float) -> None:
        self._socket = connection
        self._where = where
        self._timeout = timeout
        self._received = bytearray()
        self._transcript: list[str] = []
        self._closed = False
        self.greeting: SmtpReply | None = None
        """The banner; None where it was not waited for."""

    @classmethod
    def open(cls, host: str, port: int, *, timeout: float = 10, greet: bool = True) -> Self:
        """Connect.

        Args:
            host: The server's address.
            port: Its port.
            timeout: Seconds for the connection, and for each answer as a whole.
            greet: Wait for the server's banner, as a client must (RFC 5321, section 3.1).

        Raises:
            ServiceCommandFailed: Nobody answers there, or nobody greets.
        """
        where = f"{host}:{port}"
        try:
            connection = connected(host, port, timeout)
        except OSError as error:
            raise _failed(where, "CONNECT", seen_in(error, timeout)) from error
        dialogue = cls(connection, where, timeout)
        if greet:
            with undone(dialogue.close):
                dialogue.greeting = dialogue.read()
        return dialogue

    @property
    def closed(self) -> bool:
        """Whether the server was seen to have hung up."""
        return self._closed

    @property
    def transcript(self) -> tuple[str, ...]:
        """What was said so far: ``C: EHLO x``, ``S: 250 mx.beta.test``; control characters as escapes."""
        return tuple(self._transcript)

    def say(self, line: str) -> SmtpReply:
        """Say one line, with the CRLF that ends it, and read the answer.

        Raises:
            UsageError: It is more than one line; `send` says whatever it is given.
            ServiceCommandFailed: The server fell silent.
        """
        if "\r" in line or "\n" in line:
            raise UsageError(
                f"{line!r} is more than one line, and each would have its own answer",
                hint="use send(), then read() once for each answer",
            )
        self.send(line.encode() + b"\r\n")
        return self.read()

    def send(self, data: bytes) -> None:
        """Send bytes as they are, and wait for no answer.

        Raises:
            ServiceCommandFailed: The server takes no more.
        """
        self._transcript.extend(f"C: {_shown(line)}" for line in data.removesuffix(b"\r\n").split(b"\r\n"))
        self._socket.bound(within=self._timeout)
        try:
            self._socket.sendall(data)
        except ConnectionError:
            pass  # the server hung up: what it said before, and that it did, is for read() to tell
        except OSError as error:
            raise self._failure(error) from error

    def read(self) -> SmtpReply:
        """Read one answer with all its lines.

        Returns:
            The answer; `HUNG_UP` where the server closed the connection; of a line that is no reply its text,
            with the code 0.

        Raises:
            ServiceCommandFailed: The server fell silent, or does not come to an end.
        """
        self._socket.bound(within=self._timeout)
        code, texts, size = 0, [], 0
        while (line := self._line()) is not None:
            self._transcript.append(f"S: {_shown(line)}")
            match = _REPLY_LINE.fullmatch(line.decode("utf-8", "replace"))
            if match is None:
                return SmtpReply(0, None, line.decode("utf-8", "replace"))
            code = int(match[1])
            texts.append(match[3] or "")
            size += len(line)
            if match[2] != "-":
                break
            if size > MAX_REPLY:
                raise self._endless()
        return SmtpReply.of(code, "\n".join(texts)) if texts else HUNG_UP

    def starttls(self) -> SmtpReply:
        """Ask for TLS, and go on under it where the server agrees (RFC 3207); any certificate will do.

        Raises:
            ServiceCommandFailed: The server agreed, but no TLS came of it.
        """
        reply = self.say("STARTTLS")
        if reply.code == READY_FOR_TLS:
            self._received.clear()  # what was said in clear text must not count as said under TLS
            try:
                self._socket = laboratory_context().wrap_socket(self._socket)  # type: ignore[arg-type, assignment]
            except OSError as error:
                raise self._failure(error) from error
        return reply

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _line(self) -> bytes | None:
        """Return the next line without its end; None where the server hung up."""
        while (end := self._received.find(b"\n")) < 0:
            if len(self._received) > MAX_REPLY:
                raise self._endless()
            try:
                more = self._socket.recv(4096)
            except ConnectionError:
                more = b""
            except OSError as error:
                raise self._failure(error) from error
            if not more:
                self._closed = True
                rest = bytes(self._received)
                self._received.clear()
                return rest or None
            self._received += more
        line = bytes(self._received[:end]).removesuffix(b"\r")
        del self._received[: end + 1]
        return line

    def _failure(self, error: OSError) -> ServiceCommandFailed:
        return _failed(self._where, self._last_said(), seen_in(error, self._timeout))

    def _endless(self) -> ServiceCommandFailed:
        return _failed(self._where, self._last_said(), f"an answer of more than {MAX_REPLY} bytes")

    def _last_said(self) -> str:
        said = (line[3:] for line in reversed(self._transcript) if line.startswith("C: "))
        return next(said, "CONNECT")


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "backslashreplace")
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )


def _failed(where: str, stage: str, seen: str) -> ServiceCommandFailed:
    return ServiceCommandFailed(
        f"the SMTP server {where} did not answer: at {stage}, {seen}",
        hint="labctl status",
        detail={"server": where, "stage": stage, "seen": seen},
    )
