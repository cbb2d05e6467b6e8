from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.mail.reply import EnhancedStatus, SmtpReply

STATUS = st.builds(EnhancedStatus, st.sampled_from((2, 4, 5)), st.integers(0, 999), st.integers(0, 999))


@given(STATUS)
def test_an_enhanced_status_is_given_back_as_it_was(status: EnhancedStatus) -> None:
    assert EnhancedStatus.parse(str(status)) == status


@pytest.mark.parametrize("text", ["", "5.1", "3.1.1", "5.1.1.1", "5.1.1000", "5.1.x", " 5.1.1"])
def test_what_is_no_enhanced_status_is_none(text: str) -> None:
    assert EnhancedStatus.parse(text) is None


@given(st.integers(200, 599), STATUS, st.text(st.characters(exclude_characters="\n", codec="utf-8")))
def test_a_reply_is_read_from_the_text_it_prints(code: int, status: EnhancedStatus, text: str) -> None:
    reply = SmtpReply(code, status, text)

    assert SmtpReply.parse(str(reply)) == reply


@given(st.text())
def test_any_text_is_read_as_a_reply(text: str) -> None:
    reply = SmtpReply.parse(text)

    assert reply.code == 0 or 200 <= reply.code <= 599


@given(st.integers(-1, 999), st.binary())
def test_any_answer_of_a_server_is_read_as_a_reply(code: int, text: bytes) -> None:
    assert SmtpReply.of(code, text).code in (0, code)


def test_the_enhanced_code_of_every_line_is_taken_off() -> None:
    reply = SmtpReply.of(550, b"5.7.1 first line\n5.7.1 second line\nthird")

    assert reply.enhanced == EnhancedStatus(5, 7, 1)
    assert reply.text == "first line\nsecond line\nthird"


@pytest.mark.parametrize(("code", "positive"), [(250, True), (354, True), (450, False), (550, False)])
def test_the_first_digit_decides(code: int, positive: bool) -> None:
    assert SmtpReply.of(code, b"text").is_positive == positive
