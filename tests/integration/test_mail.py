"""A letter's ways through the lab: to its mailbox, or back to its sender with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.wait import eventually
from tests.integration.conftest import SOON

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Lab


def test_a_letter_reaches_the_other_domain_and_one_within_a_domain_never_leaves_it(lab: Lab) -> None:
    sent = lab.send("alice@alpha.test", "bob@beta.test")
    assert sent["state"] == "delivered"
    [message] = lab.inbox("bob@beta.test")
    assert message["message_id"] == sent["message_id"]
    assert message["from"] == "alice@alpha.test"
    assert message["to"] == ["bob@beta.test"]
    assert not message["is_dsn"]
    inside = lab.send("alice@alpha.test", "amy@alpha.test")
    assert [each["message_id"] for each in lab.inbox("amy@alpha.test")] == [inside["message_id"]]
    beta = lab.log("mx-beta").rpartition("labctl: reset")[2]
    assert sent["message_id"] in beta  # it would be seen there
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
    [by_pop3] = lab.inbox("alice@alpha.test", "--pop3")
    assert by_pop3["dsn"] == report


def test_of_several_recipients_only_the_missing_ones_are_reported(lab: Lab) -> None:
    missing = {"nobody.here@beta.test": "5.1.1", "bob@delta.test": "5.4.4"}
    sent = lab.send("alice@alpha.test", "bob@beta.test", *missing, wait="bounced")
    lab.received("bob@beta.test", lambda each: bool(each["message_id"] == sent["message_id"]))
    told = eventually(lambda: reported(lab, sent["message_id"], len(missing)), within=SOON)
    assert told == missing


def reported(lab: Lab, message_id: str, number: int) -> dict[str, str] | None:
    """The recipients that bounces of a message tell of, each with its status, once all have come."""
    bounces = [each["dsn"] for each in lab.inbox("alice@alpha.test") if each["is_dsn"]]
    assert {each["original_message_id"] for each in bounces} <= {message_id}
    found = {told["address"]: told["status"] for each in bounces for told in each["recipients"]}
    return found if len(found) == number else None


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


@pytest.mark.parametrize(
    ("recipient", "wait", "state"),
    [("amy@alpha.test", "bounced", "delivered"), ("no.such.user@beta.test", "delivered", "bounced")],
)
def test_another_end_than_was_waited_for_fails_at_once(
    lab: Lab, recipient: str, wait: str, state: str
) -> None:
    options = ("--wait", wait, "--timeout", "120")
    assert lab.json("send", "alice@alpha.test", recipient, *options, code=1)["state"] == state


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


def test_reading_leaves_the_mail_by_either_protocol(lab: Lab) -> None:
    sent = lab.send("alice@alpha.test", "bob@beta.test")
    first = lab.json("inbox", "bob@beta.test")
    assert first["protocol"] == "imap"
    assert lab.json("inbox", "bob@beta.test") == first
    assert "\\Seen" not in first["messages"][0]["flags"]
    for _ in range(2):
        read = lab.json("inbox", "bob@beta.test", "--pop3")
        assert read["protocol"] == "pop3"
        assert [each["message_id"] for each in read["messages"]] == [sent["message_id"]]
    assert len(lab.inbox("bob@beta.test")) == 1


@pytest.mark.parametrize("options", [("--pop3", "--delete"), ("--delete",)])
def test_what_one_protocol_deletes_is_gone_for_both(lab: Lab, options: tuple[str, ...]) -> None:
    sent = lab.send("alice@alpha.test", "bob@beta.test")
    taken = lab.inbox("bob@beta.test", *options)
    assert [each["message_id"] for each in taken] == [sent["message_id"]]
    assert lab.inbox("bob@beta.test", "--pop3") == []
    assert lab.inbox("bob@beta.test") == []
