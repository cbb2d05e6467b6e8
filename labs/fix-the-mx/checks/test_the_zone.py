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
    lab.dig("beta.test", "NS").must_be(NAME_SERVER)
    start = lab.dig("beta.test", "SOA")
    if [each.split()[0] for each in start.texts] != [NAME_SERVER]:
        raise lab.fail(f"a SOA record that names {NAME_SERVER}", ", ".join(start.texts) or start.rcode)


def test_an_mx_leads_to_beta(lab: ExerciseLab) -> None:
    """An MX of beta.test leads to the host that takes its mail."""
    ways = {name: addresses(lab, name) for name in exchangers(lab)}
    if not any(ours(lab, each) for each in ways.values()):
        raise lab.fail(f"an MX that has the address of mx.beta.test, {home(lab)}", told(ways))


def test_every_mx_is_good(lab: ExerciseLab) -> None:
    """Every MX of beta.test takes its mail, and is named by its own name."""
    ways = {name: addresses(lab, name) for name in exchangers(lab)}
    if astray := {name: found for name, found in ways.items() if not ours(lab, found)}:
        raise lab.fail("only hosts that take mail for beta.test", told(astray))
    for name in ways:
        lab.dig(name, "CNAME").must_be()


def test_a_letter_arrives(alice: Person, bob: Person) -> None:
    """A letter from alice@alpha.test arrives at bob@beta.test."""
    bob.expect_delivery(alice.send(bob, "Is your mail back?"), within=10)


def test_an_answer_arrives(bob: Person, alice: Person) -> None:
    """What bob@beta.test writes arrives at alice@alpha.test, whose server looks who calls."""
    alice.expect_delivery(bob.send(alice, "It is."), within=10)


def test_a_letter_to_nobody_comes_back(chance: Chance, alice: Person) -> None:
    """A letter to a user that beta.test does not have comes back and says so: 5.1.1."""
    letter = alice.send(f"{chance.name()}@beta.test", "Is anyone there?")
    alice.expect_bounce(letter, status="5.1.1", reported_by="mx.alpha.test", within=10)


def test_a_mail_program_finds_its_server(lab: ExerciseLab) -> None:
    """The name mail.beta.test has the address of the host where people read their mail."""
    lab.dig("mail.beta.test", "A").must_be(str(lab.host("mail-beta").addresses[0]))


def exchangers(lab: ExerciseLab) -> list[str]:
    """Return the names that the MX records give, in the order in which they are tried."""
    records = (each.split() for each in lab.dig("beta.test", "MX").texts)
    return [name for _, name in sorted((int(preference), name) for preference, name in records)]


def addresses(lab: ExerciseLab, name: str) -> list[str]:
    """Return a name's addresses, those behind an alias too."""
    return [each.text for each in lab.dig(name, "A").answer.records if each.type == "A"]


def home(lab: ExerciseLab) -> str:
    """Return the address at which beta.test takes its mail."""
    return str(lab.host("mx-beta").addresses[0])


def ours(lab: ExerciseLab, found: list[str]) -> bool:
    """Say whether addresses are that one, and no others."""
    return found == [home(lab)]


def told(ways: dict[str, list[str]]) -> str:
    """Say where names lead."""
    return (
        "; ".join(f"{name} has {', '.join(found) or 'no address'}" for name, found in ways.items())
        or "there is no MX"
    )
