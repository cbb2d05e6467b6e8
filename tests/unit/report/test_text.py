"""What a person needs is in the text, and nothing in it commands a terminal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labctl.commands.doctor import Check, Doctor, State
from labctl.commands.down import Down, InUse
from labctl.commands.engine import EngineReport
from labctl.commands.images import Images
from labctl.commands.list import Labs
from labctl.commands.prune import Pruned
from labctl.commands.reset import Reset
from labctl.commands.up import Up
from labctl.errors import ConfigRejected, EngineUnavailable, InvalidLabFile, LabctlError, ServiceNotReady
from labctl.lab.running.instance import HostState, LabState
from labctl.mail.log.delivery import RecipientState
from labctl.mail.state import MessageState
from labctl.report import text as writers
from labctl.report.text import error_text, text
from tests.unit.report.formats import controls
from tests.unit.report.hostile import spoilt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.commands.inbox import Inbox
    from labctl.commands.send import Sent
    from labctl.commands.status import Status

HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\u202e\u061c\x9b1A\ud800\n\u2028labctl: all is well"


@pytest.mark.parametrize("name", sorted({*writers._WRITERS, *writers._LAID_OUT}))
def test_hostile_text_anywhere_in_a_result_is_shown_harmless(name: str, examples: Mapping[str, Any]) -> None:
    said = text(spoilt(examples[name], HOSTILE))
    assert controls(said) == set()
    assert "\\x1b" in said
    assert controls(text(examples[name])) == set()


@pytest.mark.parametrize("name", ["send", "inbox", "queue", "dig", "doctor", "list", "labs", "down", "prune"])
def test_hostile_text_can_not_begin_a_line_of_its_own(name: str, examples: Mapping[str, Any]) -> None:
    said = text(spoilt(examples[f"labctl/{name}/v1"], HOSTILE))
    assert not any(line.lstrip().startswith("labctl: all is well") for line in said.splitlines())


def test_a_lab_that_came_up_shows_what_was_done_where_it_is_and_what_to_try(status: Status) -> None:
    said = text(Up("two-domains", "two-domains", ("mx-alpha created",), status))
    assert said.startswith("Changed:\n  mx-alpha created")
    for each in ("203.0.113.10", "198.18.0.3:587", "alice@alpha.test", "is ready"):
        assert each in said
    assert "labctl send alice@alpha.test bob@beta.test --wait delivered" in said


def test_the_commands_to_try_name_a_lab_that_has_a_name_of_its_own(status: Status) -> None:
    said = text(Up("mine", "two-domains", (), replace(status, name="mine")))
    assert "labctl inbox --name mine bob@beta.test" in said


def test_a_second_up_says_that_there_was_nothing_to_do(status: Status) -> None:
    assert text(Up("two-domains", "two-domains", (), status)).startswith(
        "Nothing to do: lab two-domains is up"
    )


def test_a_dry_run_says_what_would_be_done() -> None:
    assert text(Up("x", "x", ("network created",), None)) == "Would be done:\n  network created"
    assert "Nothing to do" in text(Up("x", "x", (), None))


def test_a_reset_lab_is_as_new(status: Status) -> None:
    assert text(Reset("a", "a", (), status)) == "Lab a is as new."
    assert "mx-alpha restarted" in text(Reset("a", "a", ("mx-alpha restarted",), status))


def test_a_host_that_is_stopped_is_shown_with_what_helps(status: Status) -> None:
    first = replace(status.hosts[1], state=HostState.STOPPED)
    hosts = (status.hosts[0], first, *status.hosts[2:])
    said = text(replace(status, state=LabState.DEGRADED, hosts=hosts, name="mine"))
    assert "is degraded" in said
    assert "Not ready: mx-alpha (stopped)." in said
    assert "labctl logs --name mine mx-alpha" in said
    assert "labctl up two-domains --name mine" in said
    assert "Not ready" not in text(status)


def test_applied_faults_are_named(status: Status) -> None:
    said = text(replace(status, faults=("dns-down", "refuse"), name="mine"))
    assert "Faults applied: dns-down, refuse." in said
    assert "labctl fault revert --name mine" in said


def test_a_faulty_host_is_not_told_to_be_mended_by_up(status: Status) -> None:
    first = replace(status.hosts[1], state=HostState.FAULTY)
    hosts = (status.hosts[0], first, *status.hosts[2:])
    said = text(replace(status, state=LabState.DEGRADED, hosts=hosts, faults=("refuse",)))
    assert "Not ready: mx-alpha (faulty)." in said
    assert "mends it" not in said


def test_an_absent_lab_is_told_with_the_way_to_start_it(status: Status) -> None:
    absent = replace(status, name="mine", lab="", state=LabState.ABSENT, hosts=(), endpoints=(), accounts=())
    assert text(absent) == "Lab mine is absent. Start it: labctl up --name mine"


def test_lists_of_nothing_say_so() -> None:
    assert text(Labs(())) == "No lab is up. Start one: labctl up"
    assert text(Down(())).startswith("Nothing to remove")
    assert text(Pruned(())) == "Nothing to remove."
    assert text(Down((), (InUse("x", "labctl run"),))) == "In use, and still there:\n  x, by labctl run"
    assert text(Pruned((), ("x",))).endswith("\n  x\n  labctl down --name x   removes one if none has")


def test_running_labs_and_the_catalogue_are_tables(examples: Mapping[str, Any]) -> None:
    running = text(examples["labctl/list/v1"])
    assert "2026-03-01 12:00:00Z" in running
    assert "degraded" in running
    catalogue = text(examples["labctl/labs/v1"])
    assert "Mail between two domains" in catalogue
    assert catalogue.splitlines()[2].split()[:3] == ["zones", "0", "10"]


def test_a_delivered_message_is_told_with_its_id_and_the_servers_words(sent: Sent) -> None:
    said = text(sent)
    assert said.startswith("<177.1@alpha.test>: delivered\n")
    assert "250 2.0.0 Ok: queued as 4bXy1z" in said
    assert "bob@beta.test: delivered, 250 2.0.0 <bob@beta.test> Saved [mx-beta]" in said
    assert "Waited" not in said


def test_a_message_that_nobody_waited_for_is_queued_which_is_not_delivered(sent: Sent) -> None:
    said = text(replace(sent, state=MessageState.QUEUED, recipients=(), waited_for=None))
    assert "Queued is not delivered" in said
    assert "--wait delivered" in said


def test_a_refused_message_shows_the_servers_refusal(sent: Sent) -> None:
    refused = "550 5.1.1 <nobody@alpha.test>: Recipient address rejected"
    said = text(
        replace(
            sent, state=MessageState.REJECTED, reply=refused, queue_id=None, accepted_at=None, recipients=()
        )
    )
    assert ": rejected\n" in said
    assert refused in said
    assert "in vain: rejected is final" in said


def test_a_message_that_did_not_come_in_time_tells_why_it_waits_and_where_to_look(sent: Sent) -> None:
    waits = replace(
        sent.recipients[0],
        state=MessageState.DEFERRED,
        reason="451 4.3.0 try later",
        original="team@beta.test",
    )
    said = text(replace(sent, state=MessageState.DEFERRED, recipients=(waits,)))
    assert "bob@beta.test (for team@beta.test): deferred, 451 4.3.0 try later" in said
    assert "did not come in time" in said
    assert "labctl queue" in said


def test_each_recipient_of_a_message_that_was_waited_for_is_shown(sent: Sent) -> None:
    other = RecipientState("bea@beta.test", "bea@beta.test", MessageState.QUEUED)
    said = text(replace(sent, state=MessageState.QUEUED, recipients=(*sent.recipients, other)))
    assert "bea@beta.test: queued" in said


def test_a_mailbox_shows_its_letters_and_reads_out_its_bounces(inbox: Inbox) -> None:
    said = text(inbox)
    assert "alice@alpha.test, by IMAP: 2 messages" in said
    assert "Lunch?" in said
    assert "\\Seen" in said
    assert "2 is a delivery status notification by mx.beta.test, about <20261124040618.3453C228645@" in said
    assert "nobody@beta.test: failed, 5.2.0" in said
    assert "Permission denied" in said
    assert said.endswith("The mail stays on the server.")


def test_a_delayed_message_is_told_until_when_it_is_tried(inbox: Inbox) -> None:
    letter, bounce = inbox.messages
    assert bounce.dsn is not None
    until = datetime(2026, 3, 6, 7, 8, 9, tzinfo=UTC)
    recipient = replace(
        bounce.dsn.recipients[0], action="delayed", remote_mta="mx.beta.test", will_retry_until=until
    )
    delayed = replace(bounce, dsn=replace(bounce.dsn, reporting_mta=None, recipients=(recipient,)))
    said = text(replace(inbox, messages=(letter, delayed)))
    assert "by an unnamed MTA" in said
    assert "delayed, 5.2.0, at mx.beta.test, tried again until 06 Mar 07:08:09" in said


def test_a_mailbox_read_by_pop3_says_what_is_gone(inbox: Inbox) -> None:
    said = text(replace(inbox, protocol="pop3", deleted=True))
    assert "by POP3" in said
    assert "NO." in said
    assert said.endswith("Deleted on the server.")


def test_an_empty_mailbox_is_told_in_a_line(inbox: Inbox) -> None:
    assert text(replace(inbox, messages=())) == "alice@alpha.test, by IMAP: no messages."


def test_an_answer_of_the_resolver_is_shown_as_zone_files_have_it(examples: Mapping[str, Any]) -> None:
    answer = examples["labctl/dig/v1"]
    assert text(answer) == "beta.test. MX 10 mx.beta.test."
    assert text(replace(answer, rcode="NXDOMAIN", records=())) == "beta.test. MX: NXDOMAIN, no records"
    assert text(replace(answer, records=())) == "beta.test. MX: NOERROR, no records"
    # A CNAME whose target does not exist has both records and NXDOMAIN.
    assert text(replace(answer, rcode="NXDOMAIN")).endswith("beta.test. MX: NXDOMAIN")


def test_images_show_what_is_there_and_what_was_done(examples: Mapping[str, Any]) -> None:
    said = text(examples["labctl/images/v1"])
    for each in (
        "99 MB",
        "not there",
        "Built: mta",
        "images.tar.gz: labctl/mta",
        "another version",
        "labctl prune",
    ):
        assert each in said
    assert "Built" not in text(Images(()))


def test_a_doctor_puts_a_cure_under_what_is_not_well_and_sums_up(examples: Mapping[str, Any]) -> None:
    said = text(examples["labctl/doctor/v1"])
    assert "FAIL  subnets: no subnet is free\n      next: ip route show" in said
    assert "No lab can run here" in said
    assert text(Doctor((Check("engine", State.OK, "it answers"),))).endswith("Labs can run here.")


def test_an_engine_is_told_with_labctls_part_in_it() -> None:
    absent = EngineReport(
        state="absent",
        version=None,
        endpoint=None,
        ordered_by=None,
        installed_by_labctl=False,
        started_by_labctl=False,
        packages=(),
        pid=None,
        log=None,
    )
    assert "absent" in text(absent)
    assert "will not stop" not in text(absent)
    ordered = replace(absent, state="running", version="27.1", endpoint="unix:///x", ordered_by="DOCKER_HOST")
    assert "unix:///x (version 27.1, ordered by DOCKER_HOST)" in text(ordered)
    assert "will not stop" in text(ordered)
    assert "labctl started it" in text(replace(ordered, started_by_labctl=True))
    installed = replace(ordered, installed_by_labctl=True, packages=("docker.io",), log="/x.log", pid=7)
    assert "labctl installed it: docker.io" in text(installed)
    assert "/x.log, its process 7" in text(installed)


def test_an_error_is_what_failed_and_the_next_step() -> None:
    assert error_text(EngineUnavailable("none answers", hint="labctl up --yes")) == (
        "labctl: none answers\n  next: labctl up --yes"
    )


def test_an_errors_log_and_the_daemons_words_stand_apart_from_labctls_own() -> None:
    late = ServiceNotReady("mx-alpha", service="mx-alpha", waited=5, log="one\ntwo\n", hint="look")
    assert "  | one\n  | two\n  next: look" in error_text(late)
    refused = ConfigRejected(
        "refused", service="dns", file="zone", line=3, said="zone:3: bad\x1b", hint="edit"
    )
    assert "  | zone:3: bad\\x1b" in error_text(refused)


def test_an_error_with_hostile_text_can_not_pass_for_another() -> None:
    bad = InvalidLabFile(
        f"odd {HOSTILE}\nlabctl: no error\nnext: rm -r ~",
        path=Path("lab.toml"),
        line=1,
        hint=f"edit\n  next: rm -r {HOSTILE}",
    )
    said = error_text(bad)
    assert controls(said) == set()
    assert sum(line.startswith("labctl:") for line in said.splitlines()) == 1
    assert sum(line.startswith("  next:") for line in said.splitlines()) == 1


def test_an_error_without_a_message_is_still_one() -> None:
    assert error_text(LabctlError("", hint="x")).startswith("labctl: ")
