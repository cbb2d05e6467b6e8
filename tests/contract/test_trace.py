"""`labctl trace` on log files, as scripts meet it, without an engine."""

from __future__ import annotations

import json
import re
import shlex
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


def test_the_list_fits_the_columns_and_takes_filters(labctl: Labctl, logs: list[str]) -> None:
    filters = ("--from", "@alpha.test", "--to", "bob@beta.test")
    ran = labctl("trace", "--logs", *logs, *filters, environ={"COLUMNS": "80"})

    assert ran.code == 0
    assert "bob@beta.test" in ran.stdout
    assert "nobody@beta.test" not in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 80


@pytest.mark.parametrize("wanted", [DELIVERED_ID, "A90C41D8153"])
def test_a_journey_fits_the_columns_too(labctl: Labctl, logs: list[str], wanted: str) -> None:
    ran = labctl("trace", "--logs", *logs, wanted, environ={"COLUMNS": "80"})

    assert ran.code == 0
    assert max(map(len, ran.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ("mail.log", "labctl trace --logs mail.log"),
        (
            "mail.log 'old mail.log' bob@beta.test",
            "labctl trace --logs mail.log 'old mail.log' bob@beta.test",
        ),
        ("-", "labctl trace --logs -"),
        ("bounce.eml", "labctl explain bounce.eml"),
        ("nosuch.log", "labctl trace # without a name, it lists all messages"),
    ],
)
def test_a_file_that_is_given_as_a_message_is_told_with_what_reads_it(
    labctl: Labctl, tmp_path: Path, arguments: str, hint: str
) -> None:
    for name in ("mail.log", "old mail.log", "bounce.eml", "bob@beta.test"):
        (tmp_path / name).write_text("")

    ran = labctl("trace", *shlex.split(arguments))
    assert ran.code == 2
    assert ran.stderr.endswith(f"  next: {hint}\n")


def test_an_address_is_one_whatever_files_are_called_so(
    fails: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "bob@beta.test").mkdir()
    assert fails(4, "trace", "bob@beta.test")["code"] == "engine-unavailable"


def test_in_a_pipe_a_message_is_one_line_that_holds_all_its_addresses(labctl: Labctl, tmp_path: Path) -> None:
    sender = f"{'ann.' * 15}ann@{'very-' * 10}long.example.org"
    recipients = [f"{'bob.' * 15}{n}@{'much-' * 10}longer.example.com" for n in range(3)]
    head = "2026-11-24T10:00:00Z mx postfix"
    relay = "relay=none, delay=1, delays=1/0/0/0, dsn=4.4.1, status=deferred (connect to mx: timed out, alas)"
    lines = [
        f"{head}/cleanup[1]: 77F9B1D814E: message-id=<1@example.org>",
        f"{head}/qmgr[1]: 77F9B1D814E: from=<{sender}>, size=1, nrcpt=3 (queue active)",
        *(f"{head}/smtp[1]: 77F9B1D814E: to=<{each}>, {relay}" for each in recipients),
    ]
    (tmp_path / "mail.log").write_text("\n".join(lines) + "\n", encoding="utf-8")

    _, row, _ = labctl("trace", "--logs", "mail.log").stdout.splitlines()
    assert all(each in row for each in (sender, *recipients, "timed out, alas", "77F9B1D814E"))
    told = labctl("trace", "--logs", "mail.log", "77F9B1D814E").stdout.splitlines()
    assert all(any(f" {each}: deferred" in line for line in told) for each in recipients)
    narrow = labctl("trace", "--logs", "mail.log", environ={"COLUMNS": "80"}).stdout
    assert sender not in narrow


@pytest.mark.parametrize(
    "locale",
    [{"LC_ALL": "C"}, {"LC_ALL": "POSIX", "LANG": "C.UTF-8"}, {"LANG": "C"}, {"LANG": "x.ANSI_X3.4-1968"}],
)
def test_where_the_locale_has_no_utf_8_pictures_are_drawn_in_ascii(
    labctl: Labctl, logs: list[str], locale: dict[str, str]
) -> None:
    arguments = ("trace", "--logs", *logs, BOUNCED_ID)
    drawn, plain = labctl.program(*arguments), labctl.program(*arguments, environ=locale)

    assert "┏━ MTA ━" in drawn.stdout
    assert plain.stdout.isascii()
    assert "\\" not in plain.stdout
    assert [len(each) for each in plain.stdout.splitlines()] == [
        len(each) for each in drawn.stdout.splitlines()
    ]


