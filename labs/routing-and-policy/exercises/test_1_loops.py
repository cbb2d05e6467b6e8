"""Letters that go in circles, and who notices it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_mx_to_self(lab: ExerciseLab, alice: Person) -> None:
    """A server is told by the DNS to send a letter to itself.

    The MX record of beta.test names mx.alpha.test, by mistake. That server does not know beta.test as a
    domain of its own, so it asks the DNS where to send the letter, and finds its own name. A server must not
    send mail to itself, for it would never stop (RFC 5321, section 5.1). Postfix sees the loop before it
    connects to anyone and returns the letter with 5.4.6, "routing loop detected" (RFC 3463, section 3.5).
    """
    with lab.fault("mx-loop"):
        lab.dig("beta.test", "MX").must_be("10 mx.alpha.test.")
        letter = alice.send("bob@beta.test", "Straight back")
        lab.expect_bounced(letter, dsn="5.4.6", says="mail for beta.test loops back to myself", at="mx-alpha")
        alice.expect_bounce(letter, status="5.4.6", reported_by="mx.alpha.test", remote_mta="")


def test_alias_loop(lab: ExerciseLab, alice: Person) -> None:
    """Two aliases on two servers point at each other.

    On mx.beta.test the alias team stands for team@mx.alpha.test, and there it stands for team@mx.beta.test.
    The delivery agent local(8) writes a Delivered-To field into each letter that it forwards. When the letter
    comes round for the second time, it finds the address in that field already. So it knows that this is a
    mail forwarding loop, and returns the letter with 5.4.6 (RFC 3463, section 3.5) after two hops only.
    """
    with (
        lab.settings(
            "mx-alpha",
            "team@mx.alpha.test stands for team@mx.beta.test",
            mydestination="$myhostname",
            alias_maps="inline:{team=team@mx.beta.test}",
        ),
        lab.settings(
            "mx-beta",
            "team@mx.beta.test stands for team@mx.alpha.test",
            mydestination="$myhostname",
            alias_maps="inline:{team=team@mx.alpha.test}",
        ),
    ):
        letter = alice.send("team@mx.beta.test", "Dear team")
        lab.expect_sent(letter, says="forwarded as", at="mx-beta")
        lab.expect_sent(letter, says="forwarded as", at="mx-alpha")
        lab.expect_bounced(
            letter, dsn="5.4.6", says="mail forwarding loop for team@mx.beta.test", at="mx-beta"
        )
        alice.expect_bounce(letter, status="5.4.6", reported_by="mx.beta.test", remote_mta="")


def test_too_many_hops(lab: ExerciseLab, alice: Person) -> None:
    """A letter runs in circles until its Received fields are too many.

    On mx.alpha.test the address team@alpha.test is rewritten to team@beta.test, and on mx.beta.test back
    again. Rewriting leaves no Delivered-To field, so neither server can know that it has seen this letter
    before. But each hop adds a Received field, and counting them is the last defence against loops (RFC 5321,
    section 6.3). mx.beta.test sends the letter back five times. Then it counts 12 fields, its own among them,
    and that is its limit here (Postfix's default: 50): "554 5.4.0 Error: too many hops". The server that
    tried to hand the letter over writes the bounce.
    """
    with (
        lab.settings(
            "mx-alpha",
            "team@alpha.test stands for team@beta.test",
            virtual_alias_maps="inline:{team@alpha.test=team@beta.test}",
        ),
        lab.settings(
            "mx-beta",
            "team@beta.test stands for team@alpha.test; 12 hops are enough",
            virtual_alias_maps="inline:{team@beta.test=team@alpha.test}",
            hopcount_limit="12",
        ),
    ):
        letter = alice.send("team@beta.test", "Round and round")
        lab.expect_bounced(letter, dsn="5.4.0", code=554, says="too many hops", at="mx-alpha")
        lab.expect_sent(letter, at="mx-beta", nth=5)
        alice.expect_bounce(letter, status="5.4.0", reported_by="mx.alpha.test", remote_mta="mx.beta.test")


def test_virtual_alias_loop(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """Two colleagues forward their mail to each other, and their server gives up for now.

    Bob's address stands for Bea's, and Bea's for Bob's. The server expands addresses before it takes a
    letter, and here it finds no end. It does not accept the letter: "451 4.6.0 Alias expansion error". A
    mistake in its own tables is no fault of the sender's, so the refusal is temporary (RFC 3463, section 2,
    class 4). The letter waits at mx.alpha.test, and nothing is lost: when the tables are mended, it arrives.
    """
    with lab.settings(
        "mx-beta",
        "Bob's address stands for Bea's, and Bea's for Bob's",
        virtual_alias_maps="inline:{bob@beta.test=bea@beta.test bea@beta.test=bob@beta.test}",
    ):
        letter = alice.send("bob@beta.test", "Whose letter is this?")
        lab.expect_deferred(letter, dsn="4.6.0", code=451, says="Alias expansion error", at="mx-alpha")
        lab.expect_queued(letter, "deferred", at="mx-alpha")
    lab.flush("mx-alpha")
    bob.expect_delivery(letter)
