"""The way of a letter, from one mail program to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_a_letter_crosses_from_one_domain_to_the_other(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """A letter crosses from one domain to the other.

    Alice's mail program (MUA) gives the letter to her own server at port 587 and logs in for that: this is
    submission (RFC 6409). Her server, mx.alpha.test, asks the DNS who takes mail for beta.test (RFC 5321,
    section 5.1): the MX record names mx.beta.test, and an A record gives its address. There it delivers the
    letter by SMTP at port 25, and logs "status=sent". That means: the next server has it now, and is
    responsible for it (section 6.1). Bob has nothing yet. Only when mx.beta.test has passed it on by LMTP
    (RFC 2033) to the server with the mailboxes (MDA), which says "Saved", it can be read: by IMAP (RFC
    9051) or by POP3 (RFC 1939). Each server puts a Received field on top (RFC 5321, section 4.4), so that
    the letter itself tells which way it came.
    """
    mx = lab.dig("beta.test", "MX")
    mx.must_be("10 mx.beta.test.")
    address = lab.dig("mx.beta.test", "A")
    address.must_be("203.0.113.20")

    letter = alice.send(bob, "Greetings from alpha.test", "Hello Bob, does this reach you?\n")
    mx.expect_asked(by="mx-alpha")
    address.expect_asked(by="mx-alpha")
    lab.expect_sent(letter, dsn="2.0.0", code=250, says="queued as", at="mx-alpha", relay="mx.beta.test")
    lab.expect_sent(letter, dsn="2.0.0", code=250, says="Saved", at="mx-beta", relay="198.51.100.143")

    mail = bob.expect_delivery(letter)
    mail.must_have_come_by("mx.alpha.test", "mx.beta.test", "mail.beta.test")
    mail.must_have("Return-Path", f"<{alice}>")
    lab.expect_gone(letter)


def test_a_letter_to_a_colleague_stays_in_the_house(lab: ExerciseLab, alice: Person, amy: Person) -> None:
    """A letter to a colleague never leaves the house.

    Amy has her mailbox in the same domain as Alice. So mx.alpha.test, where Alice submits the letter, is at
    the same time the server that takes mail for Amy (virtual_mailbox_domains). It need not ask the DNS for
    an MX, and no other MTA sees the letter. What does not change is the last step: an MTA only carries
    letters, it keeps none. Amy's mailbox lies at the MDA, mail.alpha.test, and she gets the letter by LMTP
    (RFC 2033), as if it had come from far away. Its Received fields show one stop less than those of a
    letter between domains (RFC 5321, section 4.4).
    """
    letter = alice.send(amy, "Lunch at noon?")

    lab.expect_sent(letter, dsn="2.0.0", code=250, says="Saved", at="mx-alpha", relay="192.0.2.143")
    mail = amy.expect_delivery(letter)
    mail.must_have_come_by("mx.alpha.test", "mail.alpha.test")
    lab.expect_gone(letter)
