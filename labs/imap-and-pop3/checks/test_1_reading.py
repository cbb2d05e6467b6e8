"""Bob reads by IMAP at his desk, and by POP3 on an old telephone; and nobody reads others' mail."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from readers import connected, lets_in_by_imap, lets_in_by_pop3, lets_in_from, session

from labctl.exercises.vocabulary.expectation import ExpectationFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person

AT_ONCE = 6
"""Logins: each is a process of the server's, and other attempts are graded beside this one."""

BY = {"IMAP": lets_in_by_imap, "POP3": lets_in_by_pop3}


def test_imap_keeps_mail_and_marks(chance: Chance, alice: Person, bob: Person, bea: Person) -> None:
    """What is read and marked by IMAP is there the next time, marked."""
    for reader in chance.shuffled((bob, bea)):
        letter = alice.send(reader, f"To be kept {chance.token()}")
        mail = reader.mailbox.expect(letter)
        marks = (r"\Seen", chance.choice((r"\Flagged", r"\Answered")), f"Mark-{chance.token()}")
        reader.mailbox.flag(mail, *marks)
        reader.mailbox.close()
        reader.another_client().must_hold(letter, flags=marks)


def test_the_server_tells_of_new_mail(
    chance: Chance, lab: ExerciseLab, alice: Person, bob: Person, bea: Person
) -> None:
    """The server offers IDLE, and tells of a new letter by itself."""
    reader = chance.choice((bob, bea))
    with session(lab, reader) as desk:
        if "IDLE" not in (offered := desk.capabilities()):
            raise ExpectationFailed("the capability IDLE", " ".join(sorted(offered)))
    with reader.idle() as watching:
        alice.send(reader, "Ring, ring")
        watching.expect_news()


def test_pop3_fetches_mail(chance: Chance, alice: Person, bob: Person, bea: Person) -> None:
    """A letter is fetched by POP3."""
    for reader in chance.shuffled((bob, bea)):
        letter = alice.send(reader, f"For the telephone {chance.token()}")
        reader.mailbox.expect(letter)
        fetched = reader.download()
        if letter.message_id not in {each.message_id for each in fetched}:
            raise ExpectationFailed(f"{letter} by POP3", f"{len(fetched)} other letters")


def test_pop3_leaves_mail_unread(chance: Chance, alice: Person, bob: Person, bea: Person) -> None:
    """What the telephone fetches by POP3 stays on the server, and unread."""
    reader = chance.choice((bob, bea))
    letter = alice.send(reader, f"Not read yet {chance.token()}")
    reader.mailbox.expect(letter)
    reader.download()
    reader.mailbox.must_hold(letter, without=(r"\Seen",))


def test_pop3_deletes_mail(chance: Chance, alice: Person, bob: Person, bea: Person) -> None:
    """What the telephone deletes by POP3 is gone, for IMAP too, and not before QUIT."""
    reader = chance.choice((bob, bea))
    letter = alice.send(reader, f"Gone for good {chance.token()}")
    reader.mailbox.expect(letter)
    reader.download(delete=True, hang_up=True)
    reader.mailbox.must_hold(letter)
    reader.download(delete=True)
    reader.mailbox.must_not_hold(letter)


def test_only_who_knows_the_password(
    chance: Chance, lab: ExerciseLab, alice: Person, bob: Person, bea: Person
) -> None:
    """Who knows a mailbox's password is let in, by IMAP and by POP3, and nobody else is."""
    callers = chance.shuffled(("dns", "mx-beta"))
    for owner, other, caller in zip((bob, bea), (bea, bob), callers, strict=True):
        for protocol, lets_in in BY.items():
            if not lets_in(lab, owner.address, owner.password):
                raise ExpectationFailed(f"{owner} is let in", f"{protocol} refuses the right password")
            for user, password in let_in(lab, lets_in, wrong(chance, owner, other)):
                raise ExpectationFailed(f"{user} is refused with {password!r}", f"{protocol} lets it pass")
        with connected(lab) as store:
            if store.acts_for(owner.address, other.address, other.password):
                raise ExpectationFailed(f"{other} can't act for {owner}", "IMAP lets it pass")
        logins = [(owner.address, other.password), (owner.address, owner.password)]
        if (seen := lets_in_from(lab, caller, logins)) != [False, True]:
            wish = f"from {caller}, {owner} is let in with the right password alone"
            raise ExpectationFailed(wish, f"with {other}'s: {seen[0]}, with the right one: {seen[1]}")
        must_be_private(chance, lab, alice, owner, other)


def must_be_private(chance: Chance, lab: ExerciseLab, author: Person, owner: Person, other: Person) -> None:
    """Check that what comes for one user is in no mailbox that another one sees."""
    letter = author.send(owner, f"For your eyes only {chance.token()}")
    owner.mailbox.expect(letter)
    with session(lab, other) as there:
        seen = [name for name, attributes in there.mailboxes().items() if r"\noselect" not in attributes]
    for name in seen:
        other.mailbox.must_not_hold(letter, name)


def let_in(
    lab: ExerciseLab, lets_in: Callable[[ExerciseLab, str, str], bool], logins: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return the logins that are let in; some are tried at once, for a server may take its time to refuse."""
    tried = list(logins)
    with ThreadPoolExecutor(AT_ONCE) as together:
        said = list(together.map(lambda each: lets_in(lab, *each), tried))
    return [login for login, passed in zip(tried, said, strict=True) if passed]


def wrong(chance: Chance, owner: Person, other: Person) -> Iterator[tuple[str, str]]:
    """Yield users and passwords that must open nothing, in the end."""
    ours, theirs = owner.password, other.password
    stranger = f"{chance.name()}@beta.test"
    guesses = (theirs, "", chance.token(), owner.address, ours.upper(), ours + theirs, ours[:-1])
    yield from ((owner.address, each) for each in chance.shuffled(guesses))
    yield from ((each, theirs) for each in (ours, owner.address.upper(), f"{ours}+lists@beta.test"))
    yield from ((f"{owner}{separator}{other}", theirs) for separator in "*%+/")  # as a master user does
    yield from ((stranger, each) for each in (stranger.partition("@")[0], "", theirs))
