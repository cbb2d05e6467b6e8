"""What users of mail do and expect, in a lab in memory whose servers answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from labctl.errors import NoSuchAccount
from labctl.exercises.vocabulary.expectation import ExpectationFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.exercises.vocabulary.letter import Letter
    from tests.unit.exercises.conftest import Town

SOON = 0.2
VACATION = (
    b"Message-ID: <away@beta.test>\r\nIn-Reply-To: %s\r\nSubject: Away\r\nAuto-Submitted: auto-replied\r\n"
    b"\r\nI am away.\r\n"
)
NOTICE = (
    b"Message-ID: <gone@beta.test>\r\nSubject: Rejected\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nNo.\r\n"
    b"--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
    b"Final-Recipient: rfc822; bob@beta.test\r\nOriginal-Message-ID: %s\r\n"
    b"Disposition: automatic-action/MDN-sent-automatically; deleted\r\n\r\n--b--\r\n"
)


def test_a_letter_is_delivered_as_it_was_written(town: Town) -> None:
    letter = town.alice.send(town.bob, "Hi", "Text.\n", headers={"X-Mark": "1"})
    mail = town.bob.expect_delivery(letter)
    assert (mail.subject, mail.text, mail.header("X-Mark")) == ("Hi", "Text.\r\n", "1")
    assert (letter.accepted, letter.mail_from, letter.over()) == (True, "alice@alpha.test", True)
    town.lab.expect_gone(letter)
    assert str(town.bob) == "bob@beta.test"


def test_a_file_or_bytes_go_as_they_are_under_any_sender(town: Town, tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(b"Subject: From a file\r\n\r\nOne.\r\n")
    sent = town.alice.send(town.bob, file=tmp_path / "one.eml", mail_from="")
    mail = town.bob.expect_delivery(sent)
    assert (sent.subject, mail.subject, mail.header("Return-Path")) == ("one.eml", "From a file", "<>")
    mail = town.bob.expect_delivery(town.alice.send(town.bob, content=b"Subject: Bytes\r\n\r\n.Two.\r\n"))
    assert (mail.subject, mail.text) == ("Bytes", ".Two.\r\n")


@pytest.mark.parametrize(
    ("wish", "seen"),
    [
        ({"code": 535, "status": "5.7.8", "says": "Error", "stage": "AUTH"}, None),
        ({}, None),
        ({"code": 550}, "AUTH: 535 5.7.8"),
        ({"status": "5.7.1"}, "AUTH: 535 5.7.8"),
        ({"says": "moon"}, "AUTH: 535 5.7.8"),
        ({"stage": "RCPT"}, "AUTH: 535 5.7.8"),
    ],
)
def test_a_refusal_is_the_one_that_was_expected_or_fails(
    town: Town, wish: dict[str, Any], seen: str | None
) -> None:
    letter = town.alice.send(town.bob, password="wrong")
    if seen is None:
        town.alice.expect_refusal(letter, **wish)
    else:
        with pytest.raises(ExpectationFailed, match=seen):
            town.alice.expect_refusal(letter, **wish)
    assert (letter.accepted, str(letter.state), letter.reply[:3]) == (False, "rejected", "535")


def test_a_letter_that_was_taken_was_not_refused(town: Town) -> None:
    with pytest.raises(ExpectationFailed, match="the server took it"):
        town.alice.expect_refusal(town.alice.send(town.bob))


def test_a_letter_to_nobody_comes_back_and_says_why(town: Town) -> None:
    letter = town.alice.send("nobody@beta.test")
    town.lab.expect_bounced(letter, dsn="5.1.1", code=550, at="mx-alpha")
    report = town.alice.expect_bounce(letter, status="5.1.1", reported_by="mx.alpha.test")
    assert report.recipient("nobody@beta.test").action == "failed"
    with pytest.raises(ExpectationFailed, match=r"it speaks of nobody@beta\.test"):
        report.recipient("bob@beta.test")


@pytest.mark.parametrize(
    ("wish", "seen"),
    [
        ({"status": "5.7.1"}, "Status: 5.1.1"),
        ({"reported_by": "mx.beta.test"}, "Reporting-MTA: mx.alpha.test"),
        ({"action": "delayed"}, "Action: failed"),
        ({"diagnostic": "moon"}, "smtp; 550 5.1.1"),
        ({"remote_mta": ""}, "Remote-MTA: mx.beta.test"),
        ({"tried_on": True}, "no Will-Retry-Until"),
        ({"nothing_of": "nobody@beta.test"}, "it speaks of it"),
    ],
)
def test_a_bounce_that_says_anything_else_is_not_the_expected_one(
    town: Town, wish: dict[str, Any], seen: str
) -> None:
    report = town.alice.expect_bounce(town.alice.send("nobody@beta.test"))
    report.must_say(status="5.1.1", diagnostic="User unknown", remote_mta="mx.beta.test", tried_on=False)
    with pytest.raises(ExpectationFailed, match=f"seen: {seen}"):
        report.must_say(**wish)


def test_a_delay_is_warned_of_while_the_letter_waits(town: Town) -> None:
    town.bed.post.refuses["bob@beta.test"] = "host mx.beta.test[203.0.113.20] said: 450 4.2.0 Later"
    letter = town.alice.send(town.bob)
    town.lab.expect_deferred(letter, dsn="4.2.0", code=450)
    alpha = town.bed.container("mx-alpha")
    about = ("alice@alpha.test", "bob@beta.test", letter.message_id)
    kind: dict[str, Any] = {"kind": "delay", "action": "delayed", "status": "4.2.0"}
    town.bed.post.report(alpha, letter.queue_id, *about, **kind)
    assert town.alice.expect_delay_warning(letter, status="4.2.0").dsn.original_message_id == about[2]
    with pytest.raises(ExpectationFailed, match="not within"):
        town.lab.expect_gone(letter, within=SOON)


def test_a_receipt_tells_of_success_and_a_report_about_another_letter_is_none_of_this_one(town: Town) -> None:
    town.bed.post.receipts["bob@beta.test"] = ""
    receipt = town.alice.expect_receipt(town.alice.send(town.bob), action="relayed")
    assert receipt.dsn.recipients[0].action == "relayed"
    town.bed.post.receipts["bob@beta.test"] = "<other@alpha.test>"
    with pytest.raises(ExpectationFailed, match=r"about <other@alpha\.test>"):
        town.alice.expect_receipt(town.alice.send(town.bob))


def test_who_hears_nothing_hears_nothing_and_a_bounce_is_heard(town: Town) -> None:
    town.alice.expect_silence(town.alice.send(town.bob))
    with pytest.raises(ExpectationFailed, match="non-delivery"):
        town.alice.expect_silence(town.alice.send("nobody@beta.test"))


def test_what_a_filter_answers_is_found_by_the_letter_that_it_answers(town: Town) -> None:
    town.bed.post.answers["bob@beta.test"] = VACATION
    letter = town.alice.send(town.bob)
    assert town.alice.expect_answer(letter).text == "I am away.\r\n"
    with pytest.raises(ExpectationFailed, match="expected: no answer"):
        town.alice.expect_no_answer(letter)
    with pytest.raises(ExpectationFailed, match="a disposition notification"):
        town.alice.expect_notice(letter, "deleted")
    town.bed.post.answers.clear()
    town.alice.expect_no_answer(town.alice.send(town.bob))


def test_a_notice_says_what_was_done_with_a_letter(town: Town) -> None:
    town.bed.post.answers["bob@beta.test"] = NOTICE
    letter = town.alice.send(town.bob)
    assert town.alice.expect_notice(letter, "deleted").subject == "Rejected"
    with pytest.raises(ExpectationFailed, match="it was deleted"):
        town.alice.expect_notice(letter, "displayed")


def test_a_mail_is_expected_by_its_subject(town: Town) -> None:
    town.bed.post.put(
        town.bed.container("mail-beta"), "bob@beta.test", b"Subject: News of today\r\n\r\nx\r\n"
    )
    assert town.bob.expect_mail(subject="News").subject == "News of today"
    with pytest.raises(ExpectationFailed, match="a mail “Olds”"):
        town.bob.expect_mail(subject="Olds", within=SOON)


# Mailboxes


@pytest.fixture
def letter(town: Town) -> Letter:
    """A letter that lies in bob's mailbox."""
    letter = town.alice.send(town.bob, "Hi")
    town.bob.mailbox.expect(letter)
    return letter


