"""Certificates for a laboratory (RFC 5280): an authority of its own, and what it issues, good or bad."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

from labctl.errors import UsageError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

VALIDITY: Final = timedelta(days=30)
CA_VALIDITY: Final = timedelta(days=3650)
CLOCK_SKEW: Final = timedelta(days=1)
"""How long before now a certificate begins to be valid, so that a clock that is late believes it too."""

MAX_COMMON_NAME: Final = 64  # RFC 5280, appendix A.1, ub-common-name


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
    _key: EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def create(cls, name: str = "labctl laboratory CA") -> Self:
        """Make an authority with a new key.

        Raises:
            UsageError: The name is empty or longer than a certificate's names may be.
        """
        from cryptography import x509  # noqa: PLC0415  # costs 60 ms, and few labs need it
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

        if not 0 < len(name) <= MAX_COMMON_NAME:
            raise UsageError(
                f"{name!r} is no name for a certification authority",
                hint=f"give it 1 to {MAX_COMMON_NAME} characters",
            )
        key = ec.generate_private_key(ec.SECP256R1())
        start = datetime.now(UTC) - CLOCK_SKEW
        builder = _builder(name, key, start, start + CA_VALIDITY).issuer_name(_subject(name))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(authority=True), critical=True)
        certificate = _signed(builder, key)
        return cls(_pem(certificate), certificate, key)

    def issue(
        self,
        hostname: str,
        *,
        not_after: datetime | None = None,
    ) -> IssuedCertificate:
        """Issue a server's certificate, with a new key.

        Args:
            hostname: Its common name, and the only DNS name that it is valid for.
            not_after: Until when; 30 days after its beginning, which is a day ago, or 30 days before an end
                that is earlier than that: such a one has expired.

        Raises:
            UsageError: The name can't stand in a certificate.
        """
        from cryptography import x509  # noqa: PLC0415  # as above
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
        from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415

        start, end = _span(not_after)
        key = ec.generate_private_key(ec.SECP256R1())
        authority = self._key.public_key()
        try:
            builder = _builder(hostname, key, start, end).issuer_name(self._certificate.subject)
            builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            builder = builder.add_extension(_usage(authority=False), critical=True)
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            builder = builder.add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False
            )
            names = x509.SubjectAlternativeName([x509.DNSName(hostname)])
            builder = builder.add_extension(names, critical=False)
            certificate = _signed(builder, self._key)
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
    name: str, key: EllipticCurvePrivateKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    from cryptography import x509  # noqa: PLC0415  # as above

    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(name))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _subject(name: str) -> x509.Name:
    from cryptography import x509  # noqa: PLC0415  # as above
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, authority: bool) -> x509.KeyUsage:
    from cryptography import x509  # noqa: PLC0415  # as above

    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey) -> x509.Certificate:
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415  # as above

    return builder.sign(key, SHA256())


def _pem(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415  # as above

    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def _key_pem(key: EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # as above

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")
