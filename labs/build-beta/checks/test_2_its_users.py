"""What the users of beta.test can do, and nobody else: read by IMAP and POP3, and send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from visitors import WAYS, Login, let_in, plain

from labctl.exercises.vocabulary.expectation import ExpectationFailed
from labctl.exercises.vocabulary.stranger import DOMAINS

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_bob_reads_by_imap(chance: Chance, alice: Person, bob: Person, bea: Person) -> None:
    """A message from alpha.test lies in the mailbox of whom it is for, and no other, to be read by IMAP."""
    sent = [(reader, alice.send(reader, f"Is your mail back? {chance.token()}")) for reader in (bob, bea)]
    for reader, letter in sent:
        reader.mailbox.expect(letter)
    (_, to_bob), (_, to_bea) = sent
    bob.mailbox.must_not_hold(to_bea)
    bea.mailbox.must_not_hold(to_bob)


def test_bob_reads_by_pop3(chance: Chance, alice: Person, bob: Person, bea: Person) -> None:
    """A message from alpha.test lies in the mailbox of whom it is for, who fetches it by POP3."""
    for reader in chance.shuffled((bob, bea)):
        letter = alice.send(reader, f"For your telephone {chance.token()}")
        reader.mailbox.expect(letter)
        fetched = reader.download()
        if letter.message_id not in {each.message_id for each in fetched}:
            raise ExpectationFailed(f"{letter} by POP3", f"{len(fetched)} other messages")


def test_bob_sends(
    chance: Chance, lab: ExerciseLab, *, alice: Person, amy: Person, bob: Person, bea: Person
) -> None:
    """What users hand in at port 587, with their passwords, arrives at alpha.test, and may go anywhere."""
    sent = []
    for user in (bob, bea):
        reader = chance.choice((alice, amy))
        sent.append((reader, user.send(reader, f"It is back {chance.token()}")))
        with lab.conversation("mx-beta", 587) as server:
            server.say("EHLO [198.51.100.7]", expect=250)
            server.say(f"AUTH PLAIN {plain(user.address, user.password)}", expect=235)
            server.say(f"MAIL FROM:<{user}>", expect=250)
            server.say(f"RCPT TO:<{chance.name()}@{chance.choice(DOMAINS)}>", expect=250)
    for reader, letter in sent:
        reader.mailbox.expect(letter)


def test_a_wrong_password_is_refused(chance: Chance, lab: ExerciseLab, bob: Person, bea: Person) -> None:
    """Wherever a user's own password opens the door, no other does: 535 5.7.8."""
    own = [(each.address, each.password) for each in (bob, bea)]
    others = [(bob.address, bea.password), (bea.address, bob.password)]
    others += [(each.address, chance.token()) for each in (bob, bea)]
    with lab.narrator.step("Log in by SMTP, IMAP and POP3, with right and wrong passwords") as evidence:
        right = let_in(lab, [Login(way, *each) for way in WAYS for each in own])
        evidence.extend(f"let in: {each}" for each in right)
        doors = [way for way in WAYS if sum(each.way == way for each in right) == len(own)]
        if "SMTP" not in doors:
            raise ExpectationFailed("users are let in at port 587", "a right password is refused")
        for each in let_in(lab, [Login(way, *each) for way in doors for each in others]):
            raise ExpectationFailed("only the right passwords are taken", f"{each} is let in")
