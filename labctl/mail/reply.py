"""SMTP replies (RFC 5321, section 4.2) and enhanced status codes (RFC 3463)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

MAX_REPLY: Final = 100_000
"""Bytes of one reply; who says more does not speak SMTP."""

_ENHANCED = re.compile(r"([245])\.([0-9]{1,3})\.([0-9]{1,3})")
_REPLY = re.compile(r"([2-5][0-9]{2})(?:[ -](.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True, order=True)
class EnhancedStatus:
    """An enhanced status code such as ``5.1.1`` (RFC 3463, section 2)."""

    status_class: int
    """2 success, 4 persistent transient failure, 5 permanent failure."""
    subject: int
    detail: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read ``class.subject.detail``; None where the text is something else."""
        if (match := _ENHANCED.fullmatch(text)) is None:
            return None
        status_class, subject, detail = (int(part) for part in match.groups())
        return cls(status_class, subject, detail)

    def __str__(self) -> str:
        return f"{self.status_class}.{self.subject}.{self.detail}"


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """What an SMTP server answered to one command."""

    code: int
    """The three digits of RFC 5321; 0 where the answer was no SMTP reply."""
    enhanced: EnhancedStatus | None
    text: str
    """The lines' texts, joined by line feeds, without codes."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reply as a log or a DSN quotes it: ``550 5.1.1 <bob@beta.test>: no such user``."""
        if (match := _REPLY.fullmatch(text)) is None:
            return cls(0, None, text)
        return cls.of(int(match[1]), match[2] or "")

    @classmethod
    def of(cls, code: int, text: bytes | str) -> Self:
        """Build a reply from its code and the text of all its lines, as smtplib returns them.

        Servers repeat the enhanced code on each line (RFC 2034, section 4); it is taken from the first and
        removed from all that carry the same one.
        """
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        code = code if 200 <= code <= 599 else 0  # noqa: PLR2004  # the range of RFC 5321's first digit
        prefix = re.split(r"[ \n]", text, maxsplit=1)[0]
        if (enhanced := EnhancedStatus.parse(prefix)) is None:
            return cls(code, None, text)
        lines = (line.removeprefix(prefix).removeprefix(" ") for line in text.split("\n"))
        return cls(code, enhanced, "\n".join(lines))

    @property
    def is_positive(self) -> bool:
        """Whether the command succeeded or may go on (2yz, 3yz)."""
        return 200 <= self.code < 400  # noqa: PLR2004  # RFC 5321, section 4.2.1

    @property
    def dsn(self) -> str | None:
        """Its enhanced status code, as logs and reports write it; None where it has none."""
        return str(self.enhanced) if self.enhanced else None

    def __str__(self) -> str:
        parts = (str(self.code) if self.code else "", str(self.enhanced or ""), self.text)
        return " ".join(part for part in parts if part)
