"""Which way a letter came, what a server asked the DNS for it, and what an MDA answered to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from labctl.exercises.result.narration import Narrator
from labctl.exercises.vocabulary.expectation import ExpectationFailed
from labctl.exercises.vocabulary.mail import Mail
from labctl.exercises.vocabulary.records import Records
from labctl.mail.client.mailbox import MailboxMessage
from labctl.resolver import Answer, Rcode, Record

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.letter import Letter
    from tests.unit.exercises.conftest import Scene

AT_BETA, ANSWER = "4dG7xQ0Lz9z3R", "4dG7xQ0Lz9z5T"
ANSWER_ID = "<dovecot-sieve-1-2-0@mail.beta.test>"
FROM_MDA = (
    f"smtpd[6]: {ANSWER}: client=mail.beta.test[198.51.100.143]",
    f"cleanup[7]: {ANSWER}: message-id={ANSWER_ID}",
)


def mail(*received: str) -> Mail:
    content = "".join(f"Received: {each}\r\n" for each in received).encode() + b"\r\n"
    listed = MailboxMessage(1, "<1@alpha.test>", "", (), "A letter", None, (), 1, is_dsn=False, dsn=None)
    return Mail(listed, content, Narrator())


STAMPED = mail(
    "from mx.beta.test ([198.51.100.20])\r\n\tby mail.beta.test with LMTP\r\n\tid 1",
    "by mx.beta.test (Postfix)\r\n\tid 2",
    "from [198.18.0.1] (unknown) by mx.alpha.test (Postfix) with ESMTPA id 3",
)


def test_the_stamps_of_servers_tell_the_way_from_the_first_to_the_last() -> None:
    STAMPED.must_have_come_by("mx.alpha.test", "mx.beta.test", "mail.beta.test")


@pytest.mark.parametrize(
    "hosts",
    [("mx.alpha.test", "mail.beta.test"), ("mail.beta.test", "mx.beta.test", "mx.alpha.test"), ()],
)
def test_another_way_is_not_the_letters(hosts: tuple[str, ...]) -> None:
    with pytest.raises(ExpectationFailed, match=r"seen: by mx\.alpha\.test, mx\.beta\.test, mail"):
        STAMPED.must_have_come_by(*hosts)


def asked(scene: Scene, **differs: object) -> None:
    line = {
        "time": "2026-11-24T04:06:15.5Z",
        "client": "203.0.113.10",
        "name": "beta.test.",
        "type": "MX",
        "rcode": "NOERROR",
        "records": ["beta.test. 300 IN MX 10 mx.beta.test."],
    }
    scene.stage.fake.say("labctl-x-dns", json.dumps(line | differs))


@pytest.fixture
def mx(scene: Scene) -> Records:
    record = Record("beta.test.", 300, "MX", "10 mx.beta.test.")
    answer = Answer("beta.test.", "MX", Rcode.NOERROR, (record,))
    return Records(answer, scene.lab.expectations, scene.lab.narrator)


@pytest.mark.parametrize(
    "differs",
    [
        {"client": "203.0.113.20"},
        {"client": "203.0.113.1"},
        {"name": "alpha.test."},
        {"type": "A"},
        {"rcode": "SERVFAIL"},
        {"records": []},
        {"records": ["beta.test. 300 IN MX 20 mx.beta.test."]},
    ],
)
def test_another_question_or_answer_is_not_that_one(
    scene: Scene, mx: Records, differs: dict[str, object]
) -> None:
    asked(scene, **differs)
    with pytest.raises(ExpectationFailed, match=r"mx\.alpha\.test asks the DNS for beta\.test MX"):
        mx.expect_asked(by="mx-alpha", within=0.1)


def crosses(scene: Scene, letter: Letter, *while_it_is_saved: str, afterwards: tuple[str, ...] = ()) -> None:
    """Let the letter that was sent come to the other domain's MTA, and be saved."""
    scene.says("mx-alpha", scene.attempt("sent", "2.0.0", f"250 2.0.0 Ok: queued as {AT_BETA}"))
    to, delays = "to=<bob@beta.test>", "delay=1, delays=1/0/0/0"
    scene.says(
        "mx-beta",
        f"smtpd[6]: {AT_BETA}: client=mx.alpha.test[203.0.113.10]",
        f"cleanup[7]: {AT_BETA}: message-id={letter.message_id}",
        *while_it_is_saved,
        f"lmtp[8]: {AT_BETA}: {to}, relay=198.51.100.143[198.51.100.143]:24, {delays}, dsn=2.0.0, "
        "status=sent (250 2.0.0 <bob@beta.test> x Saved)",
        *afterwards,
    )


def test_what_an_mda_sends_while_it_takes_a_letter_is_an_answer_to_it(scene: Scene) -> None:
    letter = scene.sent()
    crosses(scene, letter, *FROM_MDA)
    with pytest.raises(ExpectationFailed, match="no answer"):
        scene.lab.account("alice@alpha.test").expect_no_answer(letter)


def test_what_an_mda_sends_later_is_none(scene: Scene) -> None:
    letter = scene.sent()
    crosses(scene, letter, afterwards=FROM_MDA)
    scene.lab.letter(ANSWER_ID)  # once it has been seen
    scene.lab.account("alice@alpha.test").expect_no_answer(letter)


def test_an_answer_that_can_not_come_any_more_is_not_waited_for(scene: Scene) -> None:
    letter = scene.sent()
    crosses(scene, letter)
    with pytest.raises(ExpectationFailed, match="the MDA sent none"):
        scene.lab.account("alice@alpha.test").expect_answer(letter)
