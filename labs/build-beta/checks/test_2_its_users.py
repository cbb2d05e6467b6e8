"""What the users of beta.test can do: read by IMAP and POP3, and send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.exercises.vocabulary.expectation import ExpectationFailed

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.person import Person


def test_bob_reads_by_imap(chance: Chance, alice: Person, bob: Person) -> None:
    """A letter from alice@alpha.test lies in Bob's mailbox, and he reads it by IMAP."""
    bob.mailbox.expect(alice.send(bob, f"Is your mail back? {chance.token()}"))


def test_bob_reads_by_pop3(chance: Chance, alice: Person, bob: Person) -> None:
    """A letter from alice@alpha.test lies in Bob's mailbox, and he fetches it by POP3."""
    letter = alice.send(bob, f"For your telephone {chance.token()}")
    bob.mailbox.expect(letter)
    fetched = bob.download()
    if letter.message_id not in {each.message_id for each in fetched}:
        raise ExpectationFailed(f"{letter} by POP3", f"{len(fetched)} other letters")


def test_bob_sends(chance: Chance, alice: Person, bob: Person) -> None:
    """What Bob hands in at port 587 with his password arrives at alice@alpha.test."""
    alice.mailbox.expect(bob.send(alice, f"It is back {chance.token()}"))


def test_a_wrong_password_is_refused(chance: Chance, alice: Person, bob: Person) -> None:
    """Who does not know Bob's password can't send as Bob: 535 5.7.8."""
    letter = bob.send(alice, "As if from Bob", password=chance.token())
    bob.expect_refusal(letter, code=535, status="5.7.8", stage="AUTH")
