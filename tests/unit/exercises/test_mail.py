"""A mail from a mailbox, as exercises look at it."""

from __future__ import annotations

import pytest

from labctl.exercises.result.narration import Narrator
from labctl.exercises.vocabulary.expectation import ExpectationFailed
from labctl.exercises.vocabulary.mail import Mail
from labctl.mail.client.mailbox import MailboxMessage

LISTED = MailboxMessage(1, "<1@alpha.test>", "", (), "Grüße", None, (), 1, is_dsn=False, dsn=None)
CONTENT = (
    "Received: from mx.alpha.test\r\n\tby mx.beta.test (using TLSv1.3)\r\n"
    "Received: from client by mx.alpha.test\r\nSubject: Grüße\r\n\r\nHello Bob.\r\n"
)


def mail_of(content: bytes) -> Mail:
    return Mail(LISTED, content, Narrator())


@pytest.fixture
def mail() -> Mail:
    return mail_of(CONTENT.encode())


def test_header_fields_are_unfolded_and_topmost_first(mail: Mail) -> None:
    assert mail.headers("received") == [
        "from mx.alpha.test by mx.beta.test (using TLSv1.3)",
        "from client by mx.alpha.test",
    ]


def test_a_header_in_utf_8_is_read_as_it_was_written(mail: Mail) -> None:
    assert mail.header("Subject") == "Grüße"


def test_a_header_in_no_known_encoding_is_read_as_far_as_it_goes() -> None:
    assert mail_of(b"Subject: Gr\xfc\xdfe\r\n\r\n").header("Subject") == "Gr\ufffd\ufffde"


def test_one_field_has_to_have_all_the_texts(mail: Mail) -> None:
    mail.must_have("Received", "by mx.beta.test", "TLSv1.3")

    with pytest.raises(ExpectationFailed, match="2 fields Received, none of them so"):
        mail.must_have("Received", "client", "TLSv1.3")


def test_a_field_that_is_missing_is_a_failed_step_with_what_is_there_as_evidence(mail: Mail) -> None:
    with pytest.raises(ExpectationFailed):
        mail.must_have("Subject", "Hello")

    assert mail.narrator.steps[-1].verdict == "failed"
    assert mail.narrator.steps[-1].evidence == ("Subject: Grüße",)


def test_the_text_has_to_contain_what_is_expected(mail: Mail) -> None:
    mail.must_contain("Hello")

    with pytest.raises(ExpectationFailed, match="a text with “Goodbye”"):
        mail.must_contain("Goodbye")
