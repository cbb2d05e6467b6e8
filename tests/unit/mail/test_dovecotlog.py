from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.mail.log.dovecotlog import parse, process
from labctl.mail.log.mailboxevent import (
    LoggedIn,
    LoggedOut,
    MailboxChanged,
    MailboxEvent,
    Saved,
    SaveFailed,
    SieveActed,
)

BOB = "bob@beta.test"
LMTP = f"lmtp({BOB})<25><tn0nIli7BWsZAAAAwZFyXg>"
SESSION = "tn0nIli7BWsZAAAAwZFyXg"
IMAP = f"imap({BOB})<49><NxQcNghhTJbGE4ch>"
READER = "NxQcNghhTJbGE4ch"
DISCARDED = "marked message to be discarded if not explicitly delivered (discard action)"
SIEVE = "Info: sieve: msgid=<1@alpha.test>: "


def acted(action: str, text: str) -> SieveActed:
    return SieveActed(BOB, "<1@alpha.test>", action, text, SESSION)


def changed(action: str, box: str, flags: tuple[str, ...], destination: str | None = None) -> MailboxChanged:
    return MailboxChanged(BOB, "imap", action, box, 1, "<1@alpha.test>", flags, destination, READER)


@pytest.mark.parametrize(
    ("name", "text", "event"),
    [
        (
            LMTP,
            "Info: msgid=<1@alpha.test>: saved mail to INBOX",
            Saved(BOB, "<1@alpha.test>", "INBOX", SESSION),
        ),
        (LMTP, "Info: msgid=unspecified: saved mail to INBOX", Saved(BOB, "", "INBOX", SESSION)),
        (
            LMTP,
            "Info: msgid=<1@alpha.test>: save failed to INBOX: Quota exceeded (mailbox for user is full)",
            SaveFailed(BOB, "<1@alpha.test>", "INBOX", "Quota exceeded (mailbox for user is full)", SESSION),
        ),
        (
            LMTP,
            "Info: msgid=<1@alpha.test>: save failed to open mailbox INBOX: Failed to autocreate mailbox",
            SaveFailed(BOB, "<1@alpha.test>", "INBOX", "Failed to autocreate mailbox", SESSION),
        ),
        (
            LMTP,
            f"{SIEVE}fileinto action: stored mail into mailbox 'Lists'",
            Saved(BOB, "<1@alpha.test>", "Lists", SESSION),
        ),
        (
            LMTP,
            f"{SIEVE}failed to store into mailbox 'INBOX': Quota exceeded",
            SaveFailed(BOB, "<1@alpha.test>", "INBOX", "Quota exceeded", SESSION),
        ),
        (
            LMTP,
            f"{SIEVE}redirect action: forwarded to <bea@beta.test>",
            acted("forwarded", "forwarded to <bea@beta.test>"),
        ),
        (
            LMTP,
            f"{SIEVE}discard action: {DISCARDED.capitalize()}",
            acted("discarded", DISCARDED.capitalize()),
        ),
        (
            LMTP,
            f"{SIEVE}marked message to be discarded if not explicitly delivered (discard action)",
            acted("discarded", "marked message to be discarded if not explicitly delivered (discard action)"),
        ),
        (
            LMTP,
            f"{SIEVE}reject action: rejected message from <alice@alpha.test> (reject)",
            acted("rejected", "rejected message from <alice@alpha.test> (reject)"),
        ),
        (
            LMTP,
            f"{SIEVE}vacation action: sent vacation response to <alice@alpha.test>",
            acted("vacation", "sent vacation response to <alice@alpha.test>"),
        ),
        (
            LMTP,
            f"{SIEVE}vacation action: discarded duplicate vacation response to <alice@alpha.test>",
            acted(
                "discarded duplicate vacation response to <alice@alpha.test>",
                "discarded duplicate vacation response to <alice@alpha.test>",
            ),
        ),
        (
            "dovecot",
            f"lmtp(31, {BOB}): Im+jOHyb2lbFSgAAlcbfPg:2: msgid=<1@alpha.test>: saved mail to INBOX",
            Saved(BOB, "<1@alpha.test>", "INBOX", "Im+jOHyb2lbFSgAAlcbfPg:2"),
        ),
        (
            "dovecot",
            f"lda({BOB}): msgid=<1@alpha.test>: saved mail to INBOX",
            Saved(BOB, "<1@alpha.test>", "INBOX", None),
        ),
        (
            "imap-login",
            (
                f"Info: Logged in: user=<{BOB}>, method=PLAIN, rip=198.18.0.1, lip=198.18.0.2, mpid=49, "
                f"session=<{READER}>"
            ),
            LoggedIn(BOB, "imap", "198.18.0.1", READER, tls=False),
        ),
        (
            "dovecot",
            (
                f"pop3-login: Login: user=<{BOB}>, method=PLAIN, rip=2001:db8::1, mpid=4, TLS, "
                f"session=<{READER}>"
            ),
            LoggedIn(BOB, "pop3", "2001:db8::1", READER, tls=True),
        ),
        (
            IMAP,
            "Info: Disconnected: Logged out in=350 out=2516 deleted=2 expunged=1 hdr_count=0 body_count=1",
            LoggedOut(
                BOB,
                "imap",
                "Logged out",
                READER,
                {"in": 350, "out": 2516, "deleted": 2, "expunged": 1, "hdr_count": 0, "body_count": 1},
            ),
        ),
        (
            f"pop3({BOB})<51><y4QcNghh6LrGE4ch>",
            "Info: Disconnected: Logged out top=0/0, retr=1/721, del=1/705, size=3112",
            LoggedOut(
                BOB, "pop3", "Logged out", "y4QcNghh6LrGE4ch", {"top": 0, "retr": 1, "del": 1, "size": 3112}
            ),
        ),
        (
            "dovecot",
            f"imap({BOB}): Connection closed in=93 out=912",
            LoggedOut(BOB, "imap", "Connection closed", None, {"in": 93, "out": 912}),
        ),
        (
            IMAP,
            (
                "Info: Mailbox INBOX: flag_change: box=INBOX, uid=1, msgid=<1@alpha.test>, size=686, "
                r"flags=(\Seen \Recent)"
            ),
            changed("flag_change", "INBOX", (r"\Seen", r"\Recent")),
        ),
        (
            IMAP,
            "Info: Mailbox Archive: copy from INBOX: box=Archive, uid=1, msgid=<1@alpha.test>, flags=()",
            changed("copy", "INBOX", (), "Archive"),
        ),
        (
            IMAP,
            r"expunge: box=a, b, uid=1, msgid=<1@alpha.test>, size=686, flags=(\Deleted)",
            changed("expunge", "a, b", (r"\Deleted",)),
        ),
        (
            "imap-login",
            f"Info: Login aborted: Connection closed (auth_failed): user=<{BOB}>, rip=1.2.3.4",
            None,
        ),
        ("lmtp(24)", "Info: Connect from 198.51.100.20", None),
        ("master", "Info: Dovecot v2.4.1-4 (7d8c0e5759) starting up", None),
        (LMTP, "Error: mkdir(/var/vmail/beta.test/bob/Maildir) failed: Permission denied", None),
    ],
)
def test_each_kind_of_line_is_its_event(name: str, text: str, event: MailboxEvent | None) -> None:
    assert parse(name, text) == event


