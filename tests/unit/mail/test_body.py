from __future__ import annotations

from email.parser import BytesParser
from email.policy import compat32
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.mail import bounce
from labctl.mail.content import dsn
from labctl.mail.content.body import body, inner
from labctl.mail.content.mailheader import parse_header

SAMPLES = Path(__file__).parent / "samples"
BOUNCE = (SAMPLES / "bounces/sendmail-dsn.eml").read_bytes()

CHARSETS = [
    b"\xff", b"iso\xff2022-jp", b"a\0b", b"undefined", b"punycode", b"idna", b"unicode_escape", b"zlib",
    b"hex", b"rot13", b"utf-16", b"utf-7", b"x-none", b"", b"x" * 9999, "é".encode(),
]  # fmt: skip


def parsed(content: bytes) -> bytes:
    return body(BytesParser(policy=compat32).parsebytes(content))


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("encoding", [b"q", b"b"])
def test_a_word_in_a_charset_that_there_is_not_stays_as_it_is(charset: bytes, encoding: bytes) -> None:
    header = parse_header(b"Subject: one =?%b?%b?QQ=?= two\r\n\r\n" % (charset, encoding))
    assert header.subject.startswith("one ")
    assert header.subject.endswith(" two")


@pytest.mark.parametrize(
    "word", [b"=?utf-8?q?\xff?=", b"=?utf-8?b?\xff\xfe?=", b"=?utf-8?b?A?=", b"=?\0?q?=FF?="]
)
def test_a_raw_byte_in_an_encoded_word_is_no_error(word: bytes) -> None:
    header = parse_header(b"From: %b <ann@example.org>\r\nSubject: %b\r\nTo: %b\r\n\r\n" % (word, word, word))
    assert header.from_ == "ann@example.org"
    assert header.subject


@pytest.mark.parametrize("opening", [b"(", b'"', b"<", b"["])
def test_comments_inside_each_other_without_end_are_no_addresses(opening: bytes) -> None:
    header = parse_header(b"To: " + opening * 20_000 + b"\r\n\r\n")
    assert all(len(each) <= 20_000 for each in header.to)


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_bounce_is_read_whatever_charset_its_text_claims(charset: bytes) -> None:
    odd = BOUNCE.replace(b"\n\n", b"\nContent-Type: text/plain; charset=" + charset + b"\n\n")
    bounce.read(odd)
    altered = BOUNCE.replace(
        b"Content-Type: message/", b"Content-Type: text/plain; charset=%b\nX: " % charset
    )
    for content in (odd, altered, altered.replace(b"7bit", b"8bit") + b"\xff"):
        bounce.read(content)
        dsn.parse(content)


@given(
    st.binary(max_size=60), st.sampled_from([b"base64", b"quoted-printable", b"x-uuencode", b"7bit", b"\xff"])
)
def test_a_body_is_decoded_or_as_it_came(content: bytes, encoding: bytes) -> None:
    found = parsed(b"Content-Transfer-Encoding: " + encoding + b"\n\n" + content)
    assert encoding != b"7bit" or found == content


def test_the_parts_of_a_leaf_are_none_and_those_of_a_message_are_all() -> None:
    head = b'Content-Type: multipart/mixed; boundary="x"\n\n'
    many = BytesParser(policy=compat32).parsebytes(head + b"--x\n\na\n" * 3 + b"--x--\n")
    assert [body(each) for each in inner(many)] == [b"a", b"a", b"a"]
    assert inner(inner(many)[0]) == []


def test_a_message_of_very_many_parts_is_read() -> None:
    head = b'From: a@b.test\nContent-Type: multipart/mixed; boundary="x"\n\n'
    assert bounce.read(head + b"--x\n\na\n" * 5_000) is None
