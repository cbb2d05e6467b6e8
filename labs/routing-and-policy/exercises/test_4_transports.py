"""What an administrator can do to letters on their way: send back, keep, lose, stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_error_and_retry(lab: ExerciseLab, alice: Person, bea: Person) -> None:
    """One letter to two people: by order, one copy comes back and one waits.

    The transport table says how to reach an address. It may also name an agent that reaches nobody: error
    returns each letter with the administrator's own words and a status of class 5, retry keeps it with one of
    class 4 (RFC 3463, section 2). Nobody is called, so the log says relay=none. Who writes to Bob directly is
    refused at once, for Postfix looks into the table then already. But friends@alpha.test is an alias, and
    what it stands for turns up only later: Bob's copy is returned, and Bea's copy waits until the order is
    taken back.
    """
    with lab.settings(
        "mx-alpha",
        "nothing to Bob any more, and nothing to Bea for now",
        virtual_alias_maps="inline:{ {friends@alpha.test = bob@beta.test, bea@beta.test} }",
        transport_maps="inline:{"
        " {bob@beta.test = error:5.7.1 We do not write to Bob}"
        " {bea@beta.test = retry:4.3.2 We write to Bea later} }",
    ):
        direct = alice.send("bob@beta.test", "To Bob only")
        alice.expect_refusal(direct, code=550, status="5.7.1", says="We do not write to Bob", stage="RCPT")
        letter = alice.send("friends@alpha.test", "To both of you")
        lab.expect_bounced(
            letter, dsn="5.7.1", says="We do not write to Bob", relay="none", recipient="bob@beta.test"
        )
        lab.expect_deferred(
            letter, dsn="4.3.2", says="We write to Bea later", relay="none", recipient="bea@beta.test"
        )
        alice.expect_bounce(
            letter,
            status="5.7.1",
            reported_by="mx.alpha.test",
            remote_mta="",
            recipient="bob@beta.test",
            nothing_of="bea@beta.test",
        )
        lab.expect_queued(letter, "deferred", at="mx-alpha")
    lab.flush("mx-alpha")
    bea.expect_delivery(letter)


def test_discard(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """Every log says "sent", and the letter is nowhere.

    mx.beta.test takes the letter: "250 2.0.0 Ok". With that it is responsible for it (RFC 5321, section 6.1).
    But its administrator has told it to throw all mail for beta.test away, by the transport discard. It logs
    status=sent even so, and writes no bounce. Neither Alice nor her server can know. A success in the
    sender's log means only that the next server took the letter.
    """
    with lab.fault("discard"):
        letter = alice.send(bob, "Into the void")
        lab.expect_sent(letter, dsn="2.0.0", code=250, relay="mx.beta.test", at="mx-alpha")
        lab.expect_sent(letter, dsn="2.0.0", says="thrown away", relay="none", at="mx-beta")
        alice.expect_silence(letter)
        bob.mailbox.must_not_hold(letter)
        lab.expect_queue_empty()


def test_header_hold(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """A letter with a suspicious subject waits until a person has looked at it.

    mx.beta.test looks at each line of the header (RFC 5322, section 2.2). A rule says: hold what has "prize"
    in the subject. The server takes the letter with "250 2.0.0 Ok", so Alice's server is done with it. It
    lies in the queue "hold" of mx.beta.test, which no queue run touches and where it would stay for ever.
    Another letter passes meanwhile. postsuper -H releases the first one.
    """
    with lab.settings(
        "mx-beta",
        "a subject with “prize” waits for a person",
        header_checks="regexp:{ {/^Subject:.*prize/ HOLD a person has to look at it} }",
    ):
        held = alice.send(bob, "You have won a prize")
        lab.expect_sent(held, dsn="2.0.0", code=250, relay="mx.beta.test", at="mx-alpha")
        entry = lab.expect_queued(held, "hold", at="mx-beta")
        bob.expect_delivery(alice.send(bob, "You have won nothing"))
        lab.flush("mx-beta")
        lab.expect_queued(held, "hold", at="mx-beta")
        bob.mailbox.must_not_hold(held)
        lab.exec("mx-beta", "postsuper", "-H", entry.queue_id, why="let it go on")
        bob.expect_delivery(held)
