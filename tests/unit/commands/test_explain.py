from __future__ import annotations

import gzip
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.commands import explain as command
from labctl.commands.explain import Explanation, explain
from labctl.errors import UsageError

BOUNCES = Path(__file__).parents[1] / "mail" / "samples" / "bounces"


def of(words: str, stdin: bytes = b"") -> Explanation:
    return explain(words, BytesIO(stdin))


@pytest.mark.parametrize(
    ("words", "kind", "subject"),
    [
        ("4.4.1", "code", "4.4.1"),
        ("450", "code", "450"),
        ("Deferred", "code", "deferred"),
        ("expanded", "code", "expanded"),
        ("550 5.1.1 <x@y.test>: User unknown", "reply", "550 5.1.1"),
        ("Connection refused", "reply", "Connection refused"),
    ],
)
def test_codes_states_and_replies_are_told_apart(words: str, kind: str, subject: str) -> None:
    result = of(words)
    assert (result.kind, result.subject) == (kind, subject)
    assert result.recipients == ()


def test_a_bounce_is_explained_by_its_worst_news() -> None:
    result = of(str(BOUNCES / "sendmail-dsn.eml"))

    assert result.kind == "dsn"
    assert (result.reporting_mta, result.original_message_id) == ("mx.alpha.test", "<lunch.1@alpha.test>")
    assert [each.action for each in result.recipients] == ["failed", "delayed"]
    assert result.title == result.recipients[0].meaning.title == "no such mailbox"


def test_a_bounce_comes_by_standard_input_too() -> None:
    content = (BOUNCES / "qmail.eml").read_bytes()
    assert of("-", content) == of(str(BOUNCES / "qmail.eml"))


def test_a_reply_comes_by_standard_input_too() -> None:
    assert of("-", b"550 5.1.1 no such user\n") == of("550 5.1.1 no such user")


def test_a_bounce_attached_to_a_message_is_found() -> None:
    assert of(str(BOUNCES / "forwarded.eml")).written_by == "qmail"


def test_the_first_bounce_of_a_mailbox_is_explained_and_the_others_are_counted(tmp_path: Path) -> None:
    names = ("ordinary", "yahoo", "vacation", "gmx")
    box = tmp_path / "box"
    box.write_bytes(
        b"".join(
            b"From MAILER-DAEMON Tue Nov 24 10:00:00 2026\n" + (BOUNCES / f"{name}.eml").read_bytes() + b"\n"
            for name in names
        )
    )

    result = of(str(box))
    assert (result.written_by, result.further) == ("Yahoo", 1)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("vacation", "automatic reply"),
        ("challenge", "proof"),
        ("feedback", "RFC 5965"),
        ("disposition", "RFC 8098"),
        ("ordinary", "ordinary message"),
    ],
)
def test_a_message_that_is_no_bounce_is_refused_and_named(name: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        of(str(BOUNCES / f"{name}.eml"))


@pytest.mark.parametrize("words", ["nonsense.eml", "", "x" * 5000, "a\0b", "666", "1.1.1"])
def test_what_is_nothing_to_explain_is_refused(words: str) -> None:
    with pytest.raises(UsageError) as caught:
        of(words)
    assert caught.value.hint == "labctl explain 4.4.1"


def test_an_empty_file_is_refused_as_such() -> None:
    with pytest.raises(UsageError, match="is empty"):
        of("-")


def test_a_file_that_is_too_large_is_refused_before_it_is_read_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "LARGEST_FILE", 10)
    (tmp_path / "large").write_bytes(b"x" * 11)
    with pytest.raises(UsageError, match="is larger than"):
        of(str(tmp_path / "large"))


@given(st.binary(max_size=500))
def test_any_standard_input_is_explained_or_refused(content: bytes) -> None:
    with suppress(UsageError):
        assert of("-", content).text


HEAD = "Nov 24 10:00:00 mx postfix"
DEFERRED = (
    "77F9B1D814E: to=<{}>, relay=none, delay=30, delays=0/0/30/0, dsn={}, status=deferred "
    "(connect to mx.beta.test[203.0.113.20]:25: Connection timed out)"
)
TIMED_OUT = DEFERRED.format("bob@beta.test", "4.4.1")
BOUNCED = (
    "77F9B1D814E: to=<bob@beta.test>, relay=mx.beta.test[203.0.113.20]:25, delay=1, delays=0/0/0/1, "
    "dsn=5.7.1, status=bounced (host mx.beta.test[203.0.113.20] said: 550 Go away (in reply to DATA command))"
)
REFUSED = (
    "NOQUEUE: reject: RCPT from unknown[198.51.100.7]: 554 5.7.1 <x@example.org>: Relay access denied; "
    "from=<a@example.com> to=<x@example.org> proto=ESMTP helo=<x>"
)
SENT = (
    "77F9B1D814E: to=<bob@beta.test>, relay=mx.beta.test[203.0.113.20]:25, delay=1, delays=0/0/0/1, "
    "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 7C1991D8153)"
)


