from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import UsageError
from labctl.mail.client.dsnrequest import EVENTS, DsnRequest, xtext

if TYPE_CHECKING:
    from collections.abc import Sequence


def decoded(text: str) -> str:
    """RFC 3461, section 4, read backwards."""
    return re.sub(rb"\+([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]), text.encode()).decode()


@given(st.text())
def test_xtext_can_stand_in_a_command_and_be_read_back(text: str) -> None:
    encoded = xtext(text)

    assert re.fullmatch(r"[!-~]*", encoded)
    assert "=" not in encoded
    assert decoded(encoded) == text


def test_xtext_is_that_of_the_standard() -> None:
    assert xtext("a+b=c d!~*-<>,") == "a+2Bb+3Dc+20d!~*-<>,"


def test_without_wishes_nothing_is_added() -> None:
    request = DsnRequest.of(None, None, None)

    assert (request.mail_parameters, request.rcpt_parameters) == ((), ())


def test_all_wishes_become_parameters() -> None:
    request = DsnRequest.of(["success", "DELAY"], "hdrs", "QQ 314+159")

    assert request.mail_parameters == ("RET=HDRS", "ENVID=QQ+20314+2B159")
    assert request.rcpt_parameters == ("NOTIFY=SUCCESS,DELAY",)


@given(st.sets(st.sampled_from(EVENTS), min_size=1))
def test_every_choice_of_events_is_a_wish(events: set[str]) -> None:
    (parameter,) = DsnRequest.of(sorted(events), None, None).rcpt_parameters

    assert set(parameter.removeprefix("NOTIFY=").split(",")) == events


@pytest.mark.parametrize(
    ("notify", "ret", "envid", "named"),
    [
        (["NEVER", "FAILURE"], None, None, "notify"),
        (["ALWAYS"], None, None, "notify"),
        ([], None, None, "notify"),
        ("", None, None, "notify"),
        (["FAILURE\r\nRSET"], None, None, "notify"),
        (None, "BODY", None, "ret"),
        (None, "", None, "ret"),
        (None, None, "", "envid"),
        (None, None, "é", "envid"),
        (None, None, "a\r\nRSET", "envid"),
        (None, None, "=" * 34, "envid"),
    ],
)
def test_a_wrong_wish_is_refused_by_its_name(
    notify: Sequence[str] | None, ret: str | None, envid: str | None, named: str
) -> None:
    with pytest.raises(UsageError, match=f"^{named}="):
        DsnRequest.of(notify, ret, envid)
