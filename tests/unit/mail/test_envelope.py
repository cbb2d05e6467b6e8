from __future__ import annotations

import pytest

from labctl.errors import UsageError
from labctl.mail.client.envelope import Envelope


def test_the_null_sender_and_malformed_recipients_may_be_sent() -> None:
    assert Envelope("", ("bad@@beta.test",)).mail_from == ""


@pytest.mark.parametrize(
    "address", ["bob@beta.test\r\nRCPT TO:<eve@beta.test>", "b\0b@beta.test", "bob@beta.test\u2028"]
)
def test_an_address_can_not_smuggle_a_command(address: str) -> None:
    with pytest.raises(UsageError, match="character"):
        Envelope("alice@alpha.test", (address,))
    with pytest.raises(UsageError, match="character"):
        Envelope(address, ("bob@beta.test",))


def test_a_message_needs_a_recipient() -> None:
    with pytest.raises(UsageError, match="no recipient"):
        Envelope("alice@alpha.test", ())


def test_an_internationalized_address_may_be_sent() -> None:
    assert Envelope("", ("josé@beta.test",)).rcpt_tos == ("josé@beta.test",)
