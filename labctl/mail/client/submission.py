"""Message submission (RFC 6409): the mail user agent's side of SMTP, by smtplib."""

from __future__ import annotations

import re
import smtplib
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from labctl.bounds import BoundedSocket
from labctl.errors import ServiceCommandFailed, UsageError
from labctl.mail.client.dsnrequest import DsnRequest
from labctl.mail.client.failure import seen_in
from labctl.mail.client.tls import connected
from labctl.mail.queueid import next_queue_id
from labctl.mail.reply import MAX_REPLY, SmtpReply

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from _typeshed import ReadableBuffer

    from labctl.mail.client.envelope import Envelope

_LEADING_DOT: Final = re.compile(rb"^\.", re.MULTILINE)  # RFC 5321, section 4.5.2

SERVICE_NOT_AVAILABLE: Final = 421
"""Said by a server that then closes the connection (RFC 5321, section 3.8)."""


class Stage(StrEnum):
    """How far a transaction came, by the command that was answered last."""

    CONNECT = "CONNECT"
    EHLO = "EHLO"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    END_OF_MESSAGE = "END-OF-MESSAGE"


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of one message at the server it was submitted to."""

    accepted: bool
    reply: SmtpReply
    """The reply that decided: to the message's end, or the refusal (of all recipients, the first)."""
    stage: Stage
    """What that reply answered."""
    queue_id: str | None = None
    accepted_at: datetime | None = None
    """When the reply to the message's end came (UTC); None where it was refused."""
    recipients: tuple[str, ...] = ()
    """Those the server took."""
    refused: tuple[tuple[str, SmtpReply], ...] = ()
    """Those it refused at RCPT, each with its reply."""


class _Refusal(Exception):
    """Ends the dialogue early; no error, since `submit` returns what it carries."""

    def __init__(self, stage: Stage, reply: SmtpReply) -> None:
        super().__init__(stage, reply)
        self.stage = stage
        self.reply = reply


def submit(
    host: str,
    port: int,
    envelope: Envelope,
    content: bytes,
    *,
    user: str | None = None,
    password: str = "",
    timeout: float = 10,
    notify: Sequence[str] | None = None,
    ret: str | None = None,
    envid: str | None = None,
    smtputf8: bool = False,
) -> Submission:
    """Submit one message.

    Args:
        host: The server's address.
        port: Its port, usually 587.
        envelope: Who sends, and who is to get it.
        content: The message with CRLF line ends; dots are stuffed here.
        user: Who authenticates; None for nobody.
        password: The user's.
        timeout: Seconds for the connection, and for each reply as a whole.
        notify: When each recipient's server is to write (RFC 3461): NEVER, or some of SUCCESS, FAILURE and
            DELAY; None leaves it to the servers. As the others, it is sent to a server that knows no DSN too.
        ret: How much of a message that failed comes back: FULL or HDRS.
        envid: What a notification is to quote, as it is; it is encoded here.
        smtputf8: Declare the message as internationalized (RFC 6531), if an address or its header is.

    Returns:
        The server's decision. A refusal at any stage, from the greeting to the message's end, is a value like
        its consent.

    Raises:
        UsageError: The DSN parameters are none, or an address is not ASCII and SMTPUTF8 is not asked for.
        ServiceCommandFailed: No server answered, or it fell silent or hung up midway.
    """
    dsn_request = DsnRequest.of(notify, ret, envid)
    international = not all(address.isascii() for address in (envelope.mail_from, *envelope.rcpt_tos))
    if international and not smtputf8:
        raise UsageError(
            f"the envelope from <{envelope.mail_from}> holds an address that is not ASCII",
            hint="ask for SMTPUTF8, which not every server offers",
        )
    international = smtputf8 and (international or not content.partition(b"\r\n\r\n")[0].isascii())
    dialogue = _Dialogue()
    try:
        dialogue.open(host, port, timeout=timeout)
        if user is not None:
            dialogue.authenticate(user, password)
        submission = dialogue.transaction(envelope, content, dsn_request, international=international)
        dialogue.quit()
    except _Refusal as refusal:
        dialogue.quit()
        return Submission(accepted=False, reply=refusal.reply, stage=refusal.stage)
    except (OSError, smtplib.SMTPException) as error:
        raise _failed(f"{host}:{port}", dialogue.stage, timeout, error) from error
    finally:
        dialogue.close()
    return submission


def _failed(where: str, stage: Stage, timeout: float, error: Exception) -> ServiceCommandFailed:
    seen = seen_in(error, timeout)
    if isinstance(error, smtplib.SMTPServerDisconnected) and not isinstance(error.__context__, TimeoutError):
        seen = f"the connection was lost ({error})"
    fate = "; it may have been accepted all the same" if stage is Stage.END_OF_MESSAGE else ""
    return ServiceCommandFailed(
        f"the submission server {where} did not take the message: at {stage}, {seen}{fate}",
        hint="labctl status",
        detail={"server": where, "stage": str(stage), "seen": seen},
    )


