"""The commands of a lab, from up to down, in memory: what each prints, for people and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from labctl.engine.model import ExecResult
from tests.contract.conftest import Labctl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labctl.engine.model import Container
    from tests.bed.bed import Bed

    Valid = Callable[[Mapping[str, Any]], None]

QUEUE_ID = "4F00000BAD"


@pytest.fixture(scope="module")
def hall(hall: Bed) -> Bed:
    """An engine in memory, on which `false` fails and a message waits at mx-beta."""
    plain = hall.engine.answer

    def answer(container: Container, argv: Sequence[str]) -> ExecResult:
        if argv[0] == "false":
            return ExecResult(7, b"out\n", b"err\n")
        if "postqueue" in " ".join(argv) and container.name.endswith("mx-beta"):
            return ExecResult(0, QUEUE.encode(), b"")
        return plain(container, argv)

    hall.engine.answer = answer
    return hall


WAITS = {
    "queue_name": "deferred",
    "queue_id": QUEUE_ID,
    "arrival_time": 1790000000,
    "message_size": 400,
    "forced_expire": False,
    "sender": "bob@beta.test",
    "recipients": [{"address": "alice@alpha.test", "delay_reason": "mx.alpha.test said: 450 4.7.1 later"}],
}
QUEUE = f"{json.dumps(WAITS)}\n--\n--\n*** MESSAGE CONTENTS deferred/4/{QUEUE_ID} ***\nMessage-ID: <q@beta>\n"


@pytest.fixture(scope="module")
def labctl(hall: Bed, tmp_path_factory: pytest.TempPathFactory) -> Labctl:
    """labctl with a lab that is up, in which one letter has arrived and one has come back."""
    there = Labctl(tmp_path_factory.mktemp("home"))
    there.environ |= hall.environ
    assert there("up", "--json").document["status"]["state"] == "ready"
    for recipient, state in (("bob@beta.test", "delivered"), ("nobody@beta.test", "bounced")):
        ran = there("send", "alice@alpha.test", recipient, "--wait", state, "--json")
        assert (ran.code, ran.document["state"]) == (0, state)
    return there


@pytest.mark.parametrize(
    ("command", "text", "fact"),
    [
        ("status", "Lab two-domains (two-domains) is ready.", lambda said: len(said["hosts"]) == 5),
        ("list", "two-domains", lambda said: [each["name"] for each in said["labs"]] == ["two-domains"]),
        ("inbox bob@beta.test", "alice@alpha.test", lambda said: len(said["messages"]) == 1),
        ("inbox alice@alpha.test", "5.1.1", lambda said: said["messages"][0]["is_dsn"]),
        ("queue", "450 4.7.1 later", lambda said: QUEUE_ID in json.dumps(said)),
        ("dig beta.test MX", "10 mx.beta.test.", lambda said: said["rcode"] == "NOERROR"),
        ("dig nosuch.test", "NXDOMAIN", lambda said: said["records"] == []),
        ("logs mx-beta", "Saved", None),
        ("logs", "mx-alpha", None),
        ("trace", "nobody@beta.test", lambda said: len(said["messages"]) >= 2),
        ("trace bob@beta.test", "mx.beta.test", lambda said: said["messages"][0]["state"] == "delivered"),
        ("fault list", "mx-null", lambda said: len(said["faults"]) > 10),
        ("images list", "labctl/mta", lambda said: len(said["images"]) == 3),
        ("up", "is ready", lambda said: said["changed"] == []),
        ("prune", "", lambda said: said["removed"] == []),
    ],
)
def test_a_command_tells_people_and_programs_the_same(
    labctl: Labctl, valid_document: Valid, command: str, text: str, fact: Callable[[Any], bool] | None
) -> None:
    told = labctl(*command.split())
    assert (told.code, text in told.stdout) == (0, True), told
    if fact is not None:
        said = labctl(*command.split(), "--json")
        valid_document(said.document)
        assert (said.code, fact(said.document)) == (0, True), said.document


def test_a_fault_is_applied_told_and_undone(labctl: Labctl, valid_document: Valid) -> None:
    applied = labctl("fault", "apply", "mx-null", "domain=beta.test", "--json")
    valid_document(applied.document)
    assert labctl("dig", "beta.test", "MX").stdout.count("0 .") == 1
    assert labctl("status", "--json").document["faults"] == ["mx-null"]
    undone = labctl("fault", "revert", "--json")
    valid_document(undone.document)
    assert (undone.code, labctl("status", "--json").document["faults"]) == (0, [])
    assert "10 mx.beta.test." in labctl("dig", "beta.test", "MX").stdout


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("status --name ", ["two-domains"]),
        ("queue mx-", ["mx-alpha", "mx-beta"]),
        ("send b", ["bob@beta.test", "bea@beta.test"]),
    ],
)
def test_what_the_engine_knows_completes(labctl: Labctl, line: str, offered: list[str]) -> None:
    assert labctl.completed(f"labctl {line}") == offered


def test_exec_hands_on_what_a_command_said_and_how_it_ended(labctl: Labctl, valid_document: Valid) -> None:
    ran = labctl("exec", "mx-alpha", "false")
    assert (ran.code, ran.stdout) == (1, "out\n")
    assert "err\n" in ran.stderr
    said = labctl("exec", "mx-alpha", "--json", "--", "false").document
    valid_document(said)
    assert (said["exit_code"], said["stdout"], said["stderr"]) == (7, "out\n", "err\n")


def test_reset_forgets_mail_and_down_leaves_nothing(labctl: Labctl, hall: Bed, valid_document: Valid) -> None:
    assert labctl("up", "bounces", "--name", "second").code == 0
    sent = ("send", "alice@alpha.test", "bob@beta.test", "--wait", "delivered", "--name", "second")
    assert labctl(*sent).code == 0
    for command, text in (("reset", "as new"), ("down", "")):
        told = labctl(command, "--name", "second", "--json")
        valid_document(told.document)
        assert (told.code, text in labctl(command, "--name", "second").stdout) == (0, True)
        if command == "reset":
            inbox = labctl("inbox", "bob@beta.test", "--name", "second", "--json")
            assert inbox.document["messages"] == []
    assert {each.labels["labctl.name"] for each in hall.engine.containers({})} == {"two-domains"}
