from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.conftest import QUEUE_ID
from tests.unit.exercises.conftest import STAMP

if TYPE_CHECKING:
    from tests.unit.exercises.conftest import Scene

REFUSED = "connect to mx.beta.test[203.0.113.20]:25: Connection refused"


def attempt(
    delays: str, status: str = "deferred", says: str = REFUSED, program: str = "smtp", dsn: str = "4.4.1"
) -> str:
    """Return what an agent logs of an attempt."""
    delay = sum(float(each) for each in delays.split("/"))
    return (
        f"{program}[4]: {QUEUE_ID}: to=<bob@beta.test>, relay=none, delay={delay:g}, delays={delays},"
        f" dsn={dsn}, status={status} ({says})"
    )


def told(scene: Scene, *lines: str, status: str = "deferred", nth: int = 1) -> list[str]:
    """Return what is told of the times of an attempt."""
    letter = scene.sent()
    scene.says("mx-alpha", *lines)
    scene.lab.expect_attempt(letter, status, nth=nth)
    return [each for each in scene.lab.narrator.steps[-1].evidence if STAMP not in each]


def test_the_first_attempt_is_at_once_however_long_it_takes_and_puts_the_next_one_off(scene: Scene) -> None:
    first, *_, following = told(scene, attempt("0.01/0.01/2/0"))
    assert first == "first attempt after 0.0 s; in the real world at once"
    assert following == "the next attempt is due after 3 s; in the real world after 5 min"


@pytest.mark.parametrize(
    ("number", "after", "this", "following"),
    [
        (1, 1.0, "after 5 min", "after 2 s; in the real world after 10 min"),
        (2, 2.1, "after 10 min", "after 3 s; in the real world after 20 min"),
        (3, 3.1, "after 20 min", "after 5 s; in the real world after 40 min"),
        (4, 5.1, "after 40 min", "after 8 s; in the real world after 1 h 20 min"),
    ],
)
def test_the_same_retry_is_told_by_both_rules(
    scene: Scene, number: int, after: float, this: str, following: str
) -> None:
    before = [attempt("0/0/0/0")] * number

    assert told(scene, *before, attempt(f"{after}/0/0/0"), nth=number + 1) == [
        f"retry no. {number} after {after} s; in the real world {this}",
        f"the next attempt is due {following}",
    ]


def test_nothing_is_due_after_the_end_of_the_lifetime(scene: Scene) -> None:
    lines = told(scene, attempt("0/0/0/0"), attempt("11/0/0/0"), nth=2)

    assert lines == ["retry no. 1 after 11.0 s; in the real world after 5 min"]


@pytest.mark.parametrize(
    ("says", "program", "setting", "real"),
    [
        ("connect to x[203.0.113.20]:25: Connection timed out", "smtp", "smtp_connect_timeout", "after 30 s"),
        (
            "connect to x[198.51.100.143]:24: Connection timed out",
            "lmtp",
            "lmtp_connect_timeout",
            "when the kernel does, after minutes",
        ),
        (
            "conversation with x[203.0.113.20] timed out while receiving the initial server greeting",
            "smtp",
            "smtp_helo_timeout",
            "after 5 min",
        ),
        (
            "conversation with x[198.51.100.143] timed out while performing the LHLO handshake",
            "lmtp",
            "lmtp_lhlo_timeout",
            "after 5 min",
        ),
        (
            "conversation with x[203.0.113.20] timed out while sending RCPT TO",
            "smtp",
            "smtp_rcpt_timeout",
            "after 5 min",
        ),
        (
            "conversation with x timed out while sending end of data -- message may be sent more than once",
            "smtp",
            "smtp_data_done_timeout",
            "after 10 min",
        ),
    ],
)
def test_whose_patience_ended_is_told_by_its_setting(
    scene: Scene, says: str, program: str, setting: str, real: str
) -> None:
    lines = told(scene, attempt("0/0/1.5/0.5", says=says, program=program))

    assert f"it gave up after 2.0 s ({setting}); in the real world {real}" in lines


def test_a_letter_that_goes_out_at_once_has_no_times_to_tell(scene: Scene) -> None:
    sent = attempt("0/0/0/0", "sent", "250 2.0.0 Ok: queued as 4HS1xT2jB4z1S", dsn="2.0.0")

    assert told(scene, sent, status="sent") == []


def test_a_letter_that_goes_out_at_last_tells_by_which_retry(scene: Scene) -> None:
    sent = attempt("2.1/0/0/0", "sent", "250 2.0.0 Ok: queued as 4HS1xT2jB4z1S", dsn="2.0.0")

    assert told(scene, attempt("0/0/0/0"), attempt("1/0/0/0"), sent, status="sent") == [
        "retry no. 2 after 2.1 s; in the real world after 10 min"
    ]


def test_what_was_tried_by_hand_follows_no_rule(scene: Scene) -> None:
    letter = scene.sent()
    scene.says("mx-alpha", attempt("0/0/0/0"))
    scene.lab.expect_deferred(letter)
    scene.lab.flush("mx-alpha")
    scene.says("mx-alpha", attempt("0.4/0/0/0"), attempt("1.4/0/0/0"))

    scene.lab.expect_deferred(letter, nth=2)
    scene.lab.expect_deferred(letter, nth=3)

    _, by_hand = scene.lab.narrator.steps[-2].evidence
    assert (
        by_hand == "retry no. 1 after 0.4 s, made by hand; by itself it comes in the real world after 5 min"
    )
    _, later = scene.lab.narrator.steps[-1].evidence
    assert later == "retry no. 2 after 1.4 s"
