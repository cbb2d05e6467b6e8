"""The adapter to Docker Engine.

All is asked of the engine's HTTP API directly. Docker's own SDK bounds only each piece of an answer, and its
import would take a third of the time of a command that finds all in order: it is left to find the user's
credentials for a registry.
Source: https://docs.docker.com/reference/api/engine/
"""

from __future__ import annotations

from labctl.engine.docker.containers import Containers
from labctl.engine.docker.images import Images
from labctl.engine.docker.inside import Inside


class DockerEngine(Containers, Inside, Images):
    """Docker Engine behind `labctl.engine.protocol.Engine`.

    Args:
        endpoint: Where it answers.
        patience: How long it is waited for.
    """
