"""Results of every command, made by hand: what an engine and its daemons would have brought about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from labctl.commands.dig import Dug
from labctl.commands.doctor import Check, Doctor, State
from labctl.commands.down import Down, InUse
from labctl.commands.engine import EngineReport
from labctl.commands.exec import Executed
from labctl.commands.exercises import Exercises
from labctl.commands.exercises import Row as Exercise
from labctl.commands.explain import explain
from labctl.commands.fault import FaultApplied, FaultRow, Faults, FaultsReverted, ParameterRow, Setting
from labctl.commands.images import ImageRow, Images
from labctl.commands.inbox import Inbox
from labctl.commands.init import HandedOut
from labctl.commands.labs import Catalogue
from labctl.commands.labs import Row as LabRow
from labctl.commands.labstest import Case, Kind, LabTested
from labctl.commands.list import Labs
from labctl.commands.list import Row as RunningRow
from labctl.commands.prune import Pruned
from labctl.commands.queue import HostQueue, Queues
from labctl.commands.reset import Reset
from labctl.commands.run import Run
from labctl.commands.schema import schemas
from labctl.commands.send import Sent
from labctl.commands.status import Endpoint, HostStatus, Status
from labctl.commands.trace import Trace
from labctl.commands.up import Up
from labctl.exercises.result.narration import Step
from labctl.exercises.result.outcome import Blame, Result
from labctl.exercises.result.verdict import Verdict
from labctl.grading.verdict import AttemptVerdict
from labctl.lab.account import Account
from labctl.lab.role import Role
from labctl.lab.running.instance import HostState, LabState
from labctl.mail.client.mailbox import MailboxMessage
from labctl.mail.content import dsn
from labctl.mail.log.delivery import RecipientState
from labctl.mail.queue import QueuedMessage, QueuedRecipient, QueueName
from labctl.mail.state import MessageState
from tests.unit.report.grades import graded
from tests.unit.trace import samples

NOON = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
BOUNCES = "labs/bounces/exercises/test_bounces.py"
MESSAGE_ID = "<177.1@alpha.test>"
BOUNCE = Path(__file__).parents[2] / "data/dsn/dsn-01.eml"


@pytest.fixture
def status() -> Status:
    """Two domains, all hosts ready."""
    domains = (
        ("alpha", ("203.0.113.10", "192.0.2.10"), "192.0.2.143", ("alice", "amy")),
        ("beta", ("203.0.113.20", "198.51.100.20"), "198.51.100.143", ("bob", "bea")),
    )
    hosts = [_host("dns.lab.test", "dns", Role.DNS, None, "203.0.113.53")]
    endpoints = [Endpoint("dns", "dns", "198.18.0.2", 53)]
    accounts: list[Account] = []
    for name, mx, mail, users in domains:
        domain = f"{name}.test"
        hosts.append(_host(f"mx.{domain}", f"mx-{name}", Role.MTA, domain, *mx))
        hosts.append(_host(f"mail.{domain}", f"mail-{name}", Role.MDA, domain, mail))
        endpoints.append(Endpoint(f"mx-{name}", "submission", "198.18.0.3", 587))
        endpoints.append(Endpoint(f"mail-{name}", "imap", "198.18.0.4", 143))
        accounts.extend(Account(f"{user}@{domain}", user) for user in users)
    return Status(
        name="two-domains",
        lab="two-domains",
        state=LabState.READY,
        hosts=tuple(hosts),
        endpoints=tuple(endpoints),
        accounts=tuple(accounts),
    )


@pytest.fixture
def sent() -> Sent:
    """One message, delivered."""
    return Sent(
        message_id=MESSAGE_ID,
        queue_id="4bXy1z",
        from_="alice@alpha.test",
        to=("bob@beta.test",),
        accepted_at=NOON,
        state=MessageState.DELIVERED,
        reply="250 2.0.0 Ok: queued as 4bXy1z",
        recipients=(
            RecipientState(
                "bob@beta.test",
                "bob@beta.test",
                MessageState.DELIVERED,
                dsn="2.0.0",
                reason="250 2.0.0 <bob@beta.test> Saved",
                host="mx-beta",
                at=NOON,
            ),
        ),
        waited_for=MessageState.DELIVERED,
    )


@pytest.fixture
def inbox() -> Inbox:
    """A letter, and a bounce as Postfix wrote it."""
    report = dsn.parse(BOUNCE.read_bytes())
    assert report is not None
    letter = MailboxMessage(
        uid=1,
        message_id=MESSAGE_ID,
        from_="bob@beta.test",
        to=("alice@alpha.test",),
        subject="Lunch?",
        date=NOON,
        flags=("\\Seen",),
        size=1234,
        is_dsn=False,
        dsn=None,
    )
    bounce = replace(
        letter, uid=2, message_id="", subject="Undelivered", date=None, is_dsn=True, dsn=report, flags=()
    )
    return Inbox("alice@alpha.test", "imap", (letter, bounce))


@pytest.fixture
def queues() -> Queues:
    """One MTA with a deferred message and a notification, one that is empty, one that is stopped."""
    reason = "connect to mx.beta.test[203.0.113.20]:25: Connection refused"
    deferred = QueuedMessage(
        queue_id="4bXy1z",
        queue_name=QueueName.DEFERRED,
        arrival_time=NOON,
        sender="alice@alpha.test",
        size=600,
        recipients=(QueuedRecipient("bob@beta.test", reason), QueuedRecipient("bea@beta.test", reason)),
        message_id=MESSAGE_ID,
        next_try_at=NOON + timedelta(seconds=5),
        real_wait=600.0,
    )
    notification = replace(
        deferred,
        queue_id="4bXy2z",
        next_try_at=None,
        real_wait=None,
        queue_name=QueueName.ACTIVE,
        sender="",
        recipients=(QueuedRecipient("bob@beta.test", None),),
        message_id=None,
    )
    return Queues(
        (
            HostQueue("mx.alpha.test", "mx-alpha", HostState.READY, (deferred, notification)),
            HostQueue("mx.beta.test", "mx-beta", HostState.STOPPED, ()),
            HostQueue("mx.gamma.test", "mx-gamma", HostState.READY, ()),
        ),
        looked_at=NOON + timedelta(seconds=3),
    )


@pytest.fixture
def examples(status: Status, sent: Sent, inbox: Inbox, queues: Queues) -> dict[str, Any]:
    """Return a full result of every command, by the name of its schema."""
    every = (
        Up("two-domains", "two-domains", ("image mta built", "mx-alpha created"), status),
        Reset("two-domains", "two-domains", ("mx-alpha restarted",), status),
        Down(
            ("labctl-two-domains-dns", "labctl-two-domains"),
            (InUse("b", "labctl run of user amy (process 7)"),),
        ),
        Pruned(("labctl/mta:0123456789ab",), ("grade-1a2b3c-1",)),
        Labs(
            (
                RunningRow("a", "two-domains", LabState.READY, NOON),
                RunningRow("b", "", LabState.DEGRADED, None),
            )
        ),
        Catalogue(
            (
                LabRow(
                    "two-domains",
                    "Mail between two domains",
                    "two-domains",
                    3,
                    gradable=False,
                    max_score=None,
                    starter_score=None,
                ),
                LabRow(
                    "zones",
                    "A zone of one's own",
                    "two-domains",
                    0,
                    gradable=True,
                    max_score=10,
                    starter_score=1.5,
                ),
            )
        ),
        labs_tested(),
        HandedOut(
            "zones",
            "A zone of one's own",
            "attempts/amy",
            ("README.md", "beta.test.zone", "labctl.toml"),
            ("beta.test.zone",),
            "zones does not come with labctl.",
        ),
        Images(
            (
                ImageRow("mta", "labctl/mta:0123456789ab", 98_765_432, present=True),
                ImageRow("dns", "labctl/dns:ab", 0, present=False),
            ),
            built=("mta",),
            file="images.tar.gz",
            tags=("labctl/mta:0123456789ab",),
            outdated=("labctl/mda:old",),
            note="It was saved by another version.",
        ),
        Doctor(
            (
                Check("engine", State.OK, "an engine answers"),
                Check("disk", State.WARNING, "1.0 GB free", "docker system prune"),
                Check("subnets", State.FAILED, "no subnet is free", "ip route show"),
            )
        ),
        EngineReport(
            state="running",
            version="20.10.24",
            endpoint="unix:///var/run/docker.sock",
            ordered_by=None,
            installed_by_labctl=True,
            started_by_labctl=True,
            packages=("docker.io",),
            pid=4711,
            log="/var/log/labctl/dockerd.log",
        ),
        Exercises(
            (
                Exercise(
                    "unknown-user-bounces",
                    "bounces",
                    "A letter to nobody comes back.",
                    "The server says so at RCPT TO.",
                    BOUNCES,
                    12,
                ),
                Exercise("greylisted", "delays", "Come back later.", "", "test_delays.py", 1),
            )
        ),
        ran(),
        graded(),
        Executed(3, "inet_interfaces = all\n", "postconf: warning\n"),
        Faults(
            (
                FaultRow(
                    "hold",
                    "mx-beta takes mail and keeps it",
                    "main.cf: HOLD",
                    (
                        ParameterRow(
                            "host", required=False, default="mx-beta", choices=(), description="MTA"
                        ),
                        ParameterRow(
                            "how", required=False, default="no", choices=("no", "yes"), description="x"
                        ),
                    ),
                    active=True,
                ),
                FaultRow("mx-none", "no MX", "zone file: no MX", (), active=False),
            )
        ),
        FaultApplied(
            "two-domains", "two-domains", "hold", "it keeps it", (Setting("host", "mx-beta"),), ("mx-beta",)
        ),
        FaultsReverted("two-domains", ("hold", "mx-null")),
        explain(str(BOUNCE), BytesIO()),
        Dug("beta.test.", "MX", "NOERROR", ("10 mx.beta.test.",)),
        status,
        sent,
        inbox,
        queues,
        schemas("dig"),
        Trace((samples.mixed(), samples.looping(2), samples.rejected())),
    )
    return {each.SCHEMA: each for each in every}


def labs_tested() -> LabTested:
    """Return the tests of a lab, of which one case is as declared and one is not."""
    good = Case(
        name="solution",
        kind=Kind.SOLUTION,
        title="",
        ok=True,
        expected="passed, 10 of 10 points",
        seen="passed, 10 of 10 points",
        verdict=AttemptVerdict.PASSED,
        score=10,
        max_score=10,
        failed=(),
        seed="0123456789abcdef",
        seconds=2.5,
    )
    wrong = replace(
        good,
        name="no-mx",
        kind=Kind.MUTANT,
        title="There is no MX",
        ok=False,
        expected="fails mail-arrives",
        seen="failed, fails mx-resolves, 8 of 10 points",
        verdict=AttemptVerdict.FAILED,
        score=8,
        failed=("mx-resolves",),
        evidence=("mx-resolves failed: beta.test has no MX",),
    )
    variant = replace(good, name="relative-names", kind=Kind.VARIANT, title="Names without a final dot")
    return LabTested("zones", "A zone of one's own", (good, variant, wrong), 5.25)


def ran() -> Run:
    """Return one exercise of each verdict, of two labs."""
    sent = Step("alice@alpha.test sends", Verdict.PASSED, 0.03, ("250 2.0.0 Ok: queued as 4bXy1z",))
    bounce = Step("Expect a bounce", Verdict.FAILED, 2.5, ())
    passed = Result(
        "arrives", "bounces", "A letter arrives.", Verdict.PASSED, 0.5, (sent,), "", None, BOUNCES, 3
    )
    failed = replace(
        passed,
        id="bounces",
        title="A letter comes back.",
        verdict=Verdict.FAILED,
        seconds=2.53,
        steps=(sent, bounce),
        explanation="expected: a bounce\n    seen: the letter is delivered",
        line=12,
        printed="what it printed\n",
    )
    later = Result("later", "delays", "Not today.", Verdict.SKIPPED, 0, (), "not today")
    broken = replace(later, verdict=Verdict.ERROR, explanation="mx-beta is gone", kind=Blame.LAB)
    dead = replace(broken, id="dead", title="A dead host.")
    typo = replace(broken, id="typo", explanation="NameError: x", kind=Blame.EXERCISE, path=BOUNCES, line=1)
    return Run((passed, failed, typo, dead, later), seconds=4.2)


def _host(name: str, service: str, role: Role, domain: str | None, *addresses: str) -> HostStatus:
    return HostStatus(name, service, f"labctl-{service}", role, domain, addresses, HostState.READY)
