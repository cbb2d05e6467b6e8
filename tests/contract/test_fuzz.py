"""The command line, called in ways that nobody thought of: a few here, a thousand every night."""

from __future__ import annotations

import json

import pytest

from tests.fuzz import containment, fuzz
from tests.fuzz.grammar import Call, calls
from tests.fuzz.session import Ran, judged, validators

SEED = 50


@pytest.fixture(scope="module", autouse=True)
def _contained() -> None:
    if reason := containment.lacking():
        pytest.skip(f"nothing is called uncontained: {reason}")


def test_no_call_is_a_bug_hangs_or_breaks_its_document() -> None:
    found = fuzz.run(SEED, 50)
    assert found.done == 50
    assert [(each["wrong"], each["call"], each["stderr"]) for each in found.wrong] == []


def test_nothing_is_within_reach_of_a_call() -> None:
    reach = fuzz.reach()
    assert reach["written"] == ["/dev/shm", "/tmp"]  # noqa: S108  # its own, in memory
    assert reach["devices"] == ["fd", "full", "null", "shm", "urandom", "zero"]
    assert reach["networks"] == ["lo"]
    assert not {"run", "var", "home", "sys", "srv", "mnt"} & {*reach["places"]}


@pytest.mark.parametrize(
    ("ran", "wrong"),
    [
        (Ran(70, b"", b""), "exit code 70"),
        (Ran(-11, b"", b""), "exit code -11"),
        (Ran(None, b"", b""), "longer than"),
        (Ran(2, b"", b"Traceback (most recent call last):"), "a traceback"),
        (Ran(2, b"", b"x" * 9000), "an error of 9000 characters"),
        (Ran(2, b"", b""), "no document"),
        (Ran(2, b'{"schema": "labctl/error/v1"}', b""), "not what the schema says"),
    ],
)
def test_what_goes_wrong_is_told(ran: Ran, wrong: str) -> None:
    assert wrong in judged(Call(("labs", "--json")), ran, validators())


def test_a_call_can_be_made_again() -> None:
    for call in calls(SEED, 100):
        assert Call.of_json(json.loads(json.dumps(call.as_json()))) == call


def test_a_seed_gives_the_same_calls_and_every_command_is_among_a_thousand() -> None:
    first, second = list(calls(SEED, 1000)), list(calls(SEED, 1000))
    assert first == second
    called = {word for each in first for word in each.arguments[:2]}
    assert {"up", "grade", "trace", "examine", "labs", "images", "doctor", "fault"} <= called
