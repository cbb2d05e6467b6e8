"""Several ways of one message as one drawing: what they share is drawn once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from labctl.trace.picture.path import Mark, Path, Station, StationKind

if TYPE_CHECKING:
    from collections.abc import Sequence

_URGENCY: Final = (
    Mark.NOT_REACHED,
    Mark.PASSED,
    Mark.UNKNOWN,
    Mark.HERE,
    Mark.FAILED,
    Mark.WAITING,
)
"""Of a station that ways share, what is shown: the last of these that is true of one of them."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A way from where it leaves an earlier one."""

    path: Path
    stations: tuple[Station, ...]
    """Those of its own; what comes before is drawn with an earlier branch."""
    start: int
    """The place of the first of them in the way."""
    parent: int | None
    """The branch that draws the station before; None for the first."""


def branches(paths: Sequence[Path]) -> tuple[Branch, ...]:
    """Part ways into what each has for itself."""
    drawn: dict[tuple[object, ...], int] = {}
    stations: list[list[Station]] = []
    starts: list[int] = []
    parents: list[int | None] = []
    for n, path in enumerate(paths):
        keys = [tuple(_key(each) for each in path.stations[: k + 1]) for k in range(len(path.stations))]
        start = next((k for k, key in enumerate(keys) if key not in drawn), len(keys) - 1)
        for k in range(start):
            owner = drawn[keys[k]]
            place = k - starts[owner]
            stations[owner][place] = _joined(stations[owner][place], path.stations[k])
        drawn.update(dict.fromkeys(keys[start:], n))
        stations.append(list(path.stations[start:]))
        starts.append(start)
        parents.append(drawn[keys[start - 1]] if start else None)
    return tuple(
        Branch(path, tuple(own), start, parent)
        for path, own, start, parent in zip(paths, stations, starts, parents, strict=True)
    )


def _key(station: Station) -> tuple[object, ...]:
    """Tell by what a station is the same one in two ways."""
    facts = station.lines if station.kind is StationKind.DNS else ()
    at_end = station.kind in {StationKind.MDA, StationKind.READER}
    return (station.kind, station.name, station.queue_id, facts, station.says if at_end else "")


def _joined(one: Station, other: Station) -> Station:
    first, second = sorted((one, other), key=lambda each: -_URGENCY.index(each.state))
    says = first.says or second.says
    lines = tuple(dict.fromkeys((*first.lines, *second.lines)))
    hops = tuple(sorted({*one.hops, *other.hops}))
    return replace(first, says=says, lines=lines, hops=hops, link=one.link)
