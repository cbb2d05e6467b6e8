"""TLS between servers, as exercises order it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from labctl.exercises.vocabulary.starttls import starttls
from labctl.lab.blueprint.maincf import MAIN_CF, settings_in

if TYPE_CHECKING:
    from tests.unit.exercises.conftest import Scene

CHAIN = "/etc/postfix/tls-chain.pem"
AUTHORITY = "/etc/postfix/tls-authority.pem"


def held(scene: Scene, service: str, path: str) -> bytes:
    return scene.stage.fake.get_file(f"labctl-x-{service}", path)


def certificate(scene: Scene) -> x509.Certificate:
    return x509.load_pem_x509_certificate(held(scene, "mx-beta", CHAIN))


def verify(scene: Scene, name: str) -> None:
    """Check the server's certificate as a careful client would."""
    authority = x509.load_pem_x509_certificate(held(scene, "mx-alpha", AUTHORITY))
    verifier = PolicyBuilder().store(Store([authority])).build_server_verifier(x509.DNSName(name))
    verifier.verify(certificate(scene), [])


def test_a_server_shows_a_certificate_of_its_own_that_the_other_one_can_verify(scene: Scene) -> None:
    with starttls(scene.lab, "mx-beta", level="encrypt", trusted_by="mx-alpha"):
        verify(scene, "mx.beta.test")
        assert b"PRIVATE KEY" in held(scene, "mx-beta", CHAIN)
        wanted = {"smtpd_tls_security_level": "encrypt", "smtpd_tls_chain_files": CHAIN}
        assert settings_in(held(scene, "mx-beta", MAIN_CF), wanted) == wanted
        trust = {"smtp_tls_CAfile": AUTHORITY}
        assert settings_in(held(scene, "mx-alpha", MAIN_CF), trust) == trust


def test_a_certificate_may_have_expired(scene: Scene) -> None:
    with starttls(scene.lab, "mx-beta", expired=True, trusted_by="mx-alpha"):
        assert certificate(scene).not_valid_after_utc < datetime.now(UTC)
        with pytest.raises(VerificationError):
            verify(scene, "mx.beta.test")


def test_a_certificate_may_bear_another_name(scene: Scene) -> None:
    with starttls(scene.lab, "mx-beta", issued_to="mail.elsewhere.test", trusted_by="mx-alpha"):
        verify(scene, "mail.elsewhere.test")
        with pytest.raises(VerificationError):
            verify(scene, "mx.beta.test")


def test_afterwards_both_hosts_have_the_settings_of_before(scene: Scene) -> None:
    before = [held(scene, service, MAIN_CF) for service in ("mx-alpha", "mx-beta")]

    with starttls(scene.lab, "mx-beta", trusted_by="mx-alpha"):
        pass

    assert [held(scene, service, MAIN_CF) for service in ("mx-alpha", "mx-beta")] == before


def test_the_narration_tells_whose_certificate_it_is_and_never_its_key(scene: Scene) -> None:
    with starttls(scene.lab, "mx-beta", issued_to="mail.elsewhere.test", expired=True):
        pass

    told = scene.lab.narrator.steps[0]
    assert (
        told.text == "mx.beta.test offers TLS, with a certificate for mail.elsewhere.test, which has expired"
    )
    assert "mx-beta: smtpd_tls_security_level = may" in told.evidence
    assert not any("PRIVATE" in line for line in told.evidence)
