"""What is on record of a fault that is applied to a lab: as with a lab's own record, the labels of a volume.

It is written before the fault acts and removed after it was undone, so that whatever was interrupted can be
undone from it; and since it is no part of a container, it can be read while that is stopped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from labctl.engine.lockfile import voucher
from labctl.engine.model import Volume
from labctl.lab.mark import labels
from labctl.lab.name import object_name

if TYPE_CHECKING:
    from collections.abc import Mapping

FAULT: Final = "labctl.fault"
"""The label that tells a fault's record from a lab's; its value is the fault's name."""

_PARAMETERS: Final = "labctl.fault.parameters"
_UNDO: Final = "labctl.fault.undo"


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """One applied fault."""

    name: str
    parameters: Mapping[str, str]
    undo: Mapping[str, Mapping[str, Any]]
    """By service, what has to be done there to undo it; JSON-ready."""

    @property
    def services(self) -> frozenset[str]:
        """The services that it changes."""
        return frozenset(self.undo)

    def volume(self, name: str, lab: str) -> Volume:
        """Return the volume that is this record in a lab."""
        return Volume(
            volume_name(name, self.name),
            {
                labels.NAME: name,
                labels.LAB: lab,
                labels.LOCKS: voucher(),
                labels.COMPOSE_PROJECT: object_name(name),
                FAULT: self.name,
                _PARAMETERS: json.dumps(dict(self.parameters)),
                _UNDO: json.dumps({service: dict(each) for service, each in self.undo.items()}),
            },
        )


def volume_name(name: str, fault: str) -> str:
    """Return the name of the volume that records a fault in a lab."""
    return f"{object_name(name)}-fault-{fault}"


def of(volume: Volume) -> FaultRecord | None:
    """Read a record; None where the volume is none, or not one that this version wrote."""
    try:
        return FaultRecord(
            volume.labels[FAULT],
            {str(key): str(value) for key, value in json.loads(volume.labels[_PARAMETERS]).items()},
            {service: dict(each) for service, each in json.loads(volume.labels[_UNDO]).items()},
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
