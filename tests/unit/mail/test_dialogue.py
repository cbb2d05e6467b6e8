from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labctl.errors import ServiceCommandFailed, UsageError
from labctl.mail.client.certificate import LaboratoryCa
from labctl.mail.client.dialogue import HUNG_UP, SmtpDialogue
from labctl.mail.reply import EnhancedStatus, SmtpReply
from tests.unit.mail.conftest import HANG_UP, SILENCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.mail.conftest import ScriptedServer, StartServer

GREETING = b"220 mx.beta.test ESMTP\r\n"
SCRIPT = {
    "EHLO": b"250-mx.beta.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n",
    "MAIL": b"530-5.7.0 Must issue\r\n530 5.7.0 a STARTTLS command first\r\n",
    "DATA": b"354 go\r\n",
    ".": b"250 2.0.0 Ok\r\n",
    "STARTTLS": b"220 2.0.0 Ready to start TLS\r\n",
    "QUIT": b"221 2.0.0 Bye\r\n",
}


def start_dialogue(server: ScriptedServer, *, greet: bool = True, timeout: float = 5) -> SmtpDialogue:
    return SmtpDialogue.open("127.0.0.1", server.port, timeout=timeout, greet=greet)


def test_a_conversation_is_written_down(start_server: StartServer) -> None:
    with start_dialogue(start_server(GREETING, SCRIPT)) as dialogue:
        hello = dialogue.say("EHLO x")
        refusal = dialogue.say("MAIL FROM:<>")

    assert dialogue.greeting == SmtpReply(220, None, "mx.beta.test ESMTP")
    assert hello == SmtpReply(250, None, "mx.beta.test\nPIPELINING\nSTARTTLS")
    assert refusal == SmtpReply(530, EnhancedStatus(5, 7, 0), "Must issue\na STARTTLS command first")
    assert dialogue.transcript == (
        "S: 220 mx.beta.test ESMTP",
        "C: EHLO x",
        "S: 250-mx.beta.test",
        "S: 250-PIPELINING",
        "S: 250 STARTTLS",
        "C: MAIL FROM:<>",
        "S: 530-5.7.0 Must issue",
        "S: 530 5.7.0 a STARTTLS command first",
    )
    assert not dialogue.closed


def test_an_early_talker_does_not_wait_for_the_greeting(start_server: StartServer) -> None:
    with start_dialogue(start_server(GREETING, SCRIPT), greet=False) as dialogue:
        dialogue.send(b"EHLO x\r\n")
        replies = dialogue.read().code, dialogue.read().code

    assert dialogue.greeting is None
    assert replies == (220, 250)
    assert dialogue.transcript[:2] == ("C: EHLO x", "S: 220 mx.beta.test ESMTP")


def test_bytes_are_sent_as_they_are_and_shown_with_escapes(start_server: StartServer) -> None:
    server = start_server(GREETING, SCRIPT)

    with start_dialogue(server) as dialogue:
        dialogue.say("DATA")
        dialogue.send(b"Subject: x\n.\nMAIL FROM:<\xff>\r\n.\r\n")
        reply = dialogue.read()

    assert reply.code == 250
    assert b"Subject: x\n.\nMAIL FROM:<\xff>\r\n" in server.messages
    assert r"C: Subject: x\n.\nMAIL FROM:<\xff>" in dialogue.transcript
    assert dialogue.transcript[-2:] == ("C: .", "S: 250 2.0.0 Ok")


def test_a_line_of_more_than_one_line_is_a_mistake(start_server: StartServer) -> None:
    with (
        start_dialogue(start_server(GREETING, SCRIPT)) as dialogue,
        pytest.raises(UsageError, match="more than one line"),
    ):
        dialogue.say("EHLO x\r\nMAIL FROM:<>")