def test_a_message_id_that_imitates_the_rest_of_the_line_deceives_nobody() -> None:
    text = r"expunge: box=INBOX, uid=1, msgid=<a, uid=9, box=x, flags=(\Seen)>, size=6, flags=(\Deleted)"

    event = parse(IMAP, text)

    assert isinstance(event, MailboxChanged)
    assert (event.mailbox, event.uid, event.flags) == ("INBOX", 1, (r"\Deleted",))


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [(LMTP, "", "lmtp"), ("dovecot", "imap-login: x", "imap-login"), ("postfix/smtp", "x", "")],
)
def test_a_line_tells_whose_it_is(name: str, text: str, told: str) -> None:
    assert process(name, text) == told


STARTS = [
    "msgid=<",
    "msgid=<a>: save failed to ",
    "sieve: msgid=<a>: ",
    "Disconnected: ",
    "copy from ",
    "copy from a: box=",
    "Mailbox ",
    "Logged in: user=<a>, ",
    "",
]


@given(st.sampled_from([LMTP, IMAP, "imap-login", "dovecot"]), st.sampled_from(STARTS), st.text())
def test_any_text_is_an_event_or_none(name: str, start: str, text: str) -> None:
    parse(name, start + text)
    parse(text, start)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("repeated", ["a", ": ", ", box=", "a=1 ", "'", "\n", "=", "<"])
@pytest.mark.parametrize("name", [LMTP, IMAP, "imap-login", "dovecot"])
def test_a_line_of_a_megabyte_is_read_without_backtracking(name: str, start: str, repeated: str) -> None:
    # What is not linear here takes minutes, so that no clock is needed to see it.
    parse(name, start + repeated * (1_000_000 // len(repeated)))