class _Smtp(smtplib.SMTP):
    """A connection on which each reply has its time as a whole, and is as long as one may be."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self._reply_within = timeout
        super().__init__(host, port, local_hostname="localhost", timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> BoundedSocket:
        return connected(host, port, timeout)

    def send(self, s: ReadableBuffer | str) -> None:
        self._bound()
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        self._bound()
        return super().getreply()

    def _bound(self) -> None:
        if isinstance(self.sock, BoundedSocket):
            self.sock.bound(silence=self._reply_within, within=self._reply_within, most=MAX_REPLY)


class _Dialogue:
    """One SMTP session; each step remembers its stage, for the message of what goes wrong in it."""

    def __init__(self) -> None:
        self.stage = Stage.CONNECT
        self._connection: smtplib.SMTP | None = None

    @property
    def _smtp(self) -> smtplib.SMTP:
        assert self._connection is not None
        return self._connection

    def open(self, host: str, port: int, *, timeout: float) -> None:
        # A local host name is given, because smtplib would ask the machine's own resolver for one.
        try:
            self._connection = _Smtp(host, port, timeout)
        except smtplib.SMTPConnectError as error:
            raise _Refusal(Stage.CONNECT, SmtpReply.of(error.smtp_code, error.smtp_error)) from error
        self.stage = Stage.EHLO
        # The address literal is what a client without a host name of its own says (RFC 5321, section 4.1.3).
        address = self._smtp.sock.getsockname()[0] if self._smtp.sock else "127.0.0.1"
        literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
        self._expect(Stage.EHLO, *self._smtp.ehlo(literal))

    def authenticate(self, user: str, password: str) -> None:
        self.stage = Stage.AUTH
        if self._smtp.has_extn("auth"):
            try:
                self._smtp.login(user, password, initial_response_ok=True)
            except smtplib.SMTPAuthenticationError as error:
                raise _Refusal(Stage.AUTH, SmtpReply.of(error.smtp_code, error.smtp_error)) from error
        else:  # the server's own refusal says more than that it did not offer it
            secret = b64encode(f"\0{user}\0{password}".encode()).decode("ascii")
            self._expect(Stage.AUTH, *self._smtp.docmd("AUTH", f"PLAIN {secret}"))

    def transaction(
        self, envelope: Envelope, content: bytes, dsn_request: DsnRequest, *, international: bool
    ) -> Submission:
        self.stage = Stage.MAIL
        mail = [f"FROM:<{envelope.mail_from}>", *self._mail_options(content), *dsn_request.mail_parameters]
        if international:
            mail.append("SMTPUTF8")
            self._smtp.command_encoding = "utf-8"
        self._expect(Stage.MAIL, *self._smtp.docmd("MAIL", " ".join(mail)))
        taken, refused = self._recipients(envelope.rcpt_tos, dsn_request)
        if not taken:
            return Submission(accepted=False, reply=refused[0][1], stage=Stage.RCPT, refused=refused)
        reply = self._content(content)
        accepted = reply.is_positive
        return Submission(
            accepted=accepted,
            reply=reply,
            stage=self.stage,
            queue_id=next_queue_id(reply.text) if accepted else None,
            accepted_at=datetime.now(UTC) if accepted else None,
            recipients=taken,
            refused=refused,
        )

    def _mail_options(self, content: bytes) -> Iterator[str]:
        if self._smtp.has_extn("size"):
            yield f"SIZE={len(content)}"
        if self._smtp.has_extn("8bitmime") and not content.isascii():
            yield "BODY=8BITMIME"

    def _recipients(
        self, rcpt_tos: tuple[str, ...], dsn_request: DsnRequest
    ) -> tuple[tuple[str, ...], tuple[tuple[str, SmtpReply], ...]]:
        self.stage = Stage.RCPT
        taken: list[str] = []
        refused: list[tuple[str, SmtpReply]] = []
        for position, rcpt_to in enumerate(rcpt_tos):
            rcpt = (f"TO:<{rcpt_to}>", *dsn_request.rcpt_parameters)
            reply = SmtpReply.of(*self._smtp.docmd("RCPT", " ".join(rcpt)))
            if reply.code == SERVICE_NOT_AVAILABLE:
                # The server hangs up: those it took before are lost with the session.
                return (), (*refused, *((left, reply) for left in (*taken, *rcpt_tos[position:])))
            if reply.is_positive:
                taken.append(rcpt_to)
            else:
                refused.append((rcpt_to, reply))
        return tuple(taken), tuple(refused)

    def _content(self, content: bytes) -> SmtpReply:
        self.stage = Stage.DATA
        code, text = self._smtp.docmd("DATA")
        if code != 354:  # noqa: PLR2004  # "start mail input", RFC 5321, section 4.2.3
            return SmtpReply.of(code, text)
        self.stage = Stage.END_OF_MESSAGE
        stuffed = _LEADING_DOT.sub(b"..", content)
        end = b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"
        self._smtp.send(stuffed + end)
        return SmtpReply.of(*self._smtp.getreply())

    def quit(self) -> None:
        """Take leave; what a server answers to that changes nothing any more."""
        if self._connection is not None:
            with suppress(OSError, smtplib.SMTPException):
                self._connection.docmd("QUIT")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _expect(self, stage: Stage, code: int, text: bytes) -> None:
        self.stage = stage
        reply = SmtpReply.of(code, text)
        if not reply.is_positive:
            raise _Refusal(stage, reply)