def test_a_server_that_hangs_up_answers_so_ever_after(start_server: StartServer) -> None:
    server = start_server(GREETING, SCRIPT | {"QUIT": b"221 2.0.0 Bye\r\n"})

    with start_dialogue(server) as dialogue:
        assert dialogue.say("QUIT").code == 221
        assert dialogue.read() == HUNG_UP
        assert dialogue.closed
        assert dialogue.say("NOOP") == HUNG_UP


def test_what_a_server_said_before_it_hung_up_is_read(start_server: StartServer) -> None:
    with start_dialogue(start_server(b"421 4.7.0 too many\r\n", {"EHLO": HANG_UP})) as dialogue:
        assert dialogue.greeting is not None
        assert dialogue.greeting.code == 421
        assert dialogue.say("EHLO x") == HUNG_UP


def test_a_greeting_that_is_a_hanging_up_is_a_value(start_server: StartServer) -> None:
    with start_dialogue(start_server(HANG_UP, {})) as dialogue:
        assert dialogue.greeting == HUNG_UP
        assert dialogue.closed


@pytest.mark.parametrize("babble", [b"250-x\r\n" * 50_000, b"2" * 200_000])
def test_an_answer_without_an_end_is_an_error(start_server: StartServer, babble: bytes) -> None:
    with (
        start_dialogue(start_server(GREETING, {"EHLO": babble})) as dialogue,
        pytest.raises(ServiceCommandFailed, match="more than"),
    ):
        dialogue.say("EHLO x")


def test_what_is_no_reply_is_a_text_without_a_code(start_server: StartServer) -> None:
    with start_dialogue(start_server(b"+OK POP3 ready\r\n", {})) as dialogue:
        assert dialogue.greeting == SmtpReply(0, None, "+OK POP3 ready")


@pytest.fixture
def server_context(tmp_path: Path) -> ssl.SSLContext:
    issued = LaboratoryCa.create().issue("mx.beta.test")
    (tmp_path / "both.pem").write_text(issued.certificate_pem + issued.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    return context


def test_after_starttls_the_conversation_goes_on_under_tls(
    start_server: StartServer, server_context: ssl.SSLContext
) -> None:
    server = start_server(GREETING, SCRIPT, server_context)

    with start_dialogue(server) as dialogue:
        assert dialogue.starttls().code == 220
        assert dialogue.say("EHLO x").code == 250
        assert isinstance(server.connection, ssl.SSLSocket)


def test_what_was_said_in_clear_text_does_not_count_under_tls(
    start_server: StartServer, server_context: ssl.SSLContext
) -> None:
    # Another reply right behind the consent, in the same packet, as one in the middle would inject it.
    injecting = SCRIPT | {"STARTTLS": b"220 go\r\n250 injected\r\n", "NOOP": b"250 2.0.0 Ok\r\n"}
    server = start_server(GREETING, injecting, server_context)

    with start_dialogue(server) as dialogue:
        assert dialogue.starttls().code == 220
        assert str(dialogue.say("NOOP")) == "250 2.0.0 Ok"


def test_a_refused_starttls_leaves_the_conversation_as_it_was(start_server: StartServer) -> None:
    script = SCRIPT | {"STARTTLS": b"454 4.7.0 TLS not available\r\n"}

    with start_dialogue(start_server(GREETING, script)) as dialogue:
        assert dialogue.starttls().code == 454
        assert dialogue.say("EHLO x").code == 250


def test_a_consent_that_is_not_kept_is_an_error(start_server: StartServer) -> None:
    with (
        start_dialogue(start_server(GREETING, SCRIPT | {"\x16": HANG_UP}), timeout=0.5) as dialogue,
        pytest.raises(ServiceCommandFailed, match="at STARTTLS"),
    ):
        dialogue.starttls()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(greeting=st.binary(min_size=1, max_size=60).filter(lambda data: data != SILENCE))
def test_any_greeting_is_a_reply(start_server: StartServer, greeting: bytes) -> None:
    server = start_server(greeting + b"\r\n221 end\r\n", {})

    with start_dialogue(server) as dialogue:
        assert isinstance(dialogue.greeting, SmtpReply)
