"""Mail that can't be delivered now: where it waits and why, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labctl.wait import eventually

if TYPE_CHECKING:
    from tests.integration.conftest import DefinedLab, Lab


def test_mail_for_a_stopped_mta_waits_with_its_reason_and_is_delivered_when_it_is_back(
    defined_lab: DefinedLab,
) -> None:
    lab = defined_lab
    lab.own.define('[clock]\nmaximal_queue_lifetime = ["5d", "300s"]\n')
    lab.changed()
    lab.container("mx-beta").stop()

    sent = lab.send("alice@alpha.test", "bob@beta.test", wait="deferred")

    def waits() -> dict[str, Any] | None:
        """The queues while the message is deferred: while it is tried again there is no reason to tell."""
        queues = lab.json("queue")
        [message] = queues["hosts"][0]["messages"]
        return queues if message["queue_name"] == "deferred" else None

    queues = eventually(waits, within=30)
    assert queues is not None
    alpha, beta = queues["hosts"]
    assert (alpha["host"], alpha["state"]) == ("mx.alpha.test", "ready")
    [waiting] = alpha["messages"]
    assert (waiting["message_id"], waiting["queue_id"]) == (sent["message_id"], sent["queue_id"])
    [recipient] = waiting["recipients"]
    assert recipient["address"] == "bob@beta.test"
    assert "mx.beta.test" in recipient["delay_reason"]
    assert (beta["host"], beta["state"], beta["messages"]) == ("mx.beta.test", "stopped", [])

    assert lab.changed() == ["mx-beta started"]
    assert lab.received("bob@beta.test")["message_id"] == sent["message_id"]
    assert eventually(lambda: lab.queued("mx-alpha")["messages"] == [] or None, within=10)


def test_mail_for_a_stopped_mda_waits_at_its_own_domains_mta(lab: Lab) -> None:
    lab.container("mail-beta").kill()
    sent = lab.send("alice@alpha.test", "bob@beta.test", wait="deferred")
    waiting = {each["message_id"] for each in lab.queued("mx-alpha")["messages"]}
    assert sent["message_id"] not in waiting  # a notice that it is late may be

    def reason() -> str | None:
        [late] = [
            each for each in lab.queued("mx-beta")["messages"] if each["message_id"] == sent["message_id"]
        ]
        return late["recipients"][0]["delay_reason"] or None

    told = eventually(reason, within=10)
    assert told is not None
    assert "198.51.100.143" in told
    lab.up()
    assert lab.received("bob@beta.test")["message_id"] == sent["message_id"]


def test_mail_that_waits_too_long_is_returned(defined_lab: DefinedLab) -> None:
    lab = defined_lab
    lab.own.define(
        '[clock]\nmaximal_queue_lifetime = ["5d", "2s"]\nsmtp_connect_timeout = ["30s", "1s"]\n'
        'maximal_backoff_time = ["4000s", "1s"]\ndelay_warning_time = ["0", "0"]\n'
    )
    lab.changed()
    lab.container("mx-beta").kill()
    sent = lab.send("alice@alpha.test", "bob@beta.test", wait="expired")
    report = lab.bounce("alice@alpha.test", sent["message_id"])
    assert report["reporting_mta"] == "mx.alpha.test"
    [failure] = report["recipients"]
    assert (failure["action"], failure["address"]) == ("failed", "bob@beta.test")
    assert failure["status"].startswith("4.4.")


def test_a_stopped_server_is_told_as_such(lab: Lab) -> None:
    for service, host, *command in (
        ("mail-beta", "mail.beta.test", "inbox", "bob@beta.test"),
        ("mx-alpha", "mx.alpha.test", "send", "alice@alpha.test", "bob@beta.test"),
        ("dns", "dns.lab.test", "dig", "beta.test", "MX"),
    ):
        lab.container(service).kill()
        error = lab.json(command[0], *command[1:], code=2)
        assert error["code"] == "lab-not-up"
        assert host in error["message"]
        assert "stopped" in error["message"]
        assert error["hint"] == "labctl status"  # which knows whether a fault has stopped it, or up mends it
