"""Letters: what is known of one, and which reports were written about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.conftest import QUEUE_ID

if TYPE_CHECKING:
    from tests.unit.exercises.conftest import Scene

BOUNCE = "4dG7xQ0Lz9z1P"
NOTICE = "4dG7xQ0Lz9z2Q"
UNKNOWN = "host mx.beta.test[203.0.113.20] said: 550 5.1.1 <bob@beta.test>: User unknown"


def test_its_queue_id_is_known_before_the_log_tells_it(scene: Scene) -> None:
    letter = scene.lab.account("alice@alpha.test").send("bob@beta.test")
    assert letter.queue_id == QUEUE_ID


def test_reports_about_it_are_found_by_whom_they_were_written_to(scene: Scene) -> None:
    letter = scene.sent()
    scene.says(
        "mx-alpha",
        scene.attempt("bounced", "5.1.1", UNKNOWN),
        f"cleanup[2]: {BOUNCE}: message-id=<bounce@mx.alpha.test>",
        f"bounce[5]: {QUEUE_ID}: sender non-delivery notification: {BOUNCE}",
        f"cleanup[2]: {NOTICE}: message-id=<notice@mx.alpha.test>",
        f"bounce[5]: {QUEUE_ID}: postmaster non-delivery notification: {NOTICE}",
        f"cleanup[2]: {NOTICE}X: message-id=<another@mx.alpha.test>",
        f"bounce[5]: {BOUNCE}: sender non-delivery notification: {NOTICE}X",
    )
    scene.lab.expect_log(f"notification: {NOTICE}X", at="mx-alpha")
    assert letter.report_ids() == ["<bounce@mx.alpha.test>"]
    assert letter.report_ids(to="postmaster") == ["<notice@mx.alpha.test>"]


def test_a_letter_without_a_subject_is_named_by_its_message_id(scene: Scene) -> None:
    scene.says("mx-alpha", f"cleanup[2]: {BOUNCE}: message-id=<bounce@mx.alpha.test>")
    assert str(scene.lab.letter("<bounce@mx.alpha.test>", at="mx-alpha")) == "<bounce@mx.alpha.test>"
