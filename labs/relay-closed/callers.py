"""Who calls mx.beta.test beside its users: strangers, and hosts in the office, the scanner among them."""

from __future__ import annotations

from email.utils import make_msgid
from typing import TYPE_CHECKING, Final

from labctl.exercises.vocabulary.call import Call, Caller, made
from labctl.exercises.vocabulary.stranger import Strangers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labctl.exercises.vocabulary.call import Answered
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.letter import Letter

SERVER: Final = "mx-beta"

SCANNER: Final = Caller("EHLO scanner.beta.test", "scanner-beta")

MDA: Final = Caller("EHLO mail.beta.test", "mail-beta")


def strangers(lab: ExerciseLab, chance: Chance) -> Strangers:
    """Return strangers to beta.test."""
    return Strangers(lab, chance, SERVER, via="mx-alpha")


def colleagues(chance: Chance) -> list[Caller]:
    """Return hosts in the office that are not the scanner, whatever they say."""
    free = chance.shuffled([*range(2, 20), *range(21, 99), *range(100, 143), *range(144, 255)])
    names = ("scanner.beta.test", "mail.beta.test", f"{chance.name()}.beta.test")
    return [Caller(f"EHLO {name}", SCANNER.via, f"198.51.100.{free.pop()}") for name in names]


def offered(
    lab: ExerciseLab, caller: Caller, senders: Iterable[str], *recipients: str
) -> tuple[Answered, ...]:
    """Let a host offer mx.beta.test a message from each of these senders to all of these recipients."""
    return made(lab, SERVER, [Call(caller, each, recipients) for each in senders])


def scanned(lab: ExerciseLab, sender: str, recipient: str) -> Letter:
    """Let the scanner send a message, as it does: to mx.beta.test, without a password."""
    message_id = make_msgid(domain="scanner.beta.test")
    header = f"From: {sender}\nTo: {recipient}\nSubject: Receipts\nMessage-ID: {message_id}\n"
    lab.exec(
        "scanner-beta",
        "sendmail",
        "-f",
        sender,
        recipient,
        why=f"the scanner sends what it scanned to {recipient}",
        stdin=f"{header}\nA page.\n",
    )
    return lab.letter(message_id, at="scanner-beta", to=recipient)
