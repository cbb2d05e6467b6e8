"""Programs that know nothing of labctl, at the endpoints that `labctl status` names."""

from __future__ import annotations

import imaplib
import mailbox
import poplib
import smtplib
import subprocess
from contextlib import closing
from email.message import EmailMessage
from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.packages import ensure

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Lab

PROGRAMS: Final = {"swaks": "swaks", "mbsync": "isync", "dig": "bind9-dnsutils"}
"""Each program, and Debian's package of it."""


@pytest.fixture(scope="module")
def programs() -> None:
    """Mail and DNS clients of Debian; where one is missing and can be installed, it is."""
    ensure(PROGRAMS)


def run(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def letter(lab: Lab) -> EmailMessage:
    """A letter of alice's to bob that Python's own client submitted."""
    message = EmailMessage()
    message["From"] = "alice@alpha.test"
    message["To"] = "bob@beta.test"
    message["Subject"] = "By smtplib"
    message["Message-ID"] = "<by-smtplib@alpha.test>"
    message.set_content("Hello.\n")
    with smtplib.SMTP(*lab.endpoint("mx-alpha", "submission"), timeout=30) as client:
        client.login("alice@alpha.test", "alice")
        assert client.send_message(message) == {}
    return message


def test_smtplib_submits_and_imaplib_finds_it(lab: Lab, letter: EmailMessage) -> None:
    lab.received("bob@beta.test")
    with imaplib.IMAP4(*lab.endpoint("mail-beta", "imap"), timeout=30) as client:
        client.login("bob@beta.test", "bob")
        assert client.select("INBOX", readonly=True) == ("OK", [b"1"])
        _, [found] = client.search(None, "HEADER", "Message-ID", letter["Message-ID"])
        assert found == b"1"


def test_poplib_leaves_what_it_does_not_delete(lab: Lab, letter: EmailMessage) -> None:
    lab.received("bob@beta.test")
    where = lab.endpoint("mail-beta", "pop3")
    for deletes, expected in ((False, 1), (True, 1), (False, 0)):
        with closing(poplib.POP3(*where, timeout=30)) as client:
            client.user("bob@beta.test")
            client.pass_("bob")
            assert client.stat()[0] == expected
            if expected:
                assert f"Subject: {letter['Subject']}".encode() in client.retr(1)[1]
            if deletes:
                client.dele(1)
            client.quit()


def test_the_mta_takes_mail_for_its_domain_from_anybody_at_port_25(lab: Lab) -> None:
    with smtplib.SMTP(*lab.endpoint("mx-beta", "smtp"), timeout=30) as client:
        client.sendmail("stranger@elsewhere.test", ["bob@beta.test"], "Subject: from outside\r\n\r\n")
    assert lab.received("bob@beta.test")["subject"] == "from outside"


def test_no_mta_relays_for_a_stranger(standing_lab: Lab) -> None:
    with smtplib.SMTP(*standing_lab.endpoint("mx-beta", "smtp"), timeout=30) as client:
        client.ehlo()
        client.mail("stranger@elsewhere.test")
        code, _ = client.rcpt("alice@alpha.test")
    assert code == 554


def test_submission_wants_to_know_who_it_is(standing_lab: Lab) -> None:
    with smtplib.SMTP(*standing_lab.endpoint("mx-alpha", "submission"), timeout=30) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
            client.login("alice@alpha.test", "wrong")
        assert refusal.value.smtp_code == 535
        client.mail("alice@alpha.test")
        code, _ = client.rcpt("bob@beta.test")
    assert code == 554


@pytest.mark.usefixtures("programs")
def test_swaks_submits_a_letter(lab: Lab) -> None:
    host, port = lab.endpoint("mx-alpha", "submission")
    said = run(
        *("swaks", "--server", host, "--port", str(port), "--auth", "PLAIN"),
        *("--auth-user", "alice@alpha.test", "--auth-password", "alice"),
        *("--from", "alice@alpha.test", "--to", "bob@beta.test", "--header", "Subject: By swaks"),
    )
    assert "<-  235 2.7.0" in said
    assert lab.received("bob@beta.test")["subject"] == "By swaks"


@pytest.mark.usefixtures("programs")
def test_mbsync_fetches_the_inbox_into_a_maildir(lab: Lab, tmp_path: Path) -> None:
    sent = lab.send("alice@alpha.test", "bob@beta.test")
    host, port = lab.endpoint("mail-beta", "imap")
    (tmp_path / "mail").mkdir()
    config = tmp_path / "mbsyncrc"
    config.write_text(
        f"IMAPStore far\nHost {host}\nPort {port}\nUser bob@beta.test\nPass bob\n"
        "SSLType None\nAuthMechs LOGIN\n\n"
        f"MaildirStore near\nPath {tmp_path}/mail/\nInbox {tmp_path}/mail/inbox\n\n"
        "Channel inbox\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Near\nSyncState *\n"
    )
    run("mbsync", "--config", str(config), "inbox")
    with closing(mailbox.Maildir(str(tmp_path / "mail" / "inbox"), create=False)) as fetched:
        assert [each["Message-ID"] for each in fetched] == [sent["message_id"]]


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (("beta.test", "MX"), "10 mx.beta.test."),
        (("mx.alpha.test", "A"), "203.0.113.10"),
        (("-x", "203.0.113.10"), "mx.alpha.test."),
        (("-x", "203.0.113.20"), "mx.beta.test."),
        (("-x", "192.0.2.143"), "mail.alpha.test."),
        (("-x", "198.51.100.143"), "mail.beta.test."),
    ],
)
def test_dig_gets_the_zones_answers(standing_lab: Lab, question: tuple[str, str], answer: str) -> None:
    host, port = standing_lab.endpoint("dns", "dns")
    asked = ("dig", f"@{host}", "-p", str(port), "+short", *question)
    assert run(*asked).strip() == answer
    assert run(*asked, "+tcp").strip() == answer


@pytest.mark.usefixtures("programs")
def test_dig_sees_that_the_resolver_is_authoritative_and_knows_nothing_else(standing_lab: Lab) -> None:
    host, port = standing_lab.endpoint("dns", "dns")
    inside = run("dig", f"@{host}", "-p", str(port), "alpha.test", "SOA")
    assert "status: NOERROR" in inside
    assert " aa " in inside.partition("flags:")[2].partition(";")[0]
    outside = run("dig", f"@{host}", "-p", str(port), "debian.org", "MX")
    assert "status: NXDOMAIN" in outside
