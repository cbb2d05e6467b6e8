from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from labctl.mail.queue import QueuedMessage, QueuedRecipient, QueueName, parse_due, parse_headers, parse_queue

# Printed by Postfix 3.10.
LISTING = """\
{"queue_name": "hold", "queue_id": "93F5BF81F6", "arrival_time": 1795516338, "message_size": 307, \
"forced_expire": true, "sender": "alice@alpha.test", "recipients": [{"address": "b@alpha.test"}, \
{"address": "c@beta.test", "delay_reason": "connect to mx.beta.test[203.0.113.20]:25: Connection refused"}]}
{"queue_name": "deferred", "queue_id": "9794EF81F5", "arrival_time": 1795516338, "message_size": 249, \
"forced_expire": false, "sender": "MAILER-DAEMON", "recipients": [{"address": "bob@beta.test"}]}
"""
ENVELOPES = """\
*** ENVELOPE RECORDS hold/93F5BF81F6 ***
message_size:             307             414               3               0             307               0
message_arrival_time: Tue Nov 24 10:32:18 2026
named_attribute: dsn_orig_rcpt=rfc822;c@beta.test
recipient: c@beta.test
*** MESSAGE CONTENTS hold/93F5BF81F6 ***
Received: by mx.alpha.test (Postfix, from userid 0)
	id 93F5BF81F6; Tue, 24 Nov 2026 10:32:18 +0000 (UTC)
Subject: q
Message-ID:
 <folded@alpha.test>
Date: Tue, 24 Nov 2026 10:32:18 +0000 (UTC)
*** HEADER EXTRACTED hold/93F5BF81F6 ***
named_attribute: message_id=<folded@alpha.test>
*** MESSAGE FILE END hold/93F5BF81F6 ***
*** ENVELOPE RECORDS deferred/9/9794EF81F5 ***
sender:
*** MESSAGE CONTENTS deferred/9/9794EF81F5 ***
Subject: no Message-Id: here
*** HEADER EXTRACTED deferred/9/9794EF81F5 ***
*** MESSAGE FILE END deferred/9/9794EF81F5 ***
*** ENVELOPE RECORDS active/4XyzBc12bdz9Kl ***
*** MESSAGE CONTENTS active/4XyzBc12bdz9Kl ***
message-id: <one@alpha.test>
Message-ID: <two@alpha.test>
"""


def test_each_line_of_the_listing_is_a_message() -> None:
    arrival = datetime(2026, 11, 24, 10, 32, 18, tzinfo=UTC)

    assert parse_queue(LISTING) == (
        QueuedMessage(
            "93F5BF81F6",
            QueueName.HOLD,
            arrival,
            "alice@alpha.test",
            307,
            (
                QueuedRecipient("b@alpha.test", None),
                QueuedRecipient(
                    "c@beta.test", "connect to mx.beta.test[203.0.113.20]:25: Connection refused"
                ),
            ),
            forced_expire=True,
        ),
        QueuedMessage(
            "9794EF81F5", QueueName.DEFERRED, arrival, "", 249, (QueuedRecipient("bob@beta.test", None),)
        ),
    )


def test_an_empty_queue_has_no_messages() -> None:
    assert parse_queue("") == ()


def test_each_message_has_the_id_of_its_own_header() -> None:
    assert parse_headers(ENVELOPES) == {
        "93F5BF81F6": "<folded@alpha.test>",
        "9794EF81F5": None,
        "4XyzBc12bdz9Kl": "<one@alpha.test>",
    }


def test_a_deferred_file_is_taken_up_from_a_second_before_its_time() -> None:
    assert parse_due("03A3A1DA155 1795537458.0000000000\n\n4XyzBc12bdz9Kl nan\nfind: gone\n") == {
        "03A3A1DA155": datetime(2026, 11, 24, 16, 24, 17, tzinfo=UTC)
    }


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5)
)
def test_any_json_in_a_field_leaves_the_line_out_or_is_read(value: object) -> None:
    line = json.loads(LISTING.splitlines()[0])

    for key in line:
        parse_queue(json.dumps(line | {key: value}))


@given(
    st.lists(
        st.sampled_from([*ENVELOPES.splitlines(), ":", " ", "Message-ID: <", "*** MESSAGE CONTENTS ***"])
    )
)
def test_any_order_of_lines_of_postcat_is_read(lines: list[str]) -> None:
    found = parse_headers("\n".join(lines))

    assert found.keys() <= {"93F5BF81F6", "9794EF81F5", "4XyzBc12bdz9Kl"}


@given(st.text())
def test_any_output_of_postfix_s_programs_is_read(text: str) -> None:
    for read in (parse_headers, parse_queue, parse_due):
        read(text)
