"""TLS between servers: an MTA that offers STARTTLS, with a certificate of the laboratory's own authority."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from labctl.faults.hostchange import HostChange
from labctl.mail.client.certificate import LaboratoryCa

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from labctl.exercises.vocabulary.hosts import Hosts

_CHAIN: Final = "/etc/postfix/tls-chain.pem"
_AUTHORITY: Final = "/etc/postfix/tls-authority.pem"


def starttls(
    lab: Hosts,
    host: str,
    *,
    level: str = "may",
    issued_to: str | None = None,
    expired: bool = False,
    trusted_by: str | None = None,
) -> AbstractContextManager[None]:
    """Let an MTA offer STARTTLS (RFC 3207) for the length of a block, with a certificate made for it.

    Args:
        lab: The lab.
        host: The MTA.
        level: ``may`` offers it, ``encrypt`` takes mail in no other way (smtpd_tls_security_level).
        issued_to: Whose name the certificate bears; the host's own where it is None.
        expired: The certificate ended yesterday.
        trusted_by: Another MTA, which is given the authority's certificate and logs what it finds.
    """
    server = lab.host(host)
    name = issued_to or server.hostname
    authority = LaboratoryCa.create()
    end = datetime.now(UTC) - timedelta(days=1) if expired else None
    issued = authority.issue(name, not_after=end)
    settings = {
        "smtpd_tls_security_level": level,
        "smtpd_tls_chain_files": _CHAIN,
        "smtpd_tls_received_header": "yes",
    }
    lines = [f"{server.service}: {key} = {value}" for key, value in settings.items()]
    changes = [HostChange(server.service, settings, {_CHAIN: issued.key_pem + issued.certificate_pem})]
    if trusted_by is not None:
        client = lab.host(trusted_by)
        trust = {"smtp_tls_CAfile": _AUTHORITY, "smtp_tls_loglevel": "1"}
        lines += [f"{client.service}: {key} = {value}" for key, value in trust.items()]
        changes.append(HostChange(client.service, trust, {_AUTHORITY: authority.certificate_pem}))
    offers = "offers TLS" if level == "may" else "takes mail only under TLS"
    when = ", which has expired" if expired else ""
    return lab.changed(f"{server.hostname} {offers}, with a certificate for {name}{when}", lines, *changes)
