"""The command that tells a message's journey."""

from __future__ import annotations

import gzip
import io
from datetime import UTC
from typing import TYPE_CHECKING

import pytest

from labctl.commands.trace import table, table_of_files, trace, trace_files
from labctl.engine.logstream import moment
from labctl.errors import LabNotUp, NoSuchMessage, UsageError
from labctl.mail.state import MessageState
from labctl.trace.finding.wanted import Wanted
from labctl.trace.journey.hop import HopEvent, NoteKind
from labctl.trace.listing.table import Filters
from labctl.trace.picture.path import StationKind, paths
from tests.unit.trace.lines import BOUNCED, BOUNCED_ID, DELIVERED, DELIVERED_ID

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.unit.conftest import Stage


SERVICES = {"dns.lab.test": "dns", "mx.alpha.test": "mx-alpha", "mail.alpha.test": "mail-alpha"}
SERVICES |= {"mx.beta.test": "mx-beta", "mail.beta.test": "mail-beta"}


def say(stage: Stage, *told: Mapping[str, str], lost: Mapping[str, int] | None = None) -> Stage:
    """Let a lab's daemons say what they say of messages.

    Args:
        stage: The lab.
        told: The lines, by host.
        lost: How many lines a host has said first, and its log has lost.
    """
    stage.stand()
    lines = {
        host: [line for logs in told for line in logs.get(host, "").splitlines()][(lost or {}).get(host, 0) :]
        for host in SERVICES
    }
    ordered = sorted((*line.partition(" ")[::2], host) for host, said in lines.items() for line in said)
    for stamp, text, host in ordered:
        stage.fake.say(f"labctl-x-{SERVICES[host]}", text, at=moment(stamp))
    return stage


@pytest.fixture
def told(stage: Stage) -> Stage:
    """A lab whose daemons have said what they say of two letters."""
    return say(stage, DELIVERED, BOUNCED)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """The same as log files, one of them packed."""
    found = []
    for number, logs in enumerate((DELIVERED, BOUNCED)):
        for host, text in logs.items():
            path = tmp_path / f"{host}-{number}.log"
            path.write_bytes(gzip.compress(text.encode()) if number else text.encode())
            found.append(str(path))
    return found


def of_files(files: list[str], wanted: str, stdin: bytes = b"") -> list[tuple[str, MessageState]]:
    result = trace_files(files, Wanted.parse(wanted), zone=UTC, stdin=io.BytesIO(stdin))
    return [(each.message_id, each.state) for each in result.messages]


def test_a_message_of_a_lab_is_told_by_each_of_its_names(told: Stage) -> None:
    for name in (DELIVERED_ID, DELIVERED_ID.strip("<>"), "77F9B1D814E", "7C1991D8153", "bob@beta.test"):
        [message] = trace(told.fake, None, Wanted.parse(name), environ={}).messages
        assert (message.message_id, message.state) == (DELIVERED_ID, MessageState.DELIVERED), name


LINES = len(DELIVERED["mx.beta.test"].splitlines())


@pytest.mark.parametrize("lost", range(LINES + 1))
@pytest.mark.parametrize("mailbox", [True, False], ids=["the mailbox tells", "nobody tells"])
def test_what_a_log_has_lost_is_told_by_another_or_is_unknown(
    stage: Stage, lost: int, *, mailbox: bool
) -> None:
    in_mailbox = len(DELIVERED["mail.beta.test"].splitlines())
    lines = say(
        stage,
        DELIVERED,
        BOUNCED,
        {"mail.beta.test": "2026-11-24T16:09:58Z Nov 24 16:09:58 master: Info: Something else"},
        lost={"mx.beta.test": lost, "mail.beta.test": 0 if mailbox else in_mailbox},
    )

    [message] = trace(lines.fake, None, Wanted.parse(DELIVERED_ID), environ={}).messages
    with table(lines.fake, None, Filters()) as listed:
        [row] = [each for each in listed.rows if each.message_id == DELIVERED_ID]

    known = mailbox or any(each.event is HopEvent.DELIVERED for each in message.hops)
    assert message.state == row.state == (MessageState.DELIVERED if known else MessageState.UNKNOWN)
    stations = [each.kind for way in paths(message) for each in way.stations]
    assert (StationKind.MDA in stations) == known
    cut = "mx.beta.test" in "".join(each.text for each in message.notes if each.kind is NoteKind.LOG_CUT)
    sent = next(each.at for each in message.hops if each.event is HopEvent.RELAYED)
    begins = next(each.at for each in lines.fake.logs("labctl-x-mx-beta"))
    assert cut == (sent < begins)


