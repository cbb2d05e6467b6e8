"""The scanner, which has no password: it may write to one domain, and to no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callers import scanned

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_the_scanner_writes_to_alpha(lab: ExerciseLab, amy: Person, bob: Person) -> None:
    """What the scanner sends to amy@alpha.test, the tax adviser, and to bob@beta.test arrives."""
    for reader in (amy, bob):
        reader.mailbox.expect(scanned(lab, reader.address))


def test_the_scanner_writes_to_nobody_else(chance: Chance, lab: ExerciseLab) -> None:
    """What the scanner sends to another domain is refused by mx.beta.test at RCPT."""
    for domain in ("dns.lab.test", "gamma.test"):
        letter = scanned(lab, f"{chance.name()}@{domain}")
        attempt = lab.expectations.expect(
            "an answer of mx.beta.test to the scanner",
            lambda letter=letter: next(letter.attempts(), None),  # type: ignore[misc]
            letter=letter,
        )
        if "RCPT TO" not in attempt.says:
            raise lab.fail("a refusal of the recipient", f"{attempt.status}: {attempt.says}", letter)
