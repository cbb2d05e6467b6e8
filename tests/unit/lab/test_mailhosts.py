from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from labctl.errors import NoSuchAccount, UsageError
from labctl.lab.inside.mailhosts import find_account, mda_of, mta_of

if TYPE_CHECKING:
    from tests.unit.conftest import Stage


def test_an_account_is_found_whatever_its_case(stage: Stage) -> None:
    there = stage.stand()
    assert find_account(stage.fake, there, "Alice@ALPHA.test").address == "alice@alpha.test"


def test_an_account_that_is_not_there_is_told_with_those_that_are(stage: Stage) -> None:
    with pytest.raises(NoSuchAccount, match=r"no account carol@alpha\.test; it has alice@alpha\.test, amy"):
        find_account(stage.fake, stage.stand(), "carol@alpha.test")


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("alcie@alpha.test", ["alice@alpha.test"]),
        ("bob@alpha.test", ["bob@beta.test"]),
        ("carol@beta.test", []),
    ],
)
def test_an_account_that_is_mistyped_is_told_with_whose_name_resembles_it(
    stage: Stage, address: str, meant: list[str]
) -> None:
    with pytest.raises(NoSuchAccount) as caught:
        find_account(stage.fake, stage.stand(), address)
    assert caught.value.detail["near"] == meant
    assert ("did you mean" in caught.value.message) == bool(meant)


def test_a_malformed_address_is_the_callers_mistake(stage: Stage) -> None:
    with pytest.raises(UsageError):
        find_account(stage.fake, stage.stand(), "carol")


def test_an_addresss_hosts_are_those_of_its_domain(stage: Stage) -> None:
    there = stage.stand()
    assert mta_of(there, "bob@Beta.TEST").service == "mx-beta"
    assert mda_of(there, "anybody@alpha.test").service == "mail-alpha"


def test_of_several_hosts_the_first_of_the_topology_is_the_domains_own(stage: Stage) -> None:
    there = stage.stand()
    backup = replace(there.host("mx-beta"), service="backup-beta")
    assert mta_of(replace(there, hosts=(*there.hosts, backup)), "bob@beta.test").service == "mx-beta"


@pytest.mark.parametrize(("find", "role"), [(mta_of, "MTA"), (mda_of, "MDA")])
def test_a_domain_that_nobody_serves_is_told(stage: Stage, find: type, role: str) -> None:
    with pytest.raises(NoSuchAccount, match=f"no {role} of lab 'x' serves gamma.test"):
        find(stage.stand(), "carol@gamma.test")