def test_a_log_that_begins_with_its_daemon_has_lost_nothing(stage: Stage) -> None:
    start = "2026-11-24T16:09:50Z Nov 24 16:09:50 mx postfix/master[1]: daemon started -- version 3.10"
    begun = say(stage, {"mx.alpha.test": start}, DELIVERED)

    with table(begun.fake, None, Filters()) as listed:
        told = [each.text for each in listed.notes]

    assert [each for each in told if "mx.alpha.test" in each] == []
    assert [each for each in told if "mx.beta.test" in each] != []


def test_a_message_that_no_log_has_any_more_may_have_been_cut_off(told: Stage) -> None:
    with pytest.raises(NoSuchMessage, match=r"the log of mx\.alpha\.test begins at .* older lines are gone"):
        trace(told.fake, None, Wanted.parse("<gone@alpha.test>"), environ={})


def test_the_labs_own_addresses_tell_whose_the_lookups_are(told: Stage) -> None:
    [message] = trace(told.fake, None, Wanted.parse(DELIVERED_ID), environ={}).messages

    lookups = [each.detail["asked_by"] for each in message.hops if each.event is HopEvent.LOOKUP]
    assert lookups == ["mx.alpha.test", "mx.alpha.test", "mx.beta.test"]


def test_an_address_names_all_its_messages(told: Stage) -> None:
    result = trace(told.fake, None, Wanted.parse("alice@alpha.test"), environ={})

    assert {DELIVERED_ID, BOUNCED_ID} <= {each.message_id for each in result.messages}


def test_a_message_that_no_log_tells_of_is_no_message(told: Stage) -> None:
    with pytest.raises(NoSuchMessage, match=r"<gone@alpha\.test>, or from or to gone@alpha\.test"):
        trace(told.fake, None, Wanted.parse("gone@alpha.test"), environ={})
    with pytest.raises(NoSuchMessage, match="queued as ABCDEF0123"):
        trace(told.fake, None, Wanted.parse("ABCDEF0123"), environ={})


def test_without_a_lab_there_is_nothing_to_trace(stage: Stage) -> None:
    with pytest.raises(LabNotUp):
        trace(stage.fake, None, Wanted.parse(DELIVERED_ID), environ={})


def test_what_is_no_name_of_a_message_is_refused() -> None:
    with pytest.raises(UsageError, match="neither a Message-ID nor"):
        Wanted.parse("hello world")


def test_log_files_tell_the_same(files: list[str]) -> None:
    assert of_files(files, DELIVERED_ID) == [(DELIVERED_ID, MessageState.DELIVERED)]
    assert of_files(files, "A90C41D8153") == [(BOUNCED_ID, MessageState.BOUNCED)]


def test_a_log_may_come_from_standard_input() -> None:
    assert of_files(["-"], "77F9B1D814E", DELIVERED["mx.alpha.test"].encode()) == [
        (DELIVERED_ID, MessageState.RELAYED)
    ]


def test_without_a_name_all_are_listed(told: Stage, files: list[str]) -> None:
    with table(told.fake, None, Filters()) as listed:
        of_lab = sorted((each.message_id or "", each.state) for each in listed.rows)
    with table_of_files(files, Filters(), zone=UTC, stdin=io.BytesIO()) as listed:
        told_by_files = sorted((each.message_id or "", each.state) for each in listed.rows)

    assert (BOUNCED_ID, MessageState.BOUNCED) in of_lab
    assert (DELIVERED_ID, MessageState.DELIVERED) in of_lab
    assert told_by_files == of_lab


def test_a_list_may_be_filtered(told: Stage) -> None:
    with table(told.fake, None, Filters(state=MessageState.BOUNCED)) as listed:
        assert [each.message_id for each in listed.rows] == [BOUNCED_ID]
