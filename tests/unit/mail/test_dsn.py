from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.mail.content import dsn
from labctl.mail.content.dsn import Dsn, DsnAction, DsnRecipient

SAMPLES = sorted((Path(__file__).parents[2] / "data" / "dsn").glob("*.eml"))


def sample(number: int) -> Dsn:
    found = dsn.parse(SAMPLES[number - 1].read_bytes())
    assert found is not None
    return found


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_recorded_notification_is_understood(path: Path) -> None:
    found = dsn.parse(path.read_bytes())

    assert found is not None
    assert found.reporting_mta in {"mx.alpha.test", "mx.beta.test", "mx2.beta.test"}
    assert found.original_message_id is not None
    assert found.original_message_id.startswith("<")
    assert found.arrival_date is not None
    assert found.recipients
    for recipient in found.recipients:
        assert "@" in recipient.address
        assert recipient.action in set(DsnAction)
        assert recipient.status[0] in "245"
        assert recipient.diagnostic_code is not None
        assert "\n" not in recipient.diagnostic_code


def test_there_are_all_the_recorded_notifications() -> None:
    assert len(SAMPLES) == 41


def test_a_bounce_by_the_next_hosts_refusal() -> None:
    assert sample(6) == Dsn(
        reporting_mta="mx.alpha.test",
        original_message_id="<20261124040850.8A298228445@mx.alpha.test>",
        original_envelope_id=None,
        arrival_date=datetime(2026, 11, 24, 4, 8, 50, tzinfo=UTC),
        recipients=(
            DsnRecipient(
                address="ghost@beta.test",
                original="ghost@beta.test",
                action=DsnAction.FAILED,
                status="5.1.1",
                remote_mta="mx.beta.test",
                diagnostic_code="smtp; 550 5.1.1 <ghost@beta.test>: Recipient address rejected: User unknown "
                "in virtual mailbox table",
                will_retry_until=None,
                last_attempt=None,
            ),
        ),
    )


def test_a_delay_says_until_when_it_is_tried() -> None:
    (recipient,) = sample(12).recipients

    assert recipient.action == DsnAction.DELAYED
    assert recipient.will_retry_until == datetime(2026, 11, 24, 4, 12, 34, tzinfo=UTC)


def test_failed_does_not_imply_a_permanent_status() -> None:
    (recipient,) = sample(35).recipients

    assert (recipient.action, recipient.status) == (DsnAction.FAILED, "4.4.1")


def test_only_the_failures_of_a_message_for_many_are_listed() -> None:
    assert [recipient.address for recipient in sample(40).recipients] == [
        "x@nxdomain.test",
        "ghost@beta.test",
    ]


def test_the_envelope_id_of_the_sender_is_kept() -> None:
    assert sample(13).original_envelope_id == "env123"


def test_an_internationalized_notification_is_read_as_utf_8() -> None:
    (recipient,) = sample(30).recipients

    assert recipient.address == "josé@beta.test"
    assert recipient.status == "5.6.7"


def test_an_address_that_no_longer_is_one_is_quoted_by_the_host() -> None:
    (recipient,) = sample(39).recipients

    assert (recipient.address, recipient.original) == ('"bad@"@beta.test', "bad@@beta.test")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Subject: x\r\n\r\nbody",
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\nno parts",
        b"Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\n\r\ntext\r\n--x--\r\n",
        b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n",
    ],
)
def test_what_is_no_notification_is_none(content: bytes) -> None:
    assert dsn.parse(content) is None


def test_a_notification_that_says_nothing_is_one_all_the_same() -> None:
    content = (
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n"
        b"--x\r\nContent-Type: message/delivery-status\r\n\r\n\r\n--x--\r\n"
    )

    assert dsn.parse(content) == Dsn(None, None, None, None, ())


REPORTS = st.sampled_from([b"message/delivery-status", b"message/global-delivery-status"])
LINES = st.sampled_from(
    [
        b"Reporting-MTA: dns; mx",
        b"Final-Recipient: rfc822; b@c",
        b"Final-Recipient:",
        b"Action: failed",
        b"",
        b"Status: \xff",
        b"Will-Retry-Until: never",
        b" folded",
        b":",
        b"--x",
        b"--x--",
        b"--y",
        b"\0",
        b"x" * 99,
        b"Content-Transfer-Encoding: base64",
        b"Content-Type: multipart/mixed; boundary=y",
        b"Message-ID: <1@a>",
        b"Content-Type: message/rfc822",
        b"Content-Type: text/rfc822-headers",
        b"Content-Type: message/global-headers",
        b"Content-Transfer-Encoding: quoted-printable",
        b"Content-Transfer-Encoding: x-uuencode",
        b"=?a?b?c?=",
    ]
)


@given(REPORTS, st.lists(st.one_of(LINES, st.binary(max_size=20)), max_size=30))
def test_any_lines_in_a_report_are_read(kind: bytes, lines: list[bytes]) -> None:
    content = (
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\n\n--x\nContent-Type: "
    )

    dsn.parse(content + kind + b"\n\n" + b"\n".join(lines) + b"\n--x--\n")
