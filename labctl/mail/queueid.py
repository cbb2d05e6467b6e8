"""Postfix's queue ids, short and long (``enable_long_queue_ids`` in postconf(5))."""

from __future__ import annotations

import re
from typing import Final

_BASE_52: Final = "0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z"  # no vowels, so that no word comes out
_BASE_51: Final = "0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y"

QUEUE_ID_PATTERN: Final = (
    rf"(?:[0-9A-F]{{6,32}}(?![0-9A-Za-z])|[{_BASE_52}]{{10,16}}z[{_BASE_51}]{{1,16}}(?![0-9A-Za-z]))"
)
"""Microseconds and inode in hexadecimal, or seconds, microseconds, ``z`` and inode in base 52."""

_QUEUED_AS: Final = re.compile(rf"(?:queued|forwarded) as ({QUEUE_ID_PATTERN})")


def is_queue_id(text: str) -> bool:
    """Whether a text has the form of a queue id."""
    return re.fullmatch(QUEUE_ID_PATTERN, text) is not None


def next_queue_id(reply_text: str) -> str | None:
    """Return the id under which the next queue holds the message, from ``250 2.0.0 Ok: queued as 4X…``.

    Where relays quote each other, the last one is the nearest.
    """
    last = max(reply_text.rfind("queued as "), reply_text.rfind("forwarded as "))
    match = _QUEUED_AS.match(reply_text, last) if last >= 0 else None
    return match[1] if match else None
