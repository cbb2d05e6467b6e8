from __future__ import annotations

import textwrap
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labctl import resources
from labctl.errors import InvalidLabFile
from labctl.lab.blueprint import topology
from labctl.lab.blueprint.topology import ConfigFile, Service, Topology
from labctl.lab.role import Role

if TYPE_CHECKING:
    from pathlib import Path

SMALL = """\
name: small
services:
  mx:
    image: labctl/mta:latest
    hostname: mx.one.test
    labels:
      labctl.role: mta
      labctl.domain: one.test
    environment:
      LAB_ADDRESSES: 203.0.113.10/24 192.0.2.10/24
    networks:
      lab: {ipv4_address: 198.18.0.3}
    configs:
      - {source: main, target: /etc/postfix/main.cf}
networks:
  lab:
    driver_opts:
      com.docker.network.bridge.enable_ip_masquerade: "false"
    ipam:
      config:
        - {subnet: 198.18.0.0/28, gateway: 198.18.0.1}
configs:
  main: {file: ./main.cf}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "main.cf").write_text("compatibility_level = 3.10\n")
    return tmp_path


def load(directory: Path, text: str, overlay: str | None = None) -> Topology:
    path = directory / "small.yaml"
    path.write_text(text, encoding="utf-8")
    if overlay is None:
        return topology.load(path)
    upper = directory / "lab" / "compose.yaml"
    upper.parent.mkdir(exist_ok=True)
    upper.write_text(overlay, encoding="utf-8")
    return topology.load(path, upper)


def wrong(directory: Path, text: str, overlay: str | None = None) -> InvalidLabFile:
    with pytest.raises(InvalidLabFile) as caught:
        load(directory, text, overlay)
    assert caught.value.hint
    return caught.value


def line_of(text: str, word: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), start=1) if word in line)


def with_service(line: str) -> str:
    return SMALL.replace("    hostname: mx.one.test\n", f"    hostname: mx.one.test\n    {line}\n")


class TestTwoDomains:
    @pytest.fixture
    def found(self) -> Topology:
        return topology.load(resources.compose_dir() / "two-domains.yaml")

    def test_it_has_a_resolver_and_two_hosts_for_each_domain(self, found: Topology) -> None:
        assert [(each.name, each.hostname, each.role, each.domain) for each in found.services] == [
            ("dns", "dns.lab.test", Role.DNS, None),
            ("mx-alpha", "mx.alpha.test", Role.MTA, "alpha.test"),
            ("mail-alpha", "mail.alpha.test", Role.MDA, "alpha.test"),
            ("mx-beta", "mx.beta.test", Role.MTA, "beta.test"),
            ("mail-beta", "mail.beta.test", Role.MDA, "beta.test"),
        ]
        assert found.domains == ("alpha.test", "beta.test")

    def test_its_hosts_have_the_addresses_of_the_handouts(self, found: Topology) -> None:
        assert {each.name: " ".join(map(str, each.addresses)) for each in found.services} == {
            "dns": "203.0.113.53",
            "mx-alpha": "203.0.113.10 192.0.2.10",
            "mail-alpha": "192.0.2.143",
            "mx-beta": "203.0.113.20 198.51.100.20",
            "mail-beta": "198.51.100.143",
        }

    def test_every_host_asks_the_labs_resolver_and_names_all_hosts(self, found: Topology) -> None:
        everyone = {str(address) for each in found.services for address in each.addresses}
        for each in found.services:
            assert each.dns == ("203.0.113.53",)
            assert set(each.environment["LAB_HOSTS"].split()) == everyone

    def test_its_places_on_the_network_are_free_and_fit(self, found: Topology) -> None:
        places = [each.place for each in found.services]
        assert len(set(places)) == 5
        assert all(2 <= place < 2 ** (32 - found.prefix_length) - 1 for place in places)

    def test_every_file_is_there_and_lies_in_the_services_own_place(self, found: Topology) -> None:
        homes = {Role.DNS: "/etc/coredns/", Role.MTA: "/etc/postfix/", Role.MDA: "/etc/dovecot/"}
        for each in found.services:
            assert each.files
            for file in each.files:
                assert file.source.is_file()
                assert file.target.startswith(homes[each.role])

    def test_no_host_keeps_a_capability_by_default(self, found: Topology) -> None:
        for each in found.services:
            assert each.cap_drop == ("ALL",)
            assert "SYS_ADMIN" not in each.cap_add
            assert each.security_opt == ("no-new-privileges:true",)

    def test_its_logs_are_bounded(self, found: Topology) -> None:
        assert all(set(each.log_options) == {"max-size", "max-file"} for each in found.services)


def test_a_small_topology_is_read_with_its_defaults(directory: Path) -> None:
    found = load(directory, SMALL)
    assert found == Topology(
        name="small",
        path=directory / "small.yaml",
        prefix_length=28,
        services=(
            Service(
                name="mx",
                image="labctl/mta:latest",
                hostname="mx.one.test",
                role=Role.MTA,
                domain="one.test",
                reload_signal="HUP",
                place=3,
                environment={"LAB_ADDRESSES": "203.0.113.10/24 192.0.2.10/24"},
                files=(ConfigFile("/etc/postfix/main.cf", directory / "main.cf"),),
            ),
        ),
    )
    assert found.services[0].addresses == (IPv4Address("203.0.113.10"), IPv4Address("192.0.2.10"))


def test_a_topology_without_a_name_has_its_files(directory: Path) -> None:
    assert load(directory, SMALL.replace("name: small\n", "")).name == "small"


def test_lists_of_pairs_are_as_good_as_mappings(directory: Path) -> None:
    text = SMALL.replace(
        "      LAB_ADDRESSES: 203.0.113.10/24 192.0.2.10/24\n",
        "      - LAB_ADDRESSES=203.0.113.10/24 192.0.2.10/24\n",
    ).replace(
        "      labctl.role: mta\n      labctl.domain: one.test\n",
        "      - labctl.role=mta\n      - labctl.domain=one.test\n",
    )
    assert load(directory, text) == load(directory, SMALL)


@pytest.mark.parametrize(
    ("line", "attribute", "value"),
    [
        ("stop_grace_period: 3s", "stop_timeout", 3),
        ("cap_add: [NET_ADMIN, KILL]", "cap_add", ("NET_ADMIN", "KILL")),
        ("dns: 203.0.113.53", "dns", ("203.0.113.53",)),
        ("sysctls: [net.ipv4.ip_forward=0]", "sysctls", {"net.ipv4.ip_forward": "0"}),
        ("sysctls: {net.ipv4.ip_forward: 0}", "sysctls", {"net.ipv4.ip_forward": "0"}),
        ("logging: {driver: json-file, options: {max-file: 2}}", "log_options", {"max-file": "2"}),
        ("x-note: [anything, {at: all}]", "stop_timeout", 10),
        ("healthcheck: {test: [CMD, x]}", "stop_timeout", 10),
        ("depends_on: [mx]", "stop_timeout", 10),
    ],
)
def test_a_services_settings_are_read(directory: Path, line: str, attribute: str, value: object) -> None:
    assert getattr(load(directory, with_service(line)).services[0], attribute) == value


@pytest.mark.parametrize(
    ("old", "new", "at", "said"),
    [
        ("name: small", "volumes: {}", "volumes", "'volumes' is not supported"),
        ("name: small", "version: '3'", "version", "'version' is not supported"),
        ("name: small", "name: ${NAME}", "name", "variables are not supported"),
        ("    image: labctl/mta:latest\n", "", "hostname:", "image: None"),
        ("    hostname: mx.one.test\n", "", "image:", "hostname: None"),
        ("image: labctl/mta:latest", "image: labctl/mta:${TAG}", "image", "variables are not supported"),
        ("  mx:\n", "  'm x':\n", "m x", "expected letters"),
        ("  mx:\n", "  -mx:\n", "-mx", "expected letters"),
        ("labctl.role: mta", "labctl.role: web", "labels", "expected one of mta, mda, dns"),
        ("labctl.role: mta", "other.label: mta", "labels", "expected one of mta, mda, dns"),
        ("labctl.domain: one.test", "labctl.name: x", "labels", "'labctl.name' is not supported"),
        ("LAB_ADDRESSES: 203", "LAB_ADDRESS: 203", "environment", "LAB_ADDRESSES is missing"),
        ("203.0.113.10/24", "203.0.113.300/24", "environment", "203.0.113.300"),
        ("203.0.113.10/24", "203.0.113.10/99", "environment", "99"),
        ("203.0.113.10/24", "mx.one.test", "environment", "mx.one.test"),
        ("198.18.0.3", "198.18.0.x", "ipv4_address", "198.18.0.x"),
        ("198.18.0.3", "198.19.0.3", "ipv4_address", "is not in 198.18.0.0/28"),
        ("198.18.0.3", "198.18.0.0", "ipv4_address", "the network's own"),
        ("198.18.0.3", "198.18.0.1", "ipv4_address", "the network's own"),
        ("198.18.0.3", "198.18.0.15", "ipv4_address", "the network's own"),
        ("{ipv4_address: 198.18.0.3}", "{aliases: [a]}", "aliases", "'aliases' is not supported"),
        ("{ipv4_address: 198.18.0.3}", "", "lab:", "ipv4_address: None"),
        ("lab: {ipv4", "net: {ipv4", "net:", "'net' is not supported"),
        ("      - {source: main,", "      - {source: mian,", "mian", "no config 'mian'"),
        ("      - {source: main,", "      - {", "/etc/postfix", "source: None"),
        ("target: /etc/postfix/main.cf", "target: main.cf", "target", "an absolute path"),
        ("target: /etc/postfix/main.cf", "target: /a/../b", "target", "an absolute path"),
        ("target: /etc/postfix/main.cf", "target: /x, uid: '0'", "target", "'uid' is not supported"),
        ("target: /etc/postfix/main.cf", "target: /x, mode: rw", "target", "an octal number"),
        ("target: /etc/postfix/main.cf", "target: /x, mode: true", "target", "an octal number"),
        ("target: /etc/postfix/main.cf", "target: /x, mode: -1", "target", "an octal number"),
        ("target: /etc/postfix/main.cf", "target: /x, mode: 99999", "target", "an octal number"),
        ("- {source: main, target: /etc/postfix/main.cf}", "- main", "configs", "expected a mapping"),
        ("  main: {file: ./main.cf}", "  main: {file: ./none.cf}", "main: {", "no file"),
        ("  main: {file: ./main.cf}", "  main: {file: .}", "main: {", "no file"),
        ("  main: {file: ./main.cf}", "  main: {content: x}", "main: {", "'content' is not supported"),
        ("  main: {file: ./main.cf}", "  main: {}", "main: {", "file: None"),
        ("configs:\n  main: {file: ./main.cf}", "configs: 5", "configs: 5", "expected a mapping"),
        ("configs:\n  main: {file: ./main.cf}", "configs: [main]", "configs: [", "expected a mapping"),
        ("    driver_opts:\n", "    driver: macvlan\n    driver_opts:\n", "macvlan", "the driver bridge"),
        ("    driver_opts:\n", "    internal: true\n    driver_opts:\n", "internal", "'internal' is not"),
        ('masquerade: "false"', 'masquerade: "true"', "driver_opts", "driver_opts has to be"),
        ("enable_ip_masquerade", "enable_icc", "driver_opts", "driver_opts has to be"),
        ("    ipam:\n      config:\n", "    ipam:\n      pool: x\n      config:\n", "pool: x", "'pool'"),
        ("198.18.0.0/28", "198.18.0.1/28", "subnet", "host bits set"),
        ("198.18.0.0/28", "198.18.0.0", "subnet", "prefix length"),
        ("198.18.0.0/28", "198.0.0.0/8", "subnet", "prefix length"),
        ("198.18.0.0/28", "198.18.0.0/30", "subnet", "prefix length"),
        ("198.18.0.0/28", "fd00::/64", "subnet", "fd00::"),
        ("gateway: 198.18.0.1", "gateway: 198.18.0.9", "gateway", "the gateway has to be 198.18.0.1"),
        ("gateway: 198.18.0.1", "ip_range: 198.18.0.8/29", "ip_range", "'ip_range' is not supported"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    directory: Path, old: str, new: str, at: str, said: str
) -> None:
    assert SMALL.count(old) == 1
    text = SMALL.replace(old, new)
    error = wrong(directory, text)
    assert said in error.message
    assert error.line == line_of(text, at)


UNSUPPORTED = [
    "build: .",
    "command: sh",
    "privileged: true",
    "network_mode: host",
    "ports: ['25:25']",
    "volumes: ['/:/host']",
    "pid: host",
    "devices: [/dev/kvm]",
    "extra_hosts: [a=192.0.2.1]",
    "env_file: .env",
    "secrets: [s]",
    "profiles: [p]",
    "restart: always",
    "deploy: {}",
    "user: root",
    "userns_mode: host",
]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("stop_grace_period: 1m", "expected seconds"),
        ("stop_grace_period: 5", "expected seconds"),
        ("logging: {driver: syslog}", "json-file only"),
        ("logging: {options: {max-size: 1m}}", "driver: None"),
        ("logging: {driver: json-file, mode: x}", "'mode' is not supported"),
        ("cap_add: {NET_ADMIN: 1}", "expected a list"),
        ("sysctls: [net.ipv4.ip_forward]", "has no value"),
        ("dns: [true]", "expected a text"),
        *((key, f"{key.partition(':')[0]!r} is not supported") for key in UNSUPPORTED),
    ],
)
def test_a_setting_that_labctl_would_not_follow_is_refused(directory: Path, line: str, said: str) -> None:
    text = with_service(line)
    error = wrong(directory, text)
    assert said in error.message
    assert (error.path, error.line) == (directory / "small.yaml", line_of(text, f"    {line}"))


def test_two_networks_are_one_too_many(directory: Path) -> None:
    error = wrong(directory, SMALL.replace("networks:\n  lab:\n", "networks:\n  other: {}\n  lab:\n"))
    assert "exactly one network; this file has 2" in error.message


def test_a_file_without_services_is_no_topology(directory: Path) -> None:
    text = SMALL[SMALL.index("networks:\n  lab:\n    driver") :]
    assert "no services" in wrong(directory, f"services: {{}}\n{text}").message


SECOND = """\
services:
  mda:
    image: labctl/mda:latest
    hostname: mail.one.test
    labels: {labctl.role: mda, labctl.domain: one.test}
    environment: {LAB_ADDRESSES: 192.0.2.143/24}
    networks:
      lab: {ipv4_address: 198.18.0.4}
    configs:
      - {source: users, target: /etc/dovecot/users}
