"""All faults there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl.errors import NoSuchFault
from labctl.faults import dns, mailbox, mta, network
from labctl.suggestion import near, question

if TYPE_CHECKING:
    from labctl.faults.fault import Fault

FAULTS: Final[tuple[Fault, ...]] = (*network.FAULTS, *dns.FAULTS, *mta.FAULTS, *mailbox.FAULTS)
"""By what they are about."""


def find(name: str) -> Fault:
    """Return the fault of a name.

    Raises:
        NoSuchFault: There is none.
    """
    by_name = {each.name: each for each in FAULTS}
    if name in by_name:
        return by_name[name]
    meant = near(name, by_name)
    raise NoSuchFault(
        f"no fault is called {name!r}{question(meant)}", hint="labctl fault list", detail={"near": meant}
    )
