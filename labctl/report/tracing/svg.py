"""The picture of a message's journey as SVG: complete in itself, light and dark, without a script."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from labctl.report.layout.junit import lawful
from labctl.report.layout.tree import Branch, branches
from labctl.report.layout.wrap import brief, wrapped
from labctl.report.tracing.headline import NAMES, headline, told
from labctl.trace.picture.path import Mark, Station, StationKind, paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from labctl.trace.journey.hop import TracedMessage
    from labctl.trace.picture.path import Path

_BOX, _GAP, _PAD, _LINE = 204, 66, 24, 17
_ROOM: Final = 23
"""Columns of text in a box: a letter of the fixed width takes 7.9 units at most."""
_DNS_ROOM: Final = 30
_DNS_BOX: Final = 254
_MOST_WAYS: Final = 12

_STYLE: Final = """
.lj{--bg:#fcfcfa;--ink:#1d2330;--soft:#555e6e;--line:#7a8494;--box:#fff;
--ok:#1c7044;--okf:#eef7f1;--here:#1a56a8;--heref:#e7f0fc;--wait:#805300;--waitf:#fff3d3;
--bad:#b1201a;--badf:#fdebe9;--un:#64548f;--unf:#f3f0fa}
@media (prefers-color-scheme:dark){.lj{--bg:#14171d;--ink:#e8ebf0;--soft:#a9b2c0;--line:#7d8797;--box:#1b2028;
--ok:#6fcf97;--okf:#16271d;--here:#7ab3ff;--heref:#15263f;--wait:#f2c14e;--waitf:#33280f;
--bad:#ff8f87;--badf:#3a1917;--un:#b9a8ec;--unf:#241f35}}
.lj .bg{fill:var(--bg)}
.lj text{fill:var(--ink);font:12.5px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
.lj .k,.lj .s,.lj .h{font-family:system-ui,"DejaVu Sans",sans-serif}
.lj .k{fill:var(--soft);font-size:11px;letter-spacing:.06em}
.lj .h{fill:var(--soft);font-size:12.5px}
.lj .n{font-weight:700}
.lj .s{font-weight:600;font-size:12px}
.lj rect.b{fill:var(--box);stroke:var(--line);stroke-width:1.5}
.lj path{fill:none;stroke:var(--line);stroke-width:2}
.lj path.tip{fill:var(--line);stroke:none}
.lj .passed .s{fill:var(--ok)}
.lj .here rect.b,.lj .waiting rect.b,.lj .failed rect.b{stroke-width:3}
.lj .here rect.b{stroke:var(--here);fill:var(--heref)}.lj .here .s{fill:var(--here)}
.lj .waiting rect.b{stroke:var(--wait);fill:var(--waitf)}.lj .waiting .s{fill:var(--wait)}
.lj .failed rect.b{stroke:var(--bad);fill:var(--badf)}.lj .failed .s,.lj text.cross{fill:var(--bad)}
.lj .not-reached rect.b{stroke-dasharray:5 5;fill:none}.lj .not-reached text{fill:var(--soft)}
.lj .unknown rect.b{stroke:var(--un);stroke-dasharray:2 4;fill:var(--unf)}.lj .unknown .s{fill:var(--un)}
.lj path.l-failed{stroke:var(--bad)}.lj path.l-not-reached{stroke-dasharray:5 5}
.lj path.l-unknown{stroke:var(--un);stroke-dasharray:2 4}
.lj path.ask{stroke-width:1.5;stroke-dasharray:3 3}
.lj text.cross{font-size:19px;font-weight:700;text-anchor:middle}
.lj a:focus rect.b,.lj a:hover rect.b{stroke-width:4}
"""


def svg(message: TracedMessage, anchor: Callable[[Path, Station], str | None] | None = None) -> str:
    """Draw a message's journey.

    Args:
        message: The message.
        anchor: Returns where a station's evidence is in the page around the picture, as ``#…``.
    """
    ways = paths(message)
    parts: list[str] = []
    width, y = 0, _PAD
    forward = [each for each in ways if each.notice is None]
    places: dict[int, list[_Place]] = {}
    for n, branch in enumerate(branches(forward[:_MOST_WAYS])):
        row = _Row(branch.path, branch.stations, branch.start, y, anchor, branch.path.recipients[1:])
        before = _parent(branch, places)
        parts.extend(_joint(before, row))
        parts.extend(row.drawn())
        places[n] = row.places
        width, y = max(width, row.right), row.bottom + 22
    rest = len(forward) - _MOST_WAYS
    if rest > 0:
        parts.append(_text(_PAD, y + 12, "h", f"{rest} more ways are not drawn."))
        y += 28
    for way in [each for each in ways if each.notice is not None][:_MOST_WAYS]:
        kind = way.notice.kind if way.notice else ""
        parts.append(_text(_PAD, y + 12, "h", f"↩ the way back, of the {kind} notification"))
        row = _Row(way, way.stations, 0, y + 24, anchor, ())
        parts.extend(row.drawn())
        width, y = max(width, row.right), row.bottom + 22
    title = headline(message, ways)
    width, height = width + _PAD, y
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lj" role="img" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}"><title>{_safe(brief(title, 300))}</title>'
        f"<desc>{_safe(_described(ways))}</desc><style>{_STYLE}</style>"
        f'<rect class="bg" width="{width}" height="{height}"/>{"".join(parts)}</svg>\n'
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the box of a station is."""

    station: Station
    x: int
    y: int
    height: int

    @property
    def middle(self) -> int:
        return self.y + 40


class _Row:
    """A way in one row: boxes side by side, and what the DNS was asked above the link that it led to."""

    def __init__(  # noqa: PLR0917  # a row is built in one place
        self,
        path: Path,
        stations: Sequence[Station],
        start: int,
        y: int,
        anchor: Callable[[Path, Station], str | None] | None,
        others: Sequence[object],
    ) -> None:
        self.path, self.anchor = path, anchor
        column = sum(each.kind is not StationKind.DNS for each in path.stations[:start])
        self.dns: dict[int, Station] = {}
        own: list[Station] = []
        for each in stations:
            if each.kind is StationKind.DNS:
                self.dns[len(own)] = each
            else:
                own.append(each)
        self.more = len(others)
        above = max((_height(each, _DNS_ROOM) for each in self.dns.values()), default=0)
        self.y = y
        top = y + above + (14 if above else 0)
        tallest = max((_height(each, _ROOM) for each in own), default=0)
        tallest += _LINE if self.more else 0
        self.places = [
            _Place(each, _PAD + (column + n) * (_BOX + _GAP), top, tallest) for n, each in enumerate(own)
        ]
        looped = path.loop is not None
        self.bottom = top + tallest + (40 if looped else 0)
        self.right = max((each.x + _BOX for each in self.places), default=_PAD + _BOX)
        if self.dns and max(self.dns) >= len(own):
            self.right += _BOX + _GAP

    def drawn(self) -> Iterator[str]:
        """Draw the links, then the boxes."""
        for before, after in zip(self.places, self.places[1:], strict=False):
            yield _link(before.x + _BOX, after.x, after.middle, after.station.link)
        for n, station in self.dns.items():
            x = self.places[n].x if n < len(self.places) else self.right - _BOX
            middle = x - _GAP // 2
            height = _height(station, _DNS_ROOM)
            if n < len(self.places):
                yield f'<path class="ask" d="M{middle} {self.y + height}V{self.places[n].middle}"/>'
            yield self._box(station, max(middle - _DNS_BOX // 2, 4), self.y, _DNS_BOX, height, _DNS_ROOM)
            if station.state is Mark.FAILED and n < len(self.places):
                yield _cross(middle, self.places[n].middle)
        for place in self.places:
            last = place is self.places[-1]
            more = f"and {self.more} more" if last and self.more else ""
            yield self._box(place.station, place.x, place.y, _BOX, place.height, _ROOM, more)
        yield from self._loop()

    def _loop(self) -> Iterator[str]:
        if self.path.loop is None:
            return
        own = {id(each.station): each for each in self.places}
        back, to = (own.get(id(self.path.stations[n])) for n in self.path.loop)
        back, to = back or self.places[-1], to or self.places[0]
        y = back.y + back.height
        left, right = to.x + _BOX // 2, back.x + _BOX // 2
        yield f'<path class="l-failed" d="M{right} {y}v20H{left}v-14"/>'
        yield f'<path class="tip" d="M{left - 6} {y + 9}L{left} {y}L{left + 6} {y + 9}z"/>'
        times = "once" if self.path.rounds == 1 else f"{self.path.rounds} times"
        yield _text(left + 14, y + 36, "h", f"↺ a loop: it came back {times}")

    def _box(  # noqa: PLR0917  # a rectangle is written so
        self, station: Station, x: int, y: int, width: int, height: int, room: int, more: str = ""
    ) -> str:
        lines, says = _content(station, room)
        names = len(wrapped(brief(station.name, 200), room, 3))
        at = y + 20
        parts = [f'<rect class="b" x="{x}" y="{y}" width="{width}" height="{height}" rx="9"/>']
        parts.append(_text(x + 12, at, "k", station.kind.upper()))
        for n, line in enumerate(lines):
            at += _LINE
            parts.append(_text(x + 12, at, "n" if n < names else "", line))
        if more:
            at += _LINE
            parts.append(_text(x + 12, at, "", more))
        for line in says:
            at += _LINE
            parts.append(_text(x + 12, at, "s", line))
        whole = "; ".join(brief(each, 300) for each in (station.name, *station.lines, station.says) if each)
        group = f'<g class="{station.state}"><title>{_safe(whole)}</title>{"".join(parts)}</g>'
        target = self.anchor(self.path, station) if self.anchor else None
        return f'<a href="{_safe(target)}">{group}</a>' if target else group


def _parent(branch: Branch, places: dict[int, list[_Place]]) -> _Place | None:
    """Find the box that a branch leaves from; it leaves from an MTA also where the DNS lies between."""
    if branch.parent is None:
        return None
    before = [each for each in branch.path.stations[: branch.start] if each.kind is not StationKind.DNS]
    wanted = (before[-1].kind, before[-1].name) if before else None
    for own in reversed(places.values()):
        for place in own:
            if (place.station.kind, place.station.name) == wanted:
                return place
    return None


def _joint(before: _Place | None, row: _Row) -> Iterator[str]:
    if before is None or not row.places:
        return
    first = row.places[0]
    x, right = before.x + _BOX // 2, first.x
    y = before.y + before.height
    link = first.station.link
    yield f'<path class="l-{link}" d="M{x} {y}V{first.middle - 8}q0 8 8 8H{right - 10}"/>'
    yield _tip(right, first.middle)
    if link is Mark.FAILED:
        yield _cross(right - _GAP // 2, first.middle)


def _link(left: int, right: int, y: int, mark: Mark) -> str:
    line = f'<path class="l-{mark}" d="M{left + 2} {y}H{right - 10}"/>{_tip(right, y)}'
    return line + (_cross((left + right) // 2, y) if mark is Mark.FAILED else "")


def _tip(x: int, y: int) -> str:
    return f'<path class="tip" d="M{x - 12} {y - 6}L{x - 2} {y}L{x - 12} {y + 6}z"/>'


def _cross(x: int, y: int) -> str:
    return _text(x, y + 7, "cross", NAMES[Mark.FAILED])


def _content(station: Station, room: int) -> tuple[list[str], list[str]]:
    lines = wrapped(brief(station.name, 200), room, 3)
    for each in station.lines[:3]:
        lines.extend(wrapped(brief(each, 200), room, 4 if station.state is Mark.FAILED else 2))
    return lines, wrapped(said, room, 3) if (said := told(station)) else []


def _height(station: Station, room: int) -> int:
    lines, says = _content(station, room)
    return 20 + (len(lines) + len(says)) * _LINE + 12


def _text(x: int, y: int, kind: str, text: str) -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{name}>{_safe(text)}</text>'


def _safe(text: str) -> str:
    """Return text that is text to every reader of XML and HTML."""
    return escape(lawful(text))


def _described(ways: Sequence[Path]) -> str:
    """Tell the picture in words, for those who do not see it."""
    sentences = []
    for way in ways[: 2 * _MOST_WAYS]:
        steps = (
            f"{each.kind} {brief(each.name, 80)}: {brief(each.says, 80) or each.state}"
            for each in way.stations
        )
        sentences.append(("The way back: " if way.notice else "") + "; ".join(steps) + ".")
    return " ".join(sentences)
