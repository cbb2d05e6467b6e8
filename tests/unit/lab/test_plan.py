from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl import resources
from labctl.errors import InvalidLabFile
from labctl.lab.account import Account, accounts_in
from labctl.lab.blueprint import definition
from labctl.lab.blueprint.definition import ClockPair, Editable, Grading, LabDefinition
from labctl.lab.blueprint.limits import Limits
from labctl.lab.blueprint.plan import PORTS, Plan, Planner, make_planner
from labctl.lab.mark import labels
from labctl.lab.role import Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SUBNET = IPv4Network("198.18.4.32/27")
OTHER = IPv4Network("198.18.8.0/27")
MAIN_CF = "/etc/postfix/main.cf"
USERS = "/etc/dovecot/users"
MAILBOXES = "/etc/postfix/mailboxes"


@pytest.fixture
def lab() -> LabDefinition:
    return definition.load(resources.labs_dir() / "two-domains")


def plan(lab: LabDefinition, *, name: str = "x", subnet: IPv4Network = SUBNET) -> Plan:
    return make_planner(name, lab, images={}).on(subnet)


def content(of: Plan, service: str, path: str) -> str:
    return next(file.content for file in of.host(service).files if file.path == path).decode()


def hashes(of: Plan) -> dict[str, str]:
    return {host.service.name: host.container.labels[labels.CONFIG] for host in of.hosts}


