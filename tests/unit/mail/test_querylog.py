from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.mail.log.querylog import DnsAnswer, parse

LINE = (
    '{"time":"2026-11-24T16:09:56.500130741Z","client":"203.0.113.10","id":37923,"name":"mx.beta.test.",'
    '"type":"A","rcode":"NOERROR","records":["mx.beta.test. 300 IN A 203.0.113.20"],"duration":0.000158871}'
)
AT = datetime(2026, 11, 24, 16, 9, 56, 500130, tzinfo=UTC)
RECORDS = ("mx.beta.test. 300 IN A 203.0.113.20",)
VALUE = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())


def test_an_answer_is_read() -> None:
    assert parse(LINE) == DnsAnswer(AT, "203.0.113.10", "mx.beta.test.", "A", "NOERROR", RECORDS, 0.000158871)


def test_a_question_that_was_left_without_an_answer_has_no_rcode() -> None:
    answer = parse(json.dumps(json.loads(LINE) | {"rcode": None, "records": None}))

    assert answer is not None
    assert (answer.rcode, answer.records) == (None, ())


@pytest.mark.parametrize("text", ["", ".:53", "[INFO] plugin/reload", "{", "{}", "[]", LINE[:40]])
def test_what_is_no_answer_is_none(text: str) -> None:
    assert parse(text) is None


@given(st.sampled_from(sorted(json.loads(LINE))), VALUE)
def test_any_value_in_any_field_is_an_answer_or_none(key: str, value: object) -> None:
    parse(json.dumps(json.loads(LINE) | {key: value}))
