from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labctl.engine.model import ExecResult
from labctl.errors import LabNotUp, ServiceCommandFailed
from labctl.lab.inside.mailboxes import find_messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.engine.model import Container
    from labctl.lab.running.instance import Host
    from tests.unit.conftest import Stage

BOB, BEA = "bob@beta.test", "bea@beta.test"
BOUNCE = (Path(__file__).parents[2] / "data" / "dsn" / "dsn-06.eml").read_text(encoding="utf-8")


@pytest.fixture
def host(stage: Stage) -> Host:
    return stage.stand().host("mail-beta")


def record(message_id: str, uid: int = 1, folder: str = "INBOX", **more: Any) -> dict[str, Any]:
    """One message as ``doveadm -f json fetch`` tells it."""
    header = f"From: alice@alpha.test\nTo: bob@beta.test\nSubject: hello\nMessage-ID: {message_id}\n\n"
    told = {"mailbox": folder, "uid": str(uid), "flags": "\\Seen $Junk", "size.virtual": "120", "hdr": header}
    return told | more


def lay(stage: Stage, *answers: dict[str, list[dict[str, Any]]]) -> list[list[list[str]]]:
    """Let each command's doveadms tell what the accounts have; return what they were asked."""
    asked: list[list[list[str]]] = []

    def answer(_container: Container, argv: Sequence[str]) -> ExecResult:
        commands = [shlex.split(line) for line in argv[2].splitlines() if line != "echo"]
        has = answers[len(asked)]
        asked.append(commands)
        told = (json.dumps(has.get(words[words.index("-u") + 1], [])) for words in commands)
        return ExecResult(0, "".join(f"{line}\n" for line in told).encode(), b"")

    stage.fake.answer = answer
    return asked


def test_messages_are_found_with_their_folders_by_one_command(stage: Stage, host: Host) -> None:
    asked = lay(stage, {BOB: [record("<1@alpha.test>", 7, "Work"), record("<2@alpha.test>")]})

    found = find_messages(stage.fake, host, [BOB, BEA], ["<1@alpha.test>", "2@alpha.test"])

    assert found[BEA] == ()
    assert [(folder, message.uid, message.message_id) for folder, message in found[BOB]] == [
        ("Work", 7, "<1@alpha.test>"),
        ("INBOX", 1, "<2@alpha.test>"),
    ]
    assert (found[BOB][0][1].flags, found[BOB][0][1].size) == (("\\Seen", "$Junk"), 120)
    [[for_bob, for_bea]] = asked
    assert for_bob[:6] == ["doveadm", "-f", "json", "fetch", "-u", BOB]
    query = "( header message-id 1@alpha.test OR header message-id 2@alpha.test )"
    assert for_bob[7:] == for_bea[7:] == query.split()


def test_a_message_whose_id_only_contains_the_wanted_one_is_none(stage: Stage, host: Host) -> None:
    lay(stage, {BOB: [record("<11@alpha.test>")]})
    assert find_messages(stage.fake, host, [BOB], ["<1@alpha.test>"]) == {BOB: ()}


def test_of_a_report_the_whole_is_read(stage: Stage, host: Host) -> None:
    header, _, _ = BOUNCE.partition("\n\n")
    message_id = next(line for line in header.splitlines() if line.lower().startswith("message-id:"))
    reported = record("", 9, hdr=f"{header}\n\n")
    asked = lay(stage, {BOB: [reported]}, {BOB: [{"text": BOUNCE}]})

    [(_, message)] = find_messages(stage.fake, host, [BOB], [message_id.partition(": ")[2]])[BOB]

    assert message.is_dsn
    assert message.dsn is not None
    assert message.dsn.recipients[0].status == "5.1.1"
    assert asked[1] == [["doveadm", "-f", "json", "fetch", "-u", BOB, "text", "mailbox", "INBOX", "uid", "9"]]


def test_a_report_that_is_gone_meanwhile_is_told_without_what_it_says(stage: Stage, host: Host) -> None:
    header, _, _ = BOUNCE.partition("\n\n")
    message_id = next(line for line in header.splitlines() if line.lower().startswith("message-id:"))
    lay(stage, {BOB: [record("", hdr=f"{header}\n\n")]}, {})
    [(_, message)] = find_messages(stage.fake, host, [BOB], [message_id.partition(": ")[2]])[BOB]
    assert message.dsn is None


def test_words_of_a_shell_in_a_message_id_are_words_of_doveadm(stage: Stage, host: Host) -> None:
    asked = lay(stage, {})
    find_messages(stage.fake, host, [BOB], ["<'; rm -rf / #$(id)@alpha.test>"])
    assert asked[0][0][-2] == "'; rm -rf / #$(id)@alpha.test"


def test_many_are_asked_for_in_portions(stage: Stage, host: Host) -> None:
    ids = [f"<{number:03}@alpha.test>" for number in range(150)]
    asked = lay(stage, {BOB: [record(ids[0])]}, {BOB: [record(ids[149])]})
    found = find_messages(stage.fake, host, [BOB], ids)
    assert [message.message_id for _, message in found[BOB]] == [ids[0], ids[149]]
    assert [len(each) for each in asked] == [1, 1]


def test_nothing_that_is_wanted_asks_nothing(stage: Stage, host: Host) -> None:
    asked = lay(stage)
    assert find_messages(stage.fake, host, [BOB], ["", "<>"]) == {BOB: ()}
    assert asked == []


@pytest.mark.parametrize("said", [b"", b"\n", b"[]"])
def test_a_doveadm_that_fails_has_nothing(stage: Stage, host: Host, said: bytes) -> None:
    stage.fake.answer = lambda _container, _argv: ExecResult(67, said, b"User doesn't exist")
    assert find_messages(stage.fake, host, [BOB, BEA], ["<1@a>"]) == {BOB: (), BEA: ()}


def test_what_is_no_json_is_an_error(stage: Stage, host: Host) -> None:
    stage.fake.answer = lambda _container, _argv: ExecResult(0, b"[{\n\n", b"out of memory")
    with pytest.raises(ServiceCommandFailed, match="out of memory"):
        find_messages(stage.fake, host, [BOB], ["<1@a>"])


def test_a_host_that_is_stopped_can_not_be_asked(stage: Stage) -> None:
    stage.stand()
    stage.fake.stop("labctl-x-mail-beta", timeout=1)
    with pytest.raises(LabNotUp):
        find_messages(stage.fake, stage.host("mail-beta"), [BOB], ["<1@a>"])
