"""What exercises do to hosts and expect of them, in a lab in memory whose servers answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.engine.model import ExecResult
from labctl.errors import FaultError, NoSuchHost, ServiceCommandFailed
from labctl.exercises.vocabulary.call import Call, Caller, made
from labctl.exercises.vocabulary.expectation import ExpectationFailed
from labctl.lab.running import instance
from tests.unit.exercises.conftest import waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.engine.model import Container
    from tests.unit.exercises.conftest import Town

SOON = 0.2
MAIN_CF = "/etc/postfix/main.cf"


def main_cf(town: Town, service: str = "mx-beta") -> str:
    return town.bed.engine.get_file(town.bed.container(service).id, MAIN_CF).decode()


def test_a_fault_lasts_for_its_block_and_the_end_of_the_exercise_undoes_it_unless_it_is_kept(
    town: Town,
) -> None:
    with town.lab.fault("mx-null"):
        town.lab.dig("beta.test", "MX").must_be("0 .")
    town.lab.dig("beta.test", "MX").must_be("10 mx.beta.test.")
    with pytest.raises(KeyError), town.lab.fault("mx-null"):
        raise KeyError
    town.lab.close(keep_faults=True)
    assert [each.name for each in instance.observe(town.bed.engine, "two-domains").faults] == ["mx-null"]
    town.lab.close()
    assert instance.observe(town.bed.engine, "two-domains").faults == ()


def test_what_can_not_be_undone_is_told_when_the_rest_is(town: Town) -> None:
    with (
        pytest.raises(KeyError),
        town.lab.fault("mx-null"),
        town.lab.settings("mx-beta", "y", soft_bounce="yes"),
    ):
        raise KeyError
    town.bed.inside.failed["labctl-two-domains-mx-beta"] = "no"
    with pytest.raises(FaultError, match="did not take its new configuration up: no"):
        town.lab.close()
    assert town.lab.exchangers("beta.test") == ["mx.beta.test."]
    town.bed.inside.failed.clear()
    town.lab.close()
    assert instance.observe(town.bed.engine, "two-domains").faults == ()


def test_settings_and_files_are_as_before_after_their_block(town: Town) -> None:
    before = main_cf(town)
    with town.lab.settings("mx-beta", "says no for now", soft_bounce="yes"):
        assert "soft_bounce = yes" in main_cf(town)
        with town.lab.files("mx-beta", "knows another", {"/etc/postfix/x": "one\ntwo\n"}):
            assert (
                town.bed.engine.get_file(town.bed.container("mx-beta").id, "/etc/postfix/x") == b"one\ntwo\n"
            )
    assert main_cf(town) == before
    told = [each.text for each in town.lab.narrator.steps]
    assert "As before again: mx.beta.test: says no for now" in told


def test_a_command_hands_on_what_it_said_and_fails_where_it_may_not(town: Town) -> None:
    town.bed.engine.answer = lambda _, argv: ExecResult(
        int("false" in argv), f"{argv[-1]}\n".encode(), b"err\n"
    )
    assert town.lab.exec("mx-beta", "cat", stdin="text") == "cat\nerr\n"
    assert town.lab.exec("mx-beta", "false", fails=True) == "false\nerr\n"
    with pytest.raises(ServiceCommandFailed, match="false on mx-beta ended with 1: false"):
        town.lab.exec("mx.beta.test", "false")
    with pytest.raises(NoSuchHost):
        town.lab.exec("mx-gamma", "true")


def test_what_was_flushed_is_remembered_with_its_time(town: Town) -> None:
    town.lab.flush("mx-alpha")
    [(host, _)] = town.lab.flushed
    assert host == "mx.alpha.test"
    assert town.bed.engine.calls[-1].subject == "labctl-two-domains-mx-alpha postqueue -f"


def test_smtp_is_talked_line_by_line(town: Town) -> None:
    with town.lab.conversation("mx-beta") as talk:
        talk.say("EHLO x", 250)
        talk.say("MAIL FROM:<x@gamma.test>", 250, "2.1.0")
        talk.send("RCPT TO:<nobody", "half a line")
        talk.send(b"@beta.test>\r\n", "and its rest")
        assert talk.read(550, "5.1.1").enhanced is not None
        with pytest.raises(ExpectationFailed, match=r"554 5\.7\.1"):
            talk.say("RCPT TO:<x@gamma.test>", 250)
        with pytest.raises(ExpectationFailed, match="expected: 220"):
            talk.starttls(220)


def test_the_dns_is_asked_and_another_answer_fails(town: Town) -> None:
    answer = town.lab.dig("mx.beta.test", "A")
    answer.must_be("203.0.113.20")
    assert (answer.rcode, answer.texts) == ("NOERROR", ["203.0.113.20"])
    with pytest.raises(ExpectationFailed, match=r"NOERROR, 203\.0\.113\.20"):
        answer.must_be("203.0.113.21")
    town.lab.dig("nosuch.test", "A").must_be(rcode="NXDOMAIN")
    with pytest.raises(ExpectationFailed, match="seen: NXDOMAIN, no records"):
        town.lab.dig("nosuch.test", "A").must_be()
    assert town.lab.exchangers("beta.test") == ["mx.beta.test."]
    assert town.lab.addresses("mx.beta.test") == {"203.0.113.20"}


def test_a_host_asked_the_same_while_it_carried_a_letter(town: Town) -> None:
    town.lab.expect_sent(town.alice.send(town.bob), at="mx-alpha")
    mx = town.lab.dig("beta.test", "MX")
    mx.expect_asked(by="mx-alpha")
    with pytest.raises(ExpectationFailed, match=r"mx\.beta\.test asks the DNS for beta\.test MX"):
        mx.expect_asked(by="mx-beta", within=SOON)


def test_a_line_of_a_log_is_expected_of_its_host_and_its_letter(town: Town) -> None:
    letter = town.alice.send(town.bob)
    assert "Saved" in town.lab.expect_log("Saved", at="mx-beta", letter=letter).text
    town.bed.engine.say("labctl-two-domains-mx-beta", "warning: the moon is full")
    town.lab.expect_log("the moon", at="mx-beta")
    for wish in ({"at": "mx-alpha"}, {"at": "mx-beta", "letter": letter}):
        with pytest.raises(ExpectationFailed, match="logs “the moon”"):
            town.lab.expect_log("the moon", within=SOON, **wish)


def test_a_letter_waits_in_the_queue_that_is_named(town: Town) -> None:
    town.bed.post.refuses["bob@beta.test"] = "450 4.2.0 Later"
    letter = town.alice.send(town.bob)

    def answer(container: Container, argv: Sequence[str]) -> ExecResult:
        waits = container.name.endswith("mx-alpha") and "postqueue" in " ".join(argv)
        return waiting(letter, "450 4.2.0 Later") if waits else ExecResult(0, b"", b"")

    town.bed.engine.answer = answer
    assert town.lab.expect_queued(letter, "deferred", at="mx-alpha").queue_id == letter.queue_id
    town.lab.expect_queue_empty("mx-beta")
    for expectation in (
        lambda: town.lab.expect_queued(letter, "hold", at="mx-alpha", within=SOON),
        lambda: town.lab.expect_queue_empty(within=SOON),
    ):
        with pytest.raises(ExpectationFailed, match="not within"):
            expectation()


def test_a_letter_of_somebody_else_is_found_by_its_message_id(town: Town) -> None:
    sent = town.alice.send(town.bob)
    found = town.lab.letter(sent.message_id, at="mx-beta", to="bob@beta.test")
    assert (found.rcpt_tos, found.queue_id != sent.queue_id) == (("bob@beta.test",), True)
    assert found.accepted
    town.bob.expect_delivery(found)
    town.lab.expect_sent(sent, at="mx-alpha")
    town.lab.watch.sayings.reverse()
    assert town.lab.letter(sent.message_id).queue_id == sent.queue_id
    with pytest.raises(ExpectationFailed, match="in a log"):
        town.lab.letter("<nosuch@alpha.test>", within=SOON)


def test_a_failure_of_ones_own_shows_what_is_known_of_a_letter(town: Town) -> None:
    letter = town.alice.send("nobody@beta.test")
    town.alice.expect_bounce(letter)
    told = str(town.lab.fail("this", "that", letter))
    assert told.startswith("expected: this\n    seen: that\n")
    assert "nobody@beta.test: bounced (5.1.1" in told


def test_strangers_call_by_a_host_and_each_is_answered(town: Town) -> None:
    said = "a call\nS: 220 mx\nC: EHLO x\nS: 250-mx\nS: 250 SIZE\nC: MAIL FROM:<a@x>\nS: 250 2.1.0 Ok\n"
    said += "C: RCPT TO:<bob@beta.test>\nS: 550 5.7.1 No\n"
    town.bed.engine.answer = lambda *_: ExecResult(0, said.encode(), b"")
    call = Call(Caller("EHLO x", "mx-alpha"), "a@x", ("bob@beta.test",))
    [answered] = made(town.lab, "mx-beta", [call])
    answered.must_refuse_all_but(code=550, status="5.7.1")
    [here] = made(town.lab, "mx-beta", [Call(Caller("EHLO x"), "a@x", ("bob@beta.test",))])
    here.must_take("bob@beta.test")
    town.bed.engine.answer = lambda *_: ExecResult(1, b"", b"no address 1.2.3.4\n")
    with pytest.raises(ServiceCommandFailed, match=r"mx-alpha could not call mx-beta: no address 1\.2\.3\.4"):
        made(town.lab, "mx-beta", [call])
