"""`labctl trace` on log files, as scripts meet it, without an engine."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.trace.lines import BOUNCED, BOUNCED_ID, DELIVERED, DELIVERED_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.contract.conftest import Labctl


@pytest.fixture
def logs(tmp_path: Path) -> list[str]:
    """Log files of two letters."""
    found = []
    for number, hosts in enumerate((DELIVERED, BOUNCED)):
        for host, text in hosts.items():
            path = tmp_path / f"{host}-{number}.log"
            path.write_text(text, encoding="utf-8")
            found.append(path.name)
    return found


def test_a_message_is_told_as_a_document_of_its_schema(
    labctl: Labctl, logs: list[str], valid_document: Callable[[Mapping[str, Any]], None]
) -> None:
    said = labctl("trace", "--logs", *logs, BOUNCED_ID, "--json").document

    valid_document(said)
    [message] = said["messages"]
    assert (message["message_id"], message["state"]) == (BOUNCED_ID, "bounced")
    assert message["bounce"]["message_id"] == "<20261124160956.ABD6E1D8167@mx.alpha.test>"


def test_all_messages_are_listed_as_a_document_of_the_same_schema(
    labctl: Labctl, logs: list[str], valid_document: Callable[[Mapping[str, Any]], None]
) -> None:
    said = labctl("trace", "--logs", *logs, "--json").document

    valid_document(said)
    assert {DELIVERED_ID, BOUNCED_ID} <= {each["message_id"] for each in said["messages"]}


def test_the_list_fits_80_columns_and_takes_filters(labctl: Labctl, logs: list[str]) -> None:
    ran = labctl("trace", "--logs", *logs, "--from", "@alpha.test", "--to", "bob@beta.test")

    assert ran.code == 0
    assert "bob@beta.test" in ran.stdout
    assert "nobody@beta.test" not in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 80


@pytest.mark.parametrize("wanted", [DELIVERED_ID, "A90C41D8153"])
def test_a_journey_fits_80_columns_too(labctl: Labctl, logs: list[str], wanted: str) -> None:
    ran = labctl("trace", "--logs", *logs, wanted)

    assert ran.code == 0
    assert max(map(len, ran.stdout.splitlines())) <= 80


def test_a_page_and_a_picture_are_written_beside_the_text(
    labctl: Labctl, logs: list[str], tmp_path: Path
) -> None:
    ran = labctl("trace", "--logs", *logs, BOUNCED_ID, "--html", "a.html", "--svg", "a.svg")

    assert ran.code == 0
    assert "nobody@beta.test" in tmp_path.joinpath("a.html").read_text(encoding="utf-8")
    assert tmp_path.joinpath("a.svg").read_text(encoding="utf-8").startswith("<svg")


def test_a_page_that_can_t_be_written_is_told(
    fails: Callable[..., dict[str, Any]], logs: list[str], tmp_path: Path
) -> None:
    error = fails(2, "trace", "--logs", *logs, "A90C41D8153", "--html", f"{tmp_path}/none/a.html")

    assert "can't be written" in error["message"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("trace hello world", "neither|not needed"),
        ("trace --logs gone.log", "gone.log"),
        ("trace --logs / <1@alpha.test>", "directory"),
        ("trace --html a.html", "none is named"),
        ("trace <1@alpha.test> --state bounced", "one is named"),
        ("trace --since yesterday", "--since 'yesterday' is no time"),
        ("trace --zone Mars/Olympus", "no time zone 'Mars/Olympus'"),
        ("trace --follow --svg a.svg <1@alpha.test>", "running lab"),
    ],
)
def test_what_can_t_be_meant_is_refused(
    fails: Callable[..., dict[str, Any]], arguments: str, said: str
) -> None:
    assert re.search(said, fails(2, *arguments.split())["message"])


def test_a_message_that_no_file_names_is_told(fails: Callable[..., dict[str, Any]], logs: list[str]) -> None:
    assert fails(2, "trace", "--logs", *logs, "ABCDEF0123")["code"] == "no-such-message"


def test_hostile_lines_reach_the_terminal_harmless(labctl: Labctl, tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202e<script>alert(1)</script>"
    tmp_path.joinpath("evil.log").write_text(
        BOUNCED["mx.alpha.test"].replace("User unknown", evil), encoding="utf-8"
    )
    shown = [labctl("trace", "--logs", "evil.log", *more).stdout for more in ((), ("A90C41D8153",))]

    assert all("\x1b" not in each and "\x07" not in each and "\u202e" not in each for each in shown)
    assert json.loads(labctl("trace", "--logs", "evil.log", "A90C41D8153", "--json").stdout)
