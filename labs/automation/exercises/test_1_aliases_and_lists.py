"""Addresses that stand for others: aliases and mailing lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_an_alias_forwards_to_several_people(
    lab: ExerciseLab, alice: Person, bob: Person, bea: Person
) -> None:
    """One address, several people: an alias.

    Nobody has a mailbox helpdesk@lists.beta.test. The address is an alias, and mx.beta.test looks up who is
    meant: Bob and Bea (aliases(5)). The delivery agent local(8) does not deliver the letter itself: it makes
    a second one in the queue, for the new recipients, and logs "forwarded as" with the new queue ID. From
    there on the log shows both addresses: to= is who gets it now, orig_to= is whom the sender has written
    to. Whoever looks for a letter in a log has to follow it from one queue ID to the next. The sender on the
    envelope stays the same (RFC 5321, section 3.9.1), so a bounce would go back to Alice.
    """
    letter = alice.send("helpdesk@lists.beta.test", "My screen is upside down")

    lab.expect_sent(letter, dsn="2.0.0", says="forwarded as", at="mx-beta", relay="local")
    for person in (bob, bea):
        lab.expect_log(f"to=<{person}>, orig_to=<helpdesk@lists.beta.test>", at="mx-beta", letter=letter)
        mail = person.expect_delivery(letter)
        mail.must_have("Delivered-To", "helpdesk@lists.beta.test")
        mail.must_have("Return-Path", f"<{alice}>")
    lab.expect_gone(letter)


def test_the_owner_of_a_list_gets_its_bounces(
    lab: ExerciseLab, alice: Person, amy: Person, bob: Person, bea: Person
) -> None:
    """The owner of a list gets its bounces, not who wrote to it.

    Alice writes to the choir. One of its members, Carol, has left alpha.test, and her copy can't be
    delivered: 550 5.1.1. What should Alice do about it? She does not keep the list of members. So a mailing
    list puts an address of its own on the envelope as the sender, that of the person who looks after the
    list (RFC 5321, section 3.9.2). Postfix does so if there is an alias owner-choir (aliases(5)). The
    members see it in the Return-Path of their copies, while From still names Alice. The bounce goes to Bea,
    who owns the list and can remove Carol. Alice hears nothing.
    """
    letter = alice.send("choir@lists.beta.test", "Rehearsal on Friday")

    for person in (amy, bob):
        mail = person.expect_delivery(letter)
        mail.must_have("From", alice.address)
        mail.must_have("Return-Path", "<owner-choir@lists.beta.test>")
    lab.expect_bounced(letter, dsn="5.1.1", code=550, at="mx-beta", recipient="carol@alpha.test")
    bounce = bea.expect_bounce(
        letter, status="5.1.1", reported_by="mx.beta.test", recipient="carol@alpha.test"
    )
    bounce.mail.must_have("To", "owner-choir@lists.beta.test")
    lab.expect_gone(letter)
    alice.mailbox.must_be_empty()


def test_each_copy_has_a_return_address_of_its_own(lab: ExerciseLab, amy: Person, bea: Person) -> None:
    """Each copy has a return address of its own (VERP).

    A bounce need not say clearly which member of a list it is about: perhaps mail to Carol is forwarded to
    an address that the list has never heard of. So big lists write the recipient into the envelope's sender
    of each copy: variable envelope return path, VERP. In the address
    owner-choir+carol=alpha.test@lists.beta.test the part after the plus sign is Carol's address, with =
    instead of @. Postfix makes such addresses with sendmail -XV (sendmail(1)). The bounce comes to that
    address, and mx.beta.test ignores what follows the plus sign when it looks for the alias
    (recipient_delimiter). So Bea, or a program of hers, can tell from the envelope alone whom to remove. The
    reports' own format (RFC 3464) need not be read.
    """
    lab.exec(
        "mx-beta",
        *("sendmail", "-XV", "-f", "owner-choir@lists.beta.test", amy.address, "carol@alpha.test"),
        why="send a letter to two members of the choir, with VERP",
        stdin=CONCERT,
    )
    letter = lab.letter("<concert@lists.beta.test>", at="mx-beta")

    mail = amy.expect_delivery(letter)
    mail.must_have("Return-Path", "<owner-choir+amy=alpha.test@lists.beta.test>")
    bounce = bea.expect_bounce(
        letter, status="5.1.1", reported_by="mx.beta.test", recipient="carol@alpha.test"
    )
    bounce.mail.must_have("To", "owner-choir+carol=alpha.test@lists.beta.test")
    lab.expect_gone(letter)


CONCERT = """\
From: The choir <owner-choir@lists.beta.test>
To: The choir <choir@lists.beta.test>
Subject: The concert is on Sunday
Message-ID: <concert@lists.beta.test>

Be there at six.
"""
