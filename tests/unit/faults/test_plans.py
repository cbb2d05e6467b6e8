"""What each fault changes, in the texts of the lab that ships."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import dns.zone
import pytest

from labctl.errors import NoSuchAccount, NoSuchHost, UsageError
from labctl.faults import catalogue
from labctl.lab.blueprint.maincf import MAIN_CF, settings_in

if TYPE_CHECKING:
    from labctl.faults.fault import Fault
    from tests.unit.faults.conftest import Faulty

ZONE = "/etc/coredns/zones/beta.test.zone"
REVERSE = "/etc/coredns/zones/113.0.203.in-addr.arpa.zone"
OTHERS = r"check_client_access cidr:\{ \{203\.0\.113\.10 (.*?)\} \{192\.0\.2\.10 \1\} \}"


def setting(faulty: Faulty, service: str, name: str) -> str | None:
    return settings_in(faulty.read(service, MAIN_CF).encode(), [name])[name]


def done_to_others(faulty: Faulty, parameter: str) -> str:
    """Return what mx-beta does to other MTAs by a list of restrictions."""
    match = re.fullmatch(OTHERS, setting(faulty, "mx-beta", parameter) or "")
    assert match is not None
    return match[1]


def records(faulty: Faulty, path: str, origin: str, rdtype: str) -> list[str]:
    parsed = dns.zone.from_text(faulty.read("dns", path), origin, relativize=False)
    return sorted(f"{name} {data}" for name, _, data in parsed.iterate_rdatas(rdtype))


@pytest.mark.parametrize("fault", catalogue.FAULTS, ids=lambda fault: fault.name)
def test_every_fault_with_its_defaults_is_applied_and_leaves_every_file_as_it_was(
    faulty: Faulty, fault: Fault
) -> None:
    with faulty.spared():
        applied = faulty.apply(fault.name)
        assert [each.name for each in faulty.there.faults] == [fault.name]
        assert applied.services
        if fault.name.endswith("-down") and fault.name != "auth-down":
            [service] = applied.services
            assert not faulty.there.host(service).running
        faulty.revert(fault.name)
    assert all(each.running for each in faulty.there.hosts)


@pytest.mark.parametrize(
    ("name", "given", "mx"),
    [
        ("mx-missing", {}, []),
        ("mx-null", {}, ["beta.test. 0 ."]),
        ("mx-wrong", {}, ["beta.test. 10 no-such-mx.beta.test."]),
        ("mx-loop", {}, ["beta.test. 10 mx.alpha.test."]),
        ("mx-dead", {"backup": "no"}, ["beta.test. 10 old-mx.beta.test."]),
        ("mx-dead", {}, ["beta.test. 10 old-mx.beta.test.", "beta.test. 20 mx.beta.test."]),
    ],
)
def test_mx_records_are_what_the_fault_says(
    faulty: Faulty, *, name: str, given: dict[str, str], mx: list[str]
) -> None:
    faulty.apply(name, **given)
    assert records(faulty, ZONE, "beta.test", "MX") == mx
    assert "mx.beta.test. 203.0.113.20" in records(faulty, ZONE, "beta.test", "A")


def test_a_dead_mx_has_the_address_of_a_host_that_takes_no_mail(faulty: Faulty) -> None:
    faulty.apply("mx-dead")
    assert "old-mx.beta.test. 203.0.113.53" in records(faulty, ZONE, "beta.test", "A")


@pytest.mark.parametrize(
    ("name", "directive"),
    [
        ("dns-servfail", "template ANY ANY {\n        rcode SERVFAIL\n    }"),
        ("dns-nxdomain", "template ANY ANY {\n        rcode NXDOMAIN\n    }"),
        ("dns-timeout", "acl {\n        drop\n    }"),
    ],
)
def test_the_resolver_fails_for_one_zone_alone(faulty: Faulty, name: str, directive: str) -> None:
    faulty.apply(name, domain="alpha.test")
    corefile = faulty.read("dns", "/etc/coredns/Corefile")
    assert f"\nalpha.test {{\n    {directive}\n    errors\n" in corefile
    assert "\nbeta.test {\n    errors\n" in corefile


@pytest.mark.parametrize(
    ("name", "ptr", "check"),
    [
        ("ptr-missing", [], "reject_unknown_reverse_client_hostname"),
        ("ptr-wrong", ["10.113.0.203.in-addr.arpa. dns.lab.test."], "reject_unknown_client_hostname"),
    ],
)
@pytest.mark.parametrize("permanent", ["no", "yes"])
def test_who_is_behind_an_address_is_changed_and_looked_at(
    faulty: Faulty, *, name: str, ptr: list[str], check: str, permanent: str
) -> None:
    faulty.apply(name, permanent=permanent)
    found = records(faulty, REVERSE, "113.0.203.in-addr.arpa", "PTR")
    assert [each for each in found if each.startswith("10.")] == ptr
    assert "20.113.0.203.in-addr.arpa. mx.beta.test." in found
    assert done_to_others(faulty, "smtpd_client_restrictions") == check
    assert setting(faulty, "mx-beta", "unknown_client_reject_code") == ("550" if permanent == "yes" else None)
    assert setting(faulty, "mx-alpha", "smtpd_client_restrictions") is None


@pytest.mark.parametrize(
    ("moment", "parameter", "about", "early"),
    [
        ("client", "smtpd_client_restrictions", "client", True),
        ("helo", "smtpd_helo_restrictions", "helo", True),
        ("sender", "smtpd_sender_restrictions", "sender", True),
        ("recipient", "smtpd_recipient_restrictions", "recipient", False),
        ("data", "smtpd_data_restrictions", "client", False),
        ("content", "smtpd_end_of_data_restrictions", "client", False),
    ],
)
def test_a_refusal_stands_in_the_restrictions_of_its_stage(
    faulty: Faulty, *, moment: str, parameter: str, about: str, early: bool
) -> None:
    faulty.apply("reject", stage=moment, code="451", status="4.3.0", text="Come back later.")
    own = done_to_others(faulty, parameter)
    refusal = f"check_{about}_access static:{{451 4.3.0 Come back later.}}"
    assert setting(faulty, "mx-beta", own) == refusal
    assert setting(faulty, "mx-beta", "smtpd_restriction_classes") == own
    assert setting(faulty, "mx-beta", "smtpd_delay_reject") == ("no" if early else None)


def test_a_refusal_whose_codes_contradict_each_other_is_none(faulty: Faulty) -> None:
    with pytest.raises(UsageError, match="contradict") as caught:
        faulty.apply("reject", code="451")
    assert caught.value.hint == "labctl fault apply reject code=451 status=4.7.1"


def test_restrictions_that_are_there_stay_behind_a_faults_own(faulty: Faulty) -> None:
    own = "reject_unlisted_recipient,\n    permit"
    box = faulty.fake._boxes["labctl-x-mx-beta"].files
    box[MAIN_CF] += f"smtpd_recipient_restrictions = {own}\n".encode()
    before = box[MAIN_CF]
    faulty.apply("greylist", delay="7")
    assert setting(faulty, "mx-beta", "smtpd_recipient_restrictions") == (
        f"permit_mynetworks, permit_sasl_authenticated, check_policy_service unix:private/greylist, {own}"
    )
    assert faulty.read("mx-beta", "/etc/postfix/greylist") == "7\n"
    faulty.revert("greylist")
    assert box[MAIN_CF] == before
    assert "/etc/postfix/greylist" not in box


def test_who_is_slow_makes_the_others_impatient(faulty: Faulty) -> None:
    faulty.apply("tarpit", stage="DATA", delay="9", timeout="3")
    assert done_to_others(faulty, "smtpd_data_restrictions") == "sleep 9"
    assert setting(faulty, "mx-alpha", "smtp_data_init_timeout") == "3s"
    assert setting(faulty, "mx-beta", "smtp_data_init_timeout") is None


def test_a_limit_of_0_is_no_limit_and_users_are_not_counted(faulty: Faulty) -> None:
    faulty.apply("rate-limit", messages="0", connections="2", per="7")
    assert setting(faulty, "mx-beta", "smtpd_client_message_rate_limit") is None
    assert setting(faulty, "mx-beta", "smtpd_client_connection_rate_limit") == "2"
    assert setting(faulty, "mx-beta", "anvil_rate_time_unit") == "7s"
    exceptions = setting(faulty, "mx-beta", "smtpd_client_event_limit_exceptions")
    assert exceptions == "!203.0.113.10 !192.0.2.10 0.0.0.0/0"


@pytest.mark.parametrize(("temporarily", "tempfail"), [("no", "no"), ("yes", "yes")])
def test_one_mailbox_alone_is_full(faulty: Faulty, temporarily: str, tempfail: str) -> None:
    applied = faulty.apply("mailbox-full", user="bea@beta.test", temporarily=temporarily, bytes="99")
    config = faulty.read("mail-beta", "/etc/dovecot/conf.d/mailbox-full.conf")
    assert '%{user | if("eq", "bea@beta.test", "99B", "0")}' in config
    assert f"quota_full_tempfail = {tempfail}\n" in config
    assert "quota-status" not in config
    assert applied.services == ("mail-beta",)


def test_the_mta_asks_for_the_quota_where_it_is_to_refuse(faulty: Faulty) -> None:
    faulty.apply("mailbox-full", at="rcpt", temporarily="yes")
    config = faulty.read("mail-beta", "/etc/dovecot/conf.d/mailbox-full.conf")
    assert "quota_status_overquota = 452 4.2.2 The mailbox is full\n" in config
    assert "    port = 12340\n" in config
    restrictions = setting(faulty, "mx-beta", "smtpd_recipient_restrictions")
    assert restrictions == "check_policy_service inet:198.51.100.143:12340"


def test_a_partition_keeps_each_domain_from_the_others_addresses(faulty: Faulty) -> None:
    applied = faulty.apply("partition", how="reject")
    assert set(applied.services) == {"mx-alpha", "mail-alpha", "mx-beta", "mail-beta"}
    rules = {name: argv[-1] for name, argv in faulty.commands if "nft -f" in argv[2]}
    for service, addresses in {
        "mx-beta": "203.0.113.10, 192.0.2.10, 192.0.2.143",
        "mail-alpha": "203.0.113.20, 198.51.100.20, 198.51.100.143",
    }.items():
        assert (
            f"ip daddr {{ {addresses} }} reject with icmpx host-unreachable" in rules[f"labctl-x-{service}"]
        )
        assert f"ip saddr {{ {addresses} }} drop" in rules[f"labctl-x-{service}"]


@pytest.mark.parametrize(
    ("name", "given", "error", "said"),
    [
        ("refuse", {"host": "mx-gamma"}, NoSuchHost, "no host 'mx-gamma'"),
        ("mta-down", {"host": "mail-beta"}, NoSuchHost, "mail-beta is no mta; there are mx-alpha, mx-beta"),
        ("hold", {"host": "dns"}, NoSuchHost, "dns is no mta"),
        ("mx-null", {"domain": "gamma.test"}, UsageError, "domains are alpha.test, beta.test"),
        ("auth-down", {"domain": "lab.test"}, UsageError, "no mda for a mail domain 'lab.test'"),
        ("partition", {"other": "beta.test"}, UsageError, "can't be cut off from itself"),
        ("mx-loop", {"to": "mx-beta"}, UsageError, "would not loop"),
        ("mailbox-full", {"user": "carol@beta.test"}, NoSuchAccount, "it has alice@alpha.test"),
    ],
)
def test_what_is_not_there_is_told_and_nothing_is_changed(
    faulty: Faulty, *, name: str, given: dict[str, str], error: type[UsageError], said: str
) -> None:
    with faulty.spared(), pytest.raises(error) as caught:
        faulty.apply(name, **given)
    assert said in caught.value.message
    assert faulty.commands == []


def test_a_host_goes_by_either_of_its_names(faulty: Faulty) -> None:
    assert faulty.apply("refuse", host="mx.alpha.test", port="587").services == ("mx-alpha",)
