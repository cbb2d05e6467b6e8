"""Who calls the servers of beta.test: strangers, and whoever says that he is one of its users."""

from __future__ import annotations

from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labctl.errors import ServiceCommandFailed
from labctl.exercises.vocabulary.stranger import Strangers
from labctl.mail.client.dialogue import SmtpDialogue
from labctl.mail.client.imap import ImapMailbox
from labctl.mail.client.pop3 import Pop3Mailbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody who wants to be let in, by one of the `WAYS`."""

    way: str
    user: str
    password: str

    def __str__(self) -> str:
        return f"{self.user} with the password {self.password} by {self.way}"


def strangers(lab: ExerciseLab, chance: Chance) -> Strangers:
    """Return strangers to beta.test."""
    return Strangers(lab, chance, "mx-beta", via="mx-alpha")


def plain(user: str, password: str) -> str:
    """Return a user's name and password as SASL's PLAIN has them (RFC 4616)."""
    return b64encode(f"\0{user}\0{password}".encode()).decode()


def by_smtp(lab: ExerciseLab, user: str, password: str) -> bool:
    """Say whether port 587 lets a user in; who is refused has to be told so: 535 5.7.8 (RFC 4954)."""
    with SmtpDialogue.open(*lab.host("mx-beta").door(587)) as server:
        server.say("EHLO [198.51.100.7]")
        reply = server.say(f"AUTH PLAIN {plain(user, password)}")
    if not reply.is_positive and (reply.code, str(reply.enhanced)) != (535, "5.7.8"):
        raise lab.fail(f"{user} with the password {password}: 235, or 535 5.7.8", str(reply))
    return reply.is_positive


def by_imap(lab: ExerciseLab, user: str, password: str) -> bool:
    """Say whether IMAP lets a user in."""
    try:
        ImapMailbox.open(*lab.host("mail-beta").door(143), user, password).close()
    except ServiceCommandFailed:
        return False
    return True


def by_pop3(lab: ExerciseLab, user: str, password: str) -> bool:
    """Say whether POP3 lets a user in."""
    try:
        Pop3Mailbox.open(*lab.host("mail-beta").door(110), user, password).abandon()
    except ServiceCommandFailed:
        return False
    return True


WAYS: Final = {"SMTP": by_smtp, "IMAP": by_imap, "POP3": by_pop3}


def let_in(lab: ExerciseLab, tries: Sequence[Login]) -> list[Login]:
    """Return who is let in. All try at once: a server takes its time to refuse, and more each time."""
    with ThreadPoolExecutor(len(tries)) as together:
        passed = list(together.map(lambda each: WAYS[each.way](lab, each.user, each.password), tries))
    return [each for each, yes in zip(tries, passed, strict=True) if yes]
