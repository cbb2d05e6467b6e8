"""What the resolver answered, to be checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labctl.exercises.vocabulary.expectation import WITHIN, ExpectationFailed
from labctl.mail.log.querylog import DnsAnswer

if TYPE_CHECKING:
    from labctl.exercises.result.narration import Narrator
    from labctl.exercises.vocabulary.expectation import Expectations
    from labctl.lab.running.instance import Host
    from labctl.resolver import Answer
    from labctl.trace.logs.entry import Entry


@dataclass(frozen=True, slots=True)
class Records:
    """An answer of the resolver's.

    Args:
        answer: The answer.
        expectations: Wait for hosts of the lab to ask the same.
        narrator: Told what is checked.
    """

    answer: Answer
    _expectations: Expectations
    _narrator: Narrator

    @property
    def rcode(self) -> str:
        """The response code, as ``NOERROR``."""
        return self.answer.rcode

    @property
    def texts(self) -> list[str]:
        """The records' data, as ``10 mx.beta.test.``."""
        return [each.text for each in self.answer.records]

    @property
    def lines(self) -> list[str]:
        """The answer as evidence."""
        records = [f"{each.name} {each.type} {each.text}" for each in self.answer.records]
        return [f"{self.answer.name} {self.answer.type}: {self.rcode}", *records]

    def must_be(self, *records: str, rcode: str = "NOERROR") -> None:
        """Check that these records are the answer, in any order, and no others.

        Raises:
            ExpectationFailed: The answer is another.
        """
        expected = f"{rcode}, {', '.join(sorted(records)) or 'no records'}"
        with self._narrator.step(f"The answer is {expected}") as evidence:
            evidence.extend(self.lines)
            if self.rcode != rcode or sorted(self.texts) != sorted(records):
                seen = ", ".join(sorted(self.texts)) or "no records"
                raise ExpectationFailed(expected, f"{self.rcode}, {seen}")

    def expect_asked(self, by: str, *, within: float = WITHIN) -> None:
        """Expect that a host asks the same, and is told the same, during the exercise.

        Args:
            by: The host.
            within: Seconds.

        Raises:
            ExpectationFailed: It did not.
        """
        host = self._expectations.there.host(by)
        answer = (self.answer.name.rstrip("."), self.answer.type, self.rcode, sorted(self.texts))
        heard = ", ".join(self.texts) or self.rcode
        what = f"{host.hostname} asks the DNS for {answer[0]} {answer[1]}, and hears {heard}"

        def asked() -> Entry | None:
            return next((e for e in self._expectations.watch.sayings if _told(e, host) == answer), None)

        with self._narrator.step(f"Expect that {what}") as evidence:
            said = self._expectations.expect(what, asked, within=within)
            evidence.append(str(said))


def _told(saying: Entry, host: Host) -> tuple[str, str, str, list[str]] | None:
    """Return what the resolver's log says that it told a host: name, type, response code and records."""
    event = saying.event
    if not isinstance(event, DnsAnswer) or event.client not in map(str, host.addresses):
        return None
    texts = sorted(" ".join(each.split(maxsplit=4)[4:]) for each in event.records)  # name, TTL, class, type
    return event.name.rstrip("."), event.type, event.rcode or "", texts
