"""Letters of strangers to others' domains: they must not pass, by whatever name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callers import must_refuse_strangers

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_strangers_can_not_relay(chance: Chance, lab: ExerciseLab, alice: Person) -> None:
    """A stranger can't send to others through mx.beta.test."""
    sender, nobody = f"{chance.name()}@alpha.test", chance.name()
    for recipient in (
        alice.address,
        f"{nobody}@gamma.test",
        f"{nobody}@dns.lab.test",
        "alice@[203.0.113.10]",
    ):
        must_refuse_strangers(lab, sender, recipient)
    must_refuse_strangers(lab, "", alice.address)


def test_a_borrowed_sender_does_not_help(chance: Chance, lab: ExerciseLab, alice: Person) -> None:
    """A stranger can't send to others under a sender's address of beta.test either."""
    for sender in ("bob@beta.test", f"{chance.name()}@beta.test", "scanner@scanner.beta.test"):
        must_refuse_strangers(lab, sender, alice.address)


def test_there_is_no_way_around(chance: Chance, lab: ExerciseLab) -> None:
    """A stranger can't hide the way to another host in an address."""
    sender = f"{chance.name()}@alpha.test"
    for recipient in chance.shuffled(
        [
            "alice%alpha.test@beta.test",
            "alice%alpha.test@mx.beta.test",
            "alice%alpha.test@[203.0.113.20]",
            "alice%alpha.test",
            "alpha.test!alice",
            "alpha.test!alice@beta.test",
            "@mx.beta.test:alice@alpha.test",
            '"alice@alpha.test"@beta.test',
        ]
    ):
        must_refuse_strangers(lab, sender, recipient)


def test_the_refusal_is_for_good(chance: Chance, lab: ExerciseLab, alice: Person) -> None:
    """A stranger is told at RCPT that relaying is refused, and for good: 5.7.1."""
    must_refuse_strangers(lab, f"{chance.name()}@alpha.test", alice.address, status="5.7.1")