def test_what_one_client_does_another_sees(town: Town, letter: Letter) -> None:
    phone, laptop = town.bob.mailbox, town.bob.another_client()
    mail = laptop.must_hold(letter, without=(r"\Seen",))
    phone.flag(mail, r"\Seen")
    phone.create_folder("Done")
    phone.move(mail, "Done")
    laptop.must_not_hold(letter)
    laptop.must_be_empty()
    assert laptop.must_hold(letter, "Done", flags=(r"\Seen",)).uid == mail.uid
    assert [each.flags for each in laptop.list("Done")] == [(r"\Seen",)]


@pytest.mark.parametrize(
    ("check", "seen"),
    [
        (lambda box, letter: box.must_hold(letter, flags=(r"\Seen",)), "the flags"),
        (lambda box, letter: box.must_not_hold(letter), "no “Hi” in INBOX"),
        (lambda box, _: box.must_be_empty(), "nothing in INBOX"),
        (lambda box, letter: (box.create_folder("Done"), box.must_hold(letter, "Done")), "it is not there"),
        (
            lambda box, letter: (
                box.flag(box.must_hold(letter), r"\Seen"),
                box.must_hold(letter, without=(r"\Seen",)),
            ),
            "not the flags",
        ),
    ],
)
def test_a_mailbox_that_is_otherwise_is_a_failed_step(
    town: Town, letter: Letter, check: Callable[..., object], seen: str
) -> None:
    with pytest.raises(ExpectationFailed, match=seen):
        check(town.bob.mailbox, letter)
    assert town.lab.narrator.steps[-1].verdict == "failed"


