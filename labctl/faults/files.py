"""Files of hosts as they are, each read once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labctl.errors import NoSuchObject

if TYPE_CHECKING:
    from labctl.engine.protocol import Engine
    from labctl.lab.running.instance import Host


@dataclass(frozen=True, slots=True)
class Files:
    """Reads files and keeps them: a read takes a while, and nobody else changes the lab meanwhile."""

    engine: Engine
    _known: dict[tuple[str, str], bytes | None] = field(default_factory=dict)

    def read(self, host: Host, path: str) -> bytes | None:
        """Return a file's content; None where it is not there."""
        key = (host.service, path)
        if key not in self._known:
            try:
                self._known[key] = self.engine.get_file(host.running_container().id, path)
            except NoSuchObject:
                self._known[key] = None
        return self._known[key]
