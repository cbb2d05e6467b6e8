from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.mail.content.mailheader import date_of, parse_header

FIELDS = ("From", "To", "Subject", "Date", "Message-ID", "Content-Type", "content-type", "Resent-To", "X")
GARBAGE = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"=?utf-8?b?!!!?=",
            b"=?no-such?q?x?=",
            b"=?utf-8?q?=ff=00?=",
            b"=?utf-8?b?YQ?= =?utf-8?b?",
            b"(((",
            b"<",
            b"multipart/report; report-type*0*=utf-8''%ff; report-type=",
            b'multipart/report; report-type="',
            b"Thu, 99 Foo 99999 99:99:99 +9999",
            b"1 Jan 0001 00:00:00 +1400",
            b"31 Dec 9999 23:59:59 -1200",
            b"a@b, c@d (x",
            b'"unclosed <a@b>',
            b"group: a@b, c@d;",
            b"\x1b[31mred\x07",
        ]
    ),
)


@given(st.lists(st.tuples(st.sampled_from(FIELDS), GARBAGE), max_size=8), st.binary(max_size=40))
def test_nothing_in_a_header_is_an_error(fields: list[tuple[str, bytes]], rest: bytes) -> None:
    content = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in fields) + rest

    header = parse_header(content)

    assert header.date is None or header.date.tzinfo is UTC


def test_a_header_is_decoded() -> None:
    header = parse_header(
        b"From: =?utf-8?q?Al=C3=ADce?= <alice@alpha.test>\r\n"
        b'To: "B, o" <bob@beta.test>,\r\n bea@beta.test\r\n'
        b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n =?iso-8859-1?q?_aus_N=E4he?=\r\n"
        b"Date: Tue, 24 Nov 2026 11:00:00 +0100\r\n"
        b"Message-Id:\r\n <1@alpha.test>\r\n\r\nbody"
    )

    assert header.from_ == "alice@alpha.test"
    assert header.to == ("bob@beta.test", "bea@beta.test")
    assert header.subject == "Grüße aus Nähe"
    assert header.date == datetime(2026, 11, 24, 10, tzinfo=UTC)
    assert header.message_id == "<1@alpha.test>"
    assert not header.is_dsn


def test_an_empty_header_has_empty_fields() -> None:
    header = parse_header(b"\r\nbody")

    assert (header.message_id, header.from_, header.to, header.subject, header.date) == ("", "", (), "", None)


def test_bytes_in_a_field_are_read_as_utf_8() -> None:
    assert parse_header("Subject: Grüße\r\n\r\n".encode()).subject == "Grüße"


@pytest.mark.parametrize(
    ("content_type", "is_dsn"),
    [
        (b"multipart/report; report-type=delivery-status; boundary=x", True),
        (b'Multipart/Report; boundary=x; Report-Type="Delivery-Status"', True),
        (b"multipart/report; report-type=disposition-notification", False),
        (b"multipart/mixed; report-type=delivery-status", False),
        (b"text/plain", False),
    ],
)
def test_a_notification_says_so_in_its_content_type(content_type: bytes, *, is_dsn: bool) -> None:
    assert parse_header(b"Content-Type: " + content_type + b"\r\n\r\n").is_dsn is is_dsn


@pytest.mark.parametrize("text", ["", "yesterday", "Tue, 24 Nov", "31 Dec 9999 23:59:59 -1200"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert date_of(text) is None


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001  # hypothesis asks for naive ones
def test_a_date_without_a_zone_is_utc(moment: datetime) -> None:
    text = moment.strftime("%d %b %Y %H:%M:%S -0000")

    assert date_of(text) == moment.replace(microsecond=0, tzinfo=UTC)
