"""Nothing leaves a lab and nothing reaches its machine: tried from inside every host, as root.

No packet of these tests goes to an address that is neither a lab's nor this machine's own: of the world
outside, the kernel is asked where it would send one.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import dns.message
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import Lab

LAB_ADDRESSES: Final = {
    "203.0.113.53",
    "203.0.113.10",
    "203.0.113.20",
    "192.0.2.10",
    "192.0.2.143",
    "198.51.100.20",
    "198.51.100.143",
}

ENGINES_RESOLVER: Final = "127.0.0.11"

PROBE: Final = r"""
use strict; use Socket; use IO::Handle; use IO::Select;
sub outcome {
    my ($how, $host, $port, $payload) = @_;
    my ($type, $protocol) = $how eq "tcp" ? (SOCK_STREAM, 6) : (SOCK_DGRAM, $how eq "udp" ? 17 : 1);
    socket(my $socket, PF_INET, $type, $protocol) or return "no socket: $!";
    my $ready = IO::Select->new($socket);
    $socket->blocking(0);
    if (!connect($socket, sockaddr_in($port, inet_aton($host)))) {
        return "$!" if !$!{EINPROGRESS};
        return "silence" if !$ready->can_write(1);
        if ($! = unpack("i", getsockopt($socket, SOL_SOCKET, SO_ERROR))) { return "$!" }
    }
    return "connected" if $how eq "tcp";
    defined(send($socket, pack("H*", $payload), 0)) or return "$!";
    return "silence" if !$ready->can_read(0.5);
    defined(recv($socket, my $answer, 4096, 0)) or return "$!";
    return "answered " . unpack("H*", $answer);
}
use Errno;
while (my @target = splice(@ARGV, 0, 4)) { print outcome(@target), "\n" }
"""
"""Tries targets, four words each, and prints a line for each. (Every Debian has this Perl.)"""

ECHO_REQUEST: Final = "0800000000010001" + "6c6162" * 4
"""ICMP's type 8 (RFC 792); the kernel fills in checksum and identifier."""

Target = tuple[str, str, int, str]


def tcp(host: str, port: int) -> Target:
    return "tcp", host, port, "-"


def udp(host: str, port: int, name: str = "mx.alpha.test") -> Target:
    return "udp", host, port, dns.message.make_query(name, "A").to_wire().hex()


def icmp(host: str) -> Target:
    return "icmp", host, 0, ECHO_REQUEST


def tried(lab: Lab, service: str, *targets: Target) -> list[str]:
    """Try targets from inside a host, as root with all that its container may do."""
    words = [str(word) for target in targets for word in target]
    code, said = lab.execute(service, "perl", "-e", PROBE, *words)
    outcomes = said.splitlines()
    assert (code, len(outcomes)) == (0, len(targets)), said
    return outcomes


def reached(outcomes: list[str]) -> list[str]:
    return [each for each in outcomes if each.startswith(("connected", "answered", "no socket"))]


def own_addresses() -> list[str]:
    """Return every address of this machine, those of Docker's bridges too, without loopback."""
    said = subprocess.run(["ip", "-json", "-4", "address"], capture_output=True, check=True).stdout
    found = [each["local"] for link in json.loads(said) for each in link["addr_info"]]
    return [each for each in found if not each.startswith("127.")]


def filter_rules(lab: Lab, service: str) -> list[list[dict[str, Any]]]:
    """Return the expressions of the host's filter, rule by rule."""
    code, said = lab.execute(service, "nft", "--json", "list", "chain", "inet", "labctl", "output")
    assert code == 0
    return [each["rule"]["expr"] for each in json.loads(said)["nftables"] if "rule" in each]


def rejected_packets(lab: Lab, service: str) -> int:
    """How many packets the filter's last rule, which rejects the rest, has met."""
    return int(
        next(each["counter"]["packets"] for each in filter_rules(lab, service)[-1] if "counter" in each)
    )


