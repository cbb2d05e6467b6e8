"""How long a server tries, and what it tells the sender meanwhile and in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_delay_warning(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """The sender is warned that her letter is late; it is not lost.

    When a letter has waited for delay_warning_time (4 hours on many a server, 3 s here), the server writes
    to its sender. That is a delivery status notification like a bounce (RFC 3464), but it says Action:
    delayed (section 2.3.3), and Will-Retry-Until tells when the server will give up (section 2.3.9). The
    letter is still in the queue. There is nothing to do for Alice, least of all to send it again: here the
    other server comes back, and Bob gets the letter after all.
    """
    with lab.fault("refuse"):
        letter = alice.send(bob, "Slowly but surely")
        lab.expect_deferred(letter, dsn="4.4.1", says="Connection refused", at="mx-alpha")
        alice.expect_delay_warning(
            letter,
            status="4.4.1",
            reported_by="mx.alpha.test",
            diagnostic="Connection refused",
            recipient="bob@beta.test",
            tried_on=True,
        )
        lab.expect_queued(letter, "deferred", at="mx-alpha")
    bob.expect_delivery(letter)


def test_given_up(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """After days of trying the letter comes back, and the status still begins with 4.

    No server tries forever: RFC 5321, section 4.5.4.1, speaks of four to five days (maximal_queue_lifetime:
    5 days, here 3 s). When a letter is that old, the next attempt that fails is the last. The log says
    status=expired, returned to sender, and Alice gets a bounce with Action: failed. Its Status is that of
    the last attempt, 4.4.1, because nobody ever said a definite no. So a failure can't be told by a 5: what
    happened to the letter stands in the Action (RFC 3464, section 2.3.3), and why in the Status.
    """
    with (
        lab.settings("mx-alpha", "it gives up after 3 s instead of 5 days", maximal_queue_lifetime="3s"),
        lab.fault("refuse"),
    ):
        letter = alice.send(bob, "To whom it may concern")
        lab.expect_deferred(letter, dsn="4.4.1", says="Connection refused", at="mx-alpha")
        lab.expect_log("status=expired, returned to sender", at="mx-alpha", letter=letter)
        alice.expect_bounce(
            letter,
            status="4.4.1",
            reported_by="mx.alpha.test",
            diagnostic="Connection refused",
            recipient="bob@beta.test",
            tried_on=False,
        )
        lab.expect_gone(letter)
