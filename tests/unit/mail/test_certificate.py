"""Certificates as TLS itself judges them: each test shakes hands, in memory."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from labctl.errors import UsageError
from labctl.mail.client.certificate import IssuedCertificate, LaboratoryCa

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def authority() -> LaboratoryCa:
    return LaboratoryCa.create()


def shake_hands(
    authority: LaboratoryCa, issued: IssuedCertificate, hostname: str, directory: Path
) -> dict[str, Any]:
    """Let a client that trusts the authority meet a server of the certificate; return what it was shown."""
    (directory / "server.pem").write_text(issued.certificate_pem + issued.key_pem)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(directory / "server.pem")
    client_context = ssl.create_default_context(cadata=authority.certificate_pem)
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=hostname)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    shown = client.getpeercert()
    assert shown is not None
    return shown


def test_a_certificate_is_good_for_its_host_from_yesterday_for_thirty_days(
    authority: LaboratoryCa, tmp_path: Path
) -> None:
    shown = shake_hands(authority, authority.issue("mx.beta.test"), "mx.beta.test", tmp_path)

    assert shown["subjectAltName"] == (("DNS", "mx.beta.test"),)
    assert shown["issuer"] == ((("commonName", "labctl laboratory CA"),),)
    start, end = (ssl.cert_time_to_seconds(shown[name]) for name in ("notBefore", "notAfter"))

    assert start < NOW.timestamp()
    assert end - start == timedelta(days=30).total_seconds()


@pytest.mark.parametrize("ago", [timedelta(seconds=5), timedelta(days=365)])
def test_a_certificate_that_has_expired_is_refused(
    authority: LaboratoryCa, ago: timedelta, tmp_path: Path
) -> None:
    issued = authority.issue("mx.beta.test", not_after=NOW - ago)

    with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
        shake_hands(authority, issued, "mx.beta.test", tmp_path)


def test_nobody_trusts_another_authority_of_the_same_name(authority: LaboratoryCa, tmp_path: Path) -> None:
    issued = LaboratoryCa.create().issue("mx.beta.test")

    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(authority, issued, "mx.beta.test", tmp_path)


@pytest.mark.parametrize("hostname", ["", "mx.béta.test", "x" * 65])
def test_what_no_certificate_can_say_is_a_mistake(authority: LaboratoryCa, hostname: str) -> None:
    with pytest.raises(UsageError, match="no certificate can be issued"):
        authority.issue(hostname)


def test_keys_are_not_shown(authority: LaboratoryCa) -> None:
    assert "PRIVATE KEY" not in repr(authority.issue("mx.beta.test")) + repr(authority)
