"""TLS between servers: wanted, missing, and with a wrong certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.exercises.vocabulary.starttls import starttls

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_server_requires_tls(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """A server takes mail only under TLS, and a client that has none gets its letter back.

    The server offers STARTTLS (RFC 3207), and without it answers each MAIL FROM with "530 5.7.0 Must issue a
    STARTTLS command first". Alice's server does not use TLS. A refusal of class 5 is final, so it returns the
    letter. That is why a server which the whole internet may write to must not require TLS (RFC 3207, section
    4). When Alice's server uses TLS wherever it is offered, her next letter arrives, and its Received field
    tells the version of TLS.
    """
    with starttls(lab, "mx-beta", level="encrypt"):
        letter = alice.send(bob, "In the clear")
        lab.expect_bounced(letter, dsn="5.7.0", code=530, says="Must issue a STARTTLS command", at="mx-alpha")
        alice.expect_bounce(letter, status="5.7.0", reported_by="mx.alpha.test", remote_mta="mx.beta.test")
        with lab.settings("mx-alpha", "uses TLS where it is offered", smtp_tls_security_level="may"):
            sealed = alice.send(bob, "Under TLS")
            bob.expect_delivery(sealed).must_have("Received", "by mx.beta.test", "TLSv1.3")


def test_client_requires_tls(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """A client sends only under TLS, and waits for a server that offers none.

    The server's answer to EHLO does not list STARTTLS. Somebody between the two may have removed it (RFC
    3207, section 6), so a client that requires TLS does not send in the clear. It defers the letter with
    4.7.4, "security features not supported" (RFC 3463, section 3.8): a server may learn TLS, a letter that
    was read can't be made secret again. As soon as the server offers TLS, the same letter goes through,
    encrypted.
    """
    with lab.settings("mx-alpha", "sends only under TLS", smtp_tls_security_level="encrypt"):
        letter = alice.send(bob, "Only under TLS")
        lab.expect_deferred(
            letter,
            dsn="4.7.4",
            says="TLS is required, but was not offered by host mx.beta.test",
            at="mx-alpha",
        )
        lab.expect_queued(letter, "deferred", at="mx-alpha")
        with starttls(lab, "mx-beta"):
            lab.flush("mx-alpha")
            bob.expect_delivery(letter).must_have("Received", "by mx.beta.test", "TLSv1.3")


def test_expired_certificate(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """A certificate has expired: who looks at it keeps the letter, who does not look sends it.

    mx.beta.test shows a certificate of the laboratory's authority, which ended yesterday. A client at the
    level "secure" checks certificates (RFC 5280, section 6), finds it expired, and defers with 4.7.5 (RFC
    3463, section 3.8). The level "may" encrypts and trusts everyone: most servers of the internet do so,
    because a letter under TLS to an unknown server is still better than one in the clear (RFC 7435). So this
    one delivers.
    """
    with starttls(lab, "mx-beta", expired=True, trusted_by="mx-alpha"):
        with lab.settings("mx-alpha", "sends only to whom it can verify", smtp_tls_security_level="secure"):
            careful = alice.send(bob, "For your eyes only")
            lab.expect_deferred(careful, dsn="4.7.5", says="Server certificate not verified", at="mx-alpha")
            lab.expect_log("certificate has expired", at="mx-alpha", letter=careful)
        with lab.settings("mx-alpha", "encrypts, whoever it is", smtp_tls_security_level="may"):
            trusting = alice.send(bob, "For whoever reads it")
            bob.expect_delivery(trusting).must_have("Received", "by mx.beta.test", "TLSv1.3")


def test_wrong_name_certificate(lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """A certificate bears another's name: who looks at it keeps the letter.

    The certificate is valid and comes from the right authority, but it was issued to mail.elsewhere.test. So
    it proves only that somebody else is there. A client at the level "secure" compares the name in it with
    the domain it sends to (RFC 9525, section 6), because an answer of the DNS may be forged. beta.test or a
    name below it would do. It defers with 4.7.5. At the level "may" the name does not matter.
    """
    with starttls(lab, "mx-beta", issued_to="mail.elsewhere.test", trusted_by="mx-alpha"):
        with lab.settings("mx-alpha", "sends only to whom it can verify", smtp_tls_security_level="secure"):
            careful = alice.send(bob, "For your eyes only")
            lab.expect_deferred(careful, dsn="4.7.5", says="Server certificate not verified", at="mx-alpha")
            lab.expect_log("hostname mismatch", at="mx-alpha", letter=careful)
        with lab.settings("mx-alpha", "encrypts, whoever it is", smtp_tls_security_level="may"):
            trusting = alice.send(bob, "For whoever reads it")
            bob.expect_delivery(trusting).must_have("Received", "by mx.beta.test", "TLSv1.3")
