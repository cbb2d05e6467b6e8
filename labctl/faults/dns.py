"""Faults of the DNS: a zone's answers, its MX records, and who is behind an address."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from labctl.errors import UsageError
from labctl.faults import values, zone
from labctl.faults.fault import Fault, Parameter, for_good
from labctl.faults.hostchange import HostChange
from labctl.faults.postfix import for_others
from labctl.lab.role import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.faults.fault import Plan, Scene

_DOMAIN: Final = Parameter("domain", "beta.test", "the mail domain", check=values.name)
_CALLER: Final = Parameter("host", "mx-alpha", "the MTA that calls others", check=values.name)
_PERMANENT: Final = for_good("refused with 550 instead of 450")

_WHO: Final = "smtpd_client_restrictions"
_PERMANENTLY: Final = {"unknown_client_reject_code": "550"}


def _answers(directive: str) -> Plan:
    """Make a plan that puts a directive into the zone's server block."""

    def plan(scene: Scene) -> tuple[HostChange, ...]:
        resolver = scene.resolver()
        domain = scene.of_domain(Role.MTA).domain or ""
        corefile = zone.with_directive(scene.read(resolver, zone.COREFILE), domain, directive)
        return (HostChange(resolver.service, files={zone.COREFILE: corefile}),)

    return plan


def _records(
    scene: Scene, origin: str, owner: str, rdtype: str, data: Sequence[str], *more: tuple[str, str, str]
) -> HostChange:
    """Replace records of a zone; of `more`, each is a name, a type and what its one record says."""
    resolver = scene.resolver()
    path = zone.zone_file(scene.read(resolver, zone.COREFILE), origin)
    text = zone.with_records(scene.read(resolver, path), origin, owner, rdtype, data)
    for name, kind, said in more:
        text = zone.with_records(text, origin, name, kind, [said])
    return HostChange(resolver.service, files={path: text})


def _mx(scene: Scene, data: Sequence[str], *more: tuple[str, str, str]) -> tuple[HostChange, ...]:
    domain = scene.of_domain(Role.MTA).domain or ""
    return (_records(scene, domain, domain, "MX", data, *more),)


def _mx_dead(scene: Scene) -> tuple[HostChange, ...]:
    """Name a host first that is there and takes no mail: the resolver, under another name."""
    right = scene.of_domain(Role.MTA)
    old = f"old-mx.{right.domain}"
    data = [f"10 {old}.", f"20 {right.hostname}."]
    listed = data if scene["backup"] == "yes" else data[:1]
    return _mx(scene, listed, (old, "A", scene.resolver().addresses[0]))


def _mx_loop(scene: Scene) -> tuple[HostChange, ...]:
    to = scene.host(Role.MTA, "to")
    if to.domain == scene["domain"]:
        raise UsageError(
            f"{to.service} is the right MTA of {to.domain}: mail for it would not loop",
            hint="labctl fault apply mx-loop domain=beta.test to=mx-alpha",
        )
    return _mx(scene, [f"10 {to.hostname}."])


def _ptr(scene: Scene, data: Sequence[str], check: str) -> tuple[HostChange, ...]:
    """Change whose name is behind an MTA's address, and make all other MTAs look."""
    caller = scene.host(Role.MTA)
    resolver = scene.resolver()
    name = ip_address(caller.addresses[0]).reverse_pointer
    origin = zone.reverse_zone(scene.read(resolver, zone.COREFILE), name)
    code = _PERMANENTLY if scene["permanent"] == "yes" else {}
    refusing = (
        HostChange(other.service, for_others(scene, other, _WHO, check) | code)
        for other in scene.others(caller)
    )
    return (_records(scene, origin, name, "PTR", data), *refusing)


FAULTS: Final = (
    Fault(
        "dns-servfail",
        "The resolver fails with every question about {domain}: mail for it waits",
        "Corefile, in the zone's block: template ANY ANY { rcode SERVFAIL }",
        _answers("template ANY ANY {\n    rcode SERVFAIL\n}"),
        (_DOMAIN,),
    ),
    Fault(
        "dns-nxdomain",
        "The resolver says that {domain} does not exist: mail for it is returned at once",
        "Corefile, in the zone's block: template ANY ANY { rcode NXDOMAIN }",
        _answers("template ANY ANY {\n    rcode NXDOMAIN\n}"),
        (_DOMAIN,),
    ),
    Fault(
        "dns-timeout",
        "The resolver says nothing to questions about {domain}: each takes 4 s, and mail for it waits",
        "Corefile, in the zone's block: acl { drop }",
        _answers("acl {\n    drop\n}"),
        (_DOMAIN,),
    ),
    Fault(
        "mx-missing",
        "{domain} has no MX record any more, nor an address of its own: mail for it is returned",
        "zone file: no MX record (RFC 5321, 5.1)",
        lambda scene: _mx(scene, []),
        (_DOMAIN,),
    ),
    Fault(
        "mx-wrong",
        "The MX record of {domain} names a host that does not exist: mail for it is returned",
        "zone file: MX 10 no-such-mx.DOMAIN.",
        lambda scene: _mx(scene, [f"10 no-such-mx.{scene['domain']}."]),
        (_DOMAIN,),
    ),
    Fault(
        "mx-dead",
        "The first MX of {domain} is a host that takes no mail, {backup}",
        "zone file: MX 10 old-mx.DOMAIN. before MX 20 of the right host (RFC 5321, 5.1)",
        _mx_dead,
        (
            _DOMAIN,
            Parameter(
                "backup",
                "yes",
                "the right MTA stands behind it",
                choices=("yes", "no"),
                words={"yes": "and the right one stands behind it", "no": "and there is no other"},
            ),
        ),
    ),
    Fault(
        "mx-null",
        "{domain} says that it takes no mail at all: mail for it is returned at once",
        "zone file: MX 0 . (RFC 7505)",
        lambda scene: _mx(scene, ["0 ."]),
        (_DOMAIN,),
    ),
    Fault(
        "mx-loop",
        "The MX record of {domain} names {to}, which has to send its mail to itself, and returns it",
        "zone file: MX 10 of another domain's MTA",
        _mx_loop,
        (_DOMAIN, Parameter("to", "mx-alpha", "the MTA that it names", check=values.name)),
    ),
    Fault(
        "ptr-missing",
        "No name is behind the address of {host}, and other MTAs refuse such {permanent}",
        "reverse zone: no PTR; main.cf: smtpd_client_restrictions = reject_unknown_reverse_client_hostname",
        lambda scene: _ptr(scene, [], "reject_unknown_reverse_client_hostname"),
        (_CALLER, _PERMANENT),
    ),
    Fault(
        "ptr-wrong",
        "The name behind the address of {host} is another's, and other MTAs refuse such {permanent}",
        "reverse zone: another's PTR; main.cf: smtpd_client_restrictions = reject_unknown_client_hostname",
        lambda scene: _ptr(scene, [f"{scene.resolver().hostname}."], "reject_unknown_client_hostname"),
        (_CALLER, _PERMANENT),
    ),
)
