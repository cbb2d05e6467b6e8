"""What whoever runs a server can do: give a letter back, hear of lost bounces, be lenient, ask beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.exercises.vocabulary.report import Report

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_bounce_on_demand(lab: ExerciseLab, alice: Person) -> None:
    """A letter that waits in vain is given back before its time.

    Nobody listens at mx.beta.test, so the letter is deferred, and by itself Postfix would try for five
    days before it gave up (maximal_queue_lifetime). Whoever runs the server knows that the host won't
    come back, and wants Alice to know too. “postsuper -e” marks the letter: the queue shows it with
    "forced_expire": true. The next time the queue manager takes it up, it logs status=force-expired and
    returns the letter. The bounce says failed, and yet its status is 4.4.1, the reason why the last
    attempt was put off (RFC 3464, sections 2.3.3 and 2.3.4).
    """
    with (
        lab.fault("refuse"),
        lab.settings(
            "mx-alpha",
            "it waits for an hour between two attempts",
            minimal_backoff_time="1h",
            maximal_backoff_time="1h",
        ),
    ):
        letter = alice.send("bob@beta.test", "Urgent, please answer today")
        waiting = lab.expect_queued(letter, "deferred", at="mx-alpha")
        assert not waiting.forced_expire

        lab.exec("mx-alpha", "postsuper", "-e", letter.queue_id, why="this letter is to expire")
        lab.exec("mx-alpha", "postqueue", "-j", why="look at the queue")
        waiting = lab.expect_queued(letter, "deferred", at="mx-alpha")
        assert waiting.forced_expire, "the queue does not say forced_expire"

        lab.exec("mx-alpha", "postqueue", "-i", letter.queue_id, why="take it up now")
        lab.expect_log(f"{letter.queue_id}: from=<{alice}>, status=force-expired", at="mx-alpha")
        alice.expect_bounce(
            letter,
            status="4.4.1",
            reported_by="mx.alpha.test",
            diagnostic="X-Postfix; connect to mx.beta.test",
        )
        lab.expect_gone(letter)


def test_bounce_of_a_bounce(lab: ExerciseLab, alice: Person) -> None:
    """A bounce that can't be delivered is thrown away.

    Alice's mail program is set up wrongly and puts dave@alpha.test on the envelope, whom nobody knows.
    Her letter goes to an unknown user, so a bounce is written to Dave. Its own sender is empty, <>, just
    so that nobody ever answers a bounce with a bounce: two servers would go on like that for ever (RFC
    5321, section 4.5.5). The bounce can't be delivered either. It has no sender, so there is nobody to
    tell, and Postfix throws it away: it is gone, without a word. On servers where somebody wants to know,
    notify_classes has the word 2bounce. Then postmaster gets what was lost, and in alpha.test postmaster
    is Alice.
    """
    sender = "dave@alpha.test"
    letter = alice.send("carol@beta.test", "Hello Carol", mail_from=sender)
    lab.expect_bounced(letter, dsn="5.1.1", code=550, at="mx-alpha", relay="mx.beta.test")
    lab.expect_log(f"{letter.queue_id}: sender non-delivery notification", at="mx-alpha")
    [bounce_id] = letter.report_ids()
    bounce = lab.letter(bounce_id, at="mx-alpha", to=sender)
    lab.expect_bounced(bounce, dsn="5.1.1", code=550, at="mx-alpha", relay="192.0.2.143")
    alice.expect_silence(bounce)

    with lab.settings(
        "mx-alpha", "postmaster wants to know of lost bounces", notify_classes="resource, software, 2bounce"
    ):
        letter = alice.send("carol@beta.test", "Hello again", mail_from=sender)
        lab.expect_bounced(letter, dsn="5.1.1", code=550, at="mx-alpha", relay="mx.beta.test")
        lab.expect_log(f"{letter.queue_id}: sender non-delivery notification", at="mx-alpha")
        [bounce_id] = letter.report_ids()
        bounce = lab.letter(bounce_id, at="mx-alpha", to=sender)
        lab.expect_bounced(bounce, dsn="5.1.1", code=550, at="mx-alpha", relay="192.0.2.143")
        lab.expect_log(f"{bounce.queue_id}: postmaster non-delivery notification", at="mx-alpha")
        [notice_id] = bounce.report_ids(to="postmaster")
        notice = lab.letter(notice_id, at="mx-alpha", to="postmaster@alpha.test")
        mail = alice.expect_delivery(notice)
        assert mail.subject == "Postmaster Copy: Undelivered Mail"
        assert mail.header("Return-Path") == "<double-bounce@mx.alpha.test>"
        Report.of(mail, lab.narrator).must_say(
            action="failed", status="5.1.1", reported_by="mx.alpha.test", recipient=sender
        )
    lab.expect_queue_empty("mx-alpha")


def test_soft_bounce(lab: ExerciseLab, alice: Person) -> None:
    """A safety net for whoever changes a server: nothing bounces.

    With soft_bounce, Postfix takes every “no, for good” as “not now”. The other server's 550 5.1.1 is
    still quoted, but the log says SOFTBOUNCE, the status is 4.1.1 instead of 5.1.1, and the letter stays
    in the queue. So a mistake in a new configuration returns no mail to anybody. When the net is taken
    away, the letter is tried again, the same answer is heard, and now it is a bounce (RFC 3463, section
    2: the first digit decides).
    """
    with lab.settings("mx-alpha", "nothing is to bounce while I work on it", soft_bounce="yes"):
        letter = alice.send("carol@beta.test", "A try, with a net below")
        lab.expect_attempt(
            letter, "SOFTBOUNCE", dsn="4.1.1", code=550, says="550 5.1.1", at="mx-alpha", relay="mx.beta.test"
        )
        lab.expect_queued(letter, "deferred", at="mx-alpha")

    lab.expect_bounced(letter, dsn="5.1.1", code=550, at="mx-alpha", relay="mx.beta.test")
    alice.expect_bounce(letter, status="5.1.1", reported_by="mx.alpha.test", remote_mta="mx.beta.test")
    lab.expect_gone(letter)


def test_ask_without_sending(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """Would this letter arrive? One can ask without sending it.

    “sendmail -bv” starts a delivery and stops before DATA. Postfix greets the other server, names the
    sender and each recipient, hears the answers to RCPT TO, and hangs up (RFC 5321, section 3.3). Nothing
    was sent, and Bob's mailbox stays empty. The log says deliverable or undeliverable instead of sent or
    bounced, and the answers come to Alice as a report (RFC 3464), with two actions of Postfix's own. A
    server that takes every name at RCPT TO would say “deliverable” for all of them.
    """
    stranger = "carol@beta.test"
    lab.exec(
        "mx-alpha", "sendmail", "-bv", "-f", str(alice), str(bob), stranger, why="would these two get it?"
    )

    report = Report.of(alice.expect_mail(), lab.narrator)
    assert report.mail.subject == "Mail Delivery Status Report"
    report.must_say(
        recipient=str(bob),
        action="deliverable",
        status="2.1.5",
        reported_by="mx.alpha.test",
        remote_mta="mx.beta.test",
        diagnostic="250 2.1.5",
    )
    report.must_say(
        recipient=stranger,
        action="undeliverable",
        status="5.1.1",
        reported_by="mx.alpha.test",
        remote_mta="mx.beta.test",
        diagnostic="550 5.1.1",
    )
    probe = lab.letter(report.dsn.original_message_id or "", at="mx-alpha")
    lab.expect_attempt(probe, "deliverable", dsn="2.1.5", code=250, recipient=str(bob), at="mx-alpha")
    lab.expect_attempt(probe, "undeliverable", dsn="5.1.1", code=550, recipient=stranger, at="mx-alpha")
    bob.mailbox.must_not_hold(probe)
    lab.expect_queue_empty()
