"""A lab as new: whatever mail, files and processes were in it before."""

from __future__ import annotations

import smtplib
from typing import TYPE_CHECKING

import pytest

from labctl.wait import eventually

if TYPE_CHECKING:
    from tests.integration.conftest import Lab

MAILBOXES = "texthash:/etc/postfix/mailboxes"


def test_a_reset_leaves_no_mail_anywhere(lab: Lab) -> None:
    lab.send("alice@alpha.test", "bob@beta.test", "amy@alpha.test")
    lab.execute("mx-alpha", "postconf", "-e", "defer_transports=smtp")
    lab.execute("mx-alpha", "postfix", "reload")
    deferred = lab.send("alice@alpha.test", "bea@beta.test", wait="deferred")
    assert [each["message_id"] for each in lab.queued("mx-alpha")["messages"]] == [deferred["message_id"]]
    before = lab.ids()

    result = lab.json("reset")

    assert result["status"]["state"] == "ready"
    assert result["changed"] == ["mx-alpha given new files (/etc/postfix/main.cf)"] or result["changed"] == []
    assert lab.ids() == before
    assert all(each["messages"] == [] for each in lab.json("queue")["hosts"])
    for account in lab.json("status")["accounts"]:
        assert lab.inbox(account["address"]) == []
    assert lab.send("alice@alpha.test", "bea@beta.test")["state"] == "delivered"
    assert len(lab.inbox("bea@beta.test")) == 1


def test_a_reset_restores_the_files_that_labctl_put_there(lab: Lab) -> None:
    for service, path, edit, daemon_check in (
        (
            "mx-alpha",
            "/etc/postfix/main.cf",
            "echo 'myhostname = a.test' >>",
            ("postconf", "-h", "myhostname"),
        ),
        ("mail-beta", "/etc/dovecot/users", "chmod 600", ("doveadm", "user", "bob@beta.test")),
        ("mx-beta", "/etc/postfix/mailboxes", "rm", ("postmap", "-q", "bob@beta.test", MAILBOXES)),
    ):
        _, original = lab.execute(service, "cat", path)
        edited = lab.run("exec", service, "--", "sh", "-c", f"{edit} {path}")
        assert edited.code == 0, edited
        lab.json("reset")
        assert lab.execute(service, "cat", path) == (0, original)
        assert lab.execute(service, *daemon_check)[0] == 0
    lab.send("alice@alpha.test", "bob@beta.test")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ("echo evil >", "/etc/postfix/planted"),
        ("rm", "/usr/share/doc/sed/copyright"),
        ("chmod 700", "/usr/lib/postfix/sbin/smtpd"),
    ],
)
def test_a_file_that_was_changed_costs_its_host_the_container_also_after_a_restart(
    lab: Lab, change: str, path: str
) -> None:
    before = lab.ids()
    assert lab.run("exec", "mx-beta", "--", "sh", "-c", f"{change} {path}").code == 0
    lab.container("mx-beta").restart()
    [told] = lab.json("reset")["changed"]
    assert told.startswith("mx-beta recreated")
    assert path in told
    after = lab.ids()
    assert {each for each in before if before[each] != after[each]} == {"mx-beta"}
    assert lab.execute("mx-beta", "cat", "/etc/postfix/planted")[0] != 0
    lab.send("alice@alpha.test", "bob@beta.test")


def test_a_reset_marks_every_hosts_log(lab: Lab) -> None:
    def marks(service: str) -> int:
        return sum(line.endswith("labctl: reset") for line in lab.log(service).splitlines())

    before = {each: marks(each) for each in lab.ids()}
    lab.json("reset")
    for service, count in before.items():
        found = eventually(lambda s=service, n=count: marks(s) == n + 1 or None, within=10)  # type: ignore[misc]
        assert found, service


def test_a_reset_brings_back_what_was_stopped(lab: Lab) -> None:
    lab.container("mx-beta").kill()
    lab.container("dns").pause()
    result = lab.json("reset")
    assert result["status"]["state"] == "ready"
    lab.send("alice@alpha.test", "bob@beta.test")


def test_mail_of_a_host_that_was_stopped_does_not_survive_a_reset(lab: Lab) -> None:
    lab.send("alice@alpha.test", "bob@beta.test")
    lab.container("mail-beta").kill()
    lab.json("reset")
    assert lab.inbox("bob@beta.test") == []


def test_a_reader_who_is_logged_in_does_not_hinder_a_reset(lab: Lab) -> None:
    lab.send("alice@alpha.test", "bob@beta.test")
    with smtplib.SMTP(*lab.endpoint("mx-alpha", "submission"), timeout=30) as client:
        client.login("alice@alpha.test", "alice")
        assert lab.json("reset")["status"]["state"] == "ready"
    assert lab.inbox("bob@beta.test") == []
