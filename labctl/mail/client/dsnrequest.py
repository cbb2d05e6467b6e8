"""What a sender asks to be told: the DSN extension of SMTP (RFC 3461)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from labctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

NEVER: Final = "NEVER"
EVENTS: Final = ("SUCCESS", "FAILURE", "DELAY")
RETURNS: Final = ("FULL", "HDRS")
MAX_ENVID: Final = 100
"""Characters of an envelope identifier, encoded (RFC 3461, section 4.4)."""

_ENCODED: Final = re.compile(r"[^!-*,-<>-~]")  # all but xchar (RFC 3461, section 4)


def xtext(text: str) -> str:
    """Encode a text so that it can stand in an SMTP parameter (RFC 3461, section 4)."""
    return _ENCODED.sub(lambda match: "".join(f"+{byte:02X}" for byte in match[0].encode()), text)


@dataclass(frozen=True, slots=True)
class DsnRequest:
    """The parameters that a client adds to MAIL and RCPT; empty where it leaves them to the server.

    Raises:
        UsageError: A value is none that RFC 3461 knows.
    """

    notify: tuple[str, ...] = ()
    """When to write (section 4.1): NEVER, or some of SUCCESS, FAILURE and DELAY."""
    ret: str | None = None
    """How much of a message that failed comes back (section 4.3): FULL or HDRS."""
    envid: str | None = None
    """What the notification is to quote (section 4.4)."""

    @classmethod
    def of(cls, notify: Sequence[str] | None, ret: str | None, envid: str | None) -> Self:
        """Build a request from what a caller may leave out.

        Raises:
            UsageError: As above, or nothing at all is to be notified of.
        """
        words = tuple(notify.split(",")) if isinstance(notify, str) else tuple(notify or ())
        if notify is not None and not words:
            raise _wrong("notify", (), f"{NEVER}, or some of {', '.join(EVENTS)}")
        return cls(tuple(dict.fromkeys(word.upper() for word in words)), ret.upper() if ret else ret, envid)

    def __post_init__(self) -> None:
        if self.notify != (NEVER,) and not set(self.notify) <= set(EVENTS):
            raise _wrong("notify", self.notify, f"{NEVER} alone, or some of {', '.join(EVENTS)}")
        if self.ret is not None and self.ret not in RETURNS:
            raise _wrong("ret", self.ret, " or ".join(RETURNS))
        if self.envid is not None and not _is_envid(self.envid):
            raise _wrong("envid", self.envid, f"1 to {MAX_ENVID} printable ASCII characters, once encoded")

    @property
    def mail_parameters(self) -> tuple[str, ...]:
        """What follows ``MAIL FROM:<…>``."""
        ret = () if self.ret is None else (f"RET={self.ret}",)
        return ret if self.envid is None else (*ret, f"ENVID={xtext(self.envid)}")

    @property
    def rcpt_parameters(self) -> tuple[str, ...]:
        """What follows ``RCPT TO:<…>``."""
        return (f"NOTIFY={','.join(self.notify)}",) if self.notify else ()


def _is_envid(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and len(xtext(text)) <= MAX_ENVID


def _wrong(name: str, value: object, expected: str) -> UsageError:
    return UsageError(
        f"{name}={value!r} asks for no delivery status notification that RFC 3461 knows",
        hint=f"give {name} as {expected}",
        detail={name: value},
    )
