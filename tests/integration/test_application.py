"""An application's mail code, tested against two real domains: how others use `MailLab` in their tests."""

from __future__ import annotations

import email
import imaplib
import smtplib
from email.message import EmailMessage
from email.utils import make_msgid
from typing import TYPE_CHECKING, Any

import pytest

from labctl.lab import origin

if TYPE_CHECKING:
    from labctl.exercises.testcontainers import MailLab, Server
    from tests.integration.conftest import Lab


class Newsletter:
    """The application: it writes to its subscribers, and strikes out those whose mail comes back for good."""

    def __init__(self, submission: Server, mailbox: Server, subscribers: set[str]) -> None:
        self.submission = submission
        self.mailbox = mailbox
        self.subscribers = subscribers

    def publish(self, text: str) -> dict[str, str]:
        """Send an issue to everybody; return the Message-ID of each letter."""
        sent = {}
        with smtplib.SMTP(self.submission.host, self.submission.port) as smtp:
            smtp.login(*self.submission.login)
            for subscriber in sorted(self.subscribers):
                letter = EmailMessage()
                letter["From"] = self.submission.username
                letter["To"] = subscriber
                letter["Subject"] = "News"
                letter["Message-ID"] = sent[subscriber] = make_msgid(domain="alpha.test")
                letter.set_content(text)
                smtp.send_message(letter)
        return sent

    def strike_out(self) -> None:
        """Read the bounces, and strike out the subscribers who are not there."""
        with imaplib.IMAP4(self.mailbox.host, self.mailbox.port) as imap:
            imap.login(*self.mailbox.login)
            imap.select()
            _, [numbers] = imap.search(None, "ALL")
            for number in numbers.split():
                fetched: Any = imap.fetch(number, "(RFC822)")[1]
                self.subscribers -= failed_for_good(email.message_from_bytes(fetched[0][1]))


def failed_for_good(report: Any) -> set[str]:
    """Return whom a bounce says that there is no such mailbox of (RFC 3464; 5.1.1 in RFC 3463)."""
    groups = [group for part in report.walk() for group in [part] if "Final-Recipient" in group]
    return {
        group["Final-Recipient"].partition(";")[2].strip()
        for group in groups
        if group["Action"] == "failed" and group["Status"].startswith("5.1.")
    }


@pytest.fixture(autouse=True)
def _images(standing_lab: Lab) -> None:
    """Build the images, which the standing lab needs."""


@pytest.fixture
def newsletter(mail_lab: MailLab) -> Newsletter:
    return Newsletter(
        mail_lab.submission("alice"), mail_lab.imap("alice"), {"bob@beta.test", "gone@beta.test"}
    )


def test_a_subscriber_whose_mailbox_is_gone_is_struck_out(mail_lab: MailLab, newsletter: Newsletter) -> None:
    sent = newsletter.publish("There is something new.")

    alice, bob = (mail_lab.account(each) for each in ("alice@alpha.test", "bob@beta.test"))
    bob.expect_delivery(mail_lab.letter(sent["bob@beta.test"]))
    alice.expect_bounce(mail_lab.letter(sent["gone@beta.test"]), status="5.1.1")
    newsletter.strike_out()

    assert newsletter.subscribers == {"bob@beta.test"}


def test_a_subscriber_whose_mail_is_only_late_stays(mail_lab: MailLab, newsletter: Newsletter) -> None:
    newsletter.subscribers = {"bob@beta.test"}
    alice, bob = (mail_lab.account(each) for each in ("alice@alpha.test", "bob@beta.test"))

    with mail_lab.fault("refuse"):
        letter = mail_lab.letter(newsletter.publish("Late news.")["bob@beta.test"])
        alice.expect_delay_warning(letter, status="4.4.1")
        newsletter.strike_out()

    assert newsletter.subscribers == {"bob@beta.test"}
    bob.expect_delivery(letter)


def test_an_application_in_a_container_of_its_own_reaches_the_lab(
    mail_lab: MailLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    from testcontainers.core.config import testcontainers_config  # noqa: PLC0415  # reads the environment
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415

    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)  # its image is in a registry
    server = mail_lab.submission("alice")
    greeting = f'exec 3<> /dev/tcp/{server.host}/{server.port} && read -r line <&3 && echo "$line"'
    image = next(each.tag for each in origin.image_specs() if each.name == "dns")
    application = DockerContainer(image).with_network(mail_lab.network)
    application = application.with_kwargs(entrypoint="/bin/bash").with_command(["-c", greeting])

    with application as container:
        inner: Any = container.get_wrapped_container()
        assert inner.wait(timeout=30)["StatusCode"] == 0
        assert inner.logs().startswith(b"220 mx.alpha.test")
