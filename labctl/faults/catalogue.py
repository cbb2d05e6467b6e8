"""All faults there are."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from labctl.errors import NoSuchFault
from labctl.faults import dns, hosts, mailbox, mta, network, server

if TYPE_CHECKING:
    from labctl.faults.fault import Fault

FAULTS: Final[tuple[Fault, ...]] = (
    *hosts.FAULTS,
    *network.FAULTS,
    *dns.FAULTS,
    *mta.FAULTS,
    *server.FAULTS,
    *mailbox.FAULTS,
)
"""By what they are about."""


def find(name: str) -> Fault:
    """Return the fault of a name.

    Raises:
        NoSuchFault: There is none.
    """
    by_name = {each.name: each for each in FAULTS}
    if name in by_name:
        return by_name[name]
    near = get_close_matches(name, by_name, n=3, cutoff=0.5)
    meant = f"; is {' or '.join(near)} meant?" if near else ""
    raise NoSuchFault(f"no fault is called {name!r}{meant}", hint="labctl fault list", detail={"near": near})
