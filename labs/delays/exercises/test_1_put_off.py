"""Servers that are there, and say: not now."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_greylisting(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """A stranger is told to come back later, and does.

    mx.beta.test does not know who sends here: this server, this sender, this recipient. So it answers 450
    4.2.0 and waits. Much that sends spam never comes back. A mail server does, because every code that
    begins with 4 means “not now” (RFC 5321, section 4.2.1). The letter stays in the queue of mx.alpha.test
    (deferred), and Postfix tries it again by itself. That is greylisting (RFC 6647). The first letter from
    somebody new is late, by minutes in the real world; nothing is lost, and nobody has to do anything.
    """
    with lab.fault("greylist"):
        letter = alice.send(bob, "We have not met yet")
        lab.expect_deferred(letter, dsn="4.2.0", code=450, says="Greylisted", at="mx-alpha")
        bob.expect_delivery(letter)


def test_only_who_was_put_off(lab: ExerciseLab, alice: Person, bob: Person, bea: Person) -> None:
    """One of two readers has to wait, the other has the letter at once.

    A letter with two recipients is one file in the queue, but the server answers for each recipient on its
    own (RFC 5321, section 3.3). Here it takes the letter for Bea and puts Bob off with 450 4.7.1. So
    mx.alpha.test hands over one copy and keeps the letter for Bob alone. Each retry is for him only: Bea
    gets no second copy.
    """
    put_off = "check_recipient_access inline:{ {bob@beta.test = 450 4.7.1 Come back later} }"
    with lab.settings("mx-beta", "Bob's mail has to wait", smtpd_recipient_restrictions=put_off):
        letter = alice.send([bea, bob], "For both of you")
        lab.expect_sent(letter, dsn="2.0.0", at="mx-alpha", recipient="bea@beta.test")
        lab.expect_deferred(
            letter, dsn="4.7.1", code=450, says="Come back later", at="mx-alpha", recipient="bob@beta.test"
        )
        lab.expect_deferred(letter, dsn="4.7.1", at="mx-alpha", recipient="bob@beta.test", nth=2)
    bob.expect_delivery(letter)
    copies = [each for each in bea.mailbox.list() if each.message_id == letter.message_id]
    if len(copies) != 1:
        raise lab.fail("one copy for Bea", f"{len(copies)} copies", letter)


def test_too_many_letters(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """Who sends too much has to wait.

    mx.beta.test counts what each client brings and takes one letter in two seconds (in the real world: some
    hundreds in a minute; smtpd_client_message_rate_limit, anvil(8)). The second one comes too soon and is
    answered 450 4.7.1 at MAIL FROM. The code begins with 4, so the letter is not lost (RFC 5321, section
    4.2.1): it waits in the queue of the sender's server. When the time is over, the count begins anew, and a
    retry gets through.
    """
    with lab.fault("rate-limit", messages=1, per=2):
        first = alice.send(bob, "First of two")
        lab.expect_sent(first, dsn="2.0.0", at="mx-alpha")
        second = alice.send(bob, "Second of two")
        lab.expect_deferred(second, dsn="4.7.1", code=450, says="too much mail", at="mx-alpha")
        bob.expect_delivery(second)


def test_too_many_connections(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """Who calls too often is not even greeted.

    A server may count connections, too (smtpd_client_connection_rate_limit). It answers the one that is too
    much with 421 4.7.0 instead of a greeting and hangs up (RFC 5321, section 3.8). No letter was named yet,
    so the log of mx.alpha.test has no answer to a command: the host “refused to talk to me”. It is still a
    4xx code, and the letter waits for the next retry.
    """
    with lab.fault("rate-limit", messages=0, connections=1, per=2):
        first = alice.send(bob, "First call")
        lab.expect_sent(first, dsn="2.0.0", at="mx-alpha")
        second = alice.send(bob, "Second call")
        lab.expect_deferred(
            second, dsn="4.7.0", code=421, says="refused to talk to me: 421 4.7.0", at="mx-alpha"
        )
        bob.expect_delivery(second)


def test_full_for_now(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """A full mailbox may be a matter of time.

    Bob's mailbox has room for one of these letters, and not for two. The mailbox server mail.beta.test is
    set to hope for better days (quota_full_tempfail): it answers 452 4.2.2 in LMTP (RFC 2033), not 552
    5.2.2. So Alice gets no bounce. mx.beta.test has taken the letter already and keeps it in its own queue;
    the sender's log says “sent”. Then Bob's old mail is removed, and the next retry puts the letter into his
    mailbox. The status says what is wrong and for how long: x.2.2 is “mailbox full”, and 4 means “for now”
    (RFC 3463, section 3.3).
    """
    with lab.fault("mailbox-full", user="bob@beta.test", temporarily="yes", bytes=8000):
        old = alice.send(bob, "A long letter", "All work and no play.\n" * 200)
        bob.expect_delivery(old)

        letter = alice.send(bob, "Another long letter", "All play and no work.\n" * 200)
        lab.expect_sent(letter, dsn="2.0.0", at="mx-alpha")
        lab.expect_deferred(letter, dsn="4.2.2", code=452, says="mailbox is full", at="mx-beta")

        expunge = ("doveadm", "expunge", "-u", "bob@beta.test", "mailbox", "INBOX", "all")
        lab.exec("mail-beta", *expunge, why="make room in Bob's mailbox")
        bob.expect_delivery(letter)
