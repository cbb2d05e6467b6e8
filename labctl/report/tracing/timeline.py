"""What happened to a message, in the order of time, and what is known of each step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from labctl.mail.clock import in_words
from labctl.mail.log import undated
from labctl.report.layout.wrap import brief
from labctl.trace.journey.hop import HopEvent
from labctl.trace.picture.evidence import ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from labctl.trace.journey.hop import Hop

_STAGES: Final = {
    "before_queue_manager": "before the queue manager",
    "in_queue": "in the queue",
    "connection": "to connect",
    "transmission": "to transmit",
}
_ROUNDS: Final = 4
"""So many rounds of retries that are like each other are not all shown."""


@dataclass(frozen=True, slots=True)
class Item:
    """One step of a timeline."""

    index: int
    """Of the hop among the message's."""
    hop: Hop
    since: float | None
    """Seconds after the step before."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Steps that are not shown."""

    text: str


def timeline(hops: Sequence[Hop], limit: int) -> list[Item | Gap]:
    """Return the steps to show: not the retries that are all alike, and not more than a limit.

    Args:
        hops: In the order of time.
        limit: At most so many; of more, the first and the last.
    """
    shown = list(_without_repetition(hops))
    if sum(isinstance(each, Item) for each in shown) <= limit:
        return shown
    head, tail = shown[: limit // 2], shown[len(shown) - limit // 2 :]
    first, last = (n.index for n in (_items(head)[-1], _items(tail)[0]))
    return [*head, Gap(f"{last - first - 1} more steps"), *tail]


def day(moment: datetime) -> str:
    """Say which day a moment is on, in UTC."""
    if not undated.is_known(moment):
        return "at times that the log does not tell"
    return f"{moment.astimezone(UTC):%d %b %Y}, UTC"


def clock_time(moment: datetime) -> str:
    """Say a moment's time of day in UTC, to the millisecond; a dash where nobody knows it."""
    if not undated.is_known(moment):
        return f"{'-':12}"
    return moment.astimezone(UTC).strftime("%H:%M:%S.%f")[:-3]


def delta(seconds: float | None) -> str:
    """Say how much later a step came."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    mark = "+" if seconds >= 0 else "-"
    seconds = abs(seconds)
    return (
        f"{mark}{seconds * 1000:.0f} ms" if seconds < 1 else f"{mark}{in_words(seconds)}"
    )  # below it, ms say more


def facts(hop: Hop) -> Iterator[tuple[str, str]]:
    """Yield what is known of a step beside its sentence: a name and a text for each fact."""
    detail = hop.detail
    if hop.event in ATTEMPTS:
        yield from _delays(detail)
    if (wait := _number(detail.get("next_try_in"))) is not None:
        at = detail.get("next_try_at")
        known = at if isinstance(at, datetime) and undated.is_known(at) else None
        when = f", at {known.astimezone(UTC):%H:%M:%S}" if known is not None else ""
        real = _number(detail.get("real_wait"))
        world = f"; in the real world after {in_words(real)}" if real is not None else ""
        yield "next try", f"in {in_words(wait)}{when}{world}"
    if hop.event is HopEvent.LOOKUP:
        if (took := _number(detail.get("duration"))) is not None:
            yield "answered", f"after {took * 1000:.1f} ms"
        if others := _texts(detail.get("shared_with")):
            shown = ", ".join(brief(each, 100) for each in others[:3])
            more = f" and {len(others) - 3} more" if len(others) > 3 else ""  # noqa: PLR2004  # those shown
            yield "perhaps", f"for another message that went the same way: {shown}{more}"
    if hop.event is HopEvent.FETCHED and _texts(detail.get("shared_with")):
        yield "perhaps", "another message: the log does not say which one was fetched"
    if hop.event not in {HopEvent.SUBMITTED, HopEvent.RECEIVED} and (tls := detail.get("tls")):
        yield "TLS", brief(str(tls))


def _delays(detail: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Break an attempt's delay down (postconf(5), delay_logging_resolution_limit)."""
    total = _number(detail.get("delay"))
    parts = detail.get("delays")
    if total is None or not isinstance(parts, Mapping):
        return
    spent = [
        f"{_spent(seconds)} {name}" for key, name in _STAGES.items() if (seconds := _number(parts.get(key)))
    ]
    yield "delay", (f"{_spent(total)}: " if len(spent) > 1 else "") + (", ".join(spent) or "none")


def _spent(seconds: float) -> str:
    """Say a short time as exactly as the log does."""
    return in_words(seconds) if seconds >= 1 else f"{seconds:.2g} s"


def _number(value: Any) -> float | None:
    good = (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    )
    return float(value) if good else None


def _texts(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


def _without_repetition(hops: Sequence[Hop]) -> Iterator[Item | Gap]:
    rounds = list(_rounds(_stepped(hops)))
    n = 0
    while n < len(rounds):
        like = n
        while like + 1 < len(rounds) and _kind(rounds[like + 1]) == _kind(rounds[n]):
            like += 1
        if len(rounds[n]) and rounds[n][0].hop.event is HopEvent.RETRIED and like - n + 1 >= _ROUNDS:
            yield from rounds[n]
            yield Gap(f"{like - n - 1} more retries like this one")
            n = like
        yield from rounds[n]
        n += 1


def _stepped(hops: Sequence[Hop]) -> Iterator[Item]:
    before: datetime | None = None
    for n, hop in enumerate(hops):
        yield Item(n, hop, (hop.at - before).total_seconds() if before is not None else None)
        before = hop.at if undated.is_known(hop.at) else None


def _rounds(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Part steps where the queue manager takes the message up again."""
    found: list[Item] = []
    for item in items:
        if item.hop.event is HopEvent.RETRIED and found:
            yield found
            found = []
        found.append(item)
    if found:
        yield found


def _kind(found: list[Item]) -> frozenset[tuple[HopEvent, str, str]]:
    return frozenset((each.hop.event, each.hop.host, str(each.hop.detail.get("dsn"))) for each in found)


def _items(found: Iterable[Item | Gap]) -> list[Item]:
    return [each for each in found if isinstance(each, Item)]
