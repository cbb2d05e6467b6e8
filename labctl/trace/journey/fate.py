"""What became of a message's copies, as the logs tell and where they are cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.mail.log.delivery import RecipientState, addresses_of, distinct, fates, refusals
from labctl.trace.journey.gap import known

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from labctl.mail.log.journal import Journal
    from labctl.mail.log.queuefile import QueueFile
    from labctl.trace.journey.world import World


def recipients_of(
    journal: Journal,
    roots: Sequence[QueueFile],
    files: Iterable[QueueFile],
    world: World,
    *,
    waiting: Iterable[str] = (),
) -> tuple[RecipientState, ...]:
    """Return where each recipient's copy is, as far as the logs name recipients.

    Args:
        journal: What the logs said.
        roots: The queue files that the message came in as.
        files: All its queue files.
        world: What is known beside the logs.
        waiting: For whom else it is, as the first queue itself has it.
    """
    found: list[RecipientState] = []
    for root in roots:
        addresses = addresses_of(root)
        if waiting:
            expanded = {copy.recipient.casefold() for copy in root.copies.values()}
            more = [each for each in waiting if each.casefold() not in expanded]
            addresses = distinct((*addresses, *more))
        for recipient, copy in fates(journal, root, addresses):
            found.append(known(recipient, copy, root.message_id, world))
    found.extend(refusals(roots, files, found))
    return tuple(found) if len(found) < 2 else tuple(dict.fromkeys(found))  # noqa: PLR2004  # most have one


def message_id_of(roots: Iterable[QueueFile], files: Iterable[QueueFile]) -> str | None:
    """Return a message's Message-ID; empty where it has none, None where no log tells it."""
    told = [file.message_id for file in (*roots, *files)]
    return next((each for each in told if each), "" if "" in told else None)


def sender_of(roots: Iterable[QueueFile], files: Iterable[QueueFile]) -> str | None:
    """Return the envelope's sender; empty for the null sender, None where no log tells it."""
    return next((file.mail_from for file in (*roots, *files) if file.mail_from is not None), None)
