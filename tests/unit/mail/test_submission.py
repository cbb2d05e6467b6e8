from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from labctl.errors import ServiceCommandFailed, UsageError
from labctl.mail.client.envelope import Envelope
from labctl.mail.client.submission import Stage, Submission, submit
from tests.unit.mail.conftest import HANG_UP

if TYPE_CHECKING:
    from tests.unit.mail.conftest import ScriptedServer, StartServer

GREETING = b"220 mx.alpha.test ESMTP\r\n"
EHLO = b"250-mx.alpha.test\r\n250-SIZE 10240000\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n"
ACCEPTING = {
    "EHLO": EHLO,
    "AUTH": b"235 2.7.0 Authentication successful\r\n",
    "MAIL": b"250 2.1.0 Ok\r\n",
    "RCPT": b"250 2.1.5 Ok\r\n",
    "DATA": b"354 End data with <CR><LF>.<CR><LF>\r\n",
    ".": b"250 2.0.0 Ok: queued as BA13DD0252\r\n",
    "QUIT": b"221 2.0.0 Bye\r\n",
}
ALICE_TO_BOB = Envelope("alice@alpha.test", ("bob@beta.test",))
CONTENT = b"Subject: x\r\n\r\n.dot\r\nend\r\n"


def send(
    server: ScriptedServer, envelope: Envelope = ALICE_TO_BOB, content: bytes = CONTENT, **options: Any
) -> Submission:
    given = options or {"user": "alice@alpha.test", "password": "alice"}
    return submit("127.0.0.1", server.port, envelope, content, timeout=5, **given)


def test_an_accepted_message_has_the_servers_queue_id_and_the_time(start_server: StartServer) -> None:
    before = datetime.now(UTC)

    submission = send(start_server(GREETING, ACCEPTING))

    assert submission.accepted
    assert submission.queue_id == "BA13DD0252"
    assert str(submission.reply) == "250 2.0.0 Ok: queued as BA13DD0252"
    assert submission.accepted_at is not None
    assert before <= submission.accepted_at <= datetime.now(UTC)
    assert submission.recipients == ("bob@beta.test",)
    assert submission.refused == ()


def test_the_dialogue_carries_the_envelope_and_the_content_with_dots_stuffed(
    start_server: StartServer,
) -> None:
    server = start_server(GREETING, ACCEPTING)

    send(server, Envelope("", ("bob@beta.test", "bea@beta.test")))

    assert server.messages == [b"Subject: x\r\n\r\n..dot\r\nend\r\n"]
    assert server.lines == [
        "ehlo [127.0.0.1]",
        "AUTH PLAIN AGFsaWNlQGFscGhhLnRlc3QAYWxpY2U=",
        f"MAIL FROM:<> SIZE={len(CONTENT)}",
        "RCPT TO:<bob@beta.test>",
        "RCPT TO:<bea@beta.test>",
        "DATA",
        "QUIT",
    ]


def test_content_with_8_bit_bytes_is_declared_and_untouched(start_server: StartServer) -> None:
    server = start_server(GREETING, ACCEPTING)

    send(server, content=b"Subject: x\r\n\r\n\xff\0no line end")

    assert server.messages == [b"Subject: x\r\n\r\n\xff\0no line end\r\n"]
    assert "BODY=8BITMIME" in server.lines[2]


@pytest.mark.parametrize(
    ("text", "queue_id"),
    [
        (b"250 2.0.0 Ok: queued as 4XyzBc12bdz9Kl\r\n", "4XyzBc12bdz9Kl"),
        (b"250 2.0.0 Ok: queued as AB12CD\r\n", "AB12CD"),
        (b"250 Message accepted\r\n", None),
        (b"250 2.0.0 Ok: queued as yesterday\r\n", None),
    ],
)
def test_short_and_long_queue_ids_are_known_and_others_are_none(
    start_server: StartServer, text: bytes, queue_id: str | None
) -> None:
    submission = send(start_server(GREETING, ACCEPTING | {".": text}))

    assert submission.accepted
    assert submission.queue_id == queue_id


@pytest.mark.parametrize(
    ("command", "answer", "stage"),
    [
        ("CONNECT", b"554 5.7.1 no service here\r\n", Stage.CONNECT),
        ("EHLO", b"550 5.7.1 go away\r\n", Stage.EHLO),
        ("AUTH", b"535 5.7.8 Error: authentication failed\r\n", Stage.AUTH),
        ("AUTH", b"454 4.7.0 Temporary authentication failure\r\n", Stage.AUTH),
        ("MAIL", b"552 5.3.4 Message size exceeds fixed limit\r\n", Stage.MAIL),
        ("RCPT", b"450 4.2.0 Greylisted\r\n", Stage.RCPT),
        ("RCPT", b"421 4.7.0 Error: too many errors\r\n", Stage.RCPT),
        ("DATA", b"554 5.5.1 no valid recipients\r\n", Stage.DATA),
        (".", b"451 4.3.0 queue file write error\r\n", Stage.END_OF_MESSAGE),
        (".", b"554 5.7.1 no viruses\r\n", Stage.END_OF_MESSAGE),
    ],
)
def test_a_refusal_is_a_value_with_its_stage_and_reply(
    start_server: StartServer, command: str, answer: bytes, stage: Stage
) -> None:
    greeting = answer if command == "CONNECT" else GREETING
    submission = send(start_server(greeting, ACCEPTING | {command: answer}))
    assert f"{submission.reply}\r\n".encode() == answer
    assert (submission.accepted, submission.stage) == (False, stage)
    assert (submission.queue_id, submission.accepted_at) == (None, None)


