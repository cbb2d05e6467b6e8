"""The labels on everything that belongs to a lab: the only record of what runs."""

from __future__ import annotations

from typing import Final

NAME: Final = "labctl.name"
"""The instance's name; present on every container and network of labctl's."""

LAB: Final = "labctl.lab"
"""The id of the lab that it is an instance of."""

DIRECTORY: Final = "labctl.directory"
"""On the network: where the lab's definition lay when it was started."""

SERVICE: Final = "labctl.service"
HOSTNAME: Final = "labctl.hostname"
ROLE: Final = "labctl.role"
"""``mta``, ``mda`` or ``dns``."""

DOMAIN: Final = "labctl.domain"
"""The mail domain that a host serves; absent where it serves none."""

ADDRESSES: Final = "labctl.addresses"
"""The host's lab addresses, separated by spaces."""

RELOAD: Final = "labctl.reload"
"""The signal that makes the host's daemon read its configuration again."""

HOSTS: Final = "labctl.hosts"
"""On the network: the hosts that make the lab whole, as JSON: the labels of each service's container."""

PUBLISHED: Final = "labctl.published"
"""Present where the host's ports are published on the engine's machine."""

RUN: Final = "labctl.run"
"""The run of ``labctl grade`` that the lab belongs to, which takes it down in the end; else absent."""

LOCKS: Final = "labctl.locks"
"""What tells the directory in which the lab's locks lie, as far as whoever made the object knew it."""

SEED: Final = "labctl.seed"
"""What all that is random in the lab's exercises and checks comes from; absent where nothing set it."""

CONFIG: Final = "labctl.config"
"""A hash of all that only a new object can change."""

COMPOSE_PROJECT: Final = "com.docker.compose.project"
COMPOSE_SERVICE: Final = "com.docker.compose.service"
COMPOSE_NETWORK: Final = "com.docker.compose.network"
COMPOSE_FILES: Final = "com.docker.compose.project.config_files"
COMPOSE_HASH: Final = "com.docker.compose.config-hash"
COMPOSE_NUMBER: Final = "com.docker.compose.container-number"
COMPOSE_ONEOFF: Final = "com.docker.compose.oneoff"
"""Compose's own labels, by which ``docker compose ls`` and the graphical tools group a lab."""
