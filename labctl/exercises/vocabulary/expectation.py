"""Expectations: they wait for a fact, end at once when it can't come any more, and say what was seen."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from labctl.errors import LabctlError
from labctl.lab.inside.queues import read_queue
from labctl.lab.role import Role
from labctl.trace.journey.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labctl.engine.protocol import Engine
    from labctl.exercises.log.watch import Watch
    from labctl.exercises.vocabulary.letter import Letter
    from labctl.lab.running.instance import Instance

T = TypeVar("T")

WITHIN: Final = 15.0
"""Seconds that a fact of mail has to come to be; what is there at once costs nothing of them."""

_MOST_HOPS: Final = 40


class ExpectationFailed(AssertionError):  # read by students: "expectation failed"
    """The mail did something else than was expected.

    Args:
        expected: What was expected.
        seen: What was seen instead.
        evidence: What proves it, a line each.
    """

    def __init__(self, expected: str, seen: str, evidence: tuple[str, ...] = ()) -> None:
        lines = (f"expected: {expected}", f"    seen: {seen}", *(f"  {each}" for each in evidence))
        super().__init__("\n".join(lines))
        self.expected = expected
        self.seen = seen
        self.evidence = evidence


@dataclass(frozen=True, slots=True)
class Expectations:
    """Waits for facts of one lab.

    Args:
        engine: The engine.
        there: The lab.
        watch: What its daemons say.
    """

    engine: Engine
    there: Instance
    watch: Watch

    def expect(
        self,
        expected: str,
        found: Callable[[], T | None],
        *,
        letter: Letter | None = None,
        hopeless: Callable[[], str | None] = lambda: None,
        within: float = WITHIN,
        polls: bool = False,
    ) -> T:
        """Wait for a fact.

        Args:
            expected: The fact in words.
            found: Returns it, or None while it is not there.
            letter: The letter that it is about, for the evidence where it does not come.
            hopeless: Returns why it can't come any more, or None.
            within: Seconds until the deadline.
            polls: Whether it may come to be without any daemon saying so.

        Raises:
            ExpectationFailed: It did not come.
        """

        def look() -> T | None:
            fact = found()
            if fact is None and (seen := hopeless()) is not None:
                raise self.failure(expected, seen, letter)
            return fact

        fact = self.watch.until(look, within=within, polls=polls)
        if fact is None:
            seen = f"not within {within:g} s" + (f"; the letter is {letter.state}" if letter else "")
            raise self.failure(expected, seen, letter)
        return fact

    def failure(self, expected: str, seen: str, letter: Letter | None = None) -> ExpectationFailed:
        """Return the failure of an expectation, with all that is known of the letter."""
        evidence = tuple(self._evidence(letter)) if letter is not None else ()
        return ExpectationFailed(expected, seen, evidence)

    def _evidence(self, letter: Letter) -> Iterator[str]:
        """Collect what is known of a letter: its place in the queues, and its journey until now."""
        yield f"Message-ID {letter.message_id}"
        if letter.submission is not None:
            yield f"the server's reply: {letter.reply}"
        for each in letter.tracker.recipients:
            yield f"{each.address}: {each.state}" + (f" ({each.dsn} {each.reason})" if each.reason else "")
        yield from self._queue_entries(letter)
        journey = letter.journey(World(hosts=self.there.names_by_address))
        hops = journey.hops if journey is not None else ()
        for hop in hops[-_MOST_HOPS:]:
            yield f"{hop.at:%H:%M:%S.%f}"[:12] + f" {hop.host}: {hop.text}"

    def _queue_entries(self, letter: Letter) -> Iterator[str]:
        for host in self.there.of_role(Role.MTA):
            with suppress(LabctlError):  # a host that was stopped has no queue to show
                for entry in read_queue(self.engine, host):
                    if entry.message_id == letter.message_id:
                        reasons = ", ".join(f"{e.address} ({e.delay_reason})" for e in entry.recipients)
                        yield f"{host.hostname}, queue {entry.queue_name}: {entry.queue_id} for {reasons}"
