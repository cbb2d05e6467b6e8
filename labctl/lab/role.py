"""What the hosts of a lab are for."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a host does."""

    MTA = "mta"
    MDA = "mda"
    DNS = "dns"
