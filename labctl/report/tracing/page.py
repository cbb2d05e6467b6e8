"""A message's journey as one page: the picture, and each step with its evidence. It holds no script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl.mail.meaning.explanation import explain_reply, explain_state
from labctl.report.layout.plain import harmless
from labctl.report.layout.webpage import safe, web_page
from labctl.report.layout.wrap import brief
from labctl.report.tracing.headline import NAMES, headline, meaning_of, sign
from labctl.report.tracing.svg import svg
from labctl.report.tracing.timeline import Gap, Item, clock_time, day, delta, facts, timeline
from labctl.trace.picture.path import Mark, paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from labctl.commands.trace import Trace
    from labctl.mail.content.dsn import Dsn
    from labctl.mail.log.delivery import RecipientState
    from labctl.mail.meaning.meaning import Meaning
    from labctl.trace.journey.hop import Hop, Notice, TracedMessage
    from labctl.trace.picture.path import Path, Station

_MOST_MESSAGES: Final = 20
_MOST_STEPS: Final = 600
_MOST_RECIPIENTS: Final = 200
_MOST_MEANINGS: Final = 5
_MOST_NOTICES: Final = 20
_MOST_LINES: Final = 20
_MOST_ENDS: Final = 3
_MOST_FACTS: Final = 4
_STOPPED: Final = (Mark.FAILED, Mark.WAITING)
_DECIDING: Final = (*_STOPPED, Mark.HERE, Mark.UNKNOWN)
"""What a reader wants to know of first, where it is true of a station or of the way to it."""
_LONGEST_LINE: Final = 2000


def page(trace: Trace) -> str:
    """Return the journeys of a trace as one HTML document that needs nothing beside itself."""
    shown = trace.messages[:_MOST_MESSAGES]
    name = brief(shown[0].message_id, 100) if len(shown) == 1 else f"{len(trace.messages)} messages"
    body = "".join(_message(message, n) for n, message in enumerate(shown))
    if len(trace.messages) > len(shown):
        body += f"<p>{len(trace.messages) - len(shown)} more messages are not shown.</p>"
    return web_page(f"Where is my mail? {name}", body)


def _message(message: TracedMessage, n: int) -> str:
    shown = {id(step.hop) for step in timeline(message.hops, _MOST_STEPS) if isinstance(step, Item)}

    def anchor(path: Path, station: Station) -> str | None:
        """Return where the last evidence of a station is on the page."""
        if path.notice is not None:
            number = message.notices.index(path.notice)
            return f"#m{n}-n{number}" if number < _MOST_NOTICES else None
        seen = [each for each in station.hops if id(message.hops[each]) in shown]
        return f"#m{n}-h{seen[-1]}" if seen else None

    ways = paths(message)
    parts = (
        f'<article><p class="id">{_name(message)}</p>',
        f'<h1 class="{message.state}">{safe(_headed(message, ways))}</h1>',
        *_ends(ways, anchor),
        *(f'<p class="note">{safe(brief(note.text, 500))}</p>' for note in message.notes),
        '<div class="picture" tabindex="0" role="group" aria-label="The journey">',
        f"{svg(message, anchor)}</div>",
        _recipients(message.recipients),
        "<h2>What it means</h2>",
        *(_meaning(each) for each in _meanings(message)),
        *_timeline("Timeline", message.hops, f"m{n}-h"),
        *(_notice(each, f"m{n}-n{k}") for k, each in enumerate(message.notices[:_MOST_NOTICES])),
        "</article>",
    )
    return "".join(parts)


def _ends(ways: Sequence[Path], anchor: Callable[[Path, Station], str | None]) -> Iterator[str]:
    """Show the stations that decide: where it failed and where it waits, else where it is.

    On a narrow screen the picture begins with its sender, and these are out of sight.
    """
    there = [(way, each) for way in ways if way.notice is None for each in way.stations]
    ends = [(way, each, mark) for mark in _DECIDING for way, each in there if mark in {each.state, each.link}]
    if any(mark in _STOPPED for *_, mark in ends):
        ends = [each for each in ends if each[2] in _STOPPED]
    else:
        ends = [each for each in ends if each[2] is ends[0][2]]
    distinct = {(station.kind, station.name): (way, station, mark) for way, station, mark in reversed(ends)}
    for way, station, mark in list(reversed(distinct.values()))[:_MOST_ENDS]:
        link = anchor(way, station)
        name = safe(f"{NAMES[mark]} {station.kind} {brief(station.name, 200)}")
        says = station.says or str(station.state).replace("-", " ")
        lines = "".join(f"<li>{safe(brief(each, 300))}</li>" for each in (*station.lines[:_MOST_FACTS], says))
        shown = f'<a href="{safe(link)}">{name}</a>' if link else name
        yield f'<div class="end {mark}"><b>{shown}</b><ul>{lines}</ul></div>'


def _name(message: TracedMessage) -> str:
    sender = {None: "unknown", "": "<> (a notification)"}.get(message.mail_from, message.mail_from) or ""
    name = brief(message.message_id, 300) or "no Message-ID"
    return f"<code>{safe(name)}</code> from <code>{safe(brief(sender))}</code>"


def _headed(message: TracedMessage, ways: Sequence[Path]) -> str:
    said = headline(message, ways)
    return f"{sign(message.state)} {said[:1].upper()}{said[1:]}"


def _recipients(recipients: Sequence[RecipientState]) -> str:
    if not recipients:
        return ""
    rows = "".join(
        f'<tr><td><code>{safe(brief(each.address))}</code>{_original(each)}</td><td class="{each.state}">'
        f"{sign(each.state)} {each.state}</td><td>{safe(brief(each.dsn or '', 12))}</td>"
        f"<td>{safe(brief(each.reason or '', 1000))}</td></tr>"
        for each in recipients[:_MOST_RECIPIENTS]
    )
    rest = len(recipients) - _MOST_RECIPIENTS
    more = f"<p>and {rest} more</p>" if rest > 0 else ""
    head = "<tr><th>Recipient</th><th>State</th><th>Code</th><th>What was said</th></tr>"
    table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
    return f'<h2>Recipients</h2><div class="wide">{table}</div>{more}'


def _original(recipient: RecipientState) -> str:
    if recipient.original.casefold() in {"", recipient.address.casefold()}:
        return ""
    return f"<br>sent to <code>{safe(brief(recipient.original))}</code>"


def _meanings(message: TracedMessage) -> list[Meaning]:
    found = {each.title: each for each in map(meaning_of, message.recipients) if each is not None}
    return list(found.values())[:_MOST_MEANINGS] or [explain_state(message.state)]


def _meaning(meaning: Meaning) -> str:
    steps = "".join(f"<li>{safe(brief(each, 500))}</li>" for each in meaning.next)
    sources = "; ".join(brief(each, 200) for each in meaning.sources)
    return (
        f"<section class=meaning><h3>{safe(brief(f'{meaning.subject}: {meaning.title}', 300))}</h3>"
        f"<p>{safe(brief(meaning.text, 2000))}</p>"
        + (f"<p><b>Usually:</b> {safe(brief(meaning.cause, 2000))}</p>" if meaning.cause else "")
        + (f"<p><b>What to look at next:</b></p><ol>{steps}</ol>" if steps else "")
        + (f'<p class="soft">{safe(sources)}</p>' if sources else "")
        + "</section>"
    )


def _timeline(title: str, hops: Sequence[Hop], anchor: str) -> Iterator[str]:
    if not hops:
        return
    today = ""
    yield f"<h2>{safe(title)}</h2>"
    for step in timeline(hops, _MOST_STEPS):
        if isinstance(step, Gap):
            yield f'<p class="gap">⋮ {safe(step.text)}</p>'
            continue
        if (its_day := day(step.hop.at)) != today:
            today = its_day
            yield f'<p class="day">{its_day}</p>'
        yield _step(step, f"{anchor}{step.index}")


def _step(step: Item, name: str) -> str:
    hop = step.hop
    known = "".join(f"<dt>{safe(label)}</dt><dd>{safe(value)}</dd>" for label, value in _known(hop))
    return (
        f'<details id="{name}" class="e-{hop.event}"><summary><time>{clock_time(hop.at)}</time>'
        f'<span class="since">{delta(step.since)}</span><b>{safe(brief(hop.host, 60))}</b>'
        f'<span class="said">{safe(brief(hop.text, 600))}</span></summary>'
        f"<dl>{known}</dl>{_evidence(hop)}</details>"
    )


def _known(hop: Hop) -> Iterator[tuple[str, str]]:
    if hop.queue_id:
        yield "queue id", brief(hop.queue_id, 40)
    yield from facts(hop)
    reply = hop.detail.get("reply")
    if isinstance(reply, str) and reply:
        yield "reply", brief(reply, 1000)
        meaning = explain_reply(reply)
        yield "which means", f"{brief(meaning.title, 200)}. {brief(meaning.text, 1000)}"


def _evidence(hop: Hop) -> str:
    lines = hop.detail.get("lines")
    found = [str(each) for each in lines] if isinstance(lines, list | tuple) else []
    if not found:
        return ""
    shown = "\n".join(_raw(each) for each in found[:_MOST_LINES])
    more = f"\n… {len(found) - _MOST_LINES} more lines" if len(found) > _MOST_LINES else ""
    return f'<pre tabindex="0" aria-label="log lines">{safe(shown + more)}</pre>'


def _raw(line: str) -> str:
    """Return a log line as it is, but for what would not be one line, and for its end where it is endless."""
    shown = harmless(line[:_LONGEST_LINE].replace("\n", "\\n"))
    return shown if len(line) <= _LONGEST_LINE else f"{shown} … cut: {len(line):,} characters in all"


def _notice(notice: Notice, name: str) -> str:
    whom = ", ".join(brief(each.address, 100) for each in notice.recipients[:3]) or f"the {notice.to}"
    told = f"{notice.host} wrote a {notice.kind} notification to {whom}: {notice.state}"
    report = _report(notice.dsn) if notice.dsn is not None else ""
    return (
        f'<section id="{name}">'
        + "".join(_timeline("The way back", notice.hops, f"{name}-h"))
        + f"<p>{safe(brief(told, 400))}</p>{report}</section>"
    )


def _report(report: Dsn) -> str:
    """Show what a notification says (RFC 3464)."""
    fields = [
        ("Reporting-MTA", report.reporting_mta),
        ("Original Message-ID", report.original_message_id),
        ("Original-Envelope-Id", report.original_envelope_id),
    ]
    blocks = [_fields(fields)]
    for each in report.recipients[:_MOST_RECIPIENTS]:
        until = each.will_retry_until.isoformat() if each.will_retry_until else None
        about = [
            ("Final-Recipient", each.address),
            ("Original-Recipient", each.original),
            ("Action", each.action),
            ("Status", each.status),
            ("Remote-MTA", each.remote_mta),
            ("Diagnostic-Code", each.diagnostic_code),
            ("Will-Retry-Until", until),
        ]
        blocks.append(_fields(about))
        if each.diagnostic_code:
            blocks.append(_meaning(explain_reply(each.diagnostic_code, given_up=each.action == "failed")))
    return f"<details class=report><summary>The report itself</summary>{''.join(blocks)}</details>"


def _fields(pairs: Iterable[tuple[str, str | None]]) -> str:
    shown = (f"<dt>{name}</dt><dd>{safe(brief(value, 1000))}</dd>" for name, value in pairs if value)
    return f"<dl>{''.join(shown)}</dl>"