@pytest.mark.parametrize("locale", [{"LC_ALL": "C.UTF-8", "LANG": "C"}, {"LANG": "C", "LC_CTYPE": "C.UTF-8"}])
def test_where_the_locale_has_utf_8_pictures_are_drawn_with_it(
    labctl: Labctl, logs: list[str], locale: dict[str, str]
) -> None:
    assert "┏━ MTA ━" in labctl.program("trace", "--logs", *logs, BOUNCED_ID, environ=locale).stdout


def test_what_a_message_brings_is_told_by_its_numbers_where_the_locale_has_no_utf_8(
    labctl: Labctl, tmp_path: Path
) -> None:
    said = "77F9B1D814E: from=<bücher@example.org>, size=1, nrcpt=1 (queue active)"
    line = f"2026-11-24T10:00:00Z mx postfix/qmgr[1]: {said}"
    (tmp_path / "mail.log").write_text(f"{line}\n", encoding="utf-8")
    ran = labctl.program("trace", "--logs", "mail.log", environ={"LC_ALL": "C"})
    assert ran.code == 0
    assert "b\\xfccher@example.org" in ran.stdout


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
    error = fails(2, "trace", "--logs", *logs, "ABCDEF0123")
    assert (error["code"], f"{logs[0]}, " in error["message"]) == ("no-such-message", True)


def test_hostile_lines_reach_the_terminal_harmless(labctl: Labctl, tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202e<script>alert(1)</script>"
    tmp_path.joinpath("evil.log").write_text(
        BOUNCED["mx.alpha.test"].replace("User unknown", evil), encoding="utf-8"
    )
    shown = [labctl("trace", "--logs", "evil.log", *more).stdout for more in ((), ("A90C41D8153",))]

    assert all("\x1b" not in each and "\x07" not in each and "\u202e" not in each for each in shown)
    assert json.loads(labctl("trace", "--logs", "evil.log", "A90C41D8153", "--json").stdout)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_before_a_log_does_no_harm(labctl: Labctl, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "plain.log").write_text(BOUNCED["mx.alpha.test"], encoding="utf-8")
    (tmp_path / "marked.log").write_bytes(BOUNCED["mx.alpha.test"].encode(encoding))

    plain, marked = (
        labctl("trace", "--logs", f"{name}.log", BOUNCED_ID).stdout for name in ("plain", "marked")
    )
    assert BOUNCED_ID in marked
    assert marked == plain


EXIM = "2026-11-20 10:00:00 1tDqXa-0001Ab-2C <= ann@example.org H=mx.example.org [198.51.100.1] S=2053\n"


@pytest.mark.parametrize("more", [(), ("<1@example.org>",)])
def test_a_log_that_can_t_be_read_is_refused_with_a_guess_whose_it_is(
    fails: Callable[..., dict[str, Any]], tmp_path: Path, more: tuple[str, ...]
) -> None:
    (tmp_path / "main.log").write_text(EXIM)
    error = fails(2, "trace", "--logs", f"{tmp_path}/main.log", *more)
    assert "looks like Exim's" in error["message"]
    assert "1tDqXa-0001Ab-2C" in error["message"]


def test_lines_that_can_t_be_read_are_counted_below_the_table(
    labctl: Labctl, logs: list[str], tmp_path: Path
) -> None:
    with (tmp_path / logs[0]).open("a", encoding="utf-8") as log:
        log.write("what is this?\nand this?\n")
    ran = labctl("trace", "--logs", *logs)
    assert ran.stdout.splitlines()[-1].endswith("2 lines can't be read, and the first is 'what is this?'")
    assert [each["kind"] for each in labctl("trace", "--logs", *logs, "--json").document["notes"]] == [
        "unread"
    ]


def test_times_that_a_log_does_not_tell_are_unknown(labctl: Labctl, tmp_path: Path) -> None:
    lines = (
        "4ABCD12345: client=mx.example.org[198.51.100.1]",
        "4ABCD12345: message-id=<1@example.org>",
        "4ABCD12345: from=<ann@example.org>, size=2053, nrcpt=1 (queue active)",
        "4ABCD12345: to=<bob@example.com>, relay=none, delay=1, delays=0/0/0/1, dsn=4.4.1, status=deferred",
    )
    (tmp_path / "cat.log").write_text("\n".join(lines) + "\n")
    listed = labctl("trace", "--logs", f"{tmp_path}/cat.log").stdout.splitlines()
    assert listed[1].split()[:2] == ["-", "deferred"]
    told = labctl("trace", "--logs", f"{tmp_path}/cat.log", "4ABCD12345").stdout
    assert "TIMELINE, at times that the log does not tell" in told
    assert "1901" not in told
    (message,) = labctl("trace", "--logs", f"{tmp_path}/cat.log", "4ABCD12345", "--json").document["messages"]
    assert {each["at"] for each in message["hops"]} == {None}
    assert message["first_at"] is None
