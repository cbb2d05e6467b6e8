"""Each fault does with real mail what it says, and afterwards mail flows as before."""

from __future__ import annotations

import re
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from labctl.wait import eventually
from tests.integration.conftest import SERVICES, SOON, by_night

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.integration.conftest import Lab

ALICE, BOB, BEA = "alice@alpha.test", "bob@beta.test", "bea@beta.test"

FILES = (
    "cd /etc; cat postfix/main.cf coredns/Corefile coredns/zones/* dovecot/dovecot.conf 2> /dev/null;"
    " ls postfix dovecot dovecot/conf.d /run 2> /dev/null; nft list tables; tc qdisc show"
)
"""For a host's shell: everything that a fault may have left."""


@dataclass(frozen=True)
class Case:
    """A fault, and what becomes of a letter from alice to bob."""

    order: str
    state: str
    dsn: str | None
    reason: str
    """A pattern that is found in what the log says of it."""

    host: str = "mx.alpha.test"
    """Whose log says so."""

    size: int = 0

    def __str__(self) -> str:
        return self.order


CONVERSATION = r"^conversation with mx\.beta\.test\[203\.0\.113\.20\] timed out while "
SAID = r"^host mx\.beta\.test\[203\.0\.113\.20\] said: "
CONNECT = r"^connect to mx\.beta\.test\[203\.0\.113\.20\]:25: "
NAME_ERROR = r"^Host or domain name not found\. Name service error for name=beta\.test type="

