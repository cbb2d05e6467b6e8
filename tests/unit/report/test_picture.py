"""The picture of a lab, for as many domains as there are and hosts that are missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from labctl.lab.account import Account
from labctl.lab.running.instance import HostState
from labctl.report.layout.picture import picture

if TYPE_CHECKING:
    from labctl.commands.status import Status


def of_domains(status: Status, count: int) -> Status:
    """Return a lab like it with another number of domains."""
    if count == 1:
        kept = tuple(each for each in status.hosts if each.domain != "beta.test")
        return replace(status, hosts=kept, accounts=status.accounts[:2])
    third = tuple(
        replace(each, name=each.name.replace("beta", "gamma"), domain="gamma.test")
        for each in status.hosts
        if each.domain == "beta.test"
    )
    more = (*status.hosts, *third) if count == 3 else status.hosts
    return replace(status, hosts=more, accounts=(*status.accounts, Account("gus@gamma.test", "gus")))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_host_address_and_user_is_in_the_picture(status: Status, count: int) -> None:
    lab = of_domains(status, count)
    drawn = picture(lab)
    domains = {host.domain for host in lab.hosts}
    for host in lab.hosts:
        assert all(each in drawn for each in (host.name, *host.addresses))
    for account in lab.accounts:
        user, _, domain = account.address.partition("@")
        assert (user in drawn) == (domain in domains)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_rail_has_one_end_above_each_domains_column(status: Status, count: int) -> None:
    lines = picture(of_domains(status, count)).splitlines()
    rail, names = lines[1], lines[2]
    ends = [n for n, each in enumerate(rail) if each in "┌┬┼┐│"]
    columns = [n + 3 for n in range(len(names)) if names.startswith("mx.", n)]
    assert len(columns) == count
    assert set(columns) <= set(ends)


def test_a_host_that_is_not_ready_says_so(status: Status) -> None:
    stopped = replace(status, hosts=(replace(status.hosts[1], state=HostState.STOPPED), *status.hosts[2:]))
    assert "mx.alpha.test Postfix (stopped)" in picture(stopped)


def test_a_host_of_which_nothing_is_known_does_not_spoil_the_picture(status: Status) -> None:
    missing = replace(
        status.hosts[1], name="mx-alpha", role=None, domain=None, addresses=(), state=HostState.ABSENT
    )
    drawn = picture(replace(status, hosts=(missing, *status.hosts[2:])))
    assert "mail.alpha.test" in drawn
    assert "mx.beta.test" in drawn


def test_a_lab_without_domains_has_no_picture(status: Status) -> None:
    assert picture(replace(status, hosts=status.hosts[:1])) == ""
    assert picture(replace(status, hosts=())) == ""