@pytest.mark.parametrize(
    ("line", "outcome", "code", "recipient", "title"),
    [
        (f"{HEAD}/smtp[1]: {TIMED_OUT}", "deferred", "4.4.1", "bob@beta.test", "nobody answered"),
        (
            f"2026-11-24T10:00:00.5+01:00 mx postfix/smtp[1]: {BOUNCED}",
            "bounced",
            "5.7.1",
            "bob@beta.test",
            "not allowed",
        ),
        (f"postfix/smtp[1]: {TIMED_OUT}", "deferred", "4.4.1", "bob@beta.test", "nobody answered"),
        (TIMED_OUT, "deferred", "4.4.1", "bob@beta.test", "nobody answered"),
        (f"  {TIMED_OUT.partition(' ')[2]}\n", "deferred", "4.4.1", "bob@beta.test", "nobody answered"),
        (f"{HEAD}/smtpd[1]: {REFUSED}", "rejected", "5.7.1", "x@example.org", None),
        (REFUSED, "rejected", "5.7.1", "x@example.org", None),
        (f"{HEAD}/smtp[1]: {SENT}", "sent", "2.0.0", "bob@beta.test", None),
        (f"{HEAD}/postsuper[1]: 77F9B1D814E: placed on hold", "held", "", None, None),
        (
            f"{HEAD}/smtp[1]: connect to mx.beta.test[203.0.113.20]:25: Connection refused",
            "warning",
            "",
            None,
            "nobody listens there",
        ),
    ],
)
def test_a_line_of_a_log_is_explained_by_its_own_code_and_words(
    line: str, outcome: str, code: str, recipient: str | None, title: str | None
) -> None:
    result = of(line)

    [reason] = result.reasons
    assert (result.kind, reason.count) == ("log", 1)
    assert (reason.outcome, reason.code, reason.recipient) == (outcome, code, recipient)
    assert result.title == reason.meaning.title
    if title is not None:
        assert result.title == title


def test_the_code_of_a_line_counts_where_its_words_say_nothing() -> None:
    line = DEFERRED.format("bob@beta.test", "4.2.2").replace("Connection timed out", "alas")
    assert of(line).title == of("4.2.2").title


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of several hosts' troubles, three of which are the same."""
    lines = [
        f"{HEAD}/smtp[1]: {SENT}",
        *(
            f"{HEAD}/smtp[1]: {DEFERRED.format(f'{name}@beta.test', '4.4.1')}"
            for name in ("ann", "bob", "bea")
        ),
        f"{HEAD}/smtp[1]: connect to mx.beta.test[203.0.113.20]:25: Connection timed out",
        "no line of a log",
        f"{HEAD}/smtp[1]: {BOUNCED}",
    ]
    path = tmp_path / "mail.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_of_a_log_each_reason_is_told_once_and_how_often(log: Path) -> None:
    result = of(str(log))

    told = [(each.count, each.outcome, each.recipient) for each in result.reasons]
    assert told == [(3, "deferred", "ann@beta.test"), (1, "bounced", "bob@beta.test")]
    assert (result.delivered, result.further) == (1, 0)


def test_a_log_comes_by_standard_input_packed_or_in_words_too(log: Path) -> None:
    packed = log.with_suffix(".gz")
    packed.write_bytes(gzip.compress(log.read_bytes()))

    assert of("-", log.read_bytes()) == of(str(packed)) == of(str(log))
    assert [each.count for each in of(log.read_text(encoding="utf-8")).reasons] == [3, 1, 1]  # success, too


def test_a_log_in_which_nothing_failed_is_refused_with_what_shows_it(tmp_path: Path) -> None:
    path = tmp_path / "my mail.log"
    path.write_text(f"{HEAD}/smtp[1]: {SENT}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="1 deliveries, and of none that failed") as caught:
        of(str(path))
    assert caught.value.hint == f"labctl trace --logs '{path}'"


def test_a_message_that_quotes_a_log_is_a_message(log: Path) -> None:
    quoted = b"From: a@example.org\nSubject: help\n\n" + log.read_bytes()
    with pytest.raises(UsageError, match="ordinary message"):
        of("-", quoted)


def test_however_many_different_reasons_a_log_tells_few_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    codes = [f"4.{n}.{m}" for n in range(30) for m in range(30)]
    path.write_text("".join(f"{HEAD}/smtp[1]: {DEFERRED.format('b@x.test', code)}\n" for code in codes))
    result = of(str(path))
    assert len(result.reasons) == 500
    assert result.further == len(codes) - 500


def test_a_state_or_a_code_that_is_mistyped_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'deferred'"):
        of("defered")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_before_a_log_or_a_bounce_does_no_harm(
    log: Path, tmp_path: Path, encoding: str
) -> None:
    marked = tmp_path / "marked"
    marked.write_bytes(log.read_text(encoding="utf-8").encode(encoding))
    assert of(str(marked)) == of("-", marked.read_bytes()) == of(str(log))

    bounce = (BOUNCES / "sendmail-dsn.eml").read_text(encoding="ascii")
    assert of("-", bounce.encode(encoding)) == of("-", bounce.encode())