def test_a_reply_of_several_lines_keeps_them(start_server: StartServer) -> None:
    answer = b"550-5.1.1 nobody here\r\n550 5.1.1 of that name\r\n"

    submission = send(start_server(GREETING, ACCEPTING | {"RCPT": answer}))

    assert submission.reply.text == "nobody here\nof that name"


def test_refused_recipients_stand_beside_the_accepted(start_server: StartServer) -> None:
    script = ACCEPTING | {"RCPT TO:<nobody@beta.test>": b"550 5.1.1 no such user\r\n"}

    submission = send(
        start_server(GREETING, script), Envelope("alice@alpha.test", ("nobody@beta.test", "bob@beta.test"))
    )

    assert submission.accepted
    assert submission.recipients == ("bob@beta.test",)
    assert [(rcpt, str(reply)) for rcpt, reply in submission.refused] == [
        ("nobody@beta.test", "550 5.1.1 no such user")
    ]


def test_a_server_that_closes_at_a_recipient_has_accepted_none(start_server: StartServer) -> None:
    script = ACCEPTING | {"RCPT TO:<bea@beta.test>": b"421 4.3.2 shutting down\r\n"}
    rcpt_tos = ("bob@beta.test", "bea@beta.test", "amy@alpha.test")

    submission = send(start_server(GREETING, script), Envelope("alice@alpha.test", rcpt_tos))

    assert not submission.accepted
    assert {rcpt for rcpt, _ in submission.refused} == set(rcpt_tos)


def test_a_server_without_auth_gives_its_own_refusal(start_server: StartServer) -> None:
    script = ACCEPTING | {
        "EHLO": b"250 mx.alpha.test\r\n",
        "AUTH": b"503 5.5.1 Error: authentication not enabled\r\n",
    }

    submission = send(start_server(GREETING, script))

    assert (submission.stage, submission.reply.code) == (Stage.AUTH, 503)


@pytest.mark.parametrize("command", ["EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."])
def test_a_lost_connection_is_an_error_that_names_the_server_and_the_stage(
    start_server: StartServer, command: str
) -> None:
    server = start_server(GREETING, ACCEPTING | {command: HANG_UP})

    with pytest.raises(ServiceCommandFailed) as caught:
        send(server)

    assert f"127.0.0.1:{server.port}" in caught.value.message
    assert f"at {'END-OF-MESSAGE' if command == '.' else command}" in caught.value.message
    assert "the connection was lost" in caught.value.message
    assert ("may have been accepted" in caught.value.message) == (command == ".")


def test_an_answer_that_is_not_smtp_is_a_refusal_or_an_error(start_server: StartServer) -> None:
    submission = send(start_server(b"+OK POP3 ready\r\n", ACCEPTING))

    assert not submission.accepted
    assert submission.reply.code == 0


def test_wishes_for_notifications_go_to_the_sender_and_to_every_recipient(start_server: StartServer) -> None:
    server = start_server(GREETING, ACCEPTING | {"EHLO": b"250-mx\r\n250 DSN\r\n"})

    submission = send(
        server,
        Envelope("", ("bob@beta.test", "bea@beta.test")),
        notify=["SUCCESS", "FAILURE"],
        ret="HDRS",
        envid="a=b",
    )

    assert submission.accepted
    assert server.lines[1:4] == [
        "MAIL FROM:<> RET=HDRS ENVID=a+3Db",
        "RCPT TO:<bob@beta.test> NOTIFY=SUCCESS,FAILURE",
        "RCPT TO:<bea@beta.test> NOTIFY=SUCCESS,FAILURE",
    ]


def test_a_server_that_knows_no_dsn_is_asked_all_the_same_and_its_refusal_is_a_value(
    start_server: StartServer,
) -> None:
    server = start_server(GREETING, ACCEPTING | {"MAIL": b"555 5.5.4 Unsupported option: RET=FULL\r\n"})

    submission = send(server, ret="FULL")

    assert (submission.accepted, submission.stage, submission.reply.code) == (False, Stage.MAIL, 555)


def test_a_wrong_wish_is_refused_before_anybody_is_asked(start_server: StartServer) -> None:
    server = start_server(GREETING, ACCEPTING)

    with pytest.raises(UsageError):
        send(server, notify=["SOMETIMES"])

    assert server.lines == []


def test_an_address_that_is_not_ascii_needs_smtputf8(start_server: StartServer) -> None:
    server = start_server(GREETING, ACCEPTING)
    envelope = Envelope("alice@alpha.test", ("josé@beta.test",))

    with pytest.raises(UsageError, match="not ASCII"):
        send(server, envelope)
    send(server, envelope, smtputf8=True)

    assert server.lines[1].endswith(" SMTPUTF8")
    assert server.lines[2].encode("latin-1").decode() == "RCPT TO:<josé@beta.test>"


@pytest.mark.parametrize(("subject", "declared"), [("Grüße", True), ("plain", False)])
def test_smtputf8_is_declared_only_for_what_needs_it(
    start_server: StartServer,
    subject: str,
    declared: bool,
) -> None:
    server = start_server(GREETING, ACCEPTING)
    content = f"Subject: {subject}\r\n\r\nGrüße\r\n".encode()

    send(server, content=content, smtputf8=True)

    assert server.lines[1].endswith(" SMTPUTF8") == declared
