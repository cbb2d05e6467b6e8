"""A message's ways drawn in characters: boxes in rows, as wide as the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labctl.report.layout.tree import Branch, branches
from labctl.report.layout.wrap import brief, columns, padded, wrapped
from labctl.report.tracing.headline import told
from labctl.trace.picture.path import Mark, Path, Station

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MARGIN: Final = 4
_LINK: Final = 5
_NARROWEST, _WIDEST = 20, 30
_MOST_WAYS: Final = 8

_FRAMES: Final = {
    Mark.FAILED: "┏━┓┃┗┛",
    Mark.HERE: "╔═╗║╚╝",
    Mark.WAITING: "╔═╗║╚╝",
    Mark.NOT_REACHED: "┌┄┐┊└┘",
    Mark.UNKNOWN: "┌┄┐┊└┘",
}
_PLAIN: Final = "┌─┐│└┘"
_LINKS: Final = {
    Mark.PASSED: "────→",
    Mark.FAILED: "──✗─→",
    Mark.NOT_REACHED: "┄┄┄┄→",
    Mark.UNKNOWN: "┄┄?┄→",
}


@dataclass(frozen=True, slots=True)
class _Box:
    station: Station
    extra: tuple[str, ...] = ()


def chain(ways: Sequence[Path], width: int = 80) -> str:
    """Draw the ways of a message and of the notifications about it.

    Args:
        ways: Its `paths`.
        width: Columns of the terminal; a box needs 24 of them.
    """
    forward = [each for each in ways if each.notice is None]
    back = [each for each in ways if each.notice is not None]
    parts = ["\n".join(_branch(each, width)) for each in branches(forward[:_MOST_WAYS])]
    if len(forward) > _MOST_WAYS:
        parts.append(f"  {len(forward) - _MOST_WAYS} more ways are not drawn.")
    for way in back[:_MOST_WAYS]:
        kind = way.notice.kind if way.notice else ""
        said = wrapped(f"the way back, of the notification ({kind}):", width - 2)
        lines = _rows([_Box(each) for each in way.stations], width)
        parts.append("\n".join((*(f"  {line}" for line in said), *lines)))
    return "\n\n".join(parts)


def _branch(branch: Branch, width: int) -> Iterator[str]:
    path = branch.path
    others = [brief(each.address, 60) for each in path.recipients[1:]]
    boxes = [_Box(each) for each in branch.stations]
    if others and boxes:
        boxes[-1] = _Box(boxes[-1].station, _and_others(others))
    if branch.parent is not None:
        before = path.stations[branch.start - 1]
        yield f"  from {brief(before.name, width - 10)}:"
    yield from _rows(boxes, width, begins=branch.parent is None)
    if path.loop is not None:
        back, to = (brief(path.stations[n].name, 60) for n in path.loop)
        times = "once" if path.rounds == 1 else f"{path.rounds} times"
        for line in wrapped(f"↺ a loop: from {back} it came back to {to}, {times}", width - _MARGIN):
            yield f"    {line}"


def _and_others(others: list[str]) -> tuple[str, ...]:
    shown = others if len(others) <= 3 else others[:2]  # noqa: PLR2004  # a box's height
    return (*shown, *([f"and {len(others) - 2} more"] if len(others) > len(shown) else []))


def _rows(boxes: Sequence[_Box], width: int, *, begins: bool = True) -> Iterator[str]:
    """Set boxes side by side, as many in each row as in the others."""
    if not boxes:
        return
    fitting = max((width - _MARGIN + _LINK) // (_NARROWEST + _LINK), 1)
    rows = -(-len(boxes) // fitting)
    abreast = -(-len(boxes) // rows)
    box_width = max(min((width - _MARGIN - _LINK * (abreast - 1)) // abreast, _WIDEST), 8)
    for n in range(0, len(boxes), abreast):
        yield from _row(boxes[n : n + abreast], box_width, first=begins and not n)


def _row(boxes: Sequence[_Box], width: int, *, first: bool) -> Iterator[str]:
    contents = [_content(each, width - 4) for each in boxes]
    height = max(len(each) for each in contents)
    drawn = [
        _drawn(box.station, (*lines, *([""] * (height - len(lines)))), width)
        for box, lines in zip(boxes, contents, strict=True)
    ]
    for n in range(height + 2):
        line = "" if first else _lead_in(boxes[0].station.link, n)
        parts = [line.ljust(_MARGIN)]
        for box, lines in zip(boxes, drawn, strict=True):
            if box is not boxes[0]:
                parts.append(_LINKS.get(box.station.link, _LINKS[Mark.PASSED]) if n == 1 else " " * _LINK)
            parts.append(lines[n])
        yield "".join(parts).rstrip()


def _lead_in(link: Mark, line: int) -> str:
    """Draw the end of a link that began in the row above."""
    if line != 1:
        return ""
    return {Mark.FAILED: " ✗─→", Mark.NOT_REACHED: " ┄┄→", Mark.UNKNOWN: " ?┄→"}.get(link, " ──→")


def _content(box: _Box, room: int) -> list[str]:
    station = box.station
    lines = wrapped(brief(station.name, 200), room, 3)
    rows = 3 if station.state is Mark.FAILED else 2
    for each in station.lines[:3]:
        lines.extend(wrapped(brief(each, 200), room, rows if " " in each else 1))
    lines.extend(line for each in box.extra for line in wrapped(each, room, 2))
    if said := told(station):
        lines.extend(wrapped(said, room, 2 if station.state is Mark.PASSED else 3))
    return lines


def _drawn(station: Station, lines: Sequence[str], width: int) -> list[str]:
    left, flat, right, side, low_left, low_right = tuple(_FRAMES.get(station.state, _PLAIN))
    name = f"{left}{flat} {station.kind} "
    return [
        name + flat * (width - columns(name) - 1) + right,
        *(f"{side} {padded(line, width - 4)} {side}" for line in lines),
        low_left + flat * (width - 2) + low_right,
    ]
