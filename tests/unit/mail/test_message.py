from __future__ import annotations

import email
from email import policy
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import UsageError
from labctl.mail.content.message import compose_message, normal_message_id, prepared

if TYPE_CHECKING:
    from email.message import EmailMessage

ONE_LINE = st.text(st.characters(exclude_categories=("Cc", "Zl", "Zp", "Cs")), max_size=200)


def parsed(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=policy.default)


@given(subject=ONE_LINE, body=st.text(max_size=400))
def test_every_subject_and_body_make_a_message_with_crlf_line_ends(subject: str, body: str) -> None:
    message_id, content = compose_message("alice@alpha.test", ["bob@beta.test"], subject=subject, body=body)

    assert content.replace(b"\r\n", b"").count(b"\n") == 0
    assert parsed(content)["Message-ID"] == message_id
    assert b"\nDate: " in content


def test_a_composed_message_says_what_it_was_given() -> None:
    message_id, content = compose_message(
        "alice@alpha.test", ["bob@beta.test", '"b c"@beta.test'], subject="Grüße aus Nah", body="Schön\n.\n"
    )

    message = parsed(content)
    assert message["From"] == "alice@alpha.test"
    assert [address.addr_spec for address in message["To"].addresses] == ["bob@beta.test", '"b c"@beta.test']
    assert message["Subject"] == "Grüße aus Nah"
    assert message["Message-ID"] == message_id
    assert message["Date"].datetime is not None
    assert message.get_content().replace("\r\n", "\n") == "Schön\n.\n"


def test_every_message_has_an_id_of_its_own_under_the_senders_domain() -> None:
    ids = {compose_message("a@alpha.test", ["b@beta.test"], subject="s", body="b")[0] for _ in range(50)}

    assert len(ids) == 50
    assert all(text.startswith("<") and text.endswith("@alpha.test>") for text in ids)


def test_a_long_domain_does_not_break_the_id_in_two() -> None:
    domain = ".".join(["d" * 60] * 4)

    message_id, content = compose_message(f"a@{domain}", ["b@beta.test"], subject="s", body="b")

    assert b"Message-ID: " + message_id.encode() + b"\r\n" in content


def test_a_subject_of_two_lines_is_refused() -> None:
    with pytest.raises(UsageError, match="subject"):
        compose_message("a@alpha.test", ["b@beta.test"], subject="one\nBcc: eve@beta.test", body="b")


@given(st.binary())
def test_any_file_is_prepared_with_crlf_and_an_id_and_preparing_again_changes_nothing(content: bytes) -> None:
    message_id, ready = prepared(content, domain="alpha.test")

    assert b"\n" not in ready.replace(b"\r\n", b"")
    assert b"\r" not in ready.replace(b"\r\n", b"")
    assert prepared(ready) == (message_id, ready)


def test_a_complete_message_is_left_as_it_is_but_for_line_ends() -> None:
    content = b"Subject: x\nMessage-Id:\n <One@alpha.test>\ndate: now\n\n\0b\xf6dy\n.\n"

    message_id, ready = prepared(content)

    assert message_id == "<One@alpha.test>"
    assert ready == content.replace(b"\n", b"\r\n")


def test_only_what_is_missing_is_added_on_top() -> None:
    _, ready = prepared(b"Message-ID: <a@b>\r\nSubject: x\r\n\r\nDate: not a header\r\n")

    first, _, rest = ready.partition(b"\r\n")
    assert first.startswith(b"Date: ")
    assert rest == b"Message-ID: <a@b>\r\nSubject: x\r\n\r\nDate: not a header\r\n"


def test_a_file_without_a_header_becomes_a_body() -> None:
    message_id, ready = prepared(b"just words\r\n", domain="alpha.test")

    header, _, body = ready.partition(b"\r\n\r\n")
    assert message_id.encode() in header
    assert body == b"just words\r\n"


def test_an_empty_message_id_is_none() -> None:
    message_id, ready = prepared(b"Message-ID:\r\nDate: now\r\n\r\n")

    assert ready.startswith(b"Message-ID: " + message_id.encode())


def test_the_first_of_two_ids_counts() -> None:
    message_id, _ = prepared(b"Message-ID: <one@x>\nMessage-ID: <two@x>\n\n")

    assert message_id == "<one@x>"


@given(st.text())
def test_a_normal_message_id_is_normal(text: str) -> None:
    once = normal_message_id(text)

    assert normal_message_id(once) == once


@pytest.mark.parametrize("text", ["a@b", "<a@b>", " <a@b> ", "<a@b> (a comment)"])
def test_the_spellings_of_one_id_are_equal(text: str) -> None:
    assert normal_message_id(text) == "<a@b>"