configs:
  users: {file: ./users}
"""


class TestOverlay:
    @pytest.fixture(autouse=True)
    def users(self, directory: Path) -> None:
        (directory / "lab").mkdir()
        for there in (directory, directory / "lab"):
            (there / "users").write_text("")

    def test_it_adds_a_host_whose_files_lie_beside_it_rather_than_beside_the_topology(
        self, directory: Path
    ) -> None:
        found = load(directory, SMALL, SECOND)
        assert [each.name for each in found.services] == ["mx", "mda"]
        assert found.services[1].files == (ConfigFile("/etc/dovecot/users", directory / "lab" / "users"),)
        assert found.services[0] == load(directory, SMALL).services[0]

    def test_it_changes_a_host_of_the_topology(self, directory: Path) -> None:
        overlay = "services: {mx: {environment: {MORE: 1}, cap_add: [KILL], image: other}}"
        mx = load(directory, SMALL, overlay).services[0]
        assert mx.environment == {"LAB_ADDRESSES": "203.0.113.10/24 192.0.2.10/24", "MORE": "1"}
        assert (mx.cap_add, mx.image) == (("KILL",), "other")

    def test_it_puts_another_file_in_the_place_of_one(self, directory: Path) -> None:
        overlay = (
            "services: {mx: {configs: [{source: mine, target: /etc/postfix/main.cf}]}}\n"
            "configs: {mine: {file: users}}\n"
        )
        assert load(directory, SMALL, overlay).services[0].files == (
            ConfigFile("/etc/postfix/main.cf", directory / "lab" / "users"),
        )

    def test_it_adds_a_host_in_a_few_lines_by_extending_one(self, directory: Path) -> None:
        (directory / "lab" / "main.cf").write_text("myhostname = mx2.one.test\n")
        overlay = """\
