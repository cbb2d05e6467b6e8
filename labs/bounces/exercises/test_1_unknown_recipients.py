"""Letters to addresses that nobody has: who finds out, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_unknown_at_the_door(lab: ExerciseLab, alice: Person) -> None:
    """A letter to nobody comes back, and says why.

    mx.beta.test knows the users of its domain (virtual_mailbox_maps). It does not know Carol, so it
    refuses her at once, in the SMTP conversation: 550 5.1.1 after RCPT TO (RFC 5321, section 3.3). It
    never took the letter, and so it owes nobody a report. The letter is still in the hands of
    mx.alpha.test, which took it from Alice and now has to tell her (RFC 5321, section 6.1). That is why
    the bounce names mx.alpha.test as its writer (Reporting-MTA) and mx.beta.test as the one who refused
    (Remote-MTA, RFC 3464, section 2.3.5).
    """
    letter = alice.send("carol@beta.test", "Are you there, Carol?")

    lab.expect_bounced(
        letter, dsn="5.1.1", code=550, says="User unknown", at="mx-alpha", relay="mx.beta.test"
    )
    alice.expect_bounce(
        letter,
        status="5.1.1",
        reported_by="mx.alpha.test",
        remote_mta="mx.beta.test",
        diagnostic="550 5.1.1",
        recipient="carol@beta.test",
    )
    lab.expect_gone(letter)


def test_sent_is_not_delivered(lab: ExerciseLab, alice: Person) -> None:
    """The log says “sent”, and yet the letter comes back.

    mx.beta.test believes that every name in its domain is somebody's. So it takes the letter, and
    mx.alpha.test logs status=sent: this hop went well, and no more is meant by it. Only then the MDA is
    asked. It knows no Carol and refuses her in LMTP (RFC 2033) with 550 5.1.1. Now the letter was taken,
    so it is mx.beta.test that has to report (RFC 5321, section 6.1). Whoever reads only the log of the
    first server would swear that the letter arrived. Sent is not delivered.
    """
    with lab.settings(
        "mx-beta", "every name in beta.test is taken for a user's", virtual_mailbox_maps="static:anybody"
    ):
        letter = alice.send("carol@beta.test", "Did you get this, Carol?")

        lab.expect_sent(letter, dsn="2.0.0", code=250, says="queued as", at="mx-alpha", relay="mx.beta.test")
        lab.expect_bounced(letter, dsn="5.1.1", code=550, at="mx-beta", relay="198.51.100.143")
        alice.expect_bounce(
            letter,
            status="5.1.1",
            reported_by="mx.beta.test",
            diagnostic="550 5.1.1",
            recipient="carol@beta.test",
        )
        lab.expect_gone(letter)


def test_no_address_at_all(lab: ExerciseLab, alice: Person) -> None:
    """What is no address at all is refused at once.

    A domain's name can't have two dots in a row, and after an @ a domain has to follow: neither text is
    in the grammar of an address (RFC 5321, section 4.1.2). So the very first server refuses them in the
    SMTP conversation with 501, a syntax error: 5.1.3 for a recipient, 5.1.7 for a sender (RFC 3463,
    section 3.2). It has taken no letter, so nothing waits in a queue and nobody writes a bounce. The mail
    program itself has to tell its user.
    """
    letter = alice.send("bob@beta..test", "One dot too many")
    alice.expect_refusal(letter, code=501, status="5.1.3", says="Bad recipient address syntax", stage="RCPT")

    letter = alice.send("bob@beta.test", "From nowhere", mail_from="alice@")
    alice.expect_refusal(letter, code=501, status="5.1.7", says="Bad sender address syntax", stage="MAIL")
    lab.expect_queue_empty()
