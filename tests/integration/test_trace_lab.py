"""What a trace takes from a real lab: its logs whole, from the last reset on, and as they come."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labctl.engine import search
from labctl.engine.docker import DockerEngine
from labctl.lab.running import instance
from labctl.mail.log.mailboxevent import Saved
from labctl.trace.following import followed
from labctl.trace.laboratory import logs_of, world_of
from tests.integration.conftest import SERVICES, by_night

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.trace.logs.entry import Entry
    from tests.integration.conftest import Lab, OwnLab

MESSAGES = 200


@pytest.fixture
def engine(lab: Lab) -> DockerEngine:
    """The engine as labctl speaks to it, with a lab on it."""
    assert lab.ids()
    return DockerEngine(search.find(os.environ, Path.home()))


def written(engine: DockerEngine, lab: Lab) -> dict[str, list[Entry]]:
    """What each host's log holds."""
    there = instance.observe(engine, lab.name)
    with logs_of(engine, there.hosts) as logs:
        return {log.name: list(log.entries()) for log in logs}


def test_the_engines_files_and_its_answers_tell_the_same_lines(lab: Lab, engine: DockerEngine) -> None:
    lab.send("alice@alpha.test", "bob@beta.test")
    for service in SERVICES:
        name = lab.container(service).name
        files = engine.log_files(name)
        if not files:
            pytest.skip("the engine's files are not for this user")
        kept = [json.loads(line) for each in files for line in each.read_bytes().splitlines()]
        told = engine.read_log(name).decode().splitlines()
        assert [each["log"].rstrip("\n") for each in kept] == [line.partition(" ")[2] for line in told]
        stamps = [datetime.fromisoformat(line.partition(" ")[0]) for line in told]
        assert [datetime.fromisoformat(each["time"]) for each in kept] == stamps


@pytest.mark.parametrize("options", ['max-file: "3", compress: "true"', by_night('max-file: "2"')])
def test_what_was_rotated_away_is_said_and_no_message_is_told_as_relayed(
    new_lab: Callable[[], Lab], own_lab: OwnLab, options: str
) -> None:
    sizes = {"mx-beta": "6k", "mail-beta": "2k"}
    bounds = (
        f'  {each}: {{logging: {{driver: json-file, options: {{max-size: "{size}", {options}}}}}}}\n'
        for each, size in sizes.items()
    )
    own_lab.file("compose.yaml", "services:\n" + "".join(bounds))
    lab = new_lab()
    lab.up(str(own_lab))
    sent = [lab.send("alice@alpha.test", "bob@beta.test", "bea@beta.test")["message_id"] for _ in range(12)]

    listed = lab.json("trace")
    states = {each["message_id"]: each["state"] for each in listed["messages"]}
    told = {each: lab.json("trace", each)["messages"][0] for each in (sent[0], sent[6], sent[-1])}

    assert {each: states[each] for each in told} == {each: told[each]["state"] for each in told}
    assert (states[sent[0]], states[sent[-1]]) == ("unknown", "delivered")
    assert set(states.values()) == {"unknown", "delivered"}
    [note] = [each for each in told[sent[0]]["notes"] if each["kind"] == "log-cut"]
    assert note in listed["notes"]
    assert note["text"].startswith("the log of mx.beta.test begins at ")
    assert "log-cut" not in {each["kind"] for each in told[sent[-1]]["notes"]}


def test_a_reset_ends_what_is_told(lab: Lab, engine: DockerEngine) -> None:
    before = lab.send("alice@alpha.test", "bob@beta.test")["message_id"]
    lab.json("reset")
    after = lab.send("alice@alpha.test", "bob@beta.test")["message_id"]
    said = " ".join(entry.text for entries in written(engine, lab).values() for entry in entries)
    assert after in said
    assert before not in said
    assert "labctl: reset" not in said


def test_a_message_is_found_in_its_mailbox_and_nobody_has_read_it(lab: Lab, engine: DockerEngine) -> None:
    message_id = lab.send("alice@alpha.test", "bob@beta.test")["message_id"]
    sent = lab.send("alice@alpha.test", "nobody@beta.test", wait="bounced")["message_id"]
    bounce = lab.received("alice@alpha.test", lambda each: bool(each["is_dsn"]))["message_id"]
    sessions = sum("imap" in entry.program for entry in written(engine, lab)["mail.beta.test"])
    there = instance.observe(engine, lab.name)
    accounts = ["alice@alpha.test", "bob@beta.test"]

    world = world_of(engine, there, accounts=accounts, message_ids=[message_id, bounce], environ={})

    [(folder, found)] = world.mailboxes["bob@beta.test"]
    assert (folder, found.message_id, "\\Seen" in found.flags) == ("INBOX", message_id, False)
    [(_, report)] = world.mailboxes["alice@alpha.test"]
    assert report.dsn is not None
    assert report.dsn.original_message_id == sent
    assert sum("imap" in entry.program for entry in written(engine, lab)["mail.beta.test"]) == sessions


def test_following_a_flood_loses_nothing_and_keeps_each_hosts_order(lab: Lab, engine: DockerEngine) -> None:
    for service, setting in (
        ("mx-alpha", "smtpd_relay_restrictions=permit_mynetworks,reject"),
        ("mx-beta", "lmtp_destination_concurrency_limit=5"),  # more is more than Dovecot takes for one user
    ):
        assert lab.execute(service, "postconf", "-e", setting)[0] == 0
        assert lab.execute(service, "postfix", "reload")[0] == 0
    began = datetime.now(UTC)
    seen: list[Entry] = []
    with followed(engine, instance.observe(engine, lab.name)) as entries:
        flood = ["-c", "-s", "10", "-m", str(MESSAGES), "-f", "alice@alpha.test", "-t", "bob@beta.test"]
        assert lab.execute("mx-alpha", "smtp-source", *flood, "127.0.0.1:25")[0] == 0
        saved = 0
        while saved < MESSAGES:
            seen.append(next(entries))
            saved += isinstance(seen[-1].event, Saved)
    for host, entries_of in written(engine, lab).items():
        told = [entry.text for entry in seen if entry.host == host]
        begin = next((n for n, each in enumerate(entries_of) if each.at >= began), len(entries_of))
        assert told == [each.text for each in entries_of[begin:]][: len(told)]
    stored = Counter(entry.event.message_id for entry in seen if isinstance(entry.event, Saved))
    assert (len(stored), set(stored.values())) == (MESSAGES, {1})


def test_a_host_is_followed_across_its_stop_and_start(lab: Lab, engine: DockerEngine) -> None:
    there = instance.observe(engine, lab.name)
    with followed(engine, there) as entries:
        lab.container("mx-beta").stop(timeout=1)
        lab.container("mx-beta").start()
        assert lab.up()["changed"] == []
        sent = lab.send("alice@alpha.test", "bob@beta.test")["message_id"]
        seen: list[Entry] = []
        while not (seen and isinstance(seen[-1].event, Saved) and seen[-1].event.message_id == sent):
            seen.append(next(entries))
    told = [each for each in seen if each.host == "mx.beta.test"]
    assert any("daemon started" in each.text for each in told)
    assert max(Counter((each.at, each.text) for each in told).values()) == 1
