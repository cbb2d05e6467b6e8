"""The adapter to Docker Engine.

What a lab needs at every command is asked of the engine's HTTP API directly: the import of Docker's SDK would
take a third of the time of a command that finds all in order. Building and carrying images, and a terminal,
go through the SDK.
Source: https://docs.docker.com/reference/api/engine/
"""

from __future__ import annotations

from labctl.engine.docker.containers import Containers
from labctl.engine.docker.images import Images


class DockerEngine(Containers, Images):
    """Docker Engine behind `labctl.engine.protocol.Engine`.

    Args:
        endpoint: Where it answers.
    """
