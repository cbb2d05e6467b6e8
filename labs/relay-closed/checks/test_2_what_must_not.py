"""Messages of strangers to others' domains: they must not pass, whoever calls and by whatever name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callers import strangers

from labctl.exercises.vocabulary.stranger import DOMAINS

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_strangers_can_not_relay(chance: Chance, lab: ExerciseLab, bob: Person, bea: Person) -> None:
    """A stranger can write to users of beta.test, and to nobody else through mx.beta.test."""
    them = strangers(lab, chance)
    abroad, user = them.foreign_recipients(), chance.choice((bob, bea)).address
    for each in them.attempt(them.named(), abroad, beside=user):
        each.must_refuse_all_but(user)
    for each in them.attempt([*them.nameless(), *them.liars()], abroad):
        each.must_refuse_all_but()


def test_a_borrowed_sender_does_not_help(chance: Chance, lab: ExerciseLab, alice: Person) -> None:
    """A stranger can't send to others under a sender's address of beta.test, or of whom he writes to."""
    them = strangers(lab, chance)
    abroad = [alice.address, f"{chance.name()}@{chance.choice(DOMAINS)}"]
    borrowed = them.borrowed_senders()
    for each in them.attempt([*them.named(), *them.nameless()], abroad, senders=borrowed):
        each.must_refuse_all_but()
    for each in them.attempt(them.liars(), abroad, senders=chance.shuffled(borrowed)[:9]):
        each.must_refuse_all_but()


def test_there_is_no_way_around(chance: Chance, lab: ExerciseLab, bob: Person, bea: Person) -> None:
    """A stranger can't hide the way to another host in an address."""
    them = strangers(lab, chance)
    user = chance.choice((bob, bea)).address
    for each in them.attempt(chance.shuffled(them.named())[:1], them.detours(), beside=user):
        each.must_refuse_all_but(user)
    for each in them.attempt(them.nameless(), them.detours()):
        each.must_refuse_all_but()


def test_the_refusal_is_for_good(chance: Chance, lab: ExerciseLab, alice: Person, amy: Person) -> None:
    """A stranger is told at RCPT that relaying is refused, and for good: 5.7.1."""
    them = strangers(lab, chance)
    abroad = [alice.address, amy.address, *(f"{chance.name()}@{each}" for each in DOMAINS)]
    for each in them.attempt([*them.named(), *them.nameless()], abroad):
        each.must_refuse_all_but(status="5.7.1")
