"""Expectations: they see the fact, and only this letter's; they end early where it can't come any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.engine.model import ExecResult
from labctl.errors import EngineUnavailable
from labctl.exercises.result.verdict import Verdict
from labctl.exercises.vocabulary.expectation import ExpectationFailed
from tests.unit.conftest import QUEUE_ID
from tests.unit.exercises.conftest import waiting

if TYPE_CHECKING:
    from tests.unit.exercises.conftest import Scene

ENDLESS = 300.0
"""Seconds; an expectation that waited for them would be noticed."""

REFUSED = "connect to mx.beta.test[203.0.113.20]:25: Connection refused"
UNKNOWN = (
    "host mx.beta.test[203.0.113.20] said: 550 5.1.1 <bob@beta.test>: User unknown (in reply to RCPT TO)"
)


def test_an_attempt_that_is_in_the_log_already_is_seen(scene: Scene) -> None:
    letter = scene.sent()
    scene.says("mx-alpha", scene.attempt("deferred", "4.4.1", REFUSED))
    found = scene.lab.expect_deferred(letter, dsn="4.4.1", says="refused", at="mx-alpha", within=ENDLESS)
    assert found.says == REFUSED


def test_an_attempt_that_comes_later_is_waited_for(scene: Scene) -> None:
    letter = scene.sent()
    scene.says_soon("mx-alpha", scene.attempt("deferred", "4.4.1", REFUSED))
    assert scene.lab.expect_deferred(letter, within=ENDLESS).dsn == "4.4.1"


def test_another_letters_attempt_is_not_this_ones(scene: Scene) -> None:
    letter = scene.sent()
    scene.says("mx-alpha", scene.attempt("deferred", "4.4.1", REFUSED).replace(QUEUE_ID, "4dG7xQ0Lz9z1P"))
    with pytest.raises(ExpectationFailed, match="not within"):
        scene.lab.expect_deferred(letter, within=0.1)


@pytest.mark.parametrize(
    "wish",
    [
        {"dsn": "4.4.2"},
        {"code": 450},
        {"says": "timed out"},
        {"at": "mx-beta"},
        {"relay": "mx2.beta.test"},
        {"recipient": "bea@beta.test"},
        {"nth": 2},
    ],
)
def test_an_attempt_that_differs_in_anything_is_not_the_one_that_is_meant(
    scene: Scene, wish: dict[str, object]
) -> None:
    letter = scene.sent()
    scene.says("mx-alpha", scene.attempt("deferred", "4.4.1", REFUSED))
    with pytest.raises(ExpectationFailed):
        scene.lab.expect_deferred(letter, within=0.1, **wish)


def test_the_code_of_a_reply_is_no_number_of_an_address(scene: Scene) -> None:
    letter = scene.sent()
    scene.says(
        "mx-alpha", scene.attempt("deferred", "4.2.0", "host mx[203.0.113.20]:2450 said: 450 4.2.0 Later")
    )
    assert scene.lab.expect_deferred(letter, code=450, within=ENDLESS)
    with pytest.raises(ExpectationFailed):
        scene.lab.expect_deferred(letter, code=245, within=0.1)


def test_waiting_for_a_deferral_ends_at_once_when_the_letter_has_bounced(scene: Scene) -> None:
    letter = scene.sent()
    scene.says_soon("mx-alpha", scene.attempt("bounced", "5.1.1", UNKNOWN))
    with pytest.raises(ExpectationFailed, match="the letter is bounced"):
        scene.lab.expect_deferred(letter, within=ENDLESS)


def test_waiting_for_a_bounce_ends_at_once_when_the_letter_is_delivered(scene: Scene) -> None:
    letter = scene.sent()
    saved = scene.attempt("sent", "2.0.0", "250 2.0.0 <bob@beta.test> Saved").replace("smtp[", "lmtp[")
    scene.says_soon("mx-alpha", saved)
    with pytest.raises(ExpectationFailed, match="the letter is delivered"):
        scene.lab.account("alice@alpha.test").expect_bounce(letter, within=ENDLESS)


def test_waiting_for_a_delivery_ends_at_once_when_the_letter_has_expired(scene: Scene) -> None:
    letter = scene.sent()
    expired = f"qmgr[3]: {QUEUE_ID}: from=<alice@alpha.test>, status=expired, returned to sender"
    scene.says_soon("mx-alpha", scene.attempt("deferred", "4.4.1", REFUSED), expired)
    with pytest.raises(ExpectationFailed, match="expired"):
        scene.lab.account("bob@beta.test").expect_delivery(letter, within=ENDLESS)


def test_sent_is_not_delivered(scene: Scene) -> None:
    letter = scene.sent()
    scene.says("mx-alpha", scene.attempt("sent", "2.0.0", "250 2.0.0 Ok: queued as 4dG7xS1Mz9z2R"))
    with pytest.raises(ExpectationFailed, match="relayed"):
        scene.lab.account("bob@beta.test").expect_delivery(letter, within=0.1)


def test_a_failure_tells_what_was_expected_what_was_seen_and_why(scene: Scene) -> None:
    letter = scene.sent()
    scene.stage.fake.answer = lambda *_: waiting(letter, REFUSED)
    scene.says("mx-alpha", scene.attempt("deferred", "4.4.1", REFUSED))
    with pytest.raises(ExpectationFailed) as caught:
        scene.lab.expect_sent(letter, dsn="2.0.0", within=0.1)
    told = str(caught.value)
    assert "expected: status=sent, dsn=2.0.0" in told
    assert "the letter is deferred" in told
    assert f"queue deferred: {QUEUE_ID} for bob@beta.test ({REFUSED})" in told
    assert f"mx.alpha.test: put off for <bob@beta.test>: {REFUSED}" in told


def test_a_retry_is_told_with_both_times(scene: Scene) -> None:
    letter = scene.sent()
    for _ in range(3):
        scene.says("mx-alpha", scene.attempt("deferred", "4.4.1", REFUSED))
    scene.lab.expect_deferred(letter, nth=3, within=ENDLESS)
    told = "\n".join(scene.lab.narrator.steps[-1].evidence)
    assert "retry no. 2" in told
    assert "in the real world after 10 min" in told


def test_an_empty_queue_is_looked_for_until_it_is(scene: Scene) -> None:
    looks = iter(
        ['{"queue_name": "deferred", "queue_id": "4dG7xQ0Lz9z1P", "arrival_time": 1, "sender": ""}\n']
    )

    def answer(_: object, argv: object) -> ExecResult:
        assert isinstance(argv, list)
        return ExecResult(0, next(looks, "").encode() if "postqueue" in str(argv) else b"", b"")

    scene.stage.fake.answer = answer
    scene.lab.expect_queue_empty("mx-alpha", within=ENDLESS)
    assert scene.lab.narrator.steps[-1].verdict == Verdict.PASSED


def test_a_log_that_breaks_off_is_the_engines_failure(scene: Scene) -> None:
    letter = scene.sent()
    broken = EngineUnavailable("gone", hint="labctl up")

    def hook(call: object) -> None:
        if getattr(call, "method", "") in {"logs", "inspect"}:
            raise broken

    scene.stage.fake.hook = hook
    scene.stage.fake.end("labctl-x-mx-alpha")
    with pytest.raises(EngineUnavailable):
        scene.lab.expect_deferred(letter, within=ENDLESS)


def test_what_was_said_before_the_exercise_is_not_its_business(scene: Scene) -> None:
    assert scene.lab.watch.until(lambda: None, within=0.05) is None
    assert scene.lab.watch.sayings == []
