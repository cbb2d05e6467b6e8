"""Between two exercises: no mail of before turns up again, wherever it was, and all else stays as it is."""

from __future__ import annotations

import smtplib
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from labctl.cli import connection
from labctl.lab.running import emptying, instance
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.engine.protocol import Engine
    from tests.integration.conftest import Lab

ACCOUNTS = ("alice@alpha.test", "amy@alpha.test", "bob@beta.test", "bea@beta.test")


@pytest.fixture
def engine() -> Iterator[Engine]:
    with closing(connection.connect().engine) as found:
        yield found


def empty(engine: Engine, lab: Lab) -> tuple[str, ...]:
    return emptying.empty(engine, instance.observe(engine, lab.name))


def nothing_but_new(lab: Lab) -> bool:
    """Send new letters everywhere, and look whether they are all that is there."""
    new = {
        recipient: lab.send(sender, recipient)["message_id"]
        for sender, recipient in zip(ACCOUNTS, ACCOUNTS[2:] + ACCOUNTS[:2], strict=True)
    }
    assert all(each["messages"] == [] for each in lab.json("queue")["hosts"])
    return {each: [mail["message_id"] for mail in lab.inbox(each)] for each in ACCOUNTS} == {
        recipient: [message_id] for recipient, message_id in new.items()
    }


def test_mail_that_is_on_its_way_turns_up_nowhere(engine: Engine, lab: Lab) -> None:
    with (
        smtplib.SMTP(*lab.endpoint("mx-alpha", "submission"), timeout=30) as alpha,
        smtplib.SMTP(*lab.endpoint("mx-beta", "submission"), timeout=30) as beta,
    ):
        alpha.login("alice@alpha.test", "alice")
        beta.login("bob@beta.test", "bob")
        for n in range(30):
            alpha.sendmail("alice@alpha.test", ["bob@beta.test", "bea@beta.test"], f"Subject: {n}\r\n\r\n")
            beta.sendmail("bob@beta.test", ["amy@alpha.test", "none@alpha.test"], f"Subject: {n}\r\n\r\n")
        assert empty(engine, lab) == ()
        assert [lab.inbox(each) for each in ACCOUNTS] == [[]] * 4
    assert nothing_but_new(lab)


def test_mail_that_an_mda_did_not_take_yet_never_reaches_it(engine: Engine, lab: Lab) -> None:
    lab.container("mail-beta").pause()
    lab.send("alice@alpha.test", "bob@beta.test", wait="queued")
    assert eventually(lambda: lab.queued("mx-beta")["messages"] or None, within=10)
    assert empty(engine, lab) == ("mail-beta",)
    assert lab.queued("mx-beta")["messages"] == []
    lab.container("mail-beta").unpause()
    assert nothing_but_new(lab)


def test_who_was_greylisted_is_a_stranger_again(engine: Engine, lab: Lab) -> None:
    policy = "smtpd_recipient_restrictions=check_policy_service unix:private/greylist"
    lab.execute("mx-beta", "postconf", "-e", policy)
    lab.execute("mx-beta", "postfix", "reload")
    for _ in range(2):
        sent = lab.send("alice@alpha.test", "bob@beta.test", wait="deferred")
        [recipient] = sent["recipients"]
        assert "450 4.2.0 <bob@beta.test>: Recipient address rejected: Greylisted" in str(recipient)
        assert eventually(lambda: lab.inbox("bob@beta.test") or None, within=20)
        assert lab.send("alice@alpha.test", "bob@beta.test")["state"] == "delivered"
        empty(engine, lab)
