"""How mail comes to beta.test: the zone, the MTA, and what the MTA says no to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from visitors import strangers

from labctl.exercises.vocabulary.stranger import DOMAINS

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_the_dns_names_the_host(lab: ExerciseLab) -> None:
    """The DNS names a host for the mail of beta.test, and the address of mx.beta.test for that host."""
    home = str(lab.host("mx-beta").addresses[0])
    names = [each.split()[-1] for each in lab.dig("beta.test", "MX").texts]
    if not names:
        raise lab.fail("an MX of beta.test", "there is none")
    for name in names:
        lab.dig(name, "A").must_be(home)


def test_mail_for_bob_is_taken(chance: Chance, lab: ExerciseLab, bob: Person, bea: Person) -> None:
    """mx.beta.test takes messages for Bob and Bea from whoever calls."""
    them = strangers(lab, chance)
    for each in them.write([*them.named(), *them.nameless()], bob.address, bea.address):
        each.must_take(bob.address, bea.address)


def test_the_postmaster_is_there(chance: Chance, lab: ExerciseLab) -> None:
    """mx.beta.test takes messages for the postmaster from whoever calls, with and without the domain."""
    them = strangers(lab, chance)
    names = ("postmaster@beta.test", "postmaster")
    for each in them.write([*them.named(), *them.nameless()], *names):
        each.must_take(*names)


def test_nobody_is_unknown_at_the_door(chance: Chance, lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """A message to a user whom beta.test does not have is refused before it is sent: 550 5.1.1."""
    them, token = strangers(lab, chance), chance.token()
    user, other = (each.address.partition("@")[0] for each in (bob, alice))
    names = (chance.name(), f"{user}{token}", f"{token}.{user}", f"{user}.{token}", other, "vmail")
    for each in them.attempt([*them.named(), *them.nameless()], [f"{name}@beta.test" for name in names]):
        each.must_refuse_all_but(code=550, status="5.1.1")


def test_strangers_can_not_relay(
    chance: Chance, lab: ExerciseLab, *, alice: Person, amy: Person, bob: Person, bea: Person
) -> None:
    """A message to another domain is never taken from a stranger, whatever he says: 5.7.1."""
    them = strangers(lab, chance)
    abroad = [alice.address, amy.address, *(f"{chance.name()}@{each}" for each in DOMAINS)]
    user = chance.choice((bob, bea)).address
    for each in them.attempt(them.named(), abroad, beside=user):
        each.must_refuse_all_but(user, status="5.7.1")
    for each in them.attempt(them.nameless(), abroad):
        each.must_refuse_all_but(status="5.7.1")
    anywhere, borrowed = [*them.foreign_recipients(), *them.detours()], them.borrowed_senders()
    for each in them.attempt(
        chance.shuffled([*them.named(), *them.nameless()])[:2], anywhere, senders=borrowed
    ):
        each.must_refuse_all_but()
    for each in them.attempt(them.liars(), abroad, senders=[*them.senders(), bob.address, bea.address]):
        each.must_refuse_all_but()
