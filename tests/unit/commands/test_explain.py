from __future__ import annotations

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
    with pytest.raises(UsageError, match="64 MiB"):
        of(str(tmp_path / "large"))


@given(st.binary(max_size=500))
def test_any_standard_input_is_explained_or_refused(content: bytes) -> None:
    with suppress(UsageError):
        assert of("-", content).text
