from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.mail.log.logevent import Connected, Received, Remark, TlsEstablished, Unreachable
from labctl.mail.log.mailboxevent import Saved
from labctl.mail.log.querylog import DnsAnswer
from labctl.trace.logs.reading import Reader

NEWEST = datetime(2026, 11, 24, 17, tzinfo=UTC)
LOGS = Path(__file__).parents[2] / "data" / "logs"
ENGINE = "2026-11-24T16:09:56.031277488Z "
CONNECT = "connect from mx.alpha.test[203.0.113.10]"


def reader(host: str = "") -> Reader:
    return Reader("mail.log", host=host, newest=NEWEST, zone=UTC)


@pytest.mark.parametrize(
    ("name", "host", "program"),
    [
        ("postfix/smtpd", "mx", "smtpd"),
        ("postfix/submission/smtpd", "mx", "smtpd"),
        ("postfix-out/smtpd", "mx/postfix-out", "smtpd"),
        ("postfix/authclean_cleanup", "mx", "cleanup"),
        ("postfix/postfix-script", "mx", "postfix-script"),
    ],
)
def test_a_host_is_told_with_its_instance(name: str, host: str, program: str) -> None:
    entry = reader().entry(f"Nov 24 10:00:00 mx {name}[1]: {CONNECT}", 7)

    assert entry is not None
    assert (entry.host, entry.program, entry.source, entry.offset) == (host, program, "mail.log", 7)


def test_a_labs_host_goes_by_its_own_name() -> None:
    entry = reader("mx.alpha.test").entry(f"Nov 24 10:00:00 mx alpha/smtpd[1]: {CONNECT}", 0)

    assert entry is not None
    assert entry.host == "mx.alpha.test"


@pytest.mark.parametrize(
    ("program", "text", "event"),
    [
        ("smtpd", CONNECT, Connected("mx.alpha.test[203.0.113.10]")),
        ("smtp", "connect to a.test[192.0.2.1]:25: Refused", Unreachable("a.test[192.0.2.1]:25", "Refused")),
        (
            "smtp",
            "Trusted TLS connection established to a.test[192.0.2.1]:25: TLSv1.3 with cipher X",
            TlsEstablished("a.test[192.0.2.1]:25", "Trusted", "TLSv1.3", "X"),
        ),
        (
            "smtpd",
            "308ED228636: client=localhost[127.0.0.1], orig_queue_id=3E551228653, orig_client=a[192.0.2.1]",
            Received("308ED228636", "localhost[127.0.0.1]", filtered_from="3E551228653"),
        ),
        ("smtp", "308ED228636: host a said: 450 later", Remark("308ED228636", "host a said: 450 later")),
        (
            "cleanup",
            "warning: 308ED228636: hopcount exceeded",
            Remark("308ED228636", "warning: 308ED228636: hopcount exceeded"),
        ),
        ("anvil", "statistics: max cache size 1", None),
    ],
)
def test_what_postfix_says_beside_a_messages_fate_is_read_too(program: str, text: str, event: object) -> None:
    entry = reader().entry(f"Nov 24 10:00:00 mx postfix/{program}[1]: {text}", 0)

    assert entry is not None
    assert entry.event == event
    assert entry.queue_id == getattr(event, "queue_id", None)


def test_a_line_without_a_time_has_that_of_the_line_before() -> None:
    read = reader()
    bare = f"postfix/smtpd[1]: {CONNECT}"

    assert read.entry(bare, 0) is None
    first = read.entry(f"Nov 24 10:00:00 mx {bare}", 1)
    second = read.entry(bare, 2)

    assert first is not None
    assert second is not None
    assert second.at == first.at


def test_dovecots_and_the_resolvers_lines_are_read() -> None:
    saved = reader().entry("Nov 24 10:00:00 lmtp(b@x)<1><s>: Info: msgid=<1@a>: saved mail to INBOX", 0)
    answer = reader().entry(
        f'{ENGINE}{{"time":"2026-11-24T16:09:56.5Z","client":"203.0.113.10","name":"a.","type":"A"}}', 0
    )

    assert saved is not None
    assert (saved.program, saved.host) == ("lmtp", "mail.log")
    assert saved.event == Saved("b@x", "<1@a>", "INBOX", "s")
    assert answer is not None
    assert isinstance(answer.event, DnsAnswer)
    assert answer.at == answer.event.at


def test_a_session_of_dovecots_may_have_a_slash() -> None:
    found = reader().entry(
        "Nov 24 10:00:00 lmtp(b@x)<1><a/mgOe/F>: Info: msgid=<1@a>: saved mail to INBOX", 0
    )

    assert found is not None
    assert (found.program, found.event) == ("lmtp", Saved("b@x", "<1@a>", "INBOX", "a/mgOe/F"))


def test_other_programs_lines_are_kept_without_an_event() -> None:
    line = "Nov 24 10:00:00 mx amavis[12]: (12-01) Passed, Queue-ID: 308ED228636, queued_as: 3E551228653"

    entry = reader().entry(line, 0)

    assert entry is not None
    assert (entry.event, entry.text, entry.program) == (None, line, "amavis")


@pytest.mark.parametrize("name", ["alpha.log", "beta.log"])
def test_a_recorded_log_says_the_same_wrapped_and_bare(name: str) -> None:
    for line in (LOGS / name).read_bytes().splitlines():
        bare, wrapped = reader().entry(line, 0), reader().entry(ENGINE.encode() + line, 0)

        assert bare is not None
        assert wrapped is not None
        assert (bare.event, bare.queue_id, bare.text) == (wrapped.event, wrapped.queue_id, wrapped.text)
        assert wrapped.at - bare.at > timedelta(hours=1)


@given(
    st.binary(),
    st.sampled_from([b"", b"Nov 24 10:00:00 mx postfix/smtpd[1]: ", ENGINE.encode(), b'{"log":"']),
)
def test_any_bytes_are_an_entry_or_none(soup: bytes, start: bytes) -> None:
    reader().entry(start + soup, 0)
