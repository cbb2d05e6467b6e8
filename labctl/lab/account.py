"""The accounts of a lab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labctl.contract.value import Word

if TYPE_CHECKING:
    from collections.abc import Iterable

USERS_FILE: Final = "/etc/dovecot/users"
"""Where each MDA keeps its accounts: a passwd-file of Dovecot's."""


@dataclass(frozen=True, slots=True)
class Account:
    """A mail account; in a laboratory its password is no secret."""

    address: Word
    password: str

    @property
    def domain(self) -> str:
        """The part behind the @."""
        return self.address.partition("@")[2]

    def line(self) -> str:
        """Return the account as a line of `USERS_FILE`; the fields without a value have to be there."""
        return f"{self.address}:{{PLAIN}}{self.password}::::::\n"


def distinct(accounts: Iterable[Account]) -> tuple[Account, ...]:
    """Return each address once: of several MDAs of a domain the first is its own."""
    found: dict[str, Account] = {}
    for account in accounts:
        found.setdefault(account.address, account)
    return tuple(found.values())


def accounts_in(users: bytes) -> tuple[Account, ...]:
    """Read the accounts in a passwd-file of Dovecot's, ``user:{PLAIN}password:…``."""
    lines = (line.strip().split(":") for line in users.decode("utf-8", "replace").splitlines())
    return tuple(
        Account(address, password.removeprefix("{PLAIN}"))
        for address, password, *_ in (line for line in lines if len(line) > 1)
        if address and not address.startswith("#")
    )
