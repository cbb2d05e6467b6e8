"""What a trace is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from labctl.errors import UsageError
from labctl.mail.content.message import normal_message_id
from labctl.mail.queueid import is_queue_id


class WantedKind(StrEnum):
    """How a message can be named."""

    MESSAGE_ID = "message-id"
    QUEUE_ID = "queue-id"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What names a message, or several."""

    kind: WantedKind
    value: str
    """A Message-ID as `normal_message_id` writes it; a queue id; an address as it was given."""
    otherwise: Wanted | None = None
    """What else it may be, where nothing is found by it."""

    @classmethod
    def parse(cls, text: str) -> Wanted:
        """Tell what a text names: ``<…>`` a Message-ID, with an ``@`` that or an address, else a queue id.

        Raises:
            UsageError: It has none of these forms.
        """
        text = text.strip()
        if text.startswith("<") and text.endswith(">") and (message_id := normal_message_id(text)):
            return cls(WantedKind.MESSAGE_ID, message_id)
        if "@" in text.strip("@"):
            return cls(WantedKind.MESSAGE_ID, normal_message_id(text), cls(WantedKind.ADDRESS, text))
        if is_queue_id(text):
            return cls(WantedKind.QUEUE_ID, text)
        raise UsageError(
            f"{text!r} is neither a Message-ID nor a queue id nor an address",
            hint="labctl trace  # without a name, it lists all messages",
        )
