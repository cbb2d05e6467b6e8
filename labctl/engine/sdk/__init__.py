"""The adapter to Docker Engine through its Python SDK."""

from __future__ import annotations

from labctl.engine.sdk.containers import Containers
from labctl.engine.sdk.images import Images


class DockerEngine(Containers, Images):
    """Docker Engine behind `labctl.engine.protocol.Engine`.

    Args:
        url: ``unix:///var/run/docker.sock`` or another URL of an engine.
        tls: The SDK's TLS settings, where the endpoint wants them.
        api_version: The API to speak; the engine's own where it is None.
    """
