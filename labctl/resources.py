"""Where the topologies and labs are: the only module that finds ``compose/`` and ``labs/``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


@cache
def root() -> Path:
    """Return the directory that holds ``compose/`` and ``labs/``.

    In a wheel they lie inside the package; an editable install finds them in its checkout.
    """
    packed = _PACKAGE / "_data"
    return packed if packed.is_dir() else _PACKAGE.parent


def compose_dir() -> Path:
    """Return the directory of the topologies and of what the images are made of."""
    return root() / "compose"


def labs_dir() -> Path:
    """Return the directory of the labs that come with labctl."""
    return root() / "labs"
