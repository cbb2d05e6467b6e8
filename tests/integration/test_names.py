"""Names and addresses: who a host says it is, and what the lab's resolver says of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Lab


@pytest.mark.parametrize(
    ("address", "host"), [("203.0.113.10", "mx.alpha.test."), ("203.0.113.20", "mx.beta.test.")]
)
def test_an_mtas_address_leads_to_its_name_and_back(standing_lab: Lab, address: str, host: str) -> None:
    backward = standing_lab.json("dig", address)
    assert (backward["type"], backward["rcode"], backward["records"]) == ("PTR", "NOERROR", [host])
    forward = standing_lab.json("dig", host, "A")
    assert forward["records"] == [address]


def test_both_domains_name_their_exchanger(standing_lab: Lab) -> None:
    for domain in ("alpha.test", "beta.test"):
        assert standing_lab.json("dig", domain, "MX")["records"] == [f"10 mx.{domain}."]


@pytest.mark.parametrize(
    ("domain", "exchanger", "address"),
    [
        ("gamma.test", "mx.gamma.test", "203.0.113.30"),
        ("evil.test", "mx.evil.test", "203.0.113.66"),
        ("a1pha.test", "mx.evil.test", "203.0.113.66"),
    ],
)
def test_domains_of_strangers_have_names_and_addresses(
    standing_lab: Lab, domain: str, exchanger: str, address: str
) -> None:
    assert standing_lab.json("dig", domain, "MX")["records"] == [f"10 {exchanger}."]
    assert standing_lab.json("dig", exchanger, "A")["records"] == [address]
    assert standing_lab.json("dig", address)["records"] == [f"{exchanger}."]


@pytest.mark.parametrize("name", ["debian.org", "no.such.host.alpha.test", "delta.test", "8.8.8.8"])
def test_what_is_not_in_the_lab_does_not_exist(standing_lab: Lab, name: str) -> None:
    answer = standing_lab.json("dig", name)
    assert (answer["rcode"], answer["records"]) == ("NXDOMAIN", [])


def test_a_host_without_records_of_a_type_is_no_error(standing_lab: Lab) -> None:
    answer = standing_lab.json("dig", "mx.alpha.test", "TXT")
    assert (answer["rcode"], answer["records"]) == ("NOERROR", [])


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