CASES = (
    Case("mx-null", "bounced", "5.1.0", r"^Domain beta\.test does not accept mail \(nullMX\)$"),
    Case(
        "mx-missing", "bounced", "5.4.4", NAME_ERROR + r"A: Host found but no data record of requested type$"
    ),
    Case("mx-wrong", "bounced", "5.4.4", r"name=no-such-mx\.beta\.test type=A: Host not found$"),
    Case(
        "mx-dead backup=no",
        "deferred",
        "4.4.1",
        r"^connect to old-mx\.beta\.test\[.*\]:25: Connection refused$",
    ),
    Case("mx-loop", "bounced", "5.4.6", r"^mail for beta\.test loops back to myself$"),
    Case("dns-servfail", "deferred", "4.4.3", NAME_ERROR + r"MX: Host not found, try again$"),
    Case("dns-nxdomain", "bounced", "5.4.4", NAME_ERROR + r"A: Host not found$"),
    Case("dns-timeout", "deferred", "4.4.3", NAME_ERROR + r"MX: Host not found, try again$"),
    Case("dns-down", "deferred", "4.4.3", NAME_ERROR + r"MX: Host not found, try again$"),
    Case(
        "ptr-missing",
        "deferred",
        "4.7.1",
        SAID + r"450 4\.7\.1 Client host rejected: cannot find your reverse host",
    ),
    Case(
        "ptr-missing permanent=yes",
        "bounced",
        "5.7.1",
        SAID + r"550 5\.7\.1 Client host rejected: cannot find",
    ),
    Case(
        "ptr-wrong",
        "deferred",
        "4.7.25",
        SAID + r"450 4\.7\.25 Client host rejected: cannot find your hostname",
    ),
    Case("ptr-wrong permanent=yes", "bounced", "5.7.25", SAID + r"550 5\.7\.25 Client host rejected"),
    Case(
        "greylist delay=60",
        "deferred",
        "4.2.0",
        SAID + r"450 4\.2\.0 <bob@beta\.test>: Recipient address rejected: Gr",
    ),
    Case(
        "mailbox-full",
        "bounced",
        "5.2.2",
        r"said: 552 5\.2\.2 <bob@beta\.test> The mailbox is full",
        "mx.beta.test",
    ),
    Case(
        "mailbox-full temporarily=yes",
        "deferred",
        "4.2.2",
        r"said: 452 4\.2\.2 <bob@beta\.test>",
        "mx.beta.test",
    ),
    Case(
        "mailbox-full at=rcpt",
        "bounced",
        "5.2.2",
        SAID + r"552 5\.2\.2 <bob@beta\.test>: Recipient address rejected",
    ),
    Case(
        "mailbox-full at=rcpt temporarily=yes",
        "deferred",
        "4.2.2",
        SAID + r"452 4\.2\.2 <bob@beta\.test>: Recip",
    ),
    Case(
        "size-limit",
        "bounced",
        "5.3.4",
        r"^message size \d+ exceeds size limit 10240 of server mx\.b",
        size=20_000,
    ),
    Case("size-limit advertised=no", "bounced", "5.3.4", SAID + r"552 5\.3\.4 .*end of DATA", size=20_000),
    Case(
        "reject",
        "bounced",
        "5.7.1",
        SAID + r"550 5\.7\.1 <bob@beta\.test>: Recipient address rejected: Not welcome",
    ),
    Case(
        "reject stage=sender",
        "bounced",
        "5.7.1",
        SAID + r"550 5\.7\.1 <alice@alpha\.test>: Sender address rej",
    ),
    Case(
        "reject stage=helo",
        "bounced",
        "5.7.1",
        r"refused to talk to me: 550 5\.7\.1 <mx\.alpha\.test>: Helo command",
    ),
    Case(
        "reject stage=client",
        "deferred",
        "4.7.1",
        r"refused to talk to me: 550 5\.7\.1 <mx\.alpha\.test\[203",
    ),
    Case(
        "reject stage=data code=450 status=4.7.0",
        "deferred",
        "4.7.0",
        SAID + r"450 4\.7\.0 .*reply to DATA command",
    ),
    Case(
        "reject stage=content code=554 status=5.6.0",
        "bounced",
        "5.6.0",
        SAID + r"554 5\.6\.0 .*end of DATA command",
    ),
    Case("refuse", "deferred", "4.4.1", CONNECT + "Connection refused$"),
    Case("drop", "deferred", "4.4.1", CONNECT + "Connection timed out$"),
    Case("partition", "deferred", "4.4.1", CONNECT + "Connection timed out$"),
    Case("partition how=reject", "deferred", "4.4.1", CONNECT + "No route to host$"),
    Case("mta-down", "deferred", "4.4.1", CONNECT + "(Connection timed out|No route to host)$"),
    Case(
        "mda-down",
        "deferred",
        "4.4.1",
        r"^connect to 198\.51\.100\.143\[198\.51\.100\.143\]:24: ",
        "mx.beta.test",
    ),
    Case("tarpit stage=HELO", "deferred", "4.4.2", CONVERSATION + "performing the EHLO handshake$"),
    Case("tarpit stage=MAIL", "deferred", "4.4.2", CONVERSATION + "sending MAIL FROM$"),
    Case("tarpit", "deferred", "4.4.2", CONVERSATION + "sending RCPT TO$"),
    Case("tarpit stage=DATA", "deferred", "4.4.2", CONVERSATION + "sending DATA command$"),
    Case(
        "tarpit stage=END",
        "deferred",
        "4.4.2",
        CONVERSATION + "sending end of data -- message may be sent more than o",
    ),
    Case("slow-greeting", "deferred", "4.4.2", CONVERSATION + "receiving the initial server greeting$"),
    Case(
        "lost-after-dot",
        "deferred",
        "4.4.2",
        r"^lost connection with mx\.beta.* while sending end of data -- message may",
    ),
    Case("relay-denied", "deferred", "4.7.1", SAID + r"454 4\.7\.1 <bob@beta\.test>: Relay access denied"),
    Case(
        "relay-denied permanent=yes",
        "bounced",
        "5.7.1",
        SAID + r"554 5\.7\.1 <bob@beta\.test>: Relay access denied",
    ),
    Case("discard", "discarded", "2.0.0", "^thrown away$", "mx.beta.test"),
    Case("discard by=access", "discarded", None, "thrown away$", "mx.beta.test"),
    Case("hold", "held", None, "for a person to look at$", "mx.beta.test"),
)

FOR_THE_NIGHT = {
    "ptr-missing permanent=yes",
    "ptr-wrong permanent=yes",
    "mailbox-full temporarily=yes",
    "mailbox-full at=rcpt temporarily=yes",
    "reject stage=sender",
    "reject stage=helo",
    "reject stage=content code=554 status=5.6.0",
    "partition how=reject",
    "tarpit stage=HELO",
    "tarpit stage=MAIL",
    "tarpit stage=DATA",
    "relay-denied permanent=yes",
    "discard by=access",
}
"""Faults that by day are seen with other values; what these set is in ``unit/faults/test_plans.py``."""


def left(lab: Lab, services: Iterable[str] = SERVICES) -> dict[str, str]:
    return {service: lab.execute(service, "sh", "-c", FILES)[1] for service in services}


@pytest.fixture(scope="module")
def before(standing_lab: Lab) -> Iterator[dict[str, str]]:
    """What hosts without a fault hold, and hold again when all tests of this file are over."""
    standing_lab.json("reset")
    found = left(standing_lab)
    yield found
    assert left(standing_lab) == found
    status = standing_lab.json("status")
    assert (status["state"], status["faults"]) == ("ready", [])


