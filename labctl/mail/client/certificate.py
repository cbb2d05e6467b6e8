"""Certificates for a laboratory (RFC 5280): an authority of its own, and what it issues, good or bad."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from labctl.errors import UsageError

VALIDITY: Final = timedelta(days=30)
CA_VALIDITY: Final = timedelta(days=3650)
CLOCK_SKEW: Final = timedelta(days=1)
"""How long before now a certificate begins to be valid, so that a clock that is late believes it too."""

_NAME: Final = "labctl laboratory CA"
_UNUSED: Final = (
    "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
    "decipher_only",
)  # fmt: skip
"""What no key is for here."""


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A server's certificate and its private key, in PEM (RFC 7468)."""

    certificate_pem: str
    key_pem: str = field(repr=False)
    """Without a password: a laboratory has no secrets."""


@dataclass(frozen=True, slots=True)
class LaboratoryCa:
    """A certification authority that only a laboratory trusts."""

    certificate_pem: str
    _certificate: x509.Certificate = field(repr=False)
    _key: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def create(cls) -> Self:
        """Make an authority with a new key."""
        key = ec.generate_private_key(ec.SECP256R1())
        start = datetime.now(UTC) - CLOCK_SKEW
        builder = _builder(_NAME, key, start, start + CA_VALIDITY, authority=True)
        certificate = builder.issuer_name(_subject(_NAME)).sign(key, SHA256())
        return cls(_pem(certificate), certificate, key)

    def issue(self, hostname: str, *, not_after: datetime | None = None) -> IssuedCertificate:
        """Issue a server's certificate, with a new key.

        Args:
            hostname: Its common name, and the only DNS name that it is valid for.
            not_after: Until when; 30 days after its beginning, which is a day ago, or 30 days before an end
                that is earlier than that: such a one has expired.

        Raises:
            UsageError: The name can't stand in a certificate.
        """
        start, end = _span(not_after)
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        try:
            names = x509.SubjectAlternativeName([x509.DNSName(hostname)])
            builder = _builder(hostname, key, start, end, authority=False)
            for extension in (usage, issuer, names):
                builder = builder.add_extension(extension, critical=False)
            certificate = builder.issuer_name(self._certificate.subject).sign(self._key, SHA256())
        except ValueError as error:
            raise UsageError(
                f"no certificate can be issued to {hostname!r}: {error}",
                hint="give a name of ASCII letters",
            ) from error
        return IssuedCertificate(_pem(certificate), _key_pem(key))


def _span(not_after: datetime | None) -> tuple[datetime, datetime]:
    start = datetime.now(UTC) - CLOCK_SKEW
    if not_after is not None and not_after <= start:
        start = not_after - VALIDITY
    return start, not_after or start + VALIDITY


def _builder(
    name: str, key: ec.EllipticCurvePrivateKey, start: datetime, end: datetime, *, authority: bool
) -> x509.CertificateBuilder:
    """Say all that an authority's certificate and a server's have in common, and who may sign others."""
    public = key.public_key()
    basic = x509.BasicConstraints(ca=authority, path_length=0 if authority else None)
    signs = {"digital_signature": not authority, "key_cert_sign": authority, "crl_sign": authority}
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(name))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(basic, critical=True)
        .add_extension(x509.KeyUsage(**signs, **dict.fromkeys(_UNUSED, False)), critical=True)
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")
