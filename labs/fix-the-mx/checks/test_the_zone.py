"""What the zone of beta.test says, and whether mail finds its way by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person

NAME_SERVER = "dns.lab.test."


def test_the_zone_says_whose_it_is(lab: ExerciseLab) -> None:
    """The zone of beta.test names dns.lab.test as its server."""
    for rdtype in ("NS", "SOA"):
        found = [each for each in lab.dig("beta.test", rdtype).answer.records if each.type == rdtype]
        if {each.text.split()[0].casefold() for each in found} != {NAME_SERVER}:
            seen = ", ".join(each.text for each in found) or "there is none"
            raise lab.fail(f"{rdtype} records that name {NAME_SERVER}, and no other host", seen)


def test_an_mx_leads_to_beta(lab: ExerciseLab) -> None:
    """An MX of beta.test leads to the host that takes its mail."""
    ways = {name: lab.addresses(name) for name in lab.exchangers("beta.test")}
    if not any(home(lab) <= each for each in ways.values()):
        raise lab.fail(f"an MX that has the address of mx.beta.test, {', '.join(home(lab))}", told(ways))


def test_every_mx_is_good(lab: ExerciseLab) -> None:
    """Every MX of beta.test takes its mail, and is named by its own name."""
    ways = {name: lab.addresses(name) for name in lab.exchangers("beta.test")}
    if astray := {name: found for name, found in ways.items() if found != home(lab)}:
        raise lab.fail("only hosts that take mail for beta.test", told(astray))
    for name in ways:
        lab.dig(name, "CNAME").must_be()


def test_a_letter_arrives(chance: Chance, alice: Person, amy: Person, bob: Person, bea: Person) -> None:
    """A message from alpha.test arrives at beta.test."""
    reader = chance.choice((bob, bea))
    reader.mailbox.expect(chance.choice((alice, amy)).send(reader, "Is your mail back?"), within=10)


def test_an_answer_arrives(chance: Chance, alice: Person, amy: Person, bob: Person, bea: Person) -> None:
    """What beta.test writes arrives at alpha.test, whose server looks who calls."""
    reader = chance.choice((alice, amy))
    reader.mailbox.expect(chance.choice((bob, bea)).send(reader, "It is."), within=10)


def test_a_letter_to_nobody_comes_back(chance: Chance, alice: Person) -> None:
    """A letter to a user that beta.test does not have comes back and says so: 5.1.1."""
    letter = alice.send(f"{chance.name()}@beta.test", "Is anyone there?")
    alice.expect_bounce(letter, status="5.1.1", reported_by="mx.alpha.test", within=10)


def test_a_mail_program_finds_its_server(lab: ExerciseLab) -> None:
    """The name mail.beta.test leads to the host where people read their mail, and to no other."""
    wanted = {str(lab.host("mail-beta").addresses[0])}
    if (found := lab.addresses("mail.beta.test")) != wanted:
        raise lab.fail(f"mail.beta.test has the address {', '.join(wanted)}", told({"it": found}))


def home(lab: ExerciseLab) -> set[str]:
    """Return the address at which beta.test takes its mail: what the name of each MX has to have."""
    return {str(lab.host("mx-beta").addresses[0])}


def told(ways: dict[str, set[str]]) -> str:
    """Say where names lead."""
    return (
        "; ".join(f"{name} has {', '.join(sorted(found)) or 'no address'}" for name, found in ways.items())
        or "there is no MX"
    )