@pytest.fixture
def listeners() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP and a UDP listener at one port of all this machine's addresses."""
    with (
        socket.create_server(("0.0.0.0", 0)) as streams,  # noqa: S104  # at none may the lab reach it
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as datagrams,
    ):
        datagrams.bind(streams.getsockname())
        yield streams, datagrams


def test_a_host_reaches_its_lab(standing_lab: Lab, service: str) -> None:
    outcomes = tried(
        standing_lab,
        service,
        tcp("203.0.113.53", 53),
        udp("203.0.113.53", 53),
        icmp("203.0.113.53"),
    )
    assert len(reached(outcomes)) == 3, outcomes


def test_a_host_reaches_none_of_this_machines_addresses(
    standing_lab: Lab, service: str, listeners: tuple[socket.socket, socket.socket]
) -> None:
    port = listeners[0].getsockname()[1]
    addresses = own_addresses()
    assert len(addresses) >= 2  # the machine's own, and the lab's gateway
    before = rejected_packets(standing_lab, service)
    outcomes = tried(
        standing_lab,
        service,
        *(each for host in addresses for each in (tcp(host, port), udp(host, port), icmp(host))),
    )
    assert reached(outcomes) == []
    heard, _, _ = select.select(listeners, [], [], 0.2)
    assert heard == []
    assert rejected_packets(standing_lab, service) > before


def test_it_is_the_filter_that_keeps_the_machine_out_of_reach(
    standing_lab: Lab, listeners: tuple[socket.socket, socket.socket]
) -> None:
    network = standing_lab.docker.networks.get(f"labctl-{standing_lab.name}")
    gateway = network.attrs["IPAM"]["Config"][0]["Gateway"]
    port = listeners[0].getsockname()[1]
    targets = (tcp(gateway, port), udp(gateway, port), icmp(gateway))
    try:
        assert standing_lab.execute("mx-beta", "nft", "delete", "table", "inet", "labctl")[0] == 0
        assert len(reached(tried(standing_lab, "mx-beta", *targets))) >= 2
        heard, _, _ = select.select(listeners, [], [], 5)
        assert heard
    finally:
        assert standing_lab.execute("mx-beta", "/usr/local/lib/labctl/network")[0] == 0
    assert reached(tried(standing_lab, "mx-beta", *targets)) == []


def test_a_host_has_no_way_to_the_world(standing_lab: Lab, service: str) -> None:
    code, routes = standing_lab.execute(service, "ip", "-json", "route")
    assert code == 0
    assert [each["dst"] for each in json.loads(routes) if each["dst"] == "default" or "gateway" in each] == []
    for outside in ("1.1.1.1", "8.8.8.8", "10.0.0.1", "169.254.169.254", "100.64.0.1"):
        code, said = standing_lab.execute(service, "ip", "route", "get", outside)
        assert code != 0, said


def test_a_hosts_filter_lets_only_the_labs_addresses_through(standing_lab: Lab, service: str) -> None:
    resolver, replies, loopback, inside, rest = filter_rules(standing_lab, service)
    verdicts = [list(each[-1]) for each in (resolver, replies, loopback, inside, rest)]
    assert verdicts == [["reject"], ["accept"], ["accept"], ["accept"], ["reject"]]
    assert resolver[0]["match"]["right"] == ENGINES_RESOLVER
    assert set(replies[0]["match"]["right"]) == {"established", "related"}
    assert (loopback[0]["match"]["left"], loopback[0]["match"]["right"]) == ({"meta": {"key": "oif"}}, "lo")
    assert set(inside[0]["match"]["right"]["set"]) == LAB_ADDRESSES
    assert not any("match" in each for each in rest)


def test_a_host_speaks_no_ipv6(standing_lab: Lab, service: str) -> None:
    code, said = standing_lab.execute(service, "ip", "-json", "-6", "address", "show", "scope", "global")
    assert (code, json.loads(said or "[]")) == (0, [])
    _, links = standing_lab.execute(service, "ip", "-json", "-6", "address", "show", "scope", "link")
    assert json.loads(links or "[]") == []


