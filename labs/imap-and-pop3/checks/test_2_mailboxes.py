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


def test_the_usual_mailboxes_are_there(chance: Chance, lab: ExerciseLab, bob: Person, bea: Person) -> None:
    """Who logs in for the first time finds mailboxes for sent, deleted and unwanted mail, and sees them."""
    for reader in chance.shuffled((bob, bea)):
        with session(lab, reader) as first:
            there, seen = first.mailboxes(), first.subscribed()
        for use in (r"\Sent", r"\Trash", r"\Junk"):
            found = [name for name, attributes in there.items() if use.casefold() in attributes]
            if len(found) != 1:
                raise ExpectationFailed(f"one mailbox for {use}", ", ".join(found) or "none", told(there))
            if found[0] not in seen:
                raise ExpectationFailed(
                    f"{found[0]} is subscribed", ", ".join(seen) or "nothing is", told(there)
                )


def test_a_list_has_its_mailbox(
    chance: Chance, lab: ExerciseLab, alice: Person, bob: Person, bea: Person
) -> None:
    """There is a mailbox lists, and a letter to bob+lists@beta.test comes into it."""
    for reader in chance.shuffled((bob, bea)):
        with session(lab, reader) as before:
            if "lists" not in (there := before.mailboxes()):
                raise ExpectationFailed("a mailbox lists", ", ".join(there), told(there))
        letter = alice.send(with_detail(reader, "lists"), f"To the list {chance.token()}")
        reader.mailbox.expect(letter, "lists")
        reader.mailbox.must_not_hold(letter)


def test_nobody_makes_mailboxes_by_mail(
    chance: Chance, lab: ExerciseLab, alice: Person, bob: Person, bea: Person
) -> None:
    """A letter to bob+anything@beta.test comes into the INBOX, and makes no mailbox."""
    reader = chance.choice((bob, bea))
    with session(lab, reader) as before:
        expected = set(before.mailboxes())
    for anything in chance.shuffled((chance.token(), f"lists/{chance.token()}", f"lists-{chance.token()}")):
        letter = alice.send(with_detail(reader, anything), "A new mailbox, please")
        reader.mailbox.expect(letter)
    with session(lab, reader) as after:
        if made := set(after.mailboxes()) - expected:
            raise ExpectationFailed("no new mailbox", ", ".join(made))


def test_a_mailbox_is_bounded(
    chance: Chance, lab: ExerciseLab, alice: Person, bob: Person, bea: Person
) -> None:
    """A user may keep 1 MiB: mail programs are told so, and what is more is refused at once, with 5.2.2."""
    reader = chance.choice((bob, bea))
    with session(lab, reader) as client:
        said = client.quota()
    if not any(re.search(rf"\bSTORAGE \d+ {LIMIT}\b", each) for each in said):
        raise ExpectationFailed(f"a limit of {LIMIT} KiB", "; ".join(said) or "no limit")
    photographs = "A photograph.\n" * 40_000  # more than half of what may be kept
    reader.mailbox.expect(alice.send(reader, "Photographs", photographs))
    for to in chance.shuffled((reader.address, with_detail(reader, "lists"))):
        letter = alice.send(to, "More photographs", photographs)
        alice.expect_bounce(letter, status="5.2.2", reported_by="mx.beta.test")
    with session(lab, reader) as client:
        for name in ("INBOX", *(each for each, uses in client.mailboxes().items() if r"\trash" in uses)):
            if client.keeps(name, photographs.encode()):
                raise ExpectationFailed(f"a limit of {LIMIT} KiB", f"IMAP keeps more in {name}")
    reader.mailbox.expect(alice.send(reader, "Without photographs"))
    with session(lab, reader) as client:
        client.empties("INBOX")  # another check may write to this user


def with_detail(reader: Person, detail: str) -> str:
    """Return a user's address with something behind the plus sign (RFC 5233)."""
    return reader.address.replace("@", f"+{detail}@")


def told(mailboxes: dict[str, set[str]]) -> tuple[str, ...]:
    """Return mailboxes and their attributes, a line each."""
    return tuple(f"{name}: {' '.join(sorted(each))}" for name, each in mailboxes.items())
