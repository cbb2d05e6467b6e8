"""A lab as new: whatever mail, files and processes were in it before."""

from __future__ import annotations

import smtplib
from typing import TYPE_CHECKING

from labctl.wait import eventually
from tests.integration.conftest import SERVICES

if TYPE_CHECKING:
    from tests.integration.conftest import Lab

MAILBOXES = "texthash:/etc/postfix/mailboxes"


def test_a_reset_leaves_no_mail_anywhere_whoever_is_logged_in_and_marks_each_log(lab: Lab) -> None:
    def marks() -> dict[str, int]:
        return {
            service: sum(line.endswith("labctl: reset") for line in lab.log(service).splitlines())
            for service in SERVICES
        }

    lab.send("alice@alpha.test", "bob@beta.test", "amy@alpha.test")
    lab.execute("mx-alpha", "postconf", "-e", "defer_transports=smtp")
    lab.execute("mx-alpha", "postfix", "reload")
    deferred = lab.send("alice@alpha.test", "bea@beta.test", wait="deferred")
    assert [each["message_id"] for each in lab.queued("mx-alpha")["messages"]] == [deferred["message_id"]]
    ids, marked = lab.ids(), marks()

    with smtplib.SMTP(*lab.endpoint("mx-alpha", "submission"), timeout=30) as client:
        client.login("alice@alpha.test", "alice")
        result = lab.json("reset")

    assert result["status"]["state"] == "ready"
    assert result["changed"] == ["mx-alpha given new files (/etc/postfix/main.cf)"] or result["changed"] == []
    assert lab.ids() == ids
    assert all(each["messages"] == [] for each in lab.json("queue")["hosts"])
    for account in result["status"]["accounts"]:
        assert lab.inbox(account["address"]) == []
    assert eventually(lambda: all(marks()[each] > marked[each] for each in SERVICES) or None, within=10)
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


def test_a_file_that_was_changed_costs_its_host_the_container_also_after_a_restart(lab: Lab) -> None:
    changes = {
        "mx-beta": ("echo evil >", "/etc/postfix/planted"),
        "dns": ("rm", "/usr/share/doc/sed/copyright"),
        "mx-alpha": ("chmod 700", "/usr/lib/postfix/sbin/smtpd"),
    }
    before = lab.ids()
    for service, (change, path) in changes.items():
        assert lab.run("exec", service, "--", "sh", "-c", f"{change} {path}").code == 0
    lab.container("mx-beta").restart()
    told = {each.split()[0]: each for each in lab.json("reset")["changed"]}
    assert told.keys() == changes.keys()
    for service, (_, path) in changes.items():
        assert told[service].startswith(f"{service} recreated")
        assert path in told[service]
    after = lab.ids()
    assert {each for each in before if before[each] != after[each]} == changes.keys()
    assert lab.execute("mx-beta", "cat", "/etc/postfix/planted")[0] != 0
    lab.send("alice@alpha.test", "bob@beta.test")


def test_a_reset_brings_back_what_was_stopped_without_its_mail(lab: Lab) -> None:
    lab.send("alice@alpha.test", "bob@beta.test")
    lab.container("mx-beta").kill()
    lab.container("mail-beta").kill()
    lab.container("dns").pause()
    assert lab.json("reset")["status"]["state"] == "ready"
    assert lab.inbox("bob@beta.test") == []
    lab.send("alice@alpha.test", "bob@beta.test")
