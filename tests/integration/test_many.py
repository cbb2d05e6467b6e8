"""Many labs at once on one engine, all with the same addresses inside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Lab


def test_labs_with_the_same_addresses_deliver_each_its_own_mail(
    new_lab: Callable[[], Lab], nightly: bool
) -> None:
    number = 12 if nightly else 4
    labs = [new_lab() for _ in range(number)]

    def up_and_send(lab: Lab) -> str:
        assert lab.up()["status"]["state"] == "ready"
        return str(lab.send("alice@alpha.test", "bob@beta.test")["message_id"])

    with ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(up_and_send, labs))
        assert len(set(sent)) == number
        inboxes = pool.map(lambda each: each.inbox("bob@beta.test"), labs)
        assert [[each["message_id"] for each in inbox] for inbox in inboxes] == [[each] for each in sent]
        statuses = list(pool.map(lambda each: each.json("status"), labs))
        assert len({tuple(host["addresses"][0] for host in each["hosts"]) for each in statuses}) == 1
        assert len({each["endpoints"][0]["host"] for each in statuses}) == number
        assert [end.code for end in pool.map(lambda each: each.run("down"), labs)] == [0] * number
    assert [each.leftovers() for each in labs] == [[]] * number