def test_the_engines_resolver_answers_nobody(standing_lab: Lab, service: str) -> None:
    names = (f"labctl-{standing_lab.name}-mx-beta", "mx-beta", "mx.beta.test", "debian.org")
    outcomes = tried(
        standing_lab,
        service,
        *(udp(ENGINES_RESOLVER, 53, each) for each in names),
        tcp(ENGINES_RESOLVER, 53),
    )
    assert reached(outcomes) == []


def processes(lab: Lab, service: str) -> list[dict[str, str]]:
    """Read the status of every process of a host but what reads it, and its shell: proc_pid_status(5)."""
    script = (
        'my %own = map { ("/proc/$_/status", 1) } $$, getppid; for (glob "/proc/[0-9]*/status") {'
        ' next if $own{$_}; open my $file, "<", $_ or next; print while <$file>; print "\\n" }'
    )
    code, said = lab.execute(service, "perl", "-e", script)
    assert code == 0
    return [
        {key: value.strip() for key, _, value in (line.partition(":") for line in each.splitlines())}
        for each in said.strip().split("\n\n")
    ]


MAY_BE_ROOT: Final = {"master", "dovecot", "log", "config", "auth", "lmtp", "imap", "pop3"}
"""Postfix's and Dovecot's masters, and what starts as root to become each user."""


@pytest.fixture(scope="module")
def busy_lab(standing_lab: Lab) -> Lab:
    """The shared lab after mail has passed, so that its daemons' children are there."""
    standing_lab.send("alice@alpha.test", "bob@beta.test")
    standing_lab.send("bob@beta.test", "alice@alpha.test")
    standing_lab.inbox("alice@alpha.test", "--pop3")
    return standing_lab


def test_no_daemon_may_change_the_network(busy_lab: Lab, service: str) -> None:
    found = processes(busy_lab, service)
    assert found
    changes_networks = 1 << 12 | 1 << 13  # CAP_NET_ADMIN, CAP_NET_RAW: capabilities(7)
    for process in found:
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert not int(process[kind], 16) & changes_networks, process
        assert process["NoNewPrivs"] == "1", process
    roots = {process["Name"] for process in found if process["Uid"].split()[1] == "0"}
    assert roots <= MAY_BE_ROOT
    if service == "dns":
        assert roots == set()


def test_even_root_in_a_host_can_forge_no_packets(standing_lab: Lab, service: str) -> None:
    raw_sockets = "socket(my $s, 17, 3, 768) || socket($s, 2, 3, 255) ? exit 1 : exit 0"
    assert standing_lab.execute(service, "perl", "-e", raw_sockets)[0] == 0


def test_two_labs_cannot_reach_each_other_and_the_machine_masquerades_for_none_and_forgets_its_bridge(
    standing_lab: Lab, new_lab: Callable[[], Lab]
) -> None:
    def rules() -> str:
        """This machine's packet filter, which only root may read."""
        if os.geteuid() != 0:
            return ""
        return subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout

    lab = new_lab()
    theirs = {each["host"] for each in lab.up()["status"]["endpoints"]}
    assert len(theirs) == 5
    for service in ("dns", "mx-alpha", "mail-beta"):
        targets = [
            each
            for host in theirs
            for each in (tcp(host, 25), tcp(host, 143), tcp(host, 53), udp(host, 53), icmp(host))
        ]
        assert reached(tried(standing_lab, service, *targets)) == []
    network = lab.docker.networks.get(f"labctl-{lab.name}")
    bridge, subnet = f"br-{network.id[:12]}", network.attrs["IPAM"]["Config"][0]["Subnet"]
    assert bridge in rules() or os.geteuid() != 0
    assert [line for line in rules().splitlines() if subnet in line] == []
    lab.json("down")
    assert bridge not in rules()
