"""What the resolver answered, to be checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.exercises.vocabulary.expectation import ExpectationFailed

if TYPE_CHECKING:
    from labctl.exercises.narration import Narrator
    from labctl.resolver import Answer


class Records:
    """An answer of the resolver's."""

    def __init__(self, answer: Answer, narrator: Narrator) -> None:
        self.answer = answer
        self._narrator = narrator

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
                raise ExpectationFailed(
                    expected, f"{self.rcode}, {', '.join(sorted(self.texts)) or 'no records'}"
                )