def fault(lab: Lab, command: str, *arguments: str, code: int = 0) -> dict[str, Any]:
    ran = lab.labctl("fault", command, "--name", lab.name, "--json", *arguments)
    assert ran.code == code, ran
    return lab.labctl.document_of(ran.stdout)


def apply(lab: Lab, order: str, code: int = 0) -> dict[str, Any]:
    return fault(lab, "apply", *order.split(), code=code)


def revert(lab: Lab, *names: str) -> list[str]:
    found: list[str] = fault(lab, "revert", *names)["reverted"]
    return found


def active(lab: Lab) -> list[str]:
    """Name the applied faults, on which `fault list` and `status` have to agree."""
    found = [each["name"] for each in fault(lab, "list")["faults"] if each["active"]]
    assert lab.json("status")["faults"] == sorted(found)
    return sorted(found)


@pytest.fixture
def used_lab(standing_lab: Lab, before: dict[str, str]) -> Iterator[Lab]:  # noqa: ARG001  # which has reset it
    """The shared lab with the mail of the test before, and as new after a test that has left a fault."""
    yield standing_lab
    volumes = standing_lab.docker.volumes.list(filters={"name": f"labctl-{standing_lab.name}-fault-"})
    if volumes or standing_lab.damaged():
        standing_lab.json("reset")


