"""A lab for the tests of an application, in memory: where its servers are, and whose it is."""

from __future__ import annotations

import smtplib
from typing import TYPE_CHECKING

import pytest

from labctl.commands.up import Wish, up
from labctl.errors import LabNotUp, NoSuchAccount, UsageError
from labctl.exercises.testcontainers import MailLab
from labctl.lab import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bed.bed import Bed


@pytest.fixture
def mail_lab(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailLab]:
    """A lab of its own, with an engine in memory."""
    for name, value in bed.environ.items():
        monkeypatch.setenv(name, value)
    with MailLab().with_name("app") as started:
        yield started


def test_an_application_hands_in_mail_which_is_found_and_forgotten_between_tests(mail_lab: MailLab) -> None:
    server = mail_lab.submission("alice")
    with smtplib.SMTP(server.host, server.port) as client:
        client.ehlo("app")
        client.login(*server.login)
        client.sendmail(server.username, "bob@beta.test", "Message-ID: <1@app.test>\r\n\r\nHi\r\n")
    bob = mail_lab.account("bob@beta.test")
    assert bob.expect_delivery(mail_lab.letter("<1@app.test>")).text == "Hi\r\n"
    mail_lab.reset()
    mail_lab.account("bob@beta.test").mailbox.must_be_empty()


def test_each_server_has_its_own_door_and_the_users_login(mail_lab: MailLab) -> None:
    doors = (mail_lab.submission("bob"), mail_lab.imap("bob@beta.test"), mail_lab.pop3("bob"))
    assert {each.login for each in doors} == {("bob@beta.test", "bob")}
    assert len({each.port for each in doors}) == 3
    with pytest.raises(NoSuchAccount, match="'carl' names 0 accounts"):
        mail_lab.imap("carl")


def test_a_fault_lasts_for_its_block(mail_lab: MailLab) -> None:
    with mail_lab.fault("mx-null"):
        assert mail_lab.mail.exchangers("beta.test") == ["."]
    assert mail_lab.mail.exchangers("beta.test") == ["mx.beta.test."]


def test_a_lab_that_is_there_is_nobody_elses_and_one_that_was_not_started_is_told(
    mail_lab: MailLab, bed: Bed
) -> None:
    other = MailLab().with_name("theirs")
    up(bed.engine, bed.url, Wish(catalogue.find("two-domains", {}), "theirs"), environ={})
    with pytest.raises(UsageError, match="'theirs' is there already"):
        other.start()
    with pytest.raises(LabNotUp, match="was not started"):
        other.imap("bob")
    mail_lab.stop()
    assert {each.labels["labctl.name"] for each in bed.engine.containers({})} == {"theirs"}
