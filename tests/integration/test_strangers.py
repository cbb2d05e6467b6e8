"""Strangers call an MTA from addresses of the internet, and a check is told what they are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Lab, OwnLab

CALLS = '''
from labctl.exercises.vocabulary.call import Call, Caller, made
from labctl.exercises.vocabulary.stranger import Strangers

def test_strangers(lab, chance, bob):
    """Strangers may write to Bob, and to nobody elsewhere."""
    them = Strangers(lab, chance, "mx-beta", via="mx-alpha")
    for each in them.write([*them.named(), *them.nameless()], bob.address):
        each.must_take(bob.address)
    for each in them.attempt([*them.named(), *them.liars()], them.foreign_recipients()):
        each.must_refuse_all_but()
    for each in them.attempt(them.named(), them.detours(), senders=them.borrowed_senders()[:3]):
        each.must_refuse_all_but()
    for each in them.attempt(them.named(), [f"{chance.name()}@gamma.test"], beside=bob.address):
        each.must_refuse_all_but(bob.address, code=554, status="5.7.1")
'''

RELAYED = '''
from labctl.exercises.vocabulary.stranger import Strangers

def test_relay(lab, chance, bob):
    """A server that believes who says that he is Bob."""
    them = Strangers(lab, chance, "mx-beta", via="mx-alpha")
    rule = f"permit_mynetworks check_sender_access inline:{{{bob}=OK}} reject_unauth_destination"
    with lab.settings("mx-beta", "believe Bob", smtpd_relay_restrictions=rule):
        for each in them.attempt(them.nameless(), ["x@gamma.test"], senders=[bob.address]):
            each.must_refuse_all_but()

def test_control(lab, chance, bob):
    """A server that refuses everybody is no closed relay."""
    them = Strangers(lab, chance, "mx-beta", via="mx-alpha")
    with lab.settings("mx-beta", "refuse everybody", smtpd_relay_restrictions="reject"):
        for each in them.attempt(them.named(), ["x@gamma.test"], beside=bob.address):
            each.must_refuse_all_but(bob.address)

def test_nobody(lab):
    """A host without an MTA."""
    made(lab, "dns", [Call(Caller("EHLO x.test", "mx-alpha"), "", ("bob@beta.test",))])

def test_apart(lab):
    """A host on another network."""
    made(lab, "mail-beta", [Call(Caller("EHLO x.test", "mx-alpha"), "", ("bob@beta.test",))])

from labctl.exercises.vocabulary.call import Call, Caller, made
'''


@pytest.fixture
def outcome(lab: Lab, own_lab: OwnLab) -> Callable[..., dict[str, Any]]:
    """Return a function that runs exercises in the shared lab, and returns each one's result by its id."""

    def run(text: str, *, code: int) -> dict[str, Any]:
        path = own_lab.file("exercises/test_it.py", text)
        said = lab.json("run", str(path), "--lab", "two-domains", code=code)
        return {each["id"]: each for each in said["exercises"]}

    return run


def test_strangers_call_from_named_and_nameless_addresses_which_their_host_owns_no_longer_than_that(
    lab: Lab, outcome: Callable[..., dict[str, Any]]
) -> None:
    before = lab.execute("mx-alpha", "ip", "-o", "-4", "address")

    outcome(CALLS, code=0)

    log = lab.log("mx-beta")
    for name, start in (
        ("mx.alpha.test", "203.0.113.10]"),
        ("mx.gamma.test", "203.0.113.30]"),
        ("mx.evil.test", "203.0.113.66]"),
        ("unknown", "203.0.113."),
        ("unknown", "198."),  # this machine's, as the engine has it
    ):
        assert f" connect from {name}[{start}" in log
    assert lab.execute("mx-alpha", "ip", "-o", "-4", "address") == before


def test_a_check_is_told_which_stranger_was_heard_and_which_message_was_not(
    outcome: Callable[..., dict[str, Any]],
) -> None:
    found = outcome(RELAYED, code=4)

    assert {each["verdict"] for each in (found["relay"], found["control"])} == {"failed"}
    assert (
        "a message from <bob@beta.test> to <x@gamma.test>, which is refused" in found["relay"]["explanation"]
    )
    assert "to <bob@beta.test>, which is taken" in found["control"]["explanation"]
    assert "mx-alpha could not call dns" in found["nobody"]["explanation"]
    assert "mx-alpha and mail-beta have no network in common" in found["apart"]["explanation"]
