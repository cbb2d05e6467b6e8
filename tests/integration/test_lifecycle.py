"""Up, down and what lies between: a lab is made to be there, and no more is done than that needs."""

from __future__ import annotations

import smtplib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from labctl.lab.blueprint import addresses
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import Lab

SERVICES = {"dns", "mx-alpha", "mail-alpha", "mx-beta", "mail-beta"}


def test_what_is_made_and_what_is_removed_is_told_and_a_stranger_on_the_network_is_let_go(
    new_lab: Callable[[], Lab],
) -> None:
    lab = new_lab()
    planned = lab.up("two-domains", "--dry-run")
    assert made(planned) == SERVICES | {"network"}
    assert planned["status"] is None
    assert lab.leftovers() == []

    result = lab.up()
    assert made(result) == SERVICES | {"network"}
    assert result["status"]["state"] == "ready"
    assert result["status"] == {key: value for key, value in lab.json("status").items() if key != "schema"}

    follower = lab.labctl.started("logs", "-f", "mx-beta", "--name", lab.name)
    with a_stranger_on_its_network(lab) as stranger, follower as following:
        assert lab.up()["changed"] == []
        removed = lab.json("down")["removed"]
        assert set(removed) == {f"labctl-{lab.name}", *(f"labctl-{lab.name}-{each}" for each in SERVICES)}
        assert lab.leftovers() == []
        stranger.reload()
        assert stranger.status == "running"
        assert "Traceback" not in following.communicate(timeout=30)[1]  # the logs end with their lab
    assert lab.json("down")["removed"] == []
    assert "Nothing to remove" in lab.run("down").stdout


def made(result: dict[str, Any]) -> set[str]:
    return {each.split()[0] for each in result["changed"] if not each.startswith("image")}


@contextmanager
def a_stranger_on_its_network(lab: Lab) -> Iterator[Any]:
    stranger = lab.docker.containers.run(
        lab.container("dns").image.id,
        ["sleep", "600"],
        entrypoint="",
        detach=True,
        network=f"labctl-{lab.name}",
        name=f"{lab.name}-x",
    )
    try:
        yield stranger
    finally:
        stranger.remove(force=True)


def test_a_second_up_changes_nothing_and_says_so(lab: Lab) -> None:
    sent = lab.send("alice@alpha.test", "bob@beta.test")
    before = lab.ids()
    again = lab.up()
    assert again["changed"] == []
    assert again["status"]["state"] == "ready"
    assert lab.ids() == before
    assert [each["message_id"] for each in lab.inbox("bob@beta.test")] == [sent["message_id"]]
    assert "Nothing to do" in lab.run("up").stdout


def test_stopped_paused_and_missing_hosts_come_back_and_a_dry_run_only_says_which(lab: Lab) -> None:
    before = lab.ids()
    sent = lab.send("alice@alpha.test", "bob@beta.test")
    lab.container("dns").kill()
    lab.container("mail-beta").pause()
    lab.container("mx-alpha").remove(force=True)
    planned = lab.up("two-domains", "--dry-run")
    assert lab.json("status")["state"] == "degraded"
    result = lab.up()
    assert planned["changed"] == result["changed"]
    assert {tuple(each.split()[:2]) for each in result["changed"]} == {
        ("dns", "started"),
        ("mail-beta", "unpaused"),
        ("mx-alpha", "created"),
    }
    after = lab.ids()
    assert {each for each in SERVICES if after[each] != before[each]} == {"mx-alpha"}
    assert result["status"]["state"] == "ready"
    assert [each["message_id"] for each in lab.inbox("bob@beta.test")] == [sent["message_id"]]
    lab.send("bob@beta.test", "alice@alpha.test")


def test_published_ports_answer_on_loopback(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    lab.up("two-domains", "--publish")
    assert {each["host"] for each in lab.json("status")["endpoints"]} == {"127.0.0.1"}
    with smtplib.SMTP(*lab.endpoint("mx-alpha", "submission"), timeout=30) as client:
        client.login("alice@alpha.test", "alice")
        client.sendmail("alice@alpha.test", ["bob@beta.test"], "Subject: published\r\n\r\n")
    assert lab.received("bob@beta.test")["subject"] == "published"
    assert lab.json("dig", "beta.test", "MX")["records"] == ["10 mx.beta.test."]
    assert lab.up("two-domains", "--publish")["changed"] == []


def test_ups_at_once_make_one_lab_of_one_name_and_none_on_a_subnet_that_is_taken(
    new_lab: Callable[[], Lab],
) -> None:
    from docker.types import IPAMConfig, IPAMPool  # noqa: PLC0415  # as late as the engine's client

    labs = [new_lab(), new_lab()]
    taken = next(addresses.candidates(labs[0].name, 27, addresses.routed_here()))
    labs[1].name = next(
        name
        for name in (f"{labs[1].name}-{n}" for n in range(200_000))
        if next(addresses.candidates(name, 27, addresses.routed_here())) == taken
    )
    occupier = labs[0].docker.networks.create(
        f"{labs[0].name}-occupier", ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=str(taken))])
    )
    try:
        with ThreadPoolExecutor(3) as pool:
            results = list(pool.map(lambda each: each.up(), (*labs, labs[0])))
    finally:
        occupier.remove()
    assert sorted(bool(each["changed"]) for each in (results[0], results[2])) == [False, True]
    assert [each["status"]["state"] for each in results] == ["ready"] * 3
    assert [len(each.leftovers()) for each in labs] == [6, 6]
    endpoints = [{each["host"] for each in result["status"]["endpoints"]} for result in results]
    assert endpoints[0] == endpoints[2]
    assert not endpoints[0] & endpoints[1]
    subnets = [
        each.docker.networks.get(f"labctl-{each.name}").attrs["IPAM"]["Config"][0]["Subnet"] for each in labs
    ]
    assert str(taken) not in subnets


def test_a_lab_that_stood_still_with_the_engine_comes_back_whole(lab: Lab) -> None:
    """As after a reboot: every container has ended, none was removed."""
    sent = lab.send("alice@alpha.test", "bob@beta.test")
    before = lab.ids()
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda each: lab.container(each).kill(), SERVICES))
    assert lab.json("status")["state"] == "stopped"
    result = lab.up()
    assert sorted(result["changed"]) == sorted(f"{each} started" for each in SERVICES)
    assert lab.ids() == before
    assert [each["message_id"] for each in lab.inbox("bob@beta.test")] == [sent["message_id"]]


def test_list_shows_the_labs_that_are_up(standing_lab: Lab) -> None:
    def listed() -> list[dict[str, str]]:
        return [
            each for each in standing_lab.labctl.json("list")["labs"] if each["name"] == standing_lab.name
        ]

    standing_lab.json("reset")
    [row] = listed()
    assert (row["lab"], row["state"]) == ("two-domains", "ready")
    standing_lab.container("mx-beta").kill()
    assert eventually(lambda: True if listed()[0]["state"] == "degraded" else None, within=10)
    standing_lab.up()
