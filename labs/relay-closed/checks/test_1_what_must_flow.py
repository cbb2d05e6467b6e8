"""Mail that has to flow, however well the relay is closed."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from callers import MDA, SERVER, offered, strangers

from labctl.exercises.vocabulary.expectation import ExpectationFailed
from labctl.exercises.vocabulary.stranger import DOMAINS

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_mail_for_bob_comes_in(
    chance: Chance, lab: ExerciseLab, *, alice: Person, amy: Person, bob: Person, bea: Person
) -> None:
    """A message from alpha.test arrives at beta.test, and whoever calls may write to its users."""
    reader = chance.choice((bob, bea))
    letter = chance.choice((alice, amy)).send(reader, "May I still write to you?")
    them = strangers(lab, chance)
    users = (bob.address, bea.address)
    for each in them.write([*them.named(), *them.nameless()], *users):
        each.must_take(*users)
    reader.mailbox.expect(letter)


def test_the_postmaster_is_heard(chance: Chance, lab: ExerciseLab) -> None:
    """Whoever calls may write to the postmaster, with and without the domain, and as <> too."""
    them = strangers(lab, chance)
    names = ("postmaster@beta.test", "postmaster", "Postmaster@beta.test")
    for each in them.write([*them.named(), *them.nameless()], *names):
        each.must_take(*names)
    for each in offered(lab, chance.choice(them.nameless()), [""], *names):
        each.must_take(*names)


def test_bounces_come_in(chance: Chance, lab: ExerciseLab, bob: Person, bea: Person) -> None:
    """A message without a sender, as bounces are, is taken for the users of beta.test."""
    them = strangers(lab, chance)
    for caller in (*them.named(), *them.nameless()):
        for each in offered(lab, caller, [""], bob.address, bea.address):
            each.must_take(bob.address, bea.address)


def test_bob_submits_with_his_password(
    chance: Chance, lab: ExerciseLab, *, alice: Person, amy: Person, bob: Person, bea: Person
) -> None:
    """What users hand in at port 587, with their passwords, arrives, and may go to the whole world."""
    for user, other in ((bob, bea), (bea, bob)):
        reader = chance.choice((alice, amy))
        letter = user.send(reader, "With my password")
        for wrong in (other.password, chance.token()):
            if (refused := user.send(reader, "With a wrong one", password=wrong)).accepted:
                raise ExpectationFailed("a refusal of the wrong password", refused.reply)
        abroad = [f"{chance.name()}@{each}" for each in DOMAINS]
        with lab.conversation(SERVER, 587) as server:
            server.say("EHLO [198.51.100.7]", expect=250)
            server.say(f"AUTH PLAIN {plain(user)}", expect=235)
            server.say(f"MAIL FROM:<{user}>", expect=250)
            for each in abroad:
                server.say(f"RCPT TO:<{each}>", expect=250)
        reader.mailbox.expect(letter)


def test_a_filter_answers(
    chance: Chance, lab: ExerciseLab, *, alice: Person, amy: Person, bob: Person, bea: Person
) -> None:
    """What a user's filter on mail.beta.test answers arrives at alpha.test, and may go anywhere."""
    subject, (reader, writer) = (
        f"A question {chance.token()}",
        (chance.choice((bob, bea)), chance.choice((alice, amy))),
    )
    reader.use_sieve(
        f'require "vacation";\nvacation :addresses "{reader}" "I am away.";\n', "answer while away"
    )
    writer.send(reader, subject)
    abroad = [f"{chance.name()}@{each}" for each in DOMAINS]
    for each in offered(lab, MDA, ["", bob.address], *abroad):
        each.must_take(*abroad)
    writer.expect_mail(subject=f"Auto: {subject}")


def plain(user: Person) -> str:
    """Return a user's name and password as SASL's PLAIN has them (RFC 4616)."""
    return b64encode(f"\0{user}\0{user.password}".encode()).decode()
