"""Letters for which there is no room: a mailbox is full, or the letter itself is too big."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_mailbox_full(lab: ExerciseLab, alice: Person) -> None:
    """Bob's mailbox is full, and the receiver's server has to say so.

    How full a mailbox is, only the MDA knows (quota_storage_size). mx.beta.test does not ask it in time:
    it takes the letter, and mx.alpha.test logs status=sent. Then the MDA refuses it in LMTP with 552
    5.2.2, mailbox full (RFC 3463, section 3.3). A code that begins with 5 is for good, so mx.beta.test
    does not try again. It took the letter and has to report (RFC 5321, section 6.1): it is the
    Reporting-MTA of the bounce.
    """
    with lab.fault("mailbox-full"):
        letter = alice.send("bob@beta.test", "One more for your collection")

        lab.expect_sent(letter, dsn="2.0.0", at="mx-alpha", relay="mx.beta.test")
        lab.expect_bounced(letter, dsn="5.2.2", code=552, at="mx-beta", relay="198.51.100.143")
        alice.expect_bounce(
            letter,
            status="5.2.2",
            reported_by="mx.beta.test",
            diagnostic="552 5.2.2",
            recipient="bob@beta.test",
        )
        lab.expect_gone(letter)


def test_mailbox_full_at_the_door(lab: ExerciseLab, alice: Person) -> None:
    """Bob's mailbox is full, and now it is told at the door.

    This time mx.beta.test asks before it takes the letter: a policy service of Dovecot's (quota-status)
    knows whether there is room. So the answer to RCPT TO is 552 5.2.2 already (RFC 5321, section 4.2.3),
    and mx.beta.test has no letter on its hands. It is now the sender's own server that writes the bounce.
    That is better for all: a bounce that travels between domains may go to somebody who never wrote,
    because anyone can put any sender on an envelope.
    """
    with lab.fault("mailbox-full", at="rcpt"):
        letter = alice.send("bob@beta.test", "One more for your collection")

        lab.expect_bounced(letter, dsn="5.2.2", code=552, says="RCPT TO", at="mx-alpha", relay="mx.beta.test")
        alice.expect_bounce(
            letter,
            status="5.2.2",
            reported_by="mx.alpha.test",
            remote_mta="mx.beta.test",
            diagnostic="552 5.2.2",
        )
        lab.expect_gone(letter)


def test_too_big(lab: ExerciseLab, alice: Person) -> None:
    """A letter is too big, and its own server sees it first.

    mx.beta.test takes 10240 bytes and says so in its answer to EHLO: 250-SIZE 10240 (RFC 1870, section
    3). So mx.alpha.test need not even offer the letter, which has about 20000 bytes. It gives up by
    itself: 5.3.4, message too big (RFC 3463, section 3.4). No other server refused anything. That is why
    the bounce names no Remote-MTA, and the words of its Diagnostic-Code are Postfix's own: X-Postfix
    instead of smtp (RFC 3464, section 2.3.6).
    """
    with lab.fault("size-limit", bytes=10240):
        letter = alice.send("bob@beta.test", "My holiday pictures", "A beautiful day.\n" * 1200)

        lab.expect_bounced(letter, dsn="5.3.4", says="size limit", at="mx-alpha")
        alice.expect_bounce(
            letter, status="5.3.4", reported_by="mx.alpha.test", remote_mta="", diagnostic="X-Postfix"
        )
        lab.expect_gone(letter)


def test_too_big_seen_late(lab: ExerciseLab, alice: Person) -> None:
    """A letter is too big, and that is seen only when all of it was sent.

    The same limit, but now mx.beta.test keeps it to itself: its EHLO offers no SIZE. So mx.alpha.test
    can't know. It sends the whole letter after DATA, and only then hears 552 5.3.4 (RFC 5321, section
    4.2.3). The status is the same, the words are not: this time another server spoke, the bounce quotes
    it behind “smtp” and names it as its Remote-MTA. With a big letter and a slow line, all that sending
    was for nothing: this is what SIZE is for.
    """
    with lab.fault("size-limit", bytes=10240, advertised="no"):
        letter = alice.send("bob@beta.test", "My holiday pictures", "A beautiful day.\n" * 1200)

        lab.expect_bounced(letter, dsn="5.3.4", code=552, says="DATA", at="mx-alpha", relay="mx.beta.test")
        alice.expect_bounce(
            letter,
            status="5.3.4",
            reported_by="mx.alpha.test",
            remote_mta="mx.beta.test",
            diagnostic="smtp; 552 5.3.4",
        )
        lab.expect_gone(letter)


def test_three_fates(lab: ExerciseLab, alice: Person, bob: Person, bea: Person) -> None:
    """One letter to three people has three fates.

    For mx.alpha.test it is one letter with one queue id. But each recipient is answered on its own after
    RCPT TO (RFC 5321, section 3.3): Bob is taken, nobody knows Carol, and Bea's mailbox has no room just
    now. So one queue id is sent, bounced and deferred at once. The bounce speaks of Carol only, because a
    report is about the recipients that failed (RFC 3464, section 2.3). Bea's copy stays in the queue, and
    when there is room it arrives: one letter, one copy for each, at different times.
    """
    with lab.fault("mailbox-full", user=bea, temporarily="yes", at="rcpt"):
        letter = alice.send([bob, "carol@beta.test", bea], "Dinner on Friday")

        fates = (
            lab.expect_sent(letter, recipient="bob@beta.test", dsn="2.0.0", at="mx-alpha"),
            lab.expect_bounced(letter, recipient="carol@beta.test", dsn="5.1.1", code=550, at="mx-alpha"),
            lab.expect_deferred(letter, recipient="bea@beta.test", dsn="4.2.2", code=452, at="mx-alpha"),
        )
        assert {each.delivery.queue_id for each in fates} == {letter.queue_id}
        bob.expect_delivery(letter)
        bounce = alice.expect_bounce(
            letter,
            recipient="carol@beta.test",
            status="5.1.1",
            reported_by="mx.alpha.test",
            nothing_of="bob@beta.test",
        )
        bounce.must_say(recipient="carol@beta.test", nothing_of="bea@beta.test")
        lab.expect_queued(letter, "deferred", at="mx-alpha")

    bea.expect_delivery(letter)
    lab.expect_gone(letter)
