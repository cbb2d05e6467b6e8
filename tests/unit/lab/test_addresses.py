from __future__ import annotations

import itertools
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.lab.blueprint.addresses import POOL, candidates, mac_address, routed_here

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
br-1\t000012C6\t00000000\t0001\t0\t0\t0\tE0FFFFFF\t0\t0\t0
tun0\t0A0000C0\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0
"""

subnets = st.builds(
    lambda address, length: IPv4Network((address, length), strict=False),
    st.integers(int(POOL[0]) - 2**16, int(POOL[-1]) + 2**16),
    st.integers(14, 32),
)


@given(st.text(max_size=31), st.integers(16, 27), st.lists(subnets, max_size=4))
def test_candidates_lie_in_the_pool_and_overlap_nothing_taken(
    name: str, length: int, taken: list[IPv4Network]
) -> None:
    for subnet in itertools.islice(candidates(name, length, taken), 20):
        assert subnet.prefixlen == length
        assert subnet.subnet_of(POOL)
        assert not any(subnet.overlaps(each) for each in taken)


@given(st.text(max_size=31), st.lists(subnets, max_size=3))
def test_every_free_subnet_is_a_candidate_once(name: str, taken: list[IPv4Network]) -> None:
    found = list(candidates(name, 20, taken))
    free = [each for each in POOL.subnets(new_prefix=20) if not any(each.overlaps(other) for other in taken)]
    assert sorted(found) == free


def test_one_name_begins_at_one_place_and_two_names_rarely_there_too() -> None:
    first = [next(candidates(f"lab-{n}", 27, [])) for n in range(20)]
    assert first == [next(candidates(f"lab-{n}", 27, [])) for n in range(20)]
    assert len(set(first)) >= 19


def test_routes_are_read_without_the_default_one(tmp_path: Path) -> None:
    path = tmp_path / "route"
    path.write_text(ROUTES)
    assert routed_here(path) == (
        IPv4Network("172.17.0.0/16"),
        IPv4Network("198.18.0.0/27"),
        IPv4Network("192.0.0.10/32"),
    )


def test_a_machine_without_such_a_file_has_no_routes_to_heed(tmp_path: Path) -> None:
    assert routed_here(tmp_path / "none") == ()


def test_a_machine_without_network_has_only_the_head_line(tmp_path: Path) -> None:
    path = tmp_path / "route"
    path.write_text(ROUTES.splitlines(keepends=True)[0])
    assert routed_here(path) == ()


@pytest.mark.skipif(not Path("/proc/net/route").is_file(), reason="no Linux")
def test_this_machines_own_routes_are_networks() -> None:
    assert all(each.prefixlen > 0 for each in routed_here())


def test_a_mac_address_is_made_of_the_address() -> None:
    assert mac_address(IPv4Address("198.18.1.255")) == "02:42:c6:12:01:ff"


@given(st.sets(st.ip_addresses(v=4), min_size=2, max_size=5))
def test_no_two_addresses_share_a_mac(some: set[IPv4Address]) -> None:
    assert len({mac_address(each) for each in some}) == len(some)
