"""Filters that answer for their user: Sieve's vacation and reject."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person

AWAY = """\
require ["vacation"];
vacation :days 7 :subject "I am away" "I am at sea until Monday. Your letter will be here when I am back.";
"""
UNWANTED = """\
require ["reject"];
if header :contains "Subject" "bargain" {
    reject "I buy nothing by mail.";
}
"""
TO_A_LIST = b"""\
From: Amy <amy@alpha.test>
To: Friends of the sea <sailors@lists.beta.test>
Subject: Who lends me a boat?

Mine is at the yard.
"""


def test_an_answer_while_away(lab: ExerciseLab, alice: Person, amy: Person, bob: Person) -> None:
    """A machine answers while Bob is away, but not everybody.

    Bob's filter is a Sieve script (RFC 5228) that the MDA runs for each letter it saves. Its action
    "vacation" (RFC 5230) answers Alice at once, and the letter waits for Bob in his INBOX all the same. An
    answer that a machine writes must not start a war of machines. So its envelope's sender is empty,
    Return-Path: <>, and nobody's machine may answer that (RFC 3834, section 4). The field Auto-Submitted
    says what it is (section 5). Amy's letter names Bob neither in To nor in Cc: it came by a list or as a
    blind copy, and was not meant for him in person. It gets no answer (RFC 5230, section 4.5), else all
    members of a list would learn where Bob is.
    """
    bob.use_sieve(AWAY, "answer letters while Bob is away")

    letter = alice.send(bob, "Are you coming on Sunday?")
    bob.expect_delivery(letter)
    answer = alice.expect_answer(letter)
    answer.must_have("Subject", "I am away")
    answer.must_have("Return-Path", "<>")
    answer.must_have("Auto-Submitted", "auto-replied (vacation)")

    to_a_list = amy.send(bob, "Who lends me a boat?", content=TO_A_LIST)
    bob.expect_delivery(to_a_list)
    amy.expect_no_answer(to_a_list)
    lab.expect_queue_empty()


def test_a_filter_refuses_a_letter(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """A filter refuses a letter that was delivered.

    Bob's Sieve script refuses letters that offer bargains (RFC 5429, section 2.2). It runs when the MDA has
    the letter already and has to say yes or no to mx.beta.test. It says yes: 250 and "Saved", though nothing
    is saved. For every MTA on the way the letter is delivered, the logs say status=sent, and no server has a
    reason to write a bounce. Instead the MDA writes to Alice on behalf of Bob. This is not a delivery status
    notification (DSN, RFC 3464) but a message disposition notification (MDN, RFC 8098): it does not say
    whether a letter arrived, but what became of it afterwards. Here the disposition is "deleted", by an
    automatic action.
    """
    bob.use_sieve(UNWANTED, "refuse letters that offer bargains")

    letter = alice.send(bob, "A bargain: two boats for one")
    lab.expect_sent(letter, dsn="2.0.0", code=250, says="Saved", at="mx-beta", relay="198.51.100.143")
    notice = alice.expect_notice(letter, "deleted")
    notice.must_have("Return-Path", "<>")
    notice.must_have("Auto-Submitted", "auto-replied (rejected)")
    bob.mailbox.must_not_hold(letter)
    alice.expect_silence(letter)