services:
  mx2:
    extends: {file: small.yaml, service: mx}
    hostname: mx2.one.test
    environment: {LAB_ADDRESSES: 203.0.113.11/24}
    networks:
      lab: {ipv4_address: 198.18.0.4}
    configs:
      - {source: mx2-main, target: /etc/postfix/main.cf}
configs:
  mx2-main: {file: main.cf}
"""
        found = load(directory, SMALL, overlay)
        first, second = found.services
        assert first == load(directory, SMALL).services[0]
        assert second == replace(
            first,
            name="mx2",
            hostname="mx2.one.test",
            place=4,
            environment={"LAB_ADDRESSES": "203.0.113.11/24"},
            files=(ConfigFile("/etc/postfix/main.cf", directory / "lab" / "main.cf"),),
        )

    def test_its_files_may_be_named_as_compose_looks_for_them(self, directory: Path) -> None:
        """From the topology's directory."""
        (directory / "lab" / "users").unlink()
        assert load(directory, SMALL, SECOND).services[1].files[0].source == directory / "users"

    def test_an_extension_that_clashes_with_what_it_extends_is_told_where_it_stands(
        self, directory: Path
    ) -> None:
        overlay = "services:\n  mx2:\n    extends: {file: small.yaml, service: mx}\n"
        error = wrong(directory, SMALL, overlay)
        assert "service mx2" in error.message
        assert "belongs to mx already" in error.message
        assert (error.path, error.line) == (directory / "lab" / "compose.yaml", 3)
        assert f"from {directory / 'small.yaml'}:{line_of(SMALL, 'hostname:')}" in error.message

    def test_its_errors_name_it_and_not_the_topology(self, directory: Path) -> None:
        error = wrong(directory, SMALL, f"{SECOND}\n\nvolumes: {{}}\n")
        assert (error.path, error.line) == (directory / "lab" / "compose.yaml", 15)
        error = wrong(directory, SMALL, "services:\n  mx:\n    privileged: true\n")
        assert (error.path, error.line) == (directory / "lab" / "compose.yaml", 3)

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("198.18.0.4", "198.18.0.3", "ipv4_address belongs to mx"),
            ("192.0.2.143", "192.0.2.10", "192.0.2.10 belongs to mx"),
            ("mail.one.test", "mx.one.test", "mx.one.test belongs to mx"),
        ],
    )
    def test_no_two_hosts_answer_to_one_name_or_address(
        self, directory: Path, old: str, new: str, said: str
    ) -> None:
        assert said in wrong(directory, SMALL, SECOND.replace(old, new)).message