@pytest.mark.parametrize(
    "case", [by_night(each) if each.order in FOR_THE_NIGHT else each for each in CASES], ids=str
)
def test_a_fault_does_what_it_says_and_ends_when_it_is_undone(
    used_lab: Lab, before: dict[str, str], case: Case
) -> None:
    lab, name = used_lab, case.order.split()[0]

    applied = apply(lab, case.order)
    body = "a line of text\n" * (case.size // 15 or 1)
    sent = lab.json("send", ALICE, BOB, "--body", body, "--wait", case.state, "--timeout", "20")

    assert applied["fault"] == name
    [recipient] = sent["recipients"]
    assert (recipient["state"], recipient["dsn"], recipient["host"]) == (case.state, case.dsn, case.host)
    assert re.search(case.reason, recipient["reason"])

    assert revert(lab, name) == [name]
    assert left(lab, applied["services"]).items() <= before.items()
    lab.send(ALICE, BOB)
    if case.state in {"deferred", "held"}:
        lab.json("reset")  # what still waits would take part in the next fault


def test_a_greylist_takes_the_letter_when_it_comes_again(lab: Lab) -> None:
    apply(lab, "greylist delay=2")
    sent = lab.send(ALICE, BOB)
    [recipient] = sent["recipients"]
    assert recipient["state"] == "delivered"
    assert "450 4.2.0" in lab.log("mx-alpha")
    revert(lab)


def test_a_dead_mx_with_another_one_behind_it_costs_an_attempt(lab: Lab) -> None:
    apply(lab, "mx-dead")
    lab.send(ALICE, BOB)
    log = lab.log("mx-alpha").rpartition("labctl: reset")[2]
    assert "connect to old-mx.beta.test[203.0.113.53]:25: Connection refused" in log
    assert "relay=mx.beta.test[203.0.113.20]:25" in log
    revert(lab)


def test_a_rate_limit_defers_the_second_letter_and_takes_it_later(lab: Lab) -> None:
    apply(lab, "rate-limit messages=1 per=4")
    lab.send(ALICE, BOB)
    [second] = lab.send(ALICE, BEA, wait="deferred")["recipients"]
    assert second["dsn"] == "4.7.1"
    assert "450 4.7.1 Error: too much mail from 203.0.113.10" in second["reason"]
    assert lab.received(BEA)
    revert(lab)


def test_a_limit_of_connections_closes_the_door_before_a_word(lab: Lab) -> None:
    apply(lab, "rate-limit messages=0 connections=1 per=60")
    lab.send(ALICE, BOB)
    [second] = lab.send(ALICE, BEA, wait="deferred")["recipients"]
    assert second["dsn"] == "4.7.0"
    assert "refused to talk to me: 421 4.7.0 mx.beta.test Error: too many connections" in second["reason"]
    revert(lab)


def test_a_greeting_that_is_only_late_delays_the_letter(lab: Lab) -> None:
    apply(lab, "slow-greeting delay=1")
    [recipient] = lab.send(ALICE, BOB)["recipients"]
    assert recipient["state"] == "delivered"
    revert(lab)


def test_what_was_cut_off_after_the_dot_comes_when_the_fault_is_undone(lab: Lab) -> None:
    apply(lab, "lost-after-dot")
    sent = lab.send(ALICE, BOB, wait="deferred")
    assert lab.inbox(BOB) == []
    revert(lab)
    assert lab.received(BOB)["message_id"] == sent["message_id"]


def test_a_tarpit_at_the_end_brings_a_letter_more_than_once(lab: Lab) -> None:
    apply(lab, "tarpit stage=END delay=3 timeout=1")
    lab.send(ALICE, BOB, wait="deferred")
    twice = eventually(lambda: lab.inbox(BOB)[1:] or None, within=SOON)
    revert(lab)
    assert twice
    assert len({each["message_id"] for each in lab.inbox(BOB)}) == 1


def test_users_of_a_domain_whose_sasl_server_is_away_can_not_send(lab: Lab) -> None:
    apply(lab, "auth-down")
    assert lab.run("send", BOB, ALICE).code == 4
    lab.send(ALICE, BOB)  # who comes from elsewhere needs no password
    assert lab.json("status")["state"] == "degraded"
    assert revert(lab) == ["auth-down"]
    assert eventually(lambda: lab.run("send", BOB, ALICE).code == 0 or None, within=SOON)


def test_a_line_that_loses_everything_is_a_dead_one(lab: Lab) -> None:
    apply(lab, "loss percent=100")
    [recipient] = lab.send(ALICE, BOB, wait="deferred")["recipients"]
    assert recipient["dsn"] in {"4.4.1", "4.4.3"}
    revert(lab)
    assert lab.received(BOB)


def test_latency_is_applied_or_refused_as_a_whole(lab: Lab, before: dict[str, str]) -> None:
    ran = lab.labctl("fault", "apply", "--name", lab.name, "--json", "latency", "ms=50")
    said = lab.labctl.document_of(ran.stdout)
    if ran.code == 0:
        assert "netem" in lab.execute("mx-beta", "tc", "qdisc", "show")[1]
        lab.send(ALICE, BOB)
        revert(lab)
    else:
        assert (ran.code, said["code"]) == (4, "fault")
        assert said["hint"] == "sudo modprobe sch_netem"
    assert left(lab) == before
    assert active(lab) == []


def test_what_somebody_stopped_while_a_fault_was_on_is_started_to_undo_it(
    lab: Lab, before: dict[str, str]
) -> None:
    apply(lab, "mailbox-full")
    lab.container("mail-beta").stop()
    assert revert(lab) == ["mailbox-full"]
    assert left(lab, ["mail-beta"]).items() <= before.items()
    lab.send(ALICE, BOB)


def stopped_at_work(lab: Lab, order: str, sent: signal.Signals, later: float) -> int:
    """Apply a fault, and stop that labctl some time after the fault is on record; return its exit code."""
    volume = f"labctl-{lab.name}-fault-{order}"
    with lab.labctl.started("fault", "apply", "--name", lab.name, order) as process:
        eventually(
            lambda: process.poll() is not None or lab.docker.volumes.list(filters={"name": volume}) or None,
            within=SOON,
        )
        try:
            process.wait(timeout=later)
        except subprocess.TimeoutExpired:
            process.send_signal(sent)
        return process.wait(timeout=SOON)


MOMENTS = [
    ("partition", 0.05),
    ("ptr-missing", 0.001),
    *(by_night("partition", later) for later in (0.001, 0.1)),
    *(by_night("ptr-missing", later) for later in (0.05, 0.1)),
]


@pytest.mark.parametrize(("order", "later"), MOMENTS)
def test_ctrl_c_while_a_fault_is_applied_undoes_it(
    lab: Lab, before: dict[str, str], order: str, later: float
) -> None:
    code = stopped_at_work(lab, order, signal.SIGINT, later)
    assert code in {0, 130}
    assert active(lab) == ([order] if code == 0 else [])
    revert(lab)
    assert left(lab) == before


@pytest.mark.parametrize(("order", "later"), MOMENTS)
def test_what_a_killed_labctl_has_half_applied_is_undone_by_revert_and_by_reset(
    lab: Lab, before: dict[str, str], order: str, later: float
) -> None:
    stopped_at_work(lab, order, signal.SIGKILL, later)
    assert revert(lab) == [order]
    assert left(lab) == before
    lab.send(ALICE, BOB)
    stopped_at_work(lab, order, signal.SIGKILL, later)
    assert lab.json("reset")["status"]["state"] == "ready"
    assert active(lab) == []
    lab.send(ALICE, BOB)


@pytest.mark.nightly
def test_a_lab_with_faults_and_one_half_applied_is_taken_down(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    lab.up()
    apply(lab, "mta-down")
    apply(lab, "mx-null")
    stopped_at_work(lab, "auth-down", signal.SIGKILL, 0.001)
    assert lab.run("down").code == 0
    assert lab.leftovers() == []
