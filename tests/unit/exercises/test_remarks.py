"""What a delivery agent says without a queue id, and which next hop a wish means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.exercises.vocabulary.expectation import ExpectationFailed
from tests.unit.conftest import QUEUE_ID

if TYPE_CHECKING:
    from tests.unit.exercises.conftest import Scene

REFUSED = "connect to old-mx.beta.test[203.0.113.53]:25: Connection refused"
SENT = ("sent", "2.0.0", "250 2.0.0 Ok: queued as 4dG7xQ0Lz9z3R")


def test_a_remark_belongs_to_the_letter_whose_attempt_follows_it(scene: Scene) -> None:
    letter = scene.sent()
    scene.says("mx-alpha", f"smtp[4]: {REFUSED}", scene.attempt(*SENT))

    said = scene.lab.expect_log("Connection refused", at="mx-alpha", letter=letter)

    assert said.text.endswith(REFUSED)


@pytest.mark.parametrize("agent", ["smtp[5]", "error[4]"])
def test_a_remark_of_another_process_is_about_another_letter(scene: Scene, agent: str) -> None:
    letter = scene.sent()
    scene.says("mx-alpha", f"{agent}: {REFUSED}", scene.attempt(*SENT))
    scene.lab.expect_sent(letter)

    assert list(letter.remarks()) == []


def test_a_remark_before_another_letters_attempt_is_about_that_one(scene: Scene) -> None:
    letter = scene.sent()
    other = scene.attempt(*SENT).replace(QUEUE_ID, "4dG7xQ0Lz9z4S")
    scene.says("mx-alpha", f"smtp[4]: {REFUSED}", other, scene.attempt(*SENT))
    scene.lab.expect_sent(letter)

    assert list(letter.remarks()) == []


def test_a_remark_that_can_not_come_any_more_is_not_waited_for(scene: Scene) -> None:
    letter = scene.sent()
    scene.says("mx-alpha", scene.attempt("bounced", "5.4.4", "Host not found"))

    with pytest.raises(ExpectationFailed, match="the letter is bounced"):
        scene.lab.expect_log("Connection refused", at="mx-alpha", letter=letter)


@pytest.mark.parametrize(
    "relay", ["mx.beta.test", "mx.beta.test[203.0.113.20]", "203.0.113.20", "mx.beta.test[203.0.113.20]:25"]
)
def test_a_next_hop_is_meant_by_its_name_or_its_address(scene: Scene, relay: str) -> None:
    letter = scene.sent()
    scene.says("mx-alpha", scene.attempt(*SENT))

    assert scene.lab.expect_sent(letter, relay=relay).delivery.relay.startswith("mx.beta.test")


@pytest.mark.parametrize("relay", ["beta.test", "beta.test[203.0.113.20]", "203.0.113.2", "mx.beta"])
def test_a_part_of_a_name_or_an_address_is_another_next_hop(scene: Scene, relay: str) -> None:
    letter = scene.sent()
    scene.says("mx-alpha", scene.attempt("bounced", "5.4.4", "Host not found"))

    with pytest.raises(ExpectationFailed, match="relay"):
        scene.lab.expect_bounced(letter, relay=relay)