def test_a_letter_that_failed_is_not_waited_for_in_a_mailbox(town: Town) -> None:
    with pytest.raises(ExpectationFailed, match="the letter is bounced"):
        town.bob.mailbox.expect(town.alice.send("nobody@beta.test"), within=60)


def test_the_server_tells_who_watches_of_new_mail(town: Town) -> None:
    with town.bob.idle() as watching:
        town.alice.send(town.bob)
        assert watching.expect_news(1) == 1
        with pytest.raises(ExpectationFailed, match="nothing within"):
            watching.expect_news(within=SOON)
        town.alice.send(town.bob)
        with pytest.raises(ExpectationFailed, match=r"\* 2 EXISTS"):
            watching.expect_news(3)


def test_pop3_takes_mail_away_only_with_its_last_word(town: Town, letter: Letter) -> None:
    assert [each.subject for each in town.bob.download()] == ["Hi"]
    town.bob.download(delete=True, hang_up=True)
    town.bob.mailbox.must_hold(letter, flags=(r"\Seen",))
    town.bob.download(delete=True)
    town.bob.mailbox.must_be_empty()


def test_a_filter_is_put_on_the_server_of_its_user(town: Town) -> None:
    town.bob.use_sieve("keep;", "keeps all")
    [call] = [each for each in town.bed.engine.calls if "sieve" in each.subject]
    assert call.subject.startswith("labctl-two-domains-mail-beta /bin/sh")
    assert "keep; doveadm sieve put -u bob@beta.test -a filter" in call.subject


def test_nobody_else_has_a_mailbox(town: Town) -> None:
    with pytest.raises(NoSuchAccount, match=r"carl@beta\.test"):
        town.lab.account("carl@beta.test")
