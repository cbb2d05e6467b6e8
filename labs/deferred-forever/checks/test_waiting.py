"""What makes letters wait: where that never ends, and where it is as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl.exercises.vocabulary.expectation import ExpectationFailed

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.letter import Letter
    from labctl.exercises.vocabulary.person import Person

PATIENCE: Final = 12.0
"""Seconds: a letter that is put off once is there after three; what has not come by now waits for ever."""


def test_beta_is_where_the_dns_says(lab: ExerciseLab) -> None:
    """The DNS names a host for the mail of beta.test, and its address is the right one."""
    exchangers = [each.split()[-1] for each in lab.dig("beta.test", "MX").texts]
    if exchangers != ["mx.beta.test."]:
        raise lab.fail("mx.beta.test as the only MX", ", ".join(exchangers) or "none")
    lab.dig("mx.beta.test", "A").must_be(str(lab.host("mx-beta").addresses[0]))


def test_the_door_opens(lab: ExerciseLab, chance: Chance, amy: Person) -> None:
    """A letter from alpha.test is let in, if not at once, then soon."""
    letter = amy.send(f"bea+{chance.token()}@beta.test", "May I come in?")
    lab.expect_sent(letter, at="mx-alpha", relay="mx.beta.test", within=PATIENCE)


def test_the_mailbox_is_reached(bob: Person, bea: Person) -> None:
    """A letter from Bob to Bea, which stays in the house, is in her mailbox at once."""
    arrives(bob.send(bea, "Just across the corridor"), bea)


def test_a_stranger_waits_once(lab: ExerciseLab, chance: Chance, alice: Person, bob: Person) -> None:
    """Greylisting works: who comes for the first time is put off, comes back, and the letter arrives."""
    letter = alice.send(f"bob+{chance.token()}@beta.test", "We have not met yet")
    lab.expect_deferred(letter, dsn="4.2.0", code=450, says="Greylisted", at="mx-alpha", within=PATIENCE)
    arrives(letter, bob)


def test_letters_go_out(bob: Person, alice: Person) -> None:
    """A letter from Bob arrives at Alice of alpha.test."""
    arrives(bob.send(alice, "Out into the world"), alice)


def test_a_no_is_a_no(chance: Chance, alice: Person) -> None:
    """A letter to a user that beta.test does not have comes back at once, with 5.1.1."""
    letter = alice.send(f"{chance.name()}@beta.test", "Is anyone there?")
    alice.expect_bounce(letter, status="5.1.1", reported_by="mx.alpha.test", within=PATIENCE)


def arrives(letter: Letter, reader: Person) -> None:
    """Wait until a letter lies in a mailbox: that counts, and not what a student's host says of it."""
    if not letter.accepted:
        raise ExpectationFailed(f"{letter} in the mailbox of {reader}", f"it was refused: {letter.reply}")
    reader.arrived(letter.message_id, letter, "INBOX", PATIENCE)
