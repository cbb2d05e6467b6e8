"""Which mailboxes there are, what comes into which, and how much."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from readers import session

from labctl.exercises.vocabulary.expectation import ExpectationFailed

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person

LIMIT = 1024
"""KiB, as GETQUOTAROOT counts (RFC 9208)."""


def test_the_usual_mailboxes_are_there(lab: ExerciseLab, bea: Person) -> None:
    """Who logs in for the first time finds mailboxes for sent, deleted and unwanted mail, and sees them."""
    with session(lab, bea) as first:
        there, seen = first.mailboxes(), first.subscribed()
    for use in (r"\Sent", r"\Trash", r"\Junk"):
        found = [name for name, attributes in there.items() if use in attributes]
        if len(found) != 1:
            raise ExpectationFailed(f"one mailbox for {use}", ", ".join(found) or "none", told(there))
        if found[0] not in seen:
            raise ExpectationFailed(f"{found[0]} is subscribed", ", ".join(seen) or "nothing is", told(there))


def test_a_list_has_its_mailbox(chance: Chance, lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """There is a mailbox lists, and a letter to bob+lists@beta.test comes into it."""
    with session(lab, bob) as before:
        if "lists" not in (there := before.mailboxes()):
            raise ExpectationFailed("a mailbox lists", ", ".join(there), told(there))
    letter = alice.send("bob+lists@beta.test", f"To the list {chance.token()}")
    bob.mailbox.expect(letter, "lists")
    bob.mailbox.must_not_hold(letter)


def test_nobody_makes_mailboxes_by_mail(chance: Chance, lab: ExerciseLab, alice: Person, bob: Person) -> None:
    """A letter to bob+anything@beta.test comes into the INBOX, and makes no mailbox."""
    anything = chance.token().lower()
    letter = alice.send(f"bob+{anything}@beta.test", "A new mailbox, please")
    with session(lab, bob) as before:
        expected = set(before.mailboxes())
    bob.mailbox.expect(letter)
    with session(lab, bob) as after:
        if made := set(after.mailboxes()) - expected | {anything} & expected:
            raise ExpectationFailed("no new mailbox", ", ".join(made))


def test_a_mailbox_is_bounded(lab: ExerciseLab, alice: Person, bea: Person) -> None:
    """Bea may keep 1 MiB: mail programs are told so, and what is more is refused at once, with 5.2.2."""
    with session(lab, bea) as reader:
        said = reader.quota()
    if not any(re.search(rf"\bSTORAGE \d+ {LIMIT}\b", each) for each in said):
        raise ExpectationFailed(f"a limit of {LIMIT} KiB", "; ".join(said) or "no limit")
    letter = alice.send(bea, "Photographs", body="A photograph.\n" * 100_000)
    alice.expect_bounce(letter, status="5.2.2", reported_by="mx.beta.test")
    bea.mailbox.expect(alice.send(bea, "Without photographs"))


def told(mailboxes: dict[str, set[str]]) -> tuple[str, ...]:
    """Return mailboxes and their attributes, a line each."""
    return tuple(f"{name}: {' '.join(sorted(each))}" for name, each in mailboxes.items())
