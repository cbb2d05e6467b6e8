from __future__ import annotations

import pytest

from labctl.mail.state import MessageState
from labctl.trace.listing.table import ALL, Row, rows
from tests.unit.trace.test_table import A1, Lines, attempt, log, queued, removed

REPLY = "550 5.1.1 <no@beta.test>: Recipient address rejected: User unknown"
QUOTE = f"host mx.beta.test[203.0.113.20] said: {REPLY} (in reply to RCPT TO command)"


def refusal(
    at: int, sender: str = "alice@alpha.test", recipient: str = "no@beta.test", reply: str = REPLY
) -> Lines:
    client = "mx.alpha.test[203.0.113.10]"
    envelope = f"from=<{sender}> to=<{recipient}> proto=ESMTP helo=<mx.alpha.test>"
    return [(at, f"smtpd[21]: NOQUEUE: reject: RCPT from {client}: {reply}; {envelope}")]


def told(refused: Lines, *, at: int = 1, status: str = "bounced", quote: str = QUOTE) -> list[Row]:
    delivery = [*queued(0, A1), (at, attempt(A1, "no@beta.test", status, quote)), (at, removed(A1))]
    return list(rows([log("mx1", *delivery), log("mx2", *refused)], ALL))


@pytest.mark.parametrize("status", ["bounced", "deferred"])
@pytest.mark.parametrize("at", [0, 1, 4])
def test_a_refusal_that_a_delivery_quotes_is_no_row_of_its_own(at: int, status: str) -> None:
    (row,) = told(refusal(at), status=status)
    assert row.queue_ids[0].queue_id == A1


@pytest.mark.parametrize(
    "refused",
    [
        refusal(8),
        refusal(1, sender="eve@alpha.test"),
        refusal(1, recipient="other@beta.test"),
        refusal(1, reply="550 5.7.1 <no@beta.test>: Relay access denied"),
    ],
    ids=["later", "another sender", "another recipient", "another reason"],
)
def test_a_refusal_that_no_delivery_quotes_stays_a_row(refused: Lines) -> None:
    states = [row.state for row in told(refused)]
    assert sorted(states) == [MessageState.BOUNCED, MessageState.REJECTED]


def test_a_delivery_that_quotes_nobody_hides_no_refusal() -> None:
    assert len(told(refusal(1), quote=REPLY)) == 2


def test_each_of_very_many_refusals_is_told_but_those_that_are_quoted() -> None:
    many: Lines = [each for _ in range(500) for each in refusal(20)]
    assert len(told([*refusal(1), *many])) == 501


def test_a_refusal_after_which_the_log_ends_is_told_once() -> None:
    assert [row.state for row in rows([log("mx2", *refusal(1))], ALL)] == [MessageState.REJECTED]
