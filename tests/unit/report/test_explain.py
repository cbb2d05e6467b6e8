from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labctl.commands.explain import explain
from labctl.report.document import document
from labctl.report.text import text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BOUNCES = Path(__file__).parents[1] / "mail" / "samples" / "bounces"
HOSTILE = b"""Return-Path: <>
From: MAILER-DAEMON@x.test
Subject: Undeliverable
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mx\x1b[2J.test

Final-Recipient: rfc822; \x1b]0;owned\x07@x.test
Action: failed
Status: 5.1.1
Remote-MTA: dns; \xe2\x80\xaeevil
Diagnostic-Code: smtp; 550 5.1.1 \x1b[31m no
--x--
"""


def of(words: str, stdin: bytes = b"") -> str:
    return text(explain(words, BytesIO(stdin)))


def test_a_code_is_told_with_meaning_cause_next_steps_and_sources() -> None:
    shown = of("4.4.1")
    assert shown.startswith("4.4.1: no answer from the host\n")
    assert [
        word for word in ("Usual cause:", "Look at next:\n  - dig", "Sources:") if word not in shown
    ] == []


@pytest.mark.parametrize("path", sorted(BOUNCES.glob("*.eml")), ids=lambda path: path.stem)
def test_every_report_fits_a_terminal_of_80_columns(path: Path) -> None:
    if path.stem in {"ordinary", "vacation", "challenge", "feedback", "disposition"}:
        return
    assert [line for line in of(str(path)).splitlines() if len(line) > 80] == []


def test_a_bounce_tells_first_who_reports_about_what_then_about_whom() -> None:
    first, _, *others = of(str(BOUNCES / "qmail.eml")).splitlines()
    assert first == "mx.alpha.test reports about <lunch.1@alpha.test> (in the form of qmail)."
    assert others[0] == "ghost@beta.test: failed, 5.1.1"
    assert "bob@gamma.test: failed, 5.1.2" in others


def test_a_hostile_report_harms_no_terminal() -> None:
    shown = of("-", HOSTILE)
    assert "failed, 5.1.1" in shown
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_the_document_of_a_hostile_report_is_what_its_schema_says(
    valid_document: Callable[[Mapping[str, Any]], None],
) -> None:
    valid_document(document(explain("-", BytesIO(HOSTILE))))


def test_a_line_of_a_log_is_told_with_its_code_its_words_and_what_they_mean() -> None:
    line = (
        "77F9B1D814E: to=<bob@beta.test>, relay=none, delay=30, delays=0/0/30/0, dsn=4.4.1, status=deferred "
        "(connect to mx.beta.test[203.0.113.20]:25: Connection timed out)"
    )
    once = of(line)
    assert once.startswith("deferred for bob@beta.test, 4.4.1: nobody answered\n  | connect to mx.beta.test[")
    assert "dig beta.test MX" in once
    assert "What became of each message" not in once
    twice = of(f"{line}\n{line}")
    assert twice.startswith("2 times deferred, first for bob@beta.test, 4.4.1: nobody answered\n")
    assert twice.endswith("\n\nWhat became of each message: labctl trace --logs FILE")


def test_a_hostile_line_of_a_log_can_not_command_a_terminal_and_is_a_valid_document(
    valid_document: Callable[[Mapping[str, Any]], None],
) -> None:
    line = (
        "77F9B1D814E: to=<\x1b[2J@x.test>, relay=none, delay=1, delays=0/0/0/0, dsn=5.1.1, status=bounced "
        "(550 \x1b[31m no\udcff)"
    )
    said = of(line)
    assert "\x1b" not in said
    valid_document(document(explain(line, BytesIO())))
