"""How work in progress is told to whoever watches, without printing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str, str], None]
"""Called with a subject (``mx-alpha``, ``image mta``) and what is true of it now (``starting``, ``ready``).

It may be called from several threads at once.
"""


def silent(subject: str, state: str) -> None:
    """Tell nobody: the default of every function that takes a `Progress`."""
