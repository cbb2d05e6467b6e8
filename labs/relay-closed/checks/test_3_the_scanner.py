"""The scanner, which has no password: it may write to one domain, and to no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callers import asked_by, scanned

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_the_scanner_writes_to_alpha(lab: ExerciseLab, amy: Person, bob: Person) -> None:
    """What the scanner sends to amy@alpha.test, the tax adviser, and to bob@beta.test arrives."""
    for reader in (amy, bob):
        reader.mailbox.expect(scanned(lab, reader.address))


def test_the_scanner_writes_to_nobody_else(chance: Chance, lab: ExerciseLab) -> None:
    """What the scanner offers for another domain is refused by mx.beta.test at RCPT."""
    for domain in ("dns.lab.test", "gamma.test"):
        asked_by(lab, "scanner-beta", "bob@beta.test", f"{chance.name()}@{domain}").must_be_refused()