def test_a_topology_that_is_not_there_is_refused_with_what_is_near(tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text('id = "mine"\ntitle = "T"\ntopology = "two-domain"\n')
    with pytest.raises(InvalidLabFile, match="there are: two-domains; did you mean 'two-domains'") as caught:
        make_planner("x", definition.load(tmp_path), images={})
    assert (caught.value.path, caught.value.line) == (tmp_path / "lab.toml", 3)


def test_names_and_addresses_follow_from_the_labs_name_and_the_subnet(lab: LabDefinition) -> None:
    found = plan(lab)
    assert (found.network.name, found.network.subnet) == ("labctl-x", SUBNET)
    assert str(found.network.gateway) == "198.18.4.33"
    assert {host.container.name: str(host.container.address) for host in found.hosts} == {
        "labctl-x-dns": "198.18.4.34",
        "labctl-x-mx-alpha": "198.18.4.35",
        "labctl-x-mail-alpha": "198.18.4.36",
        "labctl-x-mx-beta": "198.18.4.37",
        "labctl-x-mail-beta": "198.18.4.38",
    }
    assert [host.container.mac_address for host in found.hosts] == [
        f"02:42:c6:12:04:{last:02x}" for last in range(34, 39)
    ]


def test_a_plan_is_the_same_however_often_it_is_made(lab: LabDefinition) -> None:
    assert plan(lab) == plan(lab)
    assert plan(lab).record == plan(lab).record


def test_every_container_is_told_its_address_and_all_hosts(lab: LabDefinition) -> None:
    found = plan(lab)
    everyone = {str(address) for host in found.hosts for address in host.service.addresses}
    for host in found.hosts:
        environment = host.container.environment
        assert environment["LAB_ENGINE_ADDRESS"] == str(host.container.address)
        assert set(environment["LAB_HOSTS"].split()) == everyone
        assert environment["LAB_ADDRESSES"] == host.service.environment["LAB_ADDRESSES"]


def test_every_object_carries_the_labels_by_which_it_is_found(lab: LabDefinition) -> None:
    found = plan(lab)
    for marks in (found.network.labels, *(host.container.labels for host in found.hosts)):
        assert marks[labels.NAME] == "x"
        assert marks[labels.LAB] == "two-domains"
        assert marks[labels.COMPOSE_PROJECT] == "labctl-x"
        assert all(isinstance(value, str) and type(value) is not Role for value in marks.values())
    assert labels.DOMAIN not in found.host("dns").container.labels
    assert found.host("mx-beta").container.labels[labels.DOMAIN] == "beta.test"
    assert set(json.loads(found.network.labels[labels.HOSTS])) == {host.service.name for host in found.hosts}


def with_environment(planner: Planner) -> Planner:
    """Return a planner whose first host has one variable more."""
    first, *others = planner.topology.services
    changed = replace(first, environment={**first.environment, "MORE": "1"})
    return replace(planner, topology=replace(planner.topology, services=(changed, *others)))


EVERY_HOST = {"dns", "mx-alpha", "mail-alpha", "mx-beta", "mail-beta"}


class TestHash:
    @pytest.mark.parametrize(
        ("change", "hosts"),
        [
            (
                lambda planner: replace(planner, images={"labctl/mta:latest": "mta:1"}),
                {"mx-alpha", "mx-beta"},
            ),
            (with_environment, {"dns"}),
            (lambda planner: replace(planner, publish=True), EVERY_HOST),
            (lambda planner: replace(planner, handed_in={("dns", "/etc/coredns/Corefile"): b"."}), set()),
            (lambda planner: replace(planner, labels={labels.SEED: "s1"}), set()),
        ],
        ids=["image", "environment", "published ports", "file", "further label"],
    )
    def test_another_changes_the_hash_of_these_hosts_only(
        self, lab: LabDefinition, change: Callable[[Planner], Planner], hosts: set[str]
    ) -> None:
        before, after = plan(lab), change(make_planner("x", lab, images={})).on(SUBNET)
        assert {name for name, each in hashes(before).items() if hashes(after)[name] != each} == hosts
        assert after.network.labels[labels.CONFIG] == before.network.labels[labels.CONFIG]

    def test_another_subnet_changes_every_hash(self, lab: LabDefinition) -> None:
        one, other = plan(lab), plan(lab, subnet=OTHER)
        assert not set(hashes(one).values()) & set(hashes(other).values())
        assert one.network.labels[labels.CONFIG] != other.network.labels[labels.CONFIG]

    def test_a_lab_that_was_moved_is_the_same_lab(self, lab: LabDefinition, tmp_path: Path) -> None:
        planner = make_planner("x", lab, images={})
        there = replace(lab, directory=tmp_path)
        topology = replace(planner.topology, path=tmp_path / "two-domains.yaml")
        moved = replace(planner, lab=there, topology=topology).on(SUBNET)
        here = planner.on(SUBNET)
        assert hashes(moved) == hashes(here)
        assert moved.network.labels[labels.CONFIG] == here.network.labels[labels.CONFIG]
        assert moved.network.labels[labels.DIRECTORY] == str(tmp_path)


class TestLimits:
    LIMITS = Limits.of(Grading(memory="96m", cpus=0.5, pids=50, file_size="512k"))

    def test_the_sizes_of_a_lab_are_bytes(self) -> None:
        assert Limits(96 << 20, 0.5, 50, 512 << 10) == self.LIMITS
        assert Limits.of(Grading(memory="2g")).memory == 2 << 30

    def test_every_container_is_bound_and_leaves_no_core(self, lab: LabDefinition) -> None:
        found = make_planner("x", lab, images={}, limits=self.LIMITS).on(SUBNET)
        for host in found.hosts:
            spec = host.container
            assert (spec.memory, spec.cpus, spec.pids_limit) == (96 << 20, 0.5, 50)
            assert spec.ulimits == {"fsize": 512 << 10, "core": 0}
            assert set(spec.log_options) == {"max-size", "max-file"}
        assert not set(hashes(found).values()) & set(hashes(plan(lab)).values())

    def test_a_lab_without_them_has_the_hash_that_it_had_before_there_were_any(
        self, lab: LabDefinition
    ) -> None:
        """Or an upgrade of labctl would make every running lab anew."""
        before = {
            "name", "image", "hostname", "network", "address", "mac_address", "environment", "labels",
            "cap_add", "cap_drop", "security_opt", "sysctls", "dns", "command", "memory", "pids_limit",
            "published", "stop_timeout", "log_options",
        }  # fmt: skip
        for host in plan(lab).hosts:
            told = {labels.CONFIG, labels.COMPOSE_HASH, labels.COMPOSE_FILES}
            marks = {key: value for key, value in host.container.labels.items() if key not in told}
            spec = {key: getattr(host.container, key) for key in before} | {"labels": marks}
            text = json.dumps(spec, sort_keys=True, default=str)
            assert host.container.labels[labels.CONFIG] == hashlib.sha256(text.encode()).hexdigest()[:16]


class TestFurtherLabels:
    def test_they_are_on_everything_and_on_record(self, lab: LabDefinition) -> None:
        given = {labels.RUN: "r1", labels.SEED: "s1"}
        found = make_planner("x", lab, images={}, labels=given).on(SUBNET)
        volume = found.record.volume("x", "two-domains")
        for marks in (found.network.labels, volume.labels, *(each.container.labels for each in found.hosts)):
            assert given.items() <= marks.items()


class TestPorts:
    def test_none_is_published_unless_asked_for(self, lab: LabDefinition) -> None:
        assert all(host.container.published == () for host in plan(lab).hosts)

    def test_those_for_people_are_published_and_no_other(self, lab: LabDefinition) -> None:
        found = make_planner("x", lab, images={}, publish=True).on(SUBNET)
        assert all(host.container.published == PORTS[host.service.role] for host in found.hosts)
        inner = {24, 12345}
        assert not inner & {port.port for ports in PORTS.values() for port in ports}


class TestFiles:
    def test_the_clock_is_set_in_every_main_cf(self, lab: LabDefinition) -> None:
        clock = {"queue_run_delay": ClockPair("5m", "7s"), "anvil_rate_time_unit": ClockPair("60s", "3s")}
        found = plan(replace(lab, clock=clock))
        for mta in ("mx-alpha", "mx-beta"):
            lines = content(found, mta, MAIN_CF).splitlines()
            assert [line for line in lines if line.startswith("queue_run_delay")] == ["queue_run_delay = 7s"]
            assert lines[-1] == "anvil_rate_time_unit = 3s"

    def test_a_lab_without_a_clock_leaves_its_files_alone(self, lab: LabDefinition) -> None:
        source = resources.compose_dir() / "two-domains" / "mx-alpha" / "main.cf"
        assert content(plan(lab), "mx-alpha", MAIN_CF) == source.read_text()

    def test_an_account_lands_where_its_domain_is_served_and_nowhere_else(self, lab: LabDefinition) -> None:
        more = (Account("carol@beta.test", "secret"), Account("dan@beta.test", "dan"))
        found, before = plan(replace(lab, accounts=more)), plan(lab)
        users = content(found, "mail-beta", USERS)
        assert users == content(before, "mail-beta", USERS) + (
            "carol@beta.test:{PLAIN}secret::::::\ndan@beta.test:{PLAIN}dan::::::\n"
        )
        assert content(found, "mx-beta", MAILBOXES) == content(before, "mx-beta", MAILBOXES) + (
            "carol@beta.test OK\ndan@beta.test OK\n"
        )
        for service, path in (("mail-alpha", USERS), ("mx-alpha", MAILBOXES)):
            assert content(found, service, path) == content(before, service, path)

    def test_an_account_behind_a_file_without_a_last_line_end_stands_on_its_own_line(
        self, lab: LabDefinition
    ) -> None:
        planner = make_planner("x", replace(lab, accounts=(Account("carol@beta.test", "c"),)), images={})
        service = next(each for each in planner.topology.services if each.name == "mail-beta")
        fitted = planner._fitted(service, USERS, b"bob@beta.test:{PLAIN}bob::::::")
        assert fitted.splitlines() == [b"bob@beta.test:{PLAIN}bob::::::", b"carol@beta.test:{PLAIN}c::::::"]

    def test_all_accounts_are_recorded(self, lab: LabDefinition) -> None:
        found = plan(replace(lab, accounts=(Account("carol@beta.test", "secret"),)))
        assert found.record.accounts == (
            Account("alice@alpha.test", "alice"),
            Account("amy@alpha.test", "amy"),
            Account("bob@beta.test", "bob"),
            Account("bea@beta.test", "bea"),
            Account("carol@beta.test", "secret"),
        )

    def test_a_file_that_is_handed_in_takes_the_place_of_one(self, lab: LabDefinition) -> None:
        zone = "/etc/coredns/zones/beta.test.zone"
        found = make_planner("x", lab, images={}, handed_in={("dns", zone): b"; mine\n"}).on(SUBNET)
        assert content(found, "dns", zone) == "; mine\n"
        assert [file.path for file in found.host("dns").files] == [
            file.path for file in plan(lab).host("dns").files
        ]

    def test_a_file_that_is_handed_in_is_put_where_there_was_none(self, lab: LabDefinition) -> None:
        handed_in = {("mx-alpha", "/etc/postfix/transport"): b"x"}
        found = make_planner("x", lab, images={}, handed_in=handed_in).on(SUBNET)
        assert content(found, "mx-alpha", "/etc/postfix/transport") == "x"
        assert len(found.host("mx-beta").files) == len(plan(lab).host("mx-beta").files)

    def test_the_clock_is_set_in_a_main_cf_that_is_handed_in(self, lab: LabDefinition) -> None:
        timed = replace(lab, clock={"queue_run_delay": ClockPair("5m", "7s")})
        main_cf = b"soft_bounce = yes\nqueue_run_delay = 1h\n"
        handed_in = {("mx-beta", "/etc/postfix/main.cf"): main_cf}
        found = make_planner("x", timed, images={}, handed_in=handed_in).on(SUBNET)
        there = content(found, "mx-beta", "/etc/postfix/main.cf")
        assert there == "soft_bounce = yes\nqueue_run_delay = 7s\n"

    def test_the_manifest_names_every_file_and_tells_content_and_mode_apart(self, lab: LabDefinition) -> None:
        host = plan(lab).host("dns")
        assert list(host.manifest) == [file.path for file in host.files]
        first, *others = host.files
        for other in (replace(first, content=first.content + b" "), replace(first, mode=0o600)):
            assert replace(host, files=(other, *others)).manifest[first.path] != host.manifest[first.path]

    def test_a_file_that_has_gone_meanwhile_is_named(self, lab: LabDefinition, tmp_path: Path) -> None:
        planner = make_planner("x", lab, images={})
        first, *others = planner.topology.services
        gone = replace(first, files=(replace(first.files[0], source=tmp_path / "gone"),))
        broken = replace(planner, topology=replace(planner.topology, services=(gone, *others)))
        with pytest.raises(InvalidLabFile, match="gone: can't be read"):
            broken.on(SUBNET)


class TestMakePlanner:
    def wrong(self, lab: LabDefinition) -> InvalidLabFile:
        with pytest.raises(InvalidLabFile) as caught:
            make_planner("x", lab, images={})
        assert caught.value.path == lab.directory / "lab.toml"
        return caught.value

    def test_a_file_for_a_service_that_is_not_there_is_named(self, lab: LabDefinition) -> None:
        editable = (Editable("zone", "ns", "/zone"),)
        assert "no service 'ns'" in self.wrong(replace(lab, editable=editable)).message

    def test_an_account_of_a_domain_that_is_not_there_is_named(self, lab: LabDefinition) -> None:
        error = self.wrong(replace(lab, accounts=(Account("x@gamma.test", "x"),)))
        assert "account x@gamma.test: the domains here are alpha.test, beta.test" in error.message

    def test_a_labs_own_compose_file_is_laid_over_its_topology(
        self, lab: LabDefinition, tmp_path: Path
    ) -> None:
        (tmp_path / "compose.yaml").write_text("services: {dns: {stop_grace_period: 9s}}\n")
        planner = make_planner("x", replace(lab, directory=tmp_path), images={})
        assert planner.on(SUBNET).host("dns").container.stop_timeout == 9


@pytest.mark.parametrize(
    ("users", "accounts"),
    [
        (b"", ()),
        (b"# a comment:x\n\n", ()),
        (b"alice@alpha.test:{PLAIN}alice::::::\n", (Account("alice@alpha.test", "alice"),)),
        (b"  alice@alpha.test:secret  \n", (Account("alice@alpha.test", "secret"),)),
        (b"alice@alpha.test\n:x\n", ()),
        (b"b@x:{PLAIN}1\na@x:{PLAIN}2", (Account("b@x", "1"), Account("a@x", "2"))),
    ],
)
def test_accounts_are_read_from_a_passwd_file(users: bytes, accounts: tuple[Account, ...]) -> None:
    assert accounts_in(users) == accounts


@given(st.binary())
def test_any_bytes_are_some_accounts(users: bytes) -> None:
    assert all(account.address for account in accounts_in(users))


@given(st.from_regex(r"[a-z0-9]+@[a-z]+\.test", fullmatch=True), st.from_regex(r"[!-9;-~]+", fullmatch=True))
def test_an_account_is_read_as_it_was_written(address: str, password: str) -> None:
    account = Account(address, password)
    if not password.startswith("{PLAIN}"):
        assert accounts_in(account.line().encode()) == (account,)


def test_an_address_that_several_mdas_serve_is_one_account_as_the_first_has_it(planner: Planner) -> None:
    services = planner.topology.services
    second = replace(next(each for each in services if each.name == "mail-beta"), name="mail2-beta")
    wider = replace(planner, topology=replace(planner.topology, services=(*services, second)))
    other = replace(
        wider, handed_in={("mail2-beta", "/etc/dovecot/users"): b"bob@beta.test:{PLAIN}no::::::\n"}
    )
    subnet = IPv4Network("198.18.0.0/27")
    assert other.on(subnet).record.accounts == planner.on(subnet).record.accounts
