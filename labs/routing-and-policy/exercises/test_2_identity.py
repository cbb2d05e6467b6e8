"""Whom a server relays mail for, and as whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_relay_denied(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """A server does not relay a stranger's letter to somebody else's domain.

    Anybody may bring letters for a server's own domains. Letters for other domains it takes from its own
    users only, else everyone could send spam through it (RFC 5321, section 3.6.1 and section 7.9). Here
    beta.test is missing in the list of its server's own domains, so a letter for Bob looks like one to be
    relayed. Postfix's stock answer is "454 4.7.1 Relay access denied": only for now, because such a gap is
    often a mistake. So the letter waits, and arrives when the list is mended. A server that says "554 5.7.1"
    loses the letter: its sender gets it back at once (RFC 3463, section 3.8).
    """
    with lab.fault("relay-denied"):
        patient = alice.send("bob@beta.test", "Refused for now")
        lab.expect_deferred(patient, dsn="4.7.1", code=454, says="Relay access denied", at="mx-alpha")
        lab.expect_queued(patient, "deferred", at="mx-alpha")
    lab.flush("mx-alpha")
    bob.expect_delivery(patient)
    with lab.fault("relay-denied", permanent="yes"):
        lost = alice.send("bob@beta.test", "Refused for good")
        lab.expect_bounced(lost, dsn="5.7.1", code=554, says="Relay access denied", at="mx-alpha")
        alice.expect_bounce(lost, status="5.7.1", reported_by="mx.alpha.test", remote_mta="mx.beta.test")


def test_wrong_password(alice: Person, bob: Person) -> None:
    """Who can't say the password may not send.

    Alice's mail program hands in letters at port 587, the submission port, and has to log in first (RFC 6409,
    section 4.3). Her server asks the mail store, which knows the passwords. The one she gives is wrong, so
    the answer is "535 5.7.8 authentication failed" (RFC 4954, section 6), and nothing else is taken from her.
    With the right one the same letter arrives.
    """
    letter = alice.send(bob, "A letter with a wrong password", password="Alice, let me in")
    alice.expect_refusal(letter, code=535, status="5.7.8", says="authentication failed", stage="AUTH")
    bob.expect_delivery(alice.send(bob, "A letter with the right password"))


def test_borrowed_sender(lab: ExerciseLab, alice: Person, amy: Person, bob: Person) -> None:
    """Who logged in as Alice may not send as Amy.

    A password tells who somebody is. It does not tell which sender addresses are theirs: for that the server
    needs a table of its own (RFC 6409, section 6.1). Postfix calls it smtpd_sender_login_maps. Alice logs in
    rightly and then gives Amy's address as the envelope's sender. The server answers "553 5.7.1 … not owned
    by user alice@alpha.test". Under her own address the letter goes through.
    """
    with lab.settings(
        "mx-alpha",
        "Alice and Amy own their addresses, and nobody else does",
        smtpd_sender_login_maps="inline:{alice@alpha.test=alice@alpha.test amy@alpha.test=amy@alpha.test}",
        smtpd_sender_restrictions="reject_sender_login_mismatch",
    ):
        borrowed = alice.send(bob, "As if from Amy", mail_from=amy.address)
        alice.expect_refusal(
            borrowed, code=553, status="5.7.1", says="not owned by user alice@alpha.test", stage="RCPT"
        )
        bob.expect_delivery(alice.send(bob, "From myself"))
