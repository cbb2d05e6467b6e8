"""What people read of ``explain``."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from labctl.report.layout.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from labctl.commands.explain import Explanation, Reported
    from labctl.mail.meaning.meaning import Meaning

_WIDTH: Final = 79
_MOST: Final = 20
"""So many recipients are explained; a report about more names mostly the same trouble."""


def explain(result: Explanation) -> str:
    """Tell what something means; of a report first who reports what about whom."""
    if result.kind == "log":
        return "\n\n".join(_of_log(result))
    if result.kind != "dsn":
        head = f"{one_line(result.subject)}: {result.title}"
        return "\n".join((*_wrapped(head, ""), "", *_told(result)))
    blocks = [_head(result), *(_reported(each) for each in result.recipients[:_MOST])]
    if not result.recipients:
        blocks.append("\n".join(_told(result)))
    if (more := len(result.recipients) - _MOST) > 0:
        blocks.append(f"And {more} more recipients: --json has them all.")
    if result.further:
        blocks.append(f"The file holds {result.further} more reports: explain them one by one.")
    return "\n\n".join(blocks)


def _of_log(result: Explanation) -> Iterator[str]:
    """Tell each reason once, and how often; of many lines how many more there are."""
    lines = sum(each.count for each in result.reasons)
    for each in result.reasons[:_MOST]:
        whom = f" for {one_line(each.recipient)}" if each.recipient else ""
        times = (
            f"{each.count} times {each.outcome}, first{whom}" if each.count > 1 else f"{each.outcome}{whom}"
        )
        code = f", {each.code}" if each.code else ""
        head = f"{one_line(times.removesuffix(', first'), 400)}{code}: {each.meaning.title}"
        said = _wrapped(one_line(each.text, 500), "  | ") if each.text else ()
        yield "\n".join((*_wrapped(head, ""), *said, *_told(each.meaning)))
    others = sum(each.count for each in result.reasons[_MOST:]) + result.further
    if others:
        yield f"{others} more lines tell of other reasons."
    if lines > 1 or result.delivered:
        went_well = f"{result.delivered} deliveries succeeded. " if result.delivered else ""
        yield f"{went_well}What became of each message: labctl trace --logs FILE"


def _head(result: Explanation) -> str:
    reporter = one_line(result.reporting_mta or "A mail system that does not name itself")
    about = one_line(result.original_message_id or "a message that it does not name")
    form = f" (in the form of {result.written_by})" if result.written_by else ""
    return "\n".join(_wrapped(f"{reporter} reports about {about}{form}.", ""))


def _reported(recipient: Reported) -> str:
    fate = ", ".join(filter(None, (recipient.action or "it does not say what was done", recipient.status)))
    head = f"{one_line(recipient.address or 'a recipient without an address')}: {one_line(fate)}"
    if recipient.remote_mta:
        head += f", at {one_line(recipient.remote_mta)}"
    if recipient.will_retry_until:
        head += f", tried again until {recipient.will_retry_until:%d %b %H:%M:%S} UTC"
    lines = [*_wrapped(head, "")]
    if recipient.diagnostic_code:
        lines.extend(_wrapped(one_line(recipient.diagnostic_code, 500), "  | "))
    return "\n".join(
        (*lines, *_wrapped(f"That means: {recipient.meaning.title}.", "  "), *_told(recipient.meaning))
    )


def _told(meaning: Meaning | Explanation) -> Iterator[str]:
    yield from _wrapped(meaning.text, "  ")
    yield ""
    yield from _wrapped(f"Usual cause: {meaning.cause}", "  ")
    yield ""
    yield "  Look at next:"
    for step in meaning.next:
        yield from _wrapped(one_line(step, 500), "  - ", "    ")
    yield ""
    yield from _wrapped(f"Sources: {'; '.join(meaning.sources)}", "  ")


def _wrapped(text: str, first: str, then: str | None = None) -> Iterable[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=first if then is None else then,
        break_long_words=False,
        break_on_hyphens=False,
    )
