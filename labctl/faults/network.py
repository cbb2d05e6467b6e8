"""Faults of the network: hosts that are not there, and what a packet filter or a queueing discipline does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl.errors import UsageError
from labctl.faults import values
from labctl.faults.fault import Fault, Parameter
from labctl.faults.hostchange import HostChange
from labctl.lab.role import Role

if TYPE_CHECKING:
    from labctl.faults.fault import Plan, Scene
    from labctl.lab.running.instance import Host

_HOST: Final = Parameter("host", "mx-beta", "the host", check=values.name)
_PORT: Final = Parameter("port", "25", "the TCP port", check=values.number(1, 65535))
_SASL_PORT: Final = 12345


def _down(role: Role) -> Plan:
    return lambda scene: (HostChange(scene.host(role).service, stopped=True),)


def _chain(hook: str, *rules: str) -> str:
    """Write a chain that comes before the host's own filter."""
    lines = "".join(f"    {rule}\n" for rule in rules)
    return f"chain {hook} {{\n    type filter hook {hook} priority -10\n{lines}}}"


def _at_port(verdict: str) -> Plan:
    def plan(scene: Scene) -> tuple[HostChange, ...]:
        rule = f'iif != "lo" tcp dport {scene["port"]} {verdict}'
        return (HostChange(scene.host().service, rules=_chain("input", rule)),)

    return plan


def _partition(scene: Scene) -> tuple[HostChange, ...]:
    """Cut off two domains from each other, on all their hosts: nothing goes out, and nothing comes in.

    What is rejected on its way out fails at once, as where a router says that there is no way.
    """
    domain, other = (scene.of_domain(Role.MTA, each).domain or "" for each in ("domain", "other"))
    if domain == other:
        raise UsageError(
            f"fault partition: {domain} can't be cut off from itself",
            hint="labctl fault apply partition domain=beta.test other=alpha.test",
        )
    verdict = "drop" if scene["how"] == "drop" else "reject with icmpx host-unreachable"
    changes: list[HostChange] = []
    for near, far in ((domain, other), (other, domain)):
        away = ", ".join(address for host in _hosts(scene, far) for address in host.addresses)
        out = _chain("output", f"ip daddr {{ {away} }} {verdict}")
        rules = f"{out}\n{_chain('input', f'ip saddr {{ {away} }} drop')}"
        changes.extend(HostChange(host.service, rules=rules) for host in _hosts(scene, near))
    return tuple(changes)


def _hosts(scene: Scene, domain: str) -> tuple[Host, ...]:
    return tuple(each for each in scene.there.hosts if each.domain == domain)


def _auth_down(scene: Scene) -> tuple[HostChange, ...]:
    rule = f"tcp dport {_SASL_PORT} reject with tcp reset"
    return (HostChange(scene.of_domain(Role.MDA).service, rules=_chain("input", rule)),)


def _loss(scene: Scene) -> tuple[HostChange, ...]:
    """Lose what comes from other hosts of the lab; labctl's own way is to another address."""
    host = scene.host()
    own = ", ".join(host.addresses)
    # nft refuses a comparison that always holds.
    chance = "" if scene["percent"] == "100" else f"numgen random mod 100 < {scene['percent']} "
    rule = f'iif != "lo" ip daddr {{ {own} }} {chance}drop'
    return (HostChange(host.service, rules=_chain("input", rule)),)


FAULTS: Final = (
    Fault(
        "mta-down",
        "{host} is switched off: nothing answers at its address, and mail for its domain waits elsewhere",
        "the container is stopped",
        _down(Role.MTA),
        (Parameter("host", "mx-beta", "the MTA", check=values.name),),
    ),
    Fault(
        "mda-down",
        "{host} is switched off: its MTA takes mail but can't put it into mailboxes, and nobody can read",
        "the container is stopped",
        _down(Role.MDA),
        (Parameter("host", "mail-beta", "the MDA", check=values.name),),
    ),
    Fault(
        "dns-down",
        "The resolver {host} is switched off: no name can be looked up, in any domain",
        "the container is stopped",
        _down(Role.DNS),
        (Parameter("host", "dns", "the resolver", check=values.name),),
    ),
    Fault(
        "refuse",
        "Nobody listens at port {port} of {host}: connections are refused at once",
        "nftables: tcp dport PORT reject with tcp reset",
        _at_port("reject with tcp reset"),
        (_HOST, _PORT),
    ),
    Fault(
        "drop",
        "A firewall swallows what comes to port {port} of {host}: connections time out",
        "nftables: tcp dport PORT drop",
        _at_port("drop"),
        (_HOST, _PORT),
    ),
    Fault(
        "partition",
        "{domain} and {other} can't reach each other: {how}",
        "nftables on the hosts of both: ip saddr and ip daddr of the other, drop or reject",
        _partition,
        (
            Parameter("domain", "beta.test", "one mail domain", check=values.name),
            Parameter("other", "alpha.test", "the other one", check=values.name),
            Parameter(
                "how",
                "drop",
                "what happens to packets",
                choices=("drop", "reject"),
                words={"drop": "packets vanish", "reject": "packets are refused"},
            ),
        ),
    ),
    Fault(
        "auth-down",
        "The MTA of {domain} can't ask who a user is (SASL), and takes no mail from users",
        "nftables on the MDA: tcp dport 12345 reject with tcp reset (smtpd_sasl_path)",
        _auth_down,
        (Parameter("domain", "beta.test", "the mail domain", check=values.name),),
    ),
    Fault(
        "latency",
        "Each packet that {host} sends is {ms} ms late",
        "tc qdisc: netem delay (tc-netem(8)); the machine's kernel has to have it",
        lambda scene: (HostChange(scene.host().service, qdisc=f"netem delay {scene['ms']}ms"),),
        (_HOST, Parameter("ms", "300", "the milliseconds", check=values.number(1, 60000))),
    ),
    Fault(
        "loss",
        "{percent} of 100 packets that come to {host} from the other hosts are lost",
        "nftables: numgen random mod 100 < PERCENT drop",
        _loss,
        (_HOST, Parameter("percent", "30", "how many of 100", check=values.number(1, 100))),
    ),
)
