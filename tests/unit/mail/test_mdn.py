from __future__ import annotations

import pytest

from labctl.mail.content import dsn, mdn
from labctl.mail.content.mdn import Mdn

REJECTED = b"""From: Mail Delivery Subsystem <postmaster@mail.beta.test>
To: <alice@alpha.test>
Auto-Submitted: auto-replied (rejected)
Content-Type: multipart/report; report-type=disposition-notification;
\tboundary="13/mail.beta.test"

--13/mail.beta.test
Content-Type: text/plain; charset=utf-8

Your message was automatically rejected.
--13/mail.beta.test
Content-Type: message/disposition-notification

Reporting-UA: mail.beta.test; Dovecot Mail Delivery Agent
Original-Recipient: rfc822; team@beta.test
Final-Recipient: rfc822; bob@beta.test
Original-Message-ID: <1@alpha.test>
Disposition: automatic-action/MDN-sent-automatically; deleted

--13/mail.beta.test
Content-Type: message/rfc822

Subject: hello

--13/mail.beta.test--
"""


def test_a_rejection_by_a_rule_is_a_disposition_and_no_delivery_status() -> None:
    assert dsn.parse(REJECTED) is None
    assert mdn.parse(REJECTED) == Mdn("bob@beta.test", "<1@alpha.test>", "deleted")


def test_a_persons_disposition_may_have_modifiers() -> None:
    content = REJECTED.replace(
        b"automatic-action/MDN-sent-automatically; deleted",
        b"manual-action/MDN-sent-manually; Displayed / Error, x-forwarded",
    )

    assert mdn.parse(content) == Mdn("bob@beta.test", "<1@alpha.test>", "displayed")


@pytest.mark.parametrize(
    "content",
    [b"", b"Subject: x\n\nbody", REJECTED.replace(b"message/disposition-notification", b"text/plain")],
)
def test_what_is_no_notification_is_none(content: bytes) -> None:
    assert mdn.parse(content) is None


def test_a_notification_that_says_nothing_is_one_all_the_same() -> None:
    lines = [line for line in REJECTED.split(b"\n") if b"Disposition" not in line and b"-ID" not in line]

    found = mdn.parse(b"\n".join(line for line in lines if not line.startswith((b"Final", b"Orig", b"Rep"))))

    assert found == Mdn("", None, "")
