"""Who serves an address in a running lab: its account, its MTA, its MDA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.errors import NoSuchAccount
from labctl.lab.role import Role
from labctl.lab.running import instance
from labctl.mail.address import Address
from labctl.suggestion import near, question

if TYPE_CHECKING:
    from labctl.engine.protocol import Engine
    from labctl.lab.account import Account
    from labctl.lab.running.instance import Host, Instance


def find_account(engine: Engine, there: Instance, address: str) -> Account:
    """Return the account of an address.

    Raises:
        NoSuchAccount: The lab has none.
        UsageError: The address is malformed.
    """
    known = instance.accounts(engine, there)
    wanted = Address.parse(address).key
    for account in known:
        if account.address.casefold() == wanted:
            return account
    listed = ", ".join(each.address for each in known)
    users = [each.address.partition("@")[0] for each in known]  # their domains are all alike
    likely = near(wanted.partition("@")[0], users)
    meant = [each.address for each in known if each.address.partition("@")[0] in likely]
    raise NoSuchAccount(
        f"lab {there.name!r} has no account {address}; it has {listed}{question(meant)}",
        hint="labctl status",
        detail={"near": meant},
    )


def mta_of(there: Instance, address: str) -> Host:
    """Return the MTA of an address's domain; of several the first of the topology, which is the domain's own.

    Raises:
        NoSuchAccount: No MTA serves the domain.
    """
    return _host_of(there, Role.MTA, address)


def mda_of(there: Instance, address: str) -> Host:
    """Return the MDA of an address's domain; of several the first of the topology, which is the domain's own.

    Raises:
        NoSuchAccount: No MDA serves the domain.
    """
    return _host_of(there, Role.MDA, address)


def _host_of(there: Instance, role: Role, address: str) -> Host:
    domain = address.rpartition("@")[2].casefold()
    for host in there.of_role(role, domain):
        return host
    raise NoSuchAccount(
        f"no {role.value.upper()} of lab {there.name!r} serves {domain}", hint="labctl status"
    )
