from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.mail import bounce
from labctl.mail.bounce import BounceReport, ReportKind
from labctl.mail.bounce.habit import habits
from labctl.mail.content import dsn, mdn

SAMPLES = Path(__file__).parent / "samples" / "bounces"
RECORDED = sorted((Path(__file__).parents[2] / "data" / "dsn").glob("*.eml"))
ORIGINAL = "<lunch.1@alpha.test>"

GHOST = [("ghost@beta.test", "failed", "5.1.1")]
EXPECTED: dict[str, list[tuple[str, str, str]]] = {
    "address-without-type": [("ghost@beta.test", "failed", "5.7.1")],
    "courier-without-fields": GHOST,
    "cut-off": GHOST,
    "delivered": [("bob@beta.test", "delivered", "2.0.0")],
    "domino": [("ghost@betacorp.test", "failed", "")],
    "encoded-fields": GHOST,
    "exchange-french": [("plein@betacorp.test", "failed", "5.2.2")],
    "exchange-german": [("ghost@betacorp.test", "failed", "5.1.1")],
    "exchange-spanish": [("ghost@gamma.test", "failed", "5.7.1")],
    "exchange55": [("ghost@betacorp.test", "failed", "")],
    "exim-delay": [("bob@beta.test", "delayed", "4.2.0")],
    "exim-dsn": [("ghost@beta.test", "failed", "5.0.0")],
    "exim-plain": [*GHOST, ("nobody@beta.test", "failed", "5.2.2")],
    "gmail-delay": [("bob@beta.test", "delayed", "4.4.1")],
    "gmail-not-found": GHOST,
    "gmail-prose": GHOST,
    "gmx": GHOST,
    "html-only": GHOST,
    "imail": [("ghost@beta.test", "failed", "")],
    "local-language": [("ghost@delta.test", "failed", "5.1.1")],
    "notes": [("ghost@betacorp.test", "failed", "")],
    "office365": [("ghost@betacorp.test", "failed", "5.1.10")],
    "opensmtpd": GHOST,
    "qmail": [*GHOST, ("bob@gamma.test", "failed", "5.1.2")],
    "relabelled": GHOST,
    "sendmail-dsn": [*GHOST, ("bob@gamma.test", "delayed", "4.3.0")],
    "sendmail-plain": GHOST,
    "sendmail-warning": [("bob@beta.test", "delayed", "")],
    "ses": [("full@beta.test", "failed", "5.0.0")],
    "torn-fields": GHOST,
    "utf8": [("josé@beta.test", "failed", "5.6.7")],
    "without-action": [*GHOST, ("bob@beta.test", "", "4.4.1")],
    "without-report-type": GHOST,
    "yahoo": GHOST,
    "zimbra": [("bob@beta.test", "failed", "4.4.1")],
}
OTHERS = {
    "challenge": ReportKind.CHALLENGE,
    "disposition": ReportKind.DISPOSITION,
    "feedback": ReportKind.FEEDBACK,
    "vacation": ReportKind.AUTOMATIC_REPLY,
}
WRITERS = {
    "courier-without-fields": "Courier",
    "domino": "Domino",
    "exchange-french": "Exchange",
    "exchange55": "Exchange",
    "exim-plain": "Exim",
    "gmail-not-found": "Gmail",
    "gmx": "GMX or 1&1",
    "imail": "IMail",
    "opensmtpd": "OpenSMTPD",
    "qmail": "qmail",
    "sendmail-plain": "Sendmail",
    "ses": "Amazon SES",
    "yahoo": "Yahoo",
    "zimbra": "Postfix",
}


def content_of(name: str) -> bytes:
    return (SAMPLES / f"{name}.eml").read_bytes()


def report_in(content: bytes) -> BounceReport:
    report = bounce.read(content)
    assert report is not None
    return report


def test_each_sample_is_expected_to_be_something() -> None:
    assert {path.stem for path in SAMPLES.glob("*.eml")} == {*EXPECTED, *OTHERS, "ordinary", "forwarded"}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_report_of_any_system_tells_what_became_of_whose_copy(name: str) -> None:
    report = bounce.read(content_of(name))

    assert report is not None
    assert report.kind is ReportKind.DELIVERY
    assert [(each.address, each.action, each.status) for each in report.recipients] == EXPECTED[name]


