"""How mail comes to beta.test: the zone, the MTA, and what the MTA says no to."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.conversation import Conversation
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person


def test_the_dns_names_the_host(lab: ExerciseLab) -> None:
    """The DNS names a host for the mail of beta.test, and the address of mx.beta.test for that host."""
    home = str(lab.host("mx-beta").addresses[0])
    names = [each.split()[-1] for each in lab.dig("beta.test", "MX").texts]
    if not names:
        raise lab.fail("an MX of beta.test", "there is none")
    for name in names:
        lab.dig(name, "A").must_be(home)


def test_mail_for_bob_is_taken(lab: ExerciseLab, bob: Person) -> None:
    """mx.beta.test takes a letter for bob@beta.test from whoever calls."""
    with offered(lab) as server:
        server.say(f"RCPT TO:<{bob.address}>", expect=250)


def test_the_postmaster_is_there(lab: ExerciseLab) -> None:
    """mx.beta.test takes a letter for the postmaster, with and without the domain."""
    with offered(lab) as server:
        server.say("RCPT TO:<postmaster@beta.test>", expect=250)
        server.say("RCPT TO:<postmaster>", expect=250)


def test_nobody_is_unknown_at_the_door(chance: Chance, lab: ExerciseLab) -> None:
    """A letter to a user whom beta.test does not have is refused before it is sent: 550 5.1.1."""
    with offered(lab) as server:
        server.say(f"RCPT TO:<{chance.name()}@beta.test>", expect=550, status="5.1.1")


def test_strangers_can_not_relay(chance: Chance, lab: ExerciseLab, alice: Person) -> None:
    """A letter to another domain is not taken from a stranger, and that for good: 5.7.1."""
    for recipient in (alice.address, f"{chance.name()}@gamma.test"):
        with offered(lab) as server:
            server.say(f"RCPT TO:<{recipient}>", status="5.7.1")


@contextmanager
def offered(lab: ExerciseLab) -> Iterator[Conversation]:
    """Be a stranger who offers a letter to mx.beta.test, up to its recipients."""
    with lab.conversation("mx-beta") as server:
        server.say("EHLO mx.alpha.test", expect=250)
        server.say("MAIL FROM:<mallory@alpha.test>", expect=250)
        yield server
