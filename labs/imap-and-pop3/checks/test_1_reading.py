"""Bob reads by IMAP at his desk, and by POP3 on an old telephone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from readers import connected, lets_in_by_pop3, session

from labctl.exercises.vocabulary.expectation import ExpectationFailed

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_imap_keeps_mail_and_marks(chance: Chance, alice: Person, bob: Person) -> None:
    """What Bob reads and marks by IMAP is there the next time, marked."""
    letter = alice.send(bob, f"To be kept {chance.token()}")
    mail = bob.mailbox.expect(letter)
    bob.mailbox.flag(mail, r"\Seen", r"\Flagged", "$Important")
    bob.mailbox.close()
    bob.another_client().must_hold(letter, flags=(r"\Seen", r"\Flagged", "$Important"))


def test_the_server_tells_of_new_mail(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """The server offers IDLE, and tells Bob of a new letter by itself."""
    with session(lab, bob) as desk:
        if "IDLE" not in (offered := desk.capabilities()):
            raise ExpectationFailed("the capability IDLE", " ".join(sorted(offered)))
    with bob.idle() as watching:
        alice.send(bob, "Ring, ring")
        watching.expect_news()


def test_pop3_fetches_mail(chance: Chance, alice: Person, bob: Person) -> None:
    """Bob fetches a letter by POP3."""
    letter = alice.send(bob, f"For the telephone {chance.token()}")
    bob.mailbox.expect(letter)
    fetched = bob.download()
    if letter.message_id not in {each.message_id for each in fetched}:
        raise ExpectationFailed(f"{letter} by POP3", f"{len(fetched)} other letters")


def test_pop3_leaves_mail_unread(chance: Chance, alice: Person, bob: Person) -> None:
    """What the telephone fetches by POP3 stays on the server, and unread."""
    letter = alice.send(bob, f"Not read yet {chance.token()}")
    bob.mailbox.expect(letter)
    bob.download()
    bob.mailbox.must_hold(letter, without=(r"\Seen",))


def test_pop3_deletes_mail(chance: Chance, alice: Person, bob: Person) -> None:
    """What the telephone deletes by POP3 is gone, for IMAP too, and not before QUIT."""
    letter = alice.send(bob, f"Gone for good {chance.token()}")
    bob.mailbox.expect(letter)
    bob.download(delete=True, hang_up=True)
    bob.mailbox.must_hold(letter)
    bob.download(delete=True)
    bob.mailbox.must_not_hold(letter)


def test_only_who_knows_the_password(chance: Chance, lab: ExerciseLab, bob: Person) -> None:
    """Who does not know the password is not let in: neither by IMAP nor by POP3."""
    for password in (chance.token(), "bea", bob.address):
        with connected(lab) as store:
            if store.logs_in(bob.address, password):
                raise ExpectationFailed(f"the password {password} is refused", "IMAP lets it pass")
        if lets_in_by_pop3(lab, bob.address, password):
            raise ExpectationFailed(f"the password {password} is refused", "POP3 lets it pass")
