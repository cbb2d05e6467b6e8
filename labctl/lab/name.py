"""The names of labs."""

from __future__ import annotations

import re
from typing import Final

from labctl.contract.value import NAME
from labctl.errors import UsageError, quoted

NAME_PATTERN: Final = re.compile(NAME)
"""What a lab's id and the name of a running lab look like."""


def valid_name(name: str) -> str:
    """Return a name that is well-formed.

    Raises:
        UsageError: It is not.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise UsageError(
            f"name {quoted(name)}: expected up to 31 lower-case letters, digits and hyphens, no hyphen first",
            hint="--name mylab",
        )
    return name


def object_name(name: str) -> str:
    """Return the name of a lab's network and of its record, which is its Compose project's name too."""
    return f"labctl-{name}"