@pytest.mark.parametrize(
    "name", [name for name in EXPECTED if name not in {"domino", "exim-delay", "html-only"}]
)
def test_the_original_is_found_wherever_it_stands(name: str) -> None:
    content = content_of(name)
    report = bounce.read(content)

    assert report is not None
    said_at_all = b"lunch.1@alpha.test" in content or name == "exchange-french"
    assert report_in(content).original_message_id == (ORIGINAL if said_at_all else None)


@pytest.mark.parametrize(("name", "kind"), OTHERS.items())
def test_what_is_no_bounce_is_known_for_what_it_is(name: str, kind: ReportKind) -> None:
    report = bounce.read(content_of(name))

    assert report is not None
    assert report.kind is kind
    assert report.recipients == ()


@pytest.mark.parametrize(("name", "writer"), WRITERS.items())
def test_a_form_tells_whose_it_is(name: str, writer: str) -> None:
    report = bounce.read(content_of(name))

    assert report is not None
    assert report.written_by == writer


def test_a_person_may_write_of_failed_deliveries() -> None:
    assert bounce.read(content_of("ordinary")) is None


def test_a_bounce_that_somebody_forwards_is_attached() -> None:
    content = content_of("forwarded")

    assert bounce.read(content) is None
    (inner,) = bounce.attached(content)
    assert report_in(inner).reporting_mta == "mx.alpha.test"


def test_the_host_that_refused_is_told_without_what_stands_around_its_name() -> None:
    for name in ("exim-plain", "gmail-not-found", "gmail-prose", "gmx", "sendmail-plain"):
        assert report_in(content_of(name)).recipients[0].remote_mta == "mx.beta.test", name


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_what_keeps_to_the_standard_is_read_by_the_standard(path: Path) -> None:
    wanted, report = dsn.parse(path.read_bytes()), report_in(path.read_bytes())

    assert wanted is not None
    assert (report.recipients, report.reporting_mta) == (wanted.recipients, wanted.reporting_mta)
    assert report.original_message_id == wanted.original_message_id


def test_success_is_never_made_of_words() -> None:
    content = b"From: MAILER-DAEMON@x\nSubject: Report\n\nYour mail to bob@beta.test was delivered.\n"
    report = bounce.read(content)
    assert report is None or all(each.action == "" for each in report.recipients)


def test_phrases_are_in_lower_case_as_they_are_compared() -> None:
    known = habits()
    every = (
        *known.failed,
        *known.delayed,
        *known.begins,
        *known.ends,
        *(p for _, ps in known.writers for p in ps),
    )
    assert [phrase for phrase in every if phrase != phrase.lower()] == []


READERS = (bounce.read, bounce.attached, dsn.parse, mdn.parse)


@given(st.binary())
def test_any_bytes_are_a_report_or_none(content: bytes) -> None:
    for read in READERS:
        read(content)


LINES = st.sampled_from(
    [
        b"",
        b"From: MAILER-DAEMON@x",
        b"Subject: Undeliverable: x",
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=x",
        b"Content-Type: message/delivery-status",
        b"Content-Type: text/html; charset=nothing",
        b"Content-Transfer-Encoding: base64",
        b"--x",
        b"--x--",
        b"Final-Recipient: utf-8; \\x{110000}@y",
        b"Action: failed",
        b"Status: 5.1.1",
        b"The following addresses:",
        b"<a@b>: 550 5.1.1 no",
        b"<<< 550 no",
        b"... while talking to mx.a.b.:",
        b"Transcript of session follows",
        b"X-Failed-Recipients: a@b, c",
        b"\xff\xfe\0",
        b"<style>&#1114112;",
    ]
)


@given(st.lists(st.one_of(LINES, st.binary(max_size=20)), max_size=40))
def test_any_lines_are_a_report_or_none(lines: list[bytes]) -> None:
    bounce.read(b"\n".join(lines))


@settings(max_examples=200)
@given(st.data(), st.sampled_from([*sorted(SAMPLES.glob("*.eml")), *RECORDED]))
def test_a_damaged_report_is_read_or_none(data: st.DataObject, path: Path) -> None:
    content = path.read_bytes()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    damaged = content[:start] + data.draw(st.binary(max_size=20)) + content[end:]
    for read in READERS:
        read(damaged)


@pytest.mark.parametrize("depth", [10, 3000])
def test_however_deep_a_message_is_nested_it_is_read_or_none(depth: int) -> None:
    content = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (each, each) for each in range(depth)
    )
    assert bounce.read(content) is None
