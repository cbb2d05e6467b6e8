"""What makes messages wait: where that never ends, and where it is as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl.exercises.vocabulary.call import Call, Caller, made
from labctl.exercises.vocabulary.expectation import ExpectationFailed
from labctl.exercises.vocabulary.stranger import DOMAINS, Strangers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.letter import Letter
    from labctl.exercises.vocabulary.person import Person

PATIENCE: Final = 12.0
"""Seconds: a message that is put off once is there after three; what has not come by now waits for ever."""

SERVER: Final = "mx-beta"

PUT_OFF: Final = "4.2.0"
"""What the greylist says."""


def test_beta_is_where_the_dns_says(lab: ExerciseLab) -> None:
    """The DNS names a host for the mail of beta.test, and its address is the right one."""
    home = {str(lab.host(SERVER).addresses[0])}
    ways = {name: lab.addresses(name) for name in lab.exchangers("beta.test")}
    if not ways or any(each != home for each in ways.values()):
        seen = "; ".join(
            f"{name} has {', '.join(sorted(each)) or 'no address'}" for name, each in ways.items()
        )
        raise lab.fail(f"MX records that lead to {', '.join(home)} alone", seen or "there is none")
    for name in ways:
        lab.dig(name, "CNAME").must_be()  # no alias (RFC 2181, 10.3)


def test_the_door_opens(lab: ExerciseLab, chance: Chance) -> None:
    """A message from alpha.test is let in, if not at once, then soon."""
    writer, reader = users(lab, chance, "alpha.test")[0], users(lab, chance, "beta.test")[0]
    letter = writer.send(tagged(chance, reader), "May I come in?")
    lab.expect_sent(letter, at="mx-alpha", relay=str(lab.host(SERVER).addresses[0]), within=PATIENCE)


def test_the_mailbox_is_reached(lab: ExerciseLab, chance: Chance) -> None:
    """A message from one user of beta.test to the other, which stays in the house, arrives at once."""
    one, other = users(lab, chance, "beta.test")
    for writer, reader in ((one, other), (other, one)):
        to = chance.choice((reader.address, tagged(chance, reader)))
        arrives(writer.send(to, "Just across the corridor"), reader)


def test_a_stranger_waits_once(lab: ExerciseLab, chance: Chance) -> None:
    """Greylisting works: who comes for the first time is put off, comes back, and the message arrives."""
    writers, readers = users(lab, chance, "alpha.test"), users(lab, chance, "beta.test")
    letters = [
        (writer.send(tagged(chance, reader), "We have not met yet"), reader)
        for writer, reader in zip(writers, readers, strict=True)
    ]
    them = strangers(lab, chance)
    ordinary = [each for each in them.senders() if each]
    put_off_and_let_in(lab, calls(chance, them.named(), ordinary, readers))
    suspects = [*them.nameless(), *them.liars()]
    for each in made(lab, SERVER, calls(chance, suspects, them.borrowed_senders(), readers)):
        each.must_refuse_all_but()
    for letter, reader in letters:
        lab.expect_deferred(letter, dsn=PUT_OFF, code=450, says="Greylisted", at="mx-alpha", within=PATIENCE)
        arrives(letter, reader)


def test_letters_go_out(lab: ExerciseLab, chance: Chance) -> None:
    """What is written at beta.test goes to the host that the DNS names for each domain, and to no other."""
    writers, readers = users(lab, chance, "beta.test"), users(lab, chance, "alpha.test")
    known, unknown = chance.choice(DOMAINS), f"{chance.token()}.test"
    late = writers[0].send(f"{chance.name()}@{known}", "To a host that is not there")
    writers[1].send(f"{chance.name()}@{unknown}", "To a domain that does not exist")
    for writer, reader in zip(writers, readers, strict=True):
        arrives(writer.send(reader, "Out into the world"), reader)
    for domain in (known, unknown):
        lab.dig(domain, "MX").expect_asked(by=SERVER, within=PATIENCE)
    [host] = lab.exchangers(known)
    lab.expect_deferred(late, dsn="4.4.1", says=f"connect to {host.rstrip('.')}[", at=SERVER, within=PATIENCE)
    answer = Call(Caller("EHLO mail.beta.test", "mail-beta"), "", (readers[0].address,))
    for each in made(lab, SERVER, [answer]):
        each.must_take(*each.call.recipients)


def test_a_no_is_a_no(lab: ExerciseLab, chance: Chance) -> None:
    """A message to a user that beta.test does not have comes back with 5.1.1, and nobody relays here."""
    writers = users(lab, chance, "alpha.test")
    letters = [(each, each.send(f"{chance.name()}@beta.test", "Is anyone there?")) for each in writers]
    them = strangers(lab, chance)
    abroad = [writers[0].address, *them.foreign_recipients()[:5]]
    for each in them.attempt([*them.named(), *them.nameless()], abroad):
        each.must_refuse_all_but()
        if any(str(reply.enhanced) == PUT_OFF for reply in each.replies):
            raise ExpectationFailed("relaying is refused", "a stranger is only put off", each.transcript)
    for writer, letter in letters:
        writer.expect_bounce(letter, status="5.1.1", reported_by="mx.alpha.test", within=PATIENCE)


def users(lab: ExerciseLab, chance: Chance, domain: str) -> list[Person]:
    """Return the users of a domain, in some order."""
    names = {"alpha.test": ("alice", "amy"), "beta.test": ("bob", "bea")}
    return chance.shuffled([lab.account(f"{each}@{domain}") for each in names[domain]])


def strangers(lab: ExerciseLab, chance: Chance) -> Strangers:
    """Return strangers to beta.test."""
    return Strangers(lab, chance, SERVER, via="mx-alpha")


def arrives(letter: Letter, reader: Person) -> None:
    """Wait until a message lies in a mailbox: that counts, and not what a student's host says of it."""
    if not letter.accepted:
        raise ExpectationFailed(f"{letter} in the mailbox of {reader}", f"it was refused: {letter.reply}")
    reader.mailbox.arrived(letter.message_id, letter, "INBOX", PATIENCE)


def tagged(chance: Chance, reader: Person) -> str:
    """Return a user's address as nobody has written it before."""
    return reader.address.replace("@", f"+{chance.token()}@")


def calls(
    chance: Chance, callers: Sequence[Caller], senders: Sequence[str], readers: Sequence[Person]
) -> list[Call]:
    """Return calls in which each caller and each sender writes to all readers, nobody for the second time."""
    found = [
        Call(
            callers[n % len(callers)],
            senders[n % len(senders)],
            tuple(tagged(chance, each) for each in readers),
        )
        for n in range(max(len(callers), len(senders)))
    ]
    return sorted(found, key=lambda each: each.caller.via or "")  # those by one host are made in a row


def put_off_and_let_in(lab: ExerciseLab, first: Sequence[Call]) -> None:
    """Call for the first time, and again until everyone is let in, as mail servers do."""
    for each in made(lab, SERVER, first):
        each.must_refuse_all_but(code=450, status=PUT_OFF)
    waiting = list(first)

    def let_in() -> bool | None:
        again = made(lab, SERVER, waiting)
        waiting[:] = [each.call for each in again if not all(said.is_positive for said in each.replies)]
        return None if waiting else True

    lab.expectations.expect("whoever comes back is let in", let_in, within=PATIENCE, polls=True)
