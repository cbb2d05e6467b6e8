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
from labctl.trace.journey.hop import HopEvent
from labctl.trace.listing.table import Filters
from tests.unit.trace.lines import BOUNCED, BOUNCED_ID, DELIVERED, DELIVERED_ID

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import Stage


@pytest.fixture
def told(stage: Stage) -> Stage:
    """A lab whose daemons have said what they say of two letters."""
    stage.stand()
    services = {"dns.lab.test": "dns", "mx.alpha.test": "mx-alpha", "mail.alpha.test": "mail-alpha"}
    services |= {"mx.beta.test": "mx-beta", "mail.beta.test": "mail-beta"}
    lines = [
        (stamp, host, text)
        for logs in (DELIVERED, BOUNCED)
        for host, whole in logs.items()
        for stamp, _, text in (line.partition(" ") for line in whole.splitlines())
    ]
    for stamp, host, text in sorted(lines):
        stage.fake.say(f"labctl-x-{services[host]}", text, at=moment(stamp))
    return stage


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


def test_log_files_that_do_not_name_it_are_named(files: list[str]) -> None:
    with pytest.raises(NoSuchMessage, match=r"mx\.alpha\.test-0\.log"):
        of_files(files, "<gone@alpha.test>")


def test_without_a_name_all_are_listed(told: Stage, files: list[str]) -> None:
    with table(told.fake, None, Filters()) as rows:
        of_lab = sorted((each.message_id or "", each.state) for each in rows)
    with table_of_files(files, Filters(), zone=UTC, stdin=io.BytesIO()) as rows:
        listed = sorted((each.message_id or "", each.state) for each in rows)

    assert (BOUNCED_ID, MessageState.BOUNCED) in of_lab
    assert (DELIVERED_ID, MessageState.DELIVERED) in of_lab
    assert listed == of_lab


def test_a_list_may_be_filtered(told: Stage) -> None:
    with table(told.fake, None, Filters(state=MessageState.BOUNCED)) as rows:
        assert [each.message_id for each in rows] == [BOUNCED_ID]
