"""A daemon has read its configuration again when it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.errors import FaultError

if TYPE_CHECKING:
    from labctl.engine.fake import Call
    from tests.unit.faults.conftest import Faulty


def say(faulty: Faulty, *texts: str) -> None:
    """Have every daemon say this when a signal comes."""

    def hear(call: Call) -> None:
        if call.method == "signal":
            faulty.fake.hook = faulty.hear
            faulty.fake.say(call.subject.partition(" ")[0], *texts)

    faulty.fake.hook = hear


def test_what_a_daemon_says_before_is_not_taken_for_it(faulty: Faulty) -> None:
    say(
        faulty, "[INFO] Reloading", "[INFO] plugin/reload: Running configuration", "[INFO] Reloading complete"
    )
    faulty.apply("mx-null")
    assert [each.name for each in faulty.there.faults] == ["mx-null"]


def test_a_configuration_that_is_refused_is_told_with_the_daemons_words_and_undone(faulty: Faulty) -> None:
    say(faulty, "[INFO] Reloading", "[ERROR] Restart failed: Corefile:7 - Error during parsing")
    with faulty.spared(), pytest.raises(FaultError, match="Corefile:7") as caught:
        faulty.apply("dns-servfail")
    assert "dns (dns.lab.test)" in caught.value.message
    assert "Reloading" in caught.value.detail["log"]
    assert caught.value.hint == "labctl logs dns"


def test_an_mta_is_told_by_the_signal_of_its_label(faulty: Faulty) -> None:
    faulty.apply("hold")
    [(name, argv)] = faulty.commands
    assert name == "labctl-x-mx-beta"
    assert argv[-1] == "HUP"
