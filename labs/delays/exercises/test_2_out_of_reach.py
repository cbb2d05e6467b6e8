"""Servers that can't be reached for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_refused_and_timed_out(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """“Refused” is quick, “timed out” is slow, and both letters wait.

    Where no program listens at port 25, the host itself says so, and the connection is refused at once.
    Where a firewall swallows the packets, nobody says anything, and Postfix has to wait until its patience
    ends (smtp_connect_timeout: 30 s in the real world, 2 s here). For the letter it is the same: 4.4.1, no
    answer from the host (RFC 3463, section 3.5), and so it is tried again later. For whoever looks for the
    cause it is not: the one points to a program that does not run, the other to a network. In the log, the
    third number of “delays=” is the time that the connection took.
    """
    with lab.fault("refuse"):
        quick = alice.send(bob, "Nobody listens")
        lab.expect_deferred(quick, dsn="4.4.1", says="Connection refused", at="mx-alpha")
    with lab.fault("drop"):
        slow = alice.send(bob, "Nobody says anything")
        lab.expect_deferred(slow, dsn="4.4.1", says="Connection timed out", at="mx-alpha")
    bob.expect_delivery(quick)
    bob.expect_delivery(slow)


def test_down_and_up_again(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """A server that was down gets its mail when it is back.

    The whole host mx.beta.test is switched off. Mail does not need both servers at the same time:
    mx.alpha.test has taken the letter and is now responsible for it (RFC 5321, section 6.1). It keeps it and
    tries again, at first often, then more and more seldom (RFC 5321, section 4.5.4.1). When the host is
    back, the next retry delivers the letter. An administrator need not wait for that: “postqueue -f” tries
    everything in the queue now.
    """
    with lab.fault("mta-down"):
        letter = alice.send(bob, "Are you back?")
        lab.expect_deferred(letter, dsn="4.4.1", at="mx-alpha")
        lab.expect_queued(letter, "deferred", at="mx-alpha")
    lab.flush("mx-alpha")
    lab.expect_sent(letter, dsn="2.0.0", at="mx-alpha", relay="mx.beta.test")
    bob.expect_delivery(letter)


def test_mailbox_server_down(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """The letter is sent, and yet it waits: one hop further.

    The mail server of beta.test runs, but mail.beta.test is down, where the mailboxes are. mx.beta.test
    takes the letter all the same: that is what queues are for. In the log of mx.alpha.test stands “sent”,
    and its queue is empty. The letter waits at mx.beta.test, whose LMTP client (RFC 2033) can't reach the
    mailbox server: 4.4.1 again, in another log. Who asks where a letter is, has to follow it from host to
    host.
    """
    with lab.fault("mda-down"):
        letter = alice.send(bob, "Where are you now?")
        lab.expect_sent(letter, dsn="2.0.0", at="mx-alpha", relay="mx.beta.test")
        lab.expect_queue_empty("mx-alpha")
        lab.expect_deferred(letter, dsn="4.4.1", at="mx-beta")
        lab.expect_queued(letter, "deferred", at="mx-beta")
    bob.expect_delivery(letter)
