"""A letter's ways through the lab: to its mailbox, or back to its sender with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Lab


@pytest.mark.parametrize(
    ("sender", "recipient"),
    [("alice@alpha.test", "bob@beta.test"), ("bob@beta.test", "alice@alpha.test")],
)
def test_a_letter_reaches_the_other_domain(lab: Lab, sender: str, recipient: str) -> None:
    sent = lab.send(sender, recipient)
    assert sent["state"] == "delivered"
    [message] = lab.inbox(recipient)
    assert message["message_id"] == sent["message_id"]
    assert message["from"] == sender
    assert message["to"] == [recipient]
    assert not message["is_dsn"]


def test_a_letter_within_a_domain_never_leaves_it(lab: Lab) -> None:
    outside = lab.send("alice@alpha.test", "bob@beta.test")
    inside = lab.send("alice@alpha.test", "amy@alpha.test")
    assert [each["message_id"] for each in lab.inbox("amy@alpha.test")] == [inside["message_id"]]
    beta = lab.log("mx-beta").rpartition("labctl: reset")[2]
    assert outside["message_id"] in beta  # it would be seen there
    assert inside["message_id"] not in beta
    assert "amy@alpha.test" not in beta


def test_one_letter_to_several_reaches_each_of_them(lab: Lab) -> None:
    everyone = ("amy@alpha.test", "bob@beta.test", "bea@beta.test")
    sent = lab.send("alice@alpha.test", *everyone)
    assert sent["to"] == list(everyone)
    assert {each["address"]: each["state"] for each in sent["recipients"]} == dict.fromkeys(
        everyone, "delivered"
    )
    for address in everyone:
        assert [each["message_id"] for each in lab.inbox(address)] == [sent["message_id"]]


def test_a_letter_to_nobody_comes_back_with_the_reason(lab: Lab) -> None:
    sent = lab.send("alice@alpha.test", "no.such.user@beta.test", wait="bounced")
    assert sent["state"] == "bounced"
    report = lab.bounce("alice@alpha.test", sent["message_id"])
    assert report["reporting_mta"] == "mx.alpha.test"
    assert report["original_message_id"] == sent["message_id"]
    [failure] = report["recipients"]
    assert failure["address"] == "no.such.user@beta.test"
    assert failure["action"] == "failed"
    assert failure["status"] == "5.1.1"
    assert "mx.beta.test" in failure["remote_mta"]
    assert "550 5.1.1" in failure["diagnostic_code"]


def test_a_letter_to_a_domain_that_is_not_there_comes_back(lab: Lab) -> None:
    sent = lab.send("alice@alpha.test", "bob@delta.test", wait="bounced")
    [failure] = lab.bounce("alice@alpha.test", sent["message_id"])["recipients"]
    assert failure["status"] == "5.4.4"


def test_of_several_recipients_only_the_missing_one_is_reported(lab: Lab) -> None:
    sent = lab.send("alice@alpha.test", "bob@beta.test", "nobody.here@beta.test", wait="bounced")
    lab.received("bob@beta.test", lambda each: bool(each["message_id"] == sent["message_id"]))
    report = lab.bounce("alice@alpha.test", sent["message_id"])
    assert [each["address"] for each in report["recipients"]] == ["nobody.here@beta.test"]


def test_send_tells_who_took_it_and_when(lab: Lab) -> None:
    sent = lab.json("send", "alice@alpha.test", "amy@alpha.test", "--subject", "Grüße", "--body", "Süß.")
    assert sent["from"] == "alice@alpha.test"
    assert sent["state"] == "queued"
    assert sent["reply"].startswith("250 ")
    assert sent["queue_id"] in sent["reply"]
    assert sent["accepted_at"].endswith("Z")
    assert lab.received("amy@alpha.test")["subject"] == "Grüße"


def test_a_message_file_is_sent_as_it_is(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "letter.eml"
    file.write_text(
        "From: The Editor <alice@alpha.test>\r\nTo: readers@list.test\r\nSubject: Issue 1\r\n"
        "Message-ID: <issue-1@alpha.test>\r\nX-Own: yes\r\n\r\n.A line with a dot first.\r\n"
    )
    sent = lab.json("send", "alice@alpha.test", "bob@beta.test", "--file", str(file), "--wait", "delivered")
    assert sent["message_id"] == "<issue-1@alpha.test>"
    [message] = lab.inbox("bob@beta.test")
    assert (message["message_id"], message["subject"]) == ("<issue-1@alpha.test>", "Issue 1")
    code, stored = lab.execute("mail-beta", "sh", "-c", "cat /var/vmail/beta.test/bob/Maildir/*/*.*")
    assert code == 0
    assert "X-Own: yes" in stored
    assert "\n.A line with a dot first." in stored.replace("\r", "")


def test_a_delivery_where_a_bounce_was_waited_for_fails_at_once(lab: Lab) -> None:
    options = ("--wait", "bounced", "--timeout", "120")
    sent = lab.json("send", "alice@alpha.test", "amy@alpha.test", *options, code=1)
    assert sent["state"] == "delivered"


def test_a_bounce_where_a_delivery_was_waited_for_fails_at_once(lab: Lab) -> None:
    options = ("--wait", "delivered", "--timeout", "120")
    sent = lab.json("send", "alice@alpha.test", "no.such.user@beta.test", *options, code=1)
    assert sent["state"] == "bounced"


def test_waiting_ends_with_its_time(lab: Lab) -> None:
    options = ("--wait", "deferred", "--timeout", "0")
    sent = lab.json("send", "alice@alpha.test", "bob@beta.test", *options, code=1)
    assert sent["state"] not in {"deferred", "rejected", "bounced"}


def test_a_message_that_the_server_refuses_is_a_result(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "large.eml"
    file.write_bytes(b"Subject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * 140_000)  # above 10240000 bytes
    sent = lab.json("send", "alice@alpha.test", "bob@beta.test", "--file", str(file), code=1)
    assert sent["state"] == "rejected"
    assert sent["reply"].startswith("552 ")
    assert sent["accepted_at"] is None


def test_reading_by_imap_leaves_the_mail(lab: Lab) -> None:
    lab.send("alice@alpha.test", "bob@beta.test")
    first = lab.json("inbox", "bob@beta.test")
    assert first["protocol"] == "imap"
    assert lab.json("inbox", "bob@beta.test") == first
    assert "\\Seen" not in first["messages"][0]["flags"]


def test_pop3_leaves_the_mail_unless_told_to_delete_it(lab: Lab) -> None:
    sent = lab.send("alice@alpha.test", "bob@beta.test")
    for _ in range(2):
        read = lab.json("inbox", "bob@beta.test", "--pop3")
        assert read["protocol"] == "pop3"
        assert [each["message_id"] for each in read["messages"]] == [sent["message_id"]]
    assert len(lab.inbox("bob@beta.test")) == 1


def test_pop3_with_delete_takes_the_mail_away_from_imap_too(lab: Lab) -> None:
    sent = lab.send("alice@alpha.test", "bob@beta.test")
    taken = lab.inbox("bob@beta.test", "--pop3", "--delete")
    assert [each["message_id"] for each in taken] == [sent["message_id"]]
    assert lab.inbox("bob@beta.test", "--pop3") == []
    assert lab.inbox("bob@beta.test") == []


def test_imap_with_delete_takes_the_mail_away_from_pop3_too(lab: Lab) -> None:
    sent = lab.send("alice@alpha.test", "bob@beta.test")
    taken = lab.inbox("bob@beta.test", "--delete")
    assert [each["message_id"] for each in taken] == [sent["message_id"]]
    assert lab.inbox("bob@beta.test", "--pop3") == []


def test_a_bounce_reads_the_same_by_pop3(lab: Lab) -> None:
    sent = lab.send("alice@alpha.test", "no.such.user@beta.test", wait="bounced")
    by_imap = lab.bounce("alice@alpha.test", sent["message_id"])
    [by_pop3] = lab.inbox("alice@alpha.test", "--pop3")
    assert by_pop3["dsn"] == by_imap
