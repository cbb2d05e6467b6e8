"""The clients against scripted servers, for what no real daemon does to order."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labctl.errors import ServiceCommandFailed
from labctl.mail.client.imap import ImapMailbox
from labctl.mail.client.pop3 import Pop3Mailbox
from tests.unit.mail.conftest import HANG_UP

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.mail.conftest import ScriptedServer, StartServer

BOUNCE = (Path(__file__).parents[2] / "data" / "dsn" / "dsn-06.eml").read_bytes().replace(b"\n", b"\r\n")
HEADER = (
    b"From: alice@alpha.test\r\nTo: bob@beta.test\r\nSubject: hello\r\nMessage-ID: <1@alpha.test>\r\n\r\n"
)
BOUNCE_HEADER = BOUNCE[: BOUNCE.index(b"\r\n\r\n") + 4]

POP3 = {
    "USER": b"+OK\r\n",
    "PASS": b"+OK Logged in.\r\n",
    "LIST": b"+OK 2 messages:\r\n1 120\r\n2 2830\r\n.\r\n",
    "UIDL": b"+OK\r\n1 000000016b0566dc\r\n2 000000026b0566dc\r\n.\r\n",
    "TOP 1 0": b"+OK\r\n" + HEADER + b".\r\n",
    "TOP 2 0": b"+OK\r\n" + BOUNCE_HEADER + b".\r\n",
    "TOP": b"+OK\r\n" + BOUNCE + b".\r\n",
    "RETR 1": b"+OK\r\n" + HEADER + b"body\r\n.\r\n",
    "RETR": b"+OK\r\n" + BOUNCE + b".\r\n",
    "DELE": b"+OK Marked to be deleted.\r\n",
    "QUIT": b"+OK Logging out, messages deleted.\r\n",
}
POP3_READY = b"+OK Dovecot ready.\r\n"
IMAP_READY = b"* OK [CAPABILITY IMAP4rev1 UIDPLUS] Dovecot ready.\r\n"
IMAP = {
    "CAPABILITY": b"* CAPABILITY IMAP4rev1 UIDPLUS\r\n{tag} OK Completed\r\n",
    "LOGIN": b"{tag} OK [CAPABILITY IMAP4rev1 UIDPLUS] Logged in\r\n",
    "EXAMINE": b"* 1 EXISTS\r\n{tag} OK [READ-ONLY] Examine completed\r\n",
    "LOGOUT": b"* BYE Logging out\r\n{tag} OK Logout completed.\r\n",
}


def open_pop3(server: ScriptedServer) -> Pop3Mailbox:
    return Pop3Mailbox.open("127.0.0.1", server.port, "bob@beta.test", "bob", timeout=5)


def open_imap(server: ScriptedServer, timeout: float = 5) -> ImapMailbox:
    return ImapMailbox.open("127.0.0.1", server.port, "bob@beta.test", "bob", timeout=timeout)


def test_a_pop3_listing_uses_top_and_retrieves_nothing(start_server: StartServer) -> None:
    server = start_server(POP3_READY, POP3)

    with open_pop3(server) as mailbox:
        plain, bounce = mailbox.messages()

    assert (plain.uid, plain.uidl, plain.size, plain.flags) == (1, "000000016b0566dc", 120, ())
    assert (plain.from_, plain.to, plain.message_id) == (
        "alice@alpha.test",
        ("bob@beta.test",),
        "<1@alpha.test>",
    )
    assert not plain.is_dsn
    assert bounce.is_dsn
    assert bounce.dsn is not None
    assert bounce.dsn.recipients[0].status == "5.1.1"
    assert not any(line.startswith(("RETR", "DELE")) for line in server.lines)


def test_downloading_with_delete_is_committed_by_quit(start_server: StartServer) -> None:
    server = start_server(POP3_READY, POP3)

    with open_pop3(server) as mailbox:
        messages = mailbox.download(delete=True)

    assert len(messages) == 2
    assert server.lines[-3:] == ["DELE 1", "DELE 2", "QUIT"]


def test_an_error_before_the_end_of_the_session_loses_nothing(start_server: StartServer) -> None:
    server = start_server(POP3_READY, POP3)

    with suppress(KeyError), open_pop3(server) as mailbox:
        mailbox.download(delete=True)
        raise KeyError

    assert server.lines[-1] == "DELE 2"
    assert "QUIT" not in server.lines


@pytest.mark.parametrize("answer", [HANG_UP, b"-ERR [SYS/TEMP] Some deleted messages not removed\r\n"])
def test_a_deletion_that_is_not_confirmed_is_an_error(start_server: StartServer, answer: bytes) -> None:
    server = start_server(POP3_READY, POP3 | {"QUIT": answer})

    with pytest.raises(ServiceCommandFailed, match="can't be read"), open_pop3(server) as mailbox:
        mailbox.download(delete=True)


def test_a_failed_goodbye_after_reading_only_does_not_matter(start_server: StartServer) -> None:
    server = start_server(POP3_READY, POP3 | {"QUIT": HANG_UP})

    with open_pop3(server) as mailbox:
        assert len(mailbox.messages()) == 2


def test_a_whole_message_is_read_and_deleted_by_its_number(start_server: StartServer) -> None:
    server = start_server(POP3_READY, POP3)
    with open_pop3(server) as mailbox:
        assert mailbox.content(1) == HEADER + b"body\r\n"
        assert mailbox.content(3) is None
        mailbox.delete([1])
    assert server.lines[-2:] == ["DELE 1", "QUIT"]


@pytest.mark.parametrize("command", ["LIST", "UIDL", "TOP"])
@pytest.mark.parametrize("answer", [HANG_UP, b"-ERR broken\r\n", b"+OK\r\n" + b"x" * 5000 + b"\r\n.\r\n"])
def test_a_pop3_server_that_breaks_off_is_an_error(
    start_server: StartServer, command: str, answer: bytes
) -> None:
    server = start_server(
        POP3_READY, {key: POP3[key] for key in POP3 if key[:3] != "TOP"} | {command: answer}
    )
    with pytest.raises(ServiceCommandFailed, match=f"127.0.0.1:{server.port}"), open_pop3(server) as mailbox:
        mailbox.messages()


UNREADABLE = "an answer that can't be read"


@pytest.mark.parametrize(
    ("command", "answer", "seen"),
    [
        ("UID", HANG_UP, ""),
        ("UID", b"{tag} NO [SERVERBUG] Internal error\r\n", "Internal error"),
        ("UID", b"garbage\r\n", ""),
        ("EXAMINE", b"{tag} NO [NONEXISTENT] Mailbox doesn't exist: INBOX\r\n", "doesn't exist: INBOX"),
        ("UID", b"* SEARCH one two\r\n{tag} OK Completed\r\n", UNREADABLE),
        ("UID", b"* 1 FETCH (UID 1 BODY[HEADER] {99999999999999}\r\n", UNREADABLE),
        (
            "UID",
            b"* SEARCH 1\r\n* 1 FETCH (UID 1 RFC822.SIZE big BODY[HEADER] {0}\r\n)\r\n{tag} OK Done\r\n",
            UNREADABLE,
        ),
        ("LIST", b"+OK\r\n1 much\r\n.\r\n", UNREADABLE),
    ],
)
def test_an_answer_that_no_server_gives_is_an_error_of_the_server(
    start_server: StartServer, command: str, answer: bytes, seen: str
) -> None:
    pop3 = command in POP3
    server = start_server(POP3_READY if pop3 else IMAP_READY, (POP3 if pop3 else IMAP) | {command: answer})
    with (
        pytest.raises(ServiceCommandFailed, match=f"127.0.0.1:{server.port}.*{seen}"),
        open_pop3(server) if pop3 else open_imap(server, timeout=0.5) as mailbox,
    ):
        mailbox.messages()


@pytest.mark.parametrize(
    ("kind", "greeting", "script"),
    [
        (Pop3Mailbox, POP3_READY, POP3 | {"PASS": b"-ERR [AUTH] Authentication failed.\r\n"}),
        (
            ImapMailbox,
            IMAP_READY,
            IMAP | {"LOGIN": b"{tag} NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"},
        ),
    ],
)
def test_a_wrong_password_is_an_error_that_says_so(
    start_server: StartServer,
    kind: type[ImapMailbox | Pop3Mailbox],
    greeting: bytes,
    script: dict[str, bytes],
) -> None:
    server = start_server(greeting, script)

    with pytest.raises(ServiceCommandFailed) as caught:
        kind.open("127.0.0.1", server.port, "bob@beta.test", "wrong", timeout=5)

    assert "bob@beta.test" in caught.value.message
    assert "the server refused the user name or password" in caught.value.message
    assert caught.value.message.endswith("Authentication failed.")


@pytest.mark.parametrize("kind", [ImapMailbox, Pop3Mailbox])
@pytest.mark.parametrize(
    ("greeting", "seen"),
    [(HANG_UP, "can't be read"), (b"?\r\n", "can't")],
)
def test_a_server_that_does_not_greet_is_an_error(
    start_server: StartServer, kind: type[ImapMailbox | Pop3Mailbox], greeting: bytes, seen: str
) -> None:
    server = start_server(greeting, {})

    with pytest.raises(ServiceCommandFailed, match=seen):
        kind.open("127.0.0.1", server.port, "bob@beta.test", "bob", timeout=0.2)


def test_an_imap_listing_examines_and_peeks(start_server: StartServer) -> None:
    fetched = b"* 1 FETCH (UID 7 FLAGS (\\Seen) RFC822.SIZE 2830 BODY[HEADER] {%d}\r\n%s)\r\n" % (
        len(BOUNCE_HEADER),
        BOUNCE_HEADER,
    )
    script = IMAP | {
        "UID": b"* SEARCH 7\r\n"
        + fetched
        + b"* 1 FETCH (UID 7 BODY[] {%d}\r\n%s)\r\n" % (len(BOUNCE), BOUNCE)
        + b"{tag} OK Completed\r\n"
    }
    server = start_server(IMAP_READY, script)

    with ImapMailbox.open("127.0.0.1", server.port, "bob@beta.test", "bob", timeout=5) as mailbox:
        (message,) = mailbox.messages()

    assert (message.uid, message.flags, message.size) == (7, ("\\Seen",), 2830)
    assert message.dsn is not None
    commands = [line.partition(" ")[2] for line in server.lines]
    assert any(command.startswith("EXAMINE") for command in commands)
    assert not any(command.startswith(("SELECT", "STORE")) for command in commands)
    assert all("PEEK" in command for command in commands if "FETCH" in command)


def test_an_odd_goodbye_does_not_matter(start_server: StartServer) -> None:
    server = start_server(IMAP_READY, IMAP | {"LOGOUT": b"* 1 FETCH {99999999999999}\r\n"})
    open_imap(server).close()


OPENED = IMAP | {
    "SELECT": b"* 1 EXISTS\r\n{tag} OK [READ-WRITE] Select completed\r\n",
    "EXPUNGE": b"{tag} OK Done\r\n",
}


def commands_of(server: ScriptedServer) -> list[str]:
    """What was said after the login, without tags and the goodbye."""
    commands = [line.partition(" ")[2] or line for line in server.lines]
    return [line for line in commands if not line.startswith(("CAPABILITY", "LOGIN", "LOGOUT"))]


def listed(*headers: bytes) -> bytes:
    numbers = " ".join(str(number) for number in range(1, len(headers) + 1)).encode()
    fetched = b"".join(
        b"* %d FETCH (UID %d FLAGS () RFC822.SIZE 9 BODY[HEADER] {%d}\r\n%s)\r\n"
        % (number, number, len(header), header)
        for number, header in enumerate(headers, 1)
    )
    return b"* SEARCH " + numbers + b"\r\n" + fetched + b"{tag} OK Completed\r\n"


def test_a_message_is_found_by_its_whole_message_id(start_server: StartServer) -> None:
    longer = HEADER.replace(b"<1@alpha.test>", b"<11@alpha.test>")
    server = start_server(IMAP_READY, OPENED | {"UID": listed(longer, HEADER)})

    with open_imap(server) as mailbox:
        found = mailbox.find("1@alpha.test", "Work")

    assert found is not None
    assert (found.uid, found.message_id) == (2, "<1@alpha.test>")
    assert commands_of(server)[:2] == ['EXAMINE "Work"', "UID SEARCH HEADER Message-ID 1@alpha.test"]


@pytest.mark.parametrize("answer", [listed(HEADER), b"* SEARCH\r\n{tag} OK Completed\r\n"])
def test_a_part_of_a_message_id_finds_nothing(start_server: StartServer, answer: bytes) -> None:
    with open_imap(start_server(IMAP_READY, OPENED | {"UID": answer})) as mailbox:
        assert mailbox.find("<1@alpha>") is None


SELECTED = 'SELECT "INBOX"'


@pytest.mark.parametrize(
    ("capability", "do", "said"),
    [
        (b"", lambda mailbox: mailbox.create_folder("Work"), ['CREATE "Work"']),
        (
            b"",
            lambda mailbox: mailbox.flag(7, ["\\Seen", "urgent"]),
            [SELECTED, "UID STORE 7 +FLAGS.SILENT (\\Seen urgent)"],
        ),
        (b"MOVE", lambda mailbox: mailbox.move(7, "Work"), [SELECTED, 'UID MOVE 7 "Work"']),
        (
            b"",
            lambda mailbox: mailbox.move(7, "Work"),
            [
                SELECTED,
                'UID COPY 7 "Work"',
                "UID STORE 7 +FLAGS.SILENT (\\Deleted)",
                "UID EXPUNGE 7",
            ],
        ),
    ],
    ids=["a folder is made", "flags are set", "who can moves", "who can't copies and expunges just that one"],
)
def test_what_is_changed_is_said_to_the_server(
    start_server: StartServer, capability: bytes, do: Callable[[ImapMailbox], None], said: list[str]
) -> None:
    done = {"UID": b"{tag} OK Done\r\n", "CREATE": b"{tag} OK Done\r\n"}
    server = start_server(IMAP_READY, with_capability(OPENED | done, capability))
    with open_imap(server) as mailbox:
        do(mailbox)
    assert commands_of(server) == said


def with_capability(script: dict[str, bytes], capability: bytes) -> dict[str, bytes]:
    return {key: answer.replace(b"UIDPLUS", b"UIDPLUS " + capability) for key, answer in script.items()}


IDLING = with_capability(OPENED | {"IDLE": b"+ idling\r\n", "DONE": b"{tag} OK Idle completed\r\n"}, b"IDLE")


def test_idling_tells_of_each_new_message_and_ends_with_done(start_server: StartServer) -> None:
    server = start_server(IMAP_READY, IDLING)

    with open_imap(server) as mailbox, mailbox.idle() as watched:
        server.push(b"* OK Still here\r\n")
        server.push(b"* 2 EXISTS\r\n* 1 RECENT\r\n")
        assert watched.wait_for_exists(within=5) == 2
        server.push(b"* 3 EXISTS\r\n")
        assert watched.wait_for_exists(within=5) == 3

    assert commands_of(server) == ['EXAMINE "INBOX"', "IDLE", "DONE"]


def test_a_folder_where_nothing_happens_tells_none(start_server: StartServer) -> None:
    server = start_server(IMAP_READY, IDLING)

    with open_imap(server) as mailbox, mailbox.idle() as watched:
        server.push(b"* 1 FETCH (FLAGS (\\Seen))\r\n")
        assert watched.wait_for_exists(within=0.2) is None


def test_a_connection_that_is_lost_while_idling_is_an_error(start_server: StartServer) -> None:
    server = start_server(IMAP_READY, IDLING)

    with open_imap(server) as mailbox, suppress(ServiceCommandFailed), mailbox.idle() as watched:
        server.hang_up()
        with pytest.raises(ServiceCommandFailed, match="the connection was lost"):
            watched.wait_for_exists(within=60)


def test_an_error_while_idling_ends_the_idling_too(start_server: StartServer) -> None:
    server = start_server(IMAP_READY, IDLING)

    with suppress(KeyError), open_imap(server) as mailbox, mailbox.idle():
        raise KeyError

    assert server.lines[-2] == "DONE"
    assert server.lines[-1].endswith("LOGOUT")
