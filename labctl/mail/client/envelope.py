"""The envelope of a message: who sends it and who is to get it, whatever its headers say."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.errors import UsageError


@dataclass(frozen=True, slots=True)
class Envelope:
    """The reverse-path and the forward-paths of one SMTP transaction (RFC 5321, section 2.3.1).

    The addresses are what goes on the wire, well-formed or not: how a server answers a malformed one is worth
    seeing. `labctl.mail.address.Address` is for those who want them checked first. One that is not ASCII can
    be sent only by SMTPUTF8 (RFC 6531).

    Raises:
        UsageError: There is no recipient, or an address holds what would end the SMTP command.
    """

    mail_from: str
    """Empty for the null reverse-path of notifications."""
    rcpt_tos: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.rcpt_tos:
            raise UsageError("the message has no recipient", hint="name at least one address to send to")
        for address in (self.mail_from, *self.rcpt_tos):
            if not address.isprintable():
                raise UsageError(
                    f"the address {address!r} holds a character that no SMTP command may carry",
                    hint="write it with printable characters, such as alice@alpha.test",
                    detail={"address": address},
                )