LINES = [line for line in SMALL.splitlines(keepends=True) if line.strip()]
ODD = ["", "[]", "{}", "5", "true", "[5]", "{a: 5}", "x", "[[x]]", "1.5", "'${X}'", "2024-01-01"]
shuffled = st.builds(
    lambda some, at, noise: "".join([*some[:at], noise, *some[at:]]),
    st.lists(st.sampled_from(LINES), max_size=30),
    st.integers(0, 30),
    st.text(alphabet="a5:[]{}-'\" $\n", max_size=8),
)
with_an_odd_value = st.builds(
    lambda at, odd: "".join([*LINES[:at], f"{LINES[at].partition(':')[0]}: {odd}\n", *LINES[at + 1 :]]),
    st.integers(0, len(LINES) - 1),
    st.sampled_from(ODD),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=shuffled | with_an_odd_value)
def test_any_text_of_such_lines_is_a_topology_or_an_invalid_file(directory: Path, text: str) -> None:
    try:
        found = load(directory, text)
    except InvalidLabFile as error:
        assert error.line is None or error.line >= 1  # noqa: PT017  # both outcomes are right
    else:
        assert found.services


def test_a_second_mta_can_be_added_to_the_topology_that_ships(tmp_path: Path) -> None:
    """Its module's own example."""
    assert topology.__doc__ is not None
    example = topology.__doc__.partition("::\n")[2].partition("\n\nThe zones")[0]
    overlay = tmp_path / "compose.yaml"
    overlay.write_text(textwrap.dedent(example))
    (tmp_path / "mx2-beta").mkdir()
    (tmp_path / "mx2-beta" / "main.cf").write_text("")
    found = topology.load(resources.compose_dir() / "two-domains.yaml", overlay)
    first, second = (
        next(each for each in found.services if each.name == name) for name in ("mx-beta", "mx2-beta")
    )
    assert (second.role, second.domain, second.cap_add) == (first.role, first.domain, first.cap_add)
    sources = {file.target: file.source for file in first.files}
    assert {file.target: file.source for file in second.files} == {
        **sources,
        "/etc/postfix/main.cf": tmp_path / "mx2-beta" / "main.cf",
    }
