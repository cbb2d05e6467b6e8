"""All messages of some logs as a table, and as JSON; each is written as soon as it comes."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Final

from labctl.commands.trace import Trace
from labctl.mail.log import undated
from labctl.mail.state import MessageState
from labctl.report.document import document
from labctl.report.layout.plain import LONGEST, one_line
from labctl.report.layout.wrap import brief, padded, wrapped
from labctl.trace.journey.hop import Note, NoteKind, TracedMessage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from labctl.trace.listing.table import Row

_HEAD: Final = ("TIME", "STATE", "FROM", "TO", "DELAY OR REASON", "QUEUE ID")
_TIME, _STATE, _QUEUE_ID = 14, 10, 12
_GAPS: Final = 5
_USUAL: Final = 100
"""Columns that short cells are set in where nothing limits them."""
_NARROW: Final = 72
"""What the columns need; in a narrower terminal the lines are broken."""
_HAPPY: Final = (MessageState.DELIVERED, MessageState.RELAYED)
_DAY: Final = 86400
_MORE: Final = 20
"""What is left in a cell for how many more there are."""
_INCOMPLETE: Final = Note(NoteKind.INCOMPLETE, "The logs do not have its beginning or its end.")


def lines(rows: Iterable[Row], width: int | None, notes: Iterable[Note] = ()) -> Iterator[str]:
    """Yield the table's lines: the head, a line for each message, and how many there are of each state.

    Args:
        rows: The messages.
        width: Columns of a line; where it is None, nothing is cut, and what is long moves what follows it.
        notes: What must be known of the logs; it stands at the end.
    """
    states: Counter[MessageState] = Counter()
    yield head(width)
    for row in rows:
        states[row.state] += 1
        yield line(row, width)
    for text in (end(states), *(f"! {note.text}" for note in notes)):
        yield from [text] if width is None else wrapped(text, width)


def head(width: int | None) -> str:
    """Return the columns' names."""
    return _line(_HEAD, width)


def line(row: Row, width: int | None) -> str:
    """Return one message's line; its time is the last that is known of it, in UTC, or a dash."""
    recipient, others = _recipients(row, all_of_them=width is None)
    more = f" +{others}" if others else ""
    cells = (
        # A third of what strftime takes.
        row.last_at.isoformat(" ", "seconds")[5:19] if undated.is_known(row.last_at) else "-",
        f"{row.state}?" if row.incomplete else str(row.state),
        _address(row.mail_from),
        recipient,
        _why(row),
        row.queue_ids[0].queue_id if row.queue_ids else "-",
    )
    return _line(cells, width, more)


def end(states: Counter[MessageState]) -> str:
    """Return how many messages there are, and of each state."""
    total = states.total()
    if not total:
        return "No messages."
    counted = ", ".join(f"{states[state]} {state}" for state in MessageState if states[state])
    return f"{total} message{'s' * (total > 1)}: {counted}"


def json_pieces(rows: Iterable[Row], notes: Iterable[Note] = ()) -> Iterator[str]:
    """Yield the document ``labctl/trace/v1`` in pieces, message by message."""
    yield f'{{"schema": "{Trace.SCHEMA}", "messages": ['
    between = "\n"
    for row in rows:
        yield between + json.dumps(_message(row), ensure_ascii=True, allow_nan=False)
        between = ",\n"
    told = [{"kind": note.kind, "text": note.text} for note in notes]
    yield f'\n], "notes": {json.dumps(told, ensure_ascii=True)}}}\n'


def _message(row: Row) -> dict[str, object]:
    """Return a message as the document of one message has it, without its journey."""
    told = TracedMessage(
        row.message_id or "",
        row.state,
        row.recipients,
        hops=(),
        bounce=None,
        mail_from=row.mail_from,
        first_at=row.first_at,
        last_at=row.last_at,
        queue_ids=row.queue_ids,
        about=row.about,
        notes=(_INCOMPLETE,) if row.incomplete else (),
    )
    [written] = document(Trace((told,)))["messages"]
    return dict(written)


def _line(cells: tuple[str, ...], width: int | None, more: str = "") -> str:
    time, state, sender, recipient, why, queue_id = cells
    free = max(width or _USUAL, _NARROW) - _TIME - _STATE - _QUEUE_ID - _GAPS
    for_sender, for_recipient = free * 3 // 10, free * 4 // 10
    rooms = (_TIME, _STATE, for_sender, for_recipient, free - for_sender - for_recipient)
    if width is None:
        whole = (one_line(each, LONGEST) for each in (time, state, sender, recipient + more, why))
        shown = [cell.ljust(room) for cell, room in zip(whole, rooms, strict=True)]
        return " ".join((*shown, one_line(queue_id, LONGEST)))
    fitting = (time, state, brief(sender, rooms[2]), brief(recipient, rooms[3] - len(more)) + more)
    cut = zip((*fitting, brief(why, rooms[4])), rooms, strict=True)
    return " ".join((*(padded(cell, room) for cell, room in cut), one_line(queue_id, 40)))


def _address(address: str | None) -> str:
    """Return an address as people see it: the null sender has none, and of some none is known."""
    return "?" if address is None else address or "<>"


def _recipients(row: Row, *, all_of_them: bool) -> tuple[str, int]:
    """Return the first recipient, or as many as can be told in a cell, and how many more there are."""
    if not row.recipients:
        return _address(None), 0
    told = _address(row.recipients[0].address)
    count = 1
    for each in row.recipients[1:] if all_of_them else ():
        if len(told) + len(each.address) > LONGEST - _MORE:
            break
        told += f",{_address(each.address)}"
        count += 1
    return told, len(row.recipients) - count


def _why(row: Row) -> str:
    """Return what is most worth telling: how long it took, or why it did not get there."""
    if row.state in _HAPPY:
        known = undated.is_known(row.first_at)
        return _span((row.last_at - row.first_at).total_seconds()) if known else "-"
    worst = next((each for each in row.recipients if each.state is row.state), None)
    reason = worst.reason if worst is not None else None
    if not reason:
        return "its log is cut" if row.incomplete else "-"
    return reason.partition(" said: ")[2] or reason  # what the other host said, not which


def _span(seconds: float) -> str:
    if seconds < 60:  # noqa: PLR2004  # a minute
        return f"{seconds:.1f} s" if seconds % 1 else f"{seconds:.0f} s"
    if seconds < 3600:  # noqa: PLR2004  # an hour
        return f"{seconds // 60:.0f}m{seconds % 60:02.0f}s"
    if seconds < _DAY:
        return f"{seconds // 3600:.0f}h{seconds % 3600 // 60:02.0f}m"
    return f"{seconds // _DAY:.0f}d{seconds % _DAY // 3600:02.0f}h"
