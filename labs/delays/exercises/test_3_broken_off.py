"""SMTP conversations that begin, and come to no good end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_tarpit(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """A server that answers too slowly is given up, and the log says where.

    mx.beta.test greets, and then takes its time with the answer to RCPT TO. The sender's server waits, but
    not forever: RFC 5321, section 4.5.3.2, gives each step a time of its own, five minutes for this one
    (smtp_rcpt_timeout; 3 s here). Then it hangs up, and the letter waits for a retry. The status is 4.4.2, a
    bad connection, not 4.4.1: somebody did answer at first. The log names the step at which the conversation
    hung.
    """
    with lab.fault("tarpit", stage="RCPT", timeout=3):
        letter = alice.send(bob, "Take your time")
        lab.expect_deferred(
            letter, dsn="4.4.2", says="timed out while sending RCPT TO", at="mx-alpha", relay="mx.beta.test"
        )
    bob.expect_delivery(letter)


def test_lost_after_the_dot(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """When the last answer gets lost, nobody knows whether the letter has arrived.

    The dot on a line of its own ends a letter, and the server's 250 after it is the receipt (RFC 5321,
    section 4.1.1.4). Here the server hangs up between the two. Perhaps it has kept the letter, perhaps not.
    The sender's server can't know, so it tries again: better two copies than none (RFC 1047). That is why
    the log warns that the “message may be sent more than once”. This server had kept nothing, so Bob gets
    the letter once.
    """
    with lab.fault("lost-after-dot"):
        letter = alice.send(bob, "Did you get this?")
        lab.expect_deferred(
            letter,
            dsn="4.4.2",
            says="message may be sent more than once",
            at="mx-alpha",
            relay="mx.beta.test",
        )
    bob.expect_delivery(letter)


def test_refused_at_the_greeting(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """A server that says “never” before the letter is named is not believed.

    mx.beta.test opens the conversation with 554 5.7.1 instead of 220 (RFC 5321, section 3.1). A 5xx code
    means that it is no use to try again. But no letter and no recipient was named yet: the answer is about
    the server, not about this letter, and another server of the same domain might answer otherwise. So
    Postfix goes on as if it were a 4xx (smtp_skip_5xx_greeting) and puts the letter off: the log has
    dsn=4.7.1 before the server's own 5.7.1. The first number decides what happens to the letter.
    """
    with lab.fault("reject", code=554, status="5.7.1", text="No mail from you", stage="client"):
        letter = alice.send(bob, "Never say never")
        lab.expect_deferred(
            letter,
            dsn="4.7.1",
            code=554,
            says="refused to talk to me: 554 5.7.1",
            at="mx-alpha",
            relay="mx.beta.test",
        )
    bob.expect_delivery(letter)
