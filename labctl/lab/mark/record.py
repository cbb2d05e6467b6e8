"""What labctl put into a lab's containers: a record that can be replaced while they run.

A container's labels are for its life, but a changed file or a further account is put into one that runs. So
this record is the labels of a volume, which is never mounted; it is asked for in a millisecond, where reading
a file out of each container takes twenty times as long. It is taken away before anything is changed, and made
anew afterwards: where it is missing, nothing is known, and all files are written again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from labctl.engine.model import Volume
from labctl.lab.account import Account
from labctl.lab.mark import labels
from labctl.lab.name import object_name

if TYPE_CHECKING:
    from collections.abc import Mapping

OPTIONAL: Final = (labels.LOCKS, labels.RUN, labels.SEED)
"""The labels that a lab may have or not."""

_FILES: Final = "labctl.files"
_ACCOUNTS: Final = "labctl.accounts"


@dataclass(frozen=True, slots=True)
class Record:
    """What was put in.

    Args:
        files: The hash of each file by service and path.
        accounts: The accounts that the MDAs serve.
        labels: Those of `OPTIONAL` that the lab was given.
    """

    files: Mapping[str, Mapping[str, str]]
    accounts: tuple[Account, ...]
    labels: Mapping[str, str] = field(default_factory=dict)

    def volume(self, name: str, lab: str) -> Volume:
        """Return the volume that is the record of a lab."""
        accounts = [[each.address, each.password] for each in self.accounts]
        told = {labels.NAME: name, labels.LAB: lab, labels.COMPOSE_PROJECT: object_name(name)}
        return Volume(
            object_name(name),
            {**told, **self.labels, _FILES: json.dumps(self.files), _ACCOUNTS: json.dumps(accounts)},
        )


def of(volume: Volume) -> Record | None:
    """Read a record; None where it is not one that this version wrote."""
    try:
        files = json.loads(volume.labels[_FILES])
        accounts = tuple(Account(*each) for each in json.loads(volume.labels[_ACCOUNTS]))
        given = {key: value for key, value in volume.labels.items() if key in OPTIONAL}
        return Record({service: dict(paths) for service, paths in files.items()}, accounts, given)
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
