"""A message's journey as a person reads it in a terminal: the picture, the timeline, and what it means."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from labctl.mail.log import undated
from labctl.mail.meaning.explanation import explain_state
from labctl.report.layout.plain import LONGEST
from labctl.report.layout.table import table
from labctl.report.layout.wrap import brief, columns, padded, wrapped
from labctl.report.tracing.chain import chain
from labctl.report.tracing.headline import headline, meaning_of, sign
from labctl.report.tracing.timeline import Gap, Item, clock_time, day, delta, facts, timeline
from labctl.trace.picture.path import paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labctl.commands.trace import Trace
    from labctl.mail.log.delivery import RecipientState
    from labctl.mail.meaning.meaning import Meaning
    from labctl.trace.journey.hop import Hop, Notice, TracedMessage

_TOLD_IN_FULL: Final = 3
"""Of more messages than these, there is a table."""
_MOST_STEPS: Final = 60
_MOST_RECIPIENTS: Final = 12
_MOST_MEANINGS: Final = 3
_LONGEST_STEP: Final = 500
_USUAL: Final = 80
_UNLIMITED: Final = 1 << 16
"""Columns of a row that is as long as it needs."""


def text(trace: Trace, width: int | None = 80) -> str:
    """Tell of the messages of a trace.

    Args:
        trace: What was traced.
        width: Columns of a line; where it is None, those of a recipient or a step are as long as they need.
    """
    messages = trace.messages
    if not messages:
        return "No message."
    if len(messages) <= _TOLD_IN_FULL:
        border = f"\n\n{'═' * (width or _USUAL)}\n\n"
        return border.join(journey(each, width) for each in messages)
    return overview(messages, width)


def journey(message: TracedMessage, width: int | None = 80) -> str:
    """Tell of one message: headline, picture, recipients, notes, timeline, what it means."""
    ways = paths(message)
    prose, row = (width, width) if width is not None else (_USUAL, _UNLIMITED)
    name = brief(message.message_id, 300) or "A message without a Message-ID"
    sections = (
        wrapped(name, row, 3) + wrapped(headline(message, ways), prose),
        chain(ways, prose).splitlines(),
        list(_recipients(message, row)),
        [line for note in message.notes for line in _item(f"! {brief(note.text, 400)}", prose)],
        list(_timeline("TIMELINE", message.hops, row)),
        *(list(_way_back(each, row)) for each in message.notices),
        list(_meanings(message, prose)),
    )
    return "\n\n".join("\n".join(each) for each in sections if each)


def overview(messages: Sequence[TracedMessage], width: int | None) -> str:
    """Show a table of messages; where `width` is None, nothing in it is cut."""
    address, message_id = (40, 60) if width is not None else (LONGEST, LONGEST)
    rows = [
        (
            f"{each.first_at:%d %b %H:%M:%S}" if each.first_at and undated.is_known(each.first_at) else "-",
            f"{sign(each.state)} {each.state}",
            brief(_sender(each), address),
            brief(each.recipients[0].original or each.recipients[0].address, address)
            if each.recipients
            else "",
            f"+{len(each.recipients) - 1}" if len(each.recipients) > 1 else "",
            brief(each.message_id or next((file.queue_id for file in each.queue_ids), ""), message_id),
        )
        for each in messages
    ]
    return table(("FIRST (UTC)", "STATE", "FROM", "TO", "", "MESSAGE-ID"), rows)


def _sender(message: TracedMessage) -> str:
    return {None: "?", "": "<>"}.get(message.mail_from, message.mail_from) or ""


def _recipients(message: TracedMessage, width: int) -> Iterator[str]:
    if not message.recipients:
        return
    yield "RECIPIENTS"
    for each in message.recipients[:_MOST_RECIPIENTS]:
        yield from _recipient(each, width)
    if len(message.recipients) > _MOST_RECIPIENTS:
        yield f"  and {len(message.recipients) - _MOST_RECIPIENTS} more"
    for notice in message.notices:
        whom = ", ".join(brief(each.address, 80) for each in notice.recipients[:2]) or f"the {notice.to}"
        told = f"{whom} was told so by {brief(notice.host, 80)} ({notice.kind} notification: {notice.state})"
        yield from _item(f"→ {told}", width)


def _recipient(recipient: RecipientState, width: int) -> Iterator[str]:
    address = brief(recipient.address, LONGEST) or "(not known)"
    if recipient.original and recipient.original.casefold() != recipient.address.casefold():
        address += f" (sent to {brief(recipient.original)})"
    code = f", {brief(recipient.dsn, 12)}" if recipient.dsn else ""
    yield from _item(f"{sign(recipient.state)} {address}: {recipient.state}{code}", width)
    if recipient.reason:
        yield from (f"      {line}" for line in wrapped(brief(recipient.reason, 400), width - 6))


def _timeline(title: str, hops: Sequence[Hop], width: int) -> Iterator[str]:
    if not hops:
        return
    names = _short_names(hops)
    room = min(max(columns(each) for each in names.values()), 16)
    today = ""
    for step in timeline(hops, _MOST_STEPS):
        if isinstance(step, Gap):
            yield f"  {'⋮':12} {step.text}"
            continue
        if (its_day := day(step.hop.at)) != today:
            yield from [f"  {its_day}"] if today else wrapped(f"{title}, {its_day}", width)
            today = its_day
        yield from _step(step, names[step.hop.host], room, width)


def _step(step: Item, host: str, room: int, width: int) -> Iterator[str]:
    hop = step.hop
    head = f"  {clock_time(hop.at)} {padded(delta(step.since), 8)} {padded(host, room)} "
    indent = columns(head)
    if width - indent < 30:  # noqa: PLR2004  # too narrow for words beside the columns
        yield head.rstrip()
        head, indent = " " * 6, 6
    first, *others = wrapped(brief(hop.text, _LONGEST_STEP), width - indent)
    yield head + first
    yield from (" " * indent + line for line in others)
    for name, value in facts(hop):
        for n, line in enumerate(wrapped(f"{name}: {value}", width - indent - 2)):
            yield " " * indent + ("· " if not n else "  ") + line


def _short_names(hops: Sequence[Hop]) -> dict[str, str]:
    """Shorten host names as far as they still differ."""
    hosts = {hop.host for hop in hops}
    short = {}
    for host in hosts:
        labels = host.split(".")
        for n in range(1, len(labels) + 1):
            name = ".".join(labels[:n])
            if not any(other != host and f"{other}.".startswith(f"{name}.") for other in hosts):
                break
        short[host] = brief(name, 60)
    return short


def _way_back(notice: Notice, width: int) -> Iterator[str]:
    title = f"THE WAY BACK of the {notice.kind} notification to the {brief(notice.to, 40)}"
    yield from _timeline(title, notice.hops, width)
    if notice.dsn is not None:
        yield from _item(
            f"It is a report by {brief(notice.dsn.reporting_mta or 'an unnamed MTA', 80)}:", width
        )
        for about in notice.dsn.recipients[:_MOST_RECIPIENTS]:
            said = f"{brief(about.address, 100)}: {brief(about.action, 20)}, {brief(about.status, 12)}"
            remote = f", at {brief(about.remote_mta, 80)}" if about.remote_mta else ""
            yield from _item(f"  {said}{remote}", width)


def _meanings(message: TracedMessage, width: int) -> Iterator[str]:
    found: dict[str, Meaning] = {}
    for each in message.recipients:
        meaning = meaning_of(each)
        if meaning is not None:
            found.setdefault(meaning.title, meaning)
    if not found:
        meaning = explain_state(message.state)
        found[meaning.title] = meaning
    yield "WHAT IT MEANS"
    for meaning in list(found.values())[:_MOST_MEANINGS]:
        yield from _item(brief(f"{meaning.subject}: {meaning.title}", 300), width)
        for paragraph in (meaning.text, f"Usually: {meaning.cause}" if meaning.cause else ""):
            yield from (f"    {line}" for line in textwrap.wrap(brief(paragraph, 1000), width - 4))
        for step in meaning.next:
            yield from _item(f"  → {brief(step, 300)}", width)


def _item(said: str, width: int) -> Iterator[str]:
    """Indent a text, and what follows its first line further."""
    inner = len(said) - len(said.lstrip(" "))
    first, *others = wrapped(said.lstrip(" "), width - 4 - inner)
    yield f"{' ' * (2 + inner)}{first}"
    yield from (f"{' ' * (4 + inner)}{line}" for line in others)
