"""Names and addresses: who a host says it is, and what the lab's resolver says of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import dns.message
import dns.query
import dns.rcode
import dns.reversename
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Lab


@pytest.fixture(scope="module")
def asked(standing_lab: Lab) -> Callable[[str, str], tuple[str, list[str]]]:
    """What asks the lab's resolver, by no program of labctl's, and tells the code and the records."""
    host, port = standing_lab.endpoint("dns", "dns")

    def ask(name: str, kind: str) -> tuple[str, list[str]]:
        said = dns.query.udp(dns.message.make_query(name, kind), host, port=port, timeout=10)
        return dns.rcode.to_text(said.rcode()), [str(each) for records in said.answer for each in records]

    return ask


@pytest.mark.parametrize(
    ("domain", "exchanger", "address"),
    [
        ("alpha.test", "mx.alpha.test.", "203.0.113.10"),
        ("beta.test", "mx.beta.test.", "203.0.113.20"),
        ("gamma.test", "mx.gamma.test.", "203.0.113.30"),
        ("evil.test", "mx.evil.test.", "203.0.113.66"),
        ("a1pha.test", "mx.evil.test.", "203.0.113.66"),
    ],
)
def test_a_domain_also_of_strangers_names_its_exchanger_whose_address_leads_back_to_it(
    asked: Callable[[str, str], tuple[str, list[str]]], domain: str, exchanger: str, address: str
) -> None:
    assert asked(domain, "MX") == ("NOERROR", [f"10 {exchanger}"])
    assert asked(exchanger, "A") == ("NOERROR", [address])
    assert asked(dns.reversename.from_address(address).to_text(), "PTR") == ("NOERROR", [exchanger])


@pytest.mark.parametrize("name", ["debian.org", "no.such.host.alpha.test", "delta.test"])
def test_what_is_not_in_the_lab_does_not_exist(
    asked: Callable[[str, str], tuple[str, list[str]]], name: str
) -> None:
    assert asked(name, "A") == ("NXDOMAIN", [])


def test_dig_tells_an_addresss_name_and_that_a_host_has_no_records_of_a_type(standing_lab: Lab) -> None:
    named = standing_lab.json("dig", "203.0.113.10")
    assert (named["type"], named["rcode"], named["records"]) == ("PTR", "NOERROR", ["mx.alpha.test."])
    outside = standing_lab.json("dig", "8.8.8.8")
    assert (outside["rcode"], outside["records"]) == ("NXDOMAIN", [])
    none = standing_lab.json("dig", "mx.alpha.test", "TXT")
    assert (none["rcode"], none["records"]) == ("NOERROR", [])


def test_the_receiving_mta_writes_down_the_senders_name_and_address(lab: Lab) -> None:
    lab.send("alice@alpha.test", "bob@beta.test")
    code, stored = lab.execute("mail-beta", "sh", "-c", "cat /var/vmail/beta.test/bob/Maildir/*/*.*")
    assert code == 0
    unfolded = re.sub(r"\r?\n[ \t]+", " ", stored)
    assert "from mx.alpha.test (mx.alpha.test [203.0.113.10]) by mx.beta.test" in unfolded


def test_a_host_is_called_by_its_name_and_asks_the_labs_resolver_only(standing_lab: Lab) -> None:
    for host in standing_lab.json("status")["hosts"]:
        assert standing_lab.execute(host["service"], "hostname") == (0, host["name"] + "\n")
        said = standing_lab.execute(host["service"], "cat", "/etc/resolv.conf")
        assert said == (0, "nameserver 203.0.113.53\noptions timeout:2 attempts:2\n")
