"""Who strangers are: every kind, whatever chance decides, and nobody who could be told beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.exercises.vocabulary.call import Call, Caller
from labctl.exercises.vocabulary.chance import Chance
from labctl.exercises.vocabulary.expectation import ExpectationFailed
from labctl.exercises.vocabulary.stranger import DOMAINS, Strangers

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.exercises.conftest import Scene

SEEDS = [f"{n:x}" for n in range(20)]


@pytest.fixture
def strangers(scene: Scene) -> Callable[[str], Strangers]:
    """Return strangers to beta.test, by a seed."""
    return lambda seed: Strangers(scene.lab, Chance(seed, "check"), "mx-beta", via="mx-alpha")


def domain_of(address: str) -> str:
    return address.rpartition("@")[2].lower()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_kind_is_tried_whatever_chance_decides(
    strangers: Callable[[str], Strangers], seed: str
) -> None:
    them = strangers(seed)

    assert {each.hello for each in them.named()} == {
        "EHLO mx.alpha.test",
        "EHLO mx.gamma.test",
        "EHLO mail.gamma.test",
        "EHLO mx.evil.test",
    }
    assert {each.via for each in them.nameless()} == {None, "mx-alpha"}
    lies = {each.hello.partition(" ")[2] for each in them.liars()}
    assert lies >= {"", "localhost", "beta.test", "mx.beta.test", "mail.beta.test", "[198.51.100.20]"}
    assert {domain_of(each) for each in them.senders()} == {*DOMAINS, "alpha.test"}
    assert {*them.borrowed_senders()} >= {"bob@beta.test", "bea@beta.test", "scanner@beta.test"}
    abroad = them.foreign_recipients()
    assert {domain_of(each) for each in abroad} >= {*DOMAINS, "alpha.test", "[203.0.113.10]", "not-beta.test"}
    assert "beta.test" not in {domain_of(each) for each in abroad}
    assert any(each.startswith("@mx.beta.test:") for each in them.detours())
    assert any(each.endswith("%alpha.test@beta.test") for each in them.detours())


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_calls_from_an_address_of_a_host_that_is_there(
    strangers: Callable[[str], Strangers], scene: Scene, seed: str
) -> None:
    taken = {address for host in scene.lab.there.hosts for address in host.addresses}
    them = strangers(seed)
    callers = [*them.named(), *them.nameless(), *them.liars()]
    assert taken.isdisjoint({each.address for each in callers})


def test_strangers_are_others_for_another_seed_and_the_same_for_the_same(
    strangers: Callable[[str], Strangers],
) -> None:
    drawn = [
        (
            them.nameless(),
            them.liars(),
            them.senders(),
            them.borrowed_senders(),
            them.foreign_recipients(),
            them.detours(),
        )
        for them in map(strangers, ("1", "1", "2"))
    ]
    assert drawn[0] == drawn[1]
    assert all(one != other for one, other in zip(drawn[0], drawn[2], strict=True))


def test_each_caller_tries_every_recipient_and_every_sender_and_whom_everybody_may_write_to_once(
    strangers: Callable[[str], Strangers],
) -> None:
    here = [Caller("EHLO mx.gamma.test"), Caller("EHLO mx.evil.test")]
    recipients = [f"{n}@gamma.test" for n in range(7)]

    made = strangers("1").attempt(here, recipients, beside="bob@beta.test")

    for caller in here:
        calls = [each.call for each in made if each.call.caller == caller]
        assert {to for each in calls for to in each.recipients} == {*recipients, "bob@beta.test"}
        assert {domain_of(each.sender) for each in calls} == {"", *DOMAINS, "alpha.test"}
        [beside] = [each for each in calls if "bob@beta.test" in each.recipients]
        assert domain_of(beside.sender) == caller.hello.partition(".")[2]


def test_what_was_answered_is_held_against_what_was_expected(strangers: Callable[[str], Strangers]) -> None:
    caller = Caller("EHLO mx.gamma.test")
    made = strangers("1").attempt([caller], ["x@gamma.test"], senders=["y@evil.test"], beside="bob@beta.test")

    assert Call(caller, "y@evil.test", ("x@gamma.test",)) in [each.call for each in made]
    [answered] = [each for each in made if "bob@beta.test" in each.call.recipients]
    answered.must_take("bob@beta.test", "x@gamma.test")  # the daemon of this test takes everything
    with pytest.raises(ExpectationFailed, match=r"<x@gamma\.test>, which is refused with 5\.7\.1") as caught:
        answered.must_refuse_all_but("bob@beta.test", status="5.7.1")
    assert "S: 250 2.1.5 Ok" in caught.value.evidence
