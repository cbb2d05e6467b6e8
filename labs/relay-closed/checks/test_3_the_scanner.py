"""The scanner, which has no password: it may write to one domain, and to no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callers import SCANNER, colleagues, offered, scanned, strangers

from labctl.exercises.vocabulary.call import Caller
from labctl.exercises.vocabulary.stranger import DOMAINS

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_the_scanner_writes_to_alpha(
    chance: Chance, lab: ExerciseLab, amy: Person, bob: Person, bea: Person
) -> None:
    """What the scanner sends to amy@alpha.test, the tax adviser, and to the users of beta.test arrives."""
    wanted = [
        (reader, scanned(lab, bob.address, reader.address)) for reader in (amy, chance.choice((bob, bea)))
    ]
    recipients = chance.shuffled((amy.address, bob.address, bea.address))
    for each in offered(lab, SCANNER, [bob.address, bea.address], *recipients):
        each.must_take(*recipients)
    for reader, letter in wanted:
        reader.mailbox.expect(letter)


def test_the_scanner_writes_to_nobody_else(
    chance: Chance, lab: ExerciseLab, amy: Person, bob: Person, bea: Person
) -> None:
    """What the scanner offers for another domain is refused, and whatever others offer in its place."""
    them = strangers(lab, chance)
    beyond = [each for each in them.foreign_recipients() if not is_at_alpha(each)]
    hellos = [SCANNER, *(Caller(each.hello, SCANNER.via) for each in them.liars())]
    for each in them.attempt([SCANNER], beyond, senders=[bob.address, bea.address], beside=amy.address):
        each.must_refuse_all_but(amy.address)
    for each in them.attempt(hellos, beyond):
        each.must_refuse_all_but()
    some = [f"{chance.name()}@{each}" for each in DOMAINS]
    for each in them.attempt([SCANNER], some, senders=them.borrowed_senders()):
        each.must_refuse_all_but()
    for each in them.attempt(
        colleagues(chance), [amy.address, *some], senders=[bob.address, *them.senders()]
    ):
        each.must_refuse_all_but()


def is_at_alpha(address: str) -> bool:
    """Say whether an address is of alpha.test, or of what is below it, which is its own matter."""
    return f".{address.rpartition('@')[2].lower()}".endswith(".alpha.test")
