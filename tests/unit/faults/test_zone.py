"""Zone files and Corefiles: only what is meant changes in them."""

from __future__ import annotations

import dns.zone
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labctl import resources
from labctl.errors import FaultError
from labctl.faults import zone

ZONE = """\
$ORIGIN beta.test.
$TTL 300
@       SOA     dns.lab.test. postmaster.beta.test. 1 3600 600 604800 60
@       NS      dns.lab.test.
; Mail
@       MX      10 mx.beta.test.
        300 IN MX 20 mx2
beta.test. 60 MX 30 mx3
sub     MX      10 mx.sub
mx      A       203.0.113.20
"""


def shipped(name: str) -> str:
    return (resources.compose_dir() / "two-domains/dns" / name).read_text(encoding="utf-8")


def records(text: str, origin: str) -> list[str]:
    parsed = dns.zone.from_text(text, origin, relativize=False)
    return sorted(
        f"{name} {data.rdtype.name} {data}"
        for name, _, data in parsed.iterate_rdatas()
        if data.rdtype.name != "SOA"
    )


def serial(text: str, origin: str) -> int:
    return int(dns.zone.from_text(text, origin).get_soa().serial)


def test_all_records_of_a_name_and_type_are_replaced_however_their_owner_is_written() -> None:
    after = zone.with_records(ZONE, "beta.test", "beta.test", "MX", ["10 a.test.", "20 b.test."])
    assert records(after, "beta.test") == [
        "beta.test. MX 10 a.test.",
        "beta.test. MX 20 b.test.",
        "beta.test. NS dns.lab.test.",
        "mx.beta.test. A 203.0.113.20",
        "sub.beta.test. MX 10 mx.sub.beta.test.",
    ]
    assert "; Mail\n" in after


def test_records_that_are_to_be_gone_are_gone() -> None:
    after = zone.with_records(ZONE, "beta.test", "beta.test", "MX", [])
    assert [each for each in records(after, "beta.test") if each.startswith("beta.test. MX")] == []
    assert "sub.beta.test. MX 10 mx.sub.beta.test." in records(after, "beta.test")


def test_records_of_a_name_that_has_none_are_added() -> None:
    after = zone.with_records(ZONE, "beta.test", "old.beta.test", "A", ["203.0.113.53"])
    assert set(records(after, "beta.test")) - set(records(ZONE, "beta.test")) == {
        "old.beta.test. A 203.0.113.53"
    }


def test_a_name_that_lacks_its_last_dot_is_another_one() -> None:
    text = ZONE.replace("@       MX", "beta.test MX")
    after = zone.with_records(text, "beta.test", "beta.test.beta.test", "MX", [])
    assert "beta.test MX" not in after


@pytest.mark.parametrize(
    ("name", "origin"), [("alpha.test.zone", "alpha.test"), ("beta.test.zone", "beta.test")]
)
def test_a_changed_zone_has_a_higher_serial_number(name: str, origin: str) -> None:
    text = shipped(name)
    assert serial(zone.with_records(text, origin, origin, "MX", ["0 ."]), origin) == serial(text, origin) + 1


def test_a_serial_number_on_a_line_of_its_own_is_raised_too() -> None:
    text = "@ IN SOA ns.x. root.x. (\n    ; of the day\n    2026010101 ; serial\n    1 2 3 4 )\n@ NS ns.x.\n"
    assert serial(zone.raised(text), "x") == 2026010102


def test_a_serial_number_goes_on_with_0_behind_the_last() -> None:
    assert zone.raised("@ SOA a. b. 4294967295 1 1 1 1\n") == "@ SOA a. b. 0 1 1 1 1\n"


@given(st.text(alphabet="@$;ab.MXSOAIN0123 \t\n()", max_size=200))
@example("SOA")
def test_any_text_is_edited_without_an_error_and_a_second_time_finds_the_new_records(text: str) -> None:
    once = zone.with_records(text, "x", "x", "MX", ["10 a."])
    assert "x. MX 10 a." in once
    assert zone.with_records(once, "x", "x", "MX", ["10 b."]).count("x. MX 10 a.") == 0


def test_a_directive_is_put_at_the_beginning_of_one_zones_block() -> None:
    corefile = shipped("Corefile")
    after = zone.with_directive(corefile, "beta.test", "acl {\n    drop\n}")
    assert "\nbeta.test {\n    acl {\n        drop\n    }\n    errors\n" in after
    assert after.replace("    acl {\n        drop\n    }\n", "") == corefile


@pytest.mark.parametrize(
    "name", ["alpha.test", "beta.test", "lab.test", "2.0.192.in-addr.arpa", "113.0.203.in-addr.arpa"]
)
def test_a_zones_file_is_the_one_in_its_block(name: str) -> None:
    assert zone.zone_file(shipped("Corefile"), name) == f"/etc/coredns/zones/{name}.zone"


def test_a_reverse_name_belongs_to_the_longest_zone_above_it() -> None:
    corefile = "in-addr.arpa {\n}\n" + shipped("Corefile")
    assert zone.reverse_zone(corefile, "10.113.0.203.in-addr.arpa") == "113.0.203.in-addr.arpa"
    with pytest.raises(FaultError, match="no zone for"):
        zone.reverse_zone(shipped("Corefile"), "1.0.0.10.in-addr.arpa")


def test_a_zone_that_the_corefile_does_not_have_is_told() -> None:
    with pytest.raises(FaultError, match=r"no server block for the zone delta\.test"):
        zone.with_directive(shipped("Corefile"), "delta.test", "errors")
    with pytest.raises(FaultError, match="no file for the zone x"):
        zone.zone_file("x {\n    errors\n}\n", "x")
