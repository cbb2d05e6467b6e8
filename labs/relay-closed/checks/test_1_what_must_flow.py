"""Mail that has to flow, however well the relay is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callers import asked

from labctl.exercises.vocabulary.expectation import ExpectationFailed

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_mail_for_bob_comes_in(alice: Person, bob: Person) -> None:
    """A letter from alice@alpha.test arrives at bob@beta.test."""
    bob.mailbox.expect(alice.send(bob, "May I still write to you?"))


def test_the_postmaster_is_heard(lab: ExerciseLab) -> None:
    """Whoever calls may write to the postmaster, with and without the domain, and as <> too."""
    for sender, recipient in (
        ("mallory@alpha.test", "postmaster@beta.test"),
        ("mallory@alpha.test", "postmaster"),
        ("", "Postmaster@beta.test"),
    ):
        asked(lab, sender, recipient).must_be_taken()


def test_bounces_come_in(lab: ExerciseLab, bob: Person) -> None:
    """A letter without a sender, as bounces are, is taken for bob@beta.test."""
    asked(lab, "", bob.address).must_be_taken()


def test_bob_submits_with_his_password(alice: Person, bob: Person) -> None:
    """What bob@beta.test hands in at port 587, with his password, arrives at alice@alpha.test."""
    alice.mailbox.expect(bob.send(alice, "With my password"))
    if (letter := bob.send(alice, "With a wrong one", password="Let me in")).accepted:
        raise ExpectationFailed("a refusal of the wrong password", letter.reply)


def test_a_filter_answers(chance: Chance, amy: Person, bea: Person) -> None:
    """What Bea's filter on mail.beta.test answers arrives at amy@alpha.test."""
    subject = f"A question {chance.token()}"
    bea.use_sieve(
        'require "vacation";\nvacation :addresses "bea@beta.test" "I am away.";\n', "answer while away"
    )
    amy.send(bea, subject)
    amy.expect_mail(subject=f"Auto: {subject}")
