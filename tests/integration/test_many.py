"""Many labs at once on one engine, all with the same addresses inside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Lab


def test_twelve_labs_with_the_same_addresses_deliver_each_its_own_mail(new_lab: Callable[[], Lab]) -> None:
    labs = [new_lab() for _ in range(12)]

    def up_and_send(lab: Lab) -> str:
        assert lab.up()["status"]["state"] == "ready"
        return str(lab.send("alice@alpha.test", "bob@beta.test")["message_id"])

    with ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(up_and_send, labs))
        assert len(set(sent)) == 12
        inboxes = pool.map(lambda each: each.inbox("bob@beta.test"), labs)
        assert [[each["message_id"] for each in inbox] for inbox in inboxes] == [[each] for each in sent]
        statuses = list(pool.map(lambda each: each.json("status"), labs))
        assert len({tuple(host["addresses"][0] for host in each["hosts"]) for each in statuses}) == 1
        assert len({each["endpoints"][0]["host"] for each in statuses}) == 12
        assert [end.code for end in pool.map(lambda each: each.run("down"), labs)] == [0] * 12
    assert [each.leftovers() for each in labs] == [[]] * 12


def test_with_several_labs_up_a_command_asks_which_one(standing_lab: Lab, new_lab: Callable[[], Lab]) -> None:
    other = new_lab()
    other.up()
    error = standing_lab.labctl.json("status", code=2)
    assert error["code"] == "usage"
    assert {standing_lab.name, other.name} <= set(error["detail"]["running"])
    assert "--name" in error["hint"]
    chosen = standing_lab.labctl.json("status", env={"LABCTL_NAME": other.name})
    assert chosen["name"] == other.name
