"""Up, down and what lies between: a lab is made to be there, and no more is done than that needs."""

from __future__ import annotations

import smtplib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from labctl.lab.blueprint import addresses
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Lab, OwnLab

SERVICES = {"dns", "mx-alpha", "mail-alpha", "mx-beta", "mail-beta"}


def test_a_new_lab_says_what_was_made_and_is_ready(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    result = lab.up()
    made = {each.split()[0] for each in result["changed"] if not each.startswith("image")}
    assert made == SERVICES | {"network"}
    assert result["status"]["state"] == "ready"
    assert result["status"] == {key: value for key, value in lab.json("status").items() if key != "schema"}
    lab.json("down")
    assert lab.leftovers() == []


def test_a_second_up_changes_nothing_and_says_so(lab: Lab) -> None:
    sent = lab.send("alice@alpha.test", "bob@beta.test")
    before = lab.ids()
    again = lab.up()
    assert again["changed"] == []
    assert again["status"]["state"] == "ready"
    assert lab.ids() == before
    assert [each["message_id"] for each in lab.inbox("bob@beta.test")] == [sent["message_id"]]
    assert "Nothing to do" in lab.run("up").stdout


def test_a_dry_run_says_what_would_be_done_and_does_nothing(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    planned = lab.up("two-domains", "--dry-run")
    assert {each.split()[0] for each in planned["changed"] if not each.startswith("image")} == SERVICES | {
        "network"
    }
    assert planned["status"] is None
    assert lab.leftovers() == []


def test_a_dry_run_on_a_damaged_lab_repairs_nothing(lab: Lab) -> None:
    lab.container("mx-beta").kill()
    planned = lab.up("two-domains", "--dry-run")
    assert planned["changed"] == ["mx-beta started"]
    assert lab.json("status")["state"] == "degraded"


def test_stopped_paused_and_missing_hosts_come_back(lab: Lab) -> None:
    before = lab.ids()
    sent = lab.send("alice@alpha.test", "bob@beta.test")
    lab.container("dns").kill()
    lab.container("mail-beta").pause()
    lab.container("mx-alpha").remove(force=True)
    result = lab.up()
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


def test_a_stranger_on_the_labs_network_is_let_go_and_not_removed(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    lab.up()
    image = lab.container("dns").image.id
    stranger = lab.docker.containers.run(
        image,
        ["sleep", "600"],
        entrypoint="",
        detach=True,
        network=f"labctl-{lab.name}",
        name=f"{lab.name}-x",
    )
    try:
        assert lab.up()["changed"] == []
        lab.json("down")
        assert lab.leftovers() == []
        stranger.reload()
        assert stranger.status == "running"
    finally:
        stranger.remove(force=True)


def test_down_is_done_when_nothing_is_there(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    lab.up()
    removed = lab.json("down")["removed"]
    assert set(removed) == {f"labctl-{lab.name}", *(f"labctl-{lab.name}-{each}" for each in SERVICES)}
    assert lab.json("down")["removed"] == []
    assert "Nothing to remove" in lab.run("down").stdout


def test_a_lab_whose_directory_is_gone_can_be_used_and_removed(
    new_lab: Callable[[], Lab], own_lab: OwnLab
) -> None:
    lab = new_lab()
    lab.up(own_lab.directory)
    own_lab.directory.rename(own_lab.directory.with_name("elsewhere"))
    lab.send("alice@alpha.test", "bob@beta.test")
    assert lab.json("status")["state"] == "ready"
    assert len(lab.json("down")["removed"]) == 6
    assert lab.leftovers() == []


def test_published_ports_answer_on_loopback_and_the_change_says_what_it_costs(
    new_lab: Callable[[], Lab],
) -> None:
    lab = new_lab()
    lab.up()
    lab.send("alice@alpha.test", "bob@beta.test")
    changed = lab.up("two-domains", "--publish")["changed"]
    said = {each.split()[0]: each for each in changed}
    assert said.keys() == SERVICES
    assert all("recreated" in each for each in changed)
    assert "mailboxes are lost" in said["mail-beta"]
    assert "queue is lost" in said["mx-alpha"]
    assert lab.inbox("bob@beta.test") == []
    assert {each["host"] for each in lab.json("status")["endpoints"]} == {"127.0.0.1"}
    with smtplib.SMTP(*lab.endpoint("mx-alpha", "submission"), timeout=30) as client:
        client.login("alice@alpha.test", "alice")
        client.sendmail("alice@alpha.test", ["bob@beta.test"], "Subject: published\r\n\r\n")
    assert lab.received("bob@beta.test")["subject"] == "published"
    assert lab.json("dig", "beta.test", "MX")["records"] == ["10 mx.beta.test."]
    assert lab.up("two-domains", "--publish")["changed"] == []


def test_two_ups_of_one_name_at_once_make_one_lab(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: lab.up(), range(2))
    assert sorted(bool(each["changed"]) for each in (first, second)) == [False, True]
    assert len(lab.leftovers()) == 6
    assert lab.json("status")["state"] == "ready"


def test_a_taken_subnet_is_left_alone(new_lab: Callable[[], Lab]) -> None:
    from docker.types import IPAMConfig, IPAMPool  # noqa: PLC0415  # as late as the engine's client

    lab = new_lab()
    taken = next(addresses.candidates(lab.name, 27, addresses.routed_here()))
    occupier = lab.docker.networks.create(
        f"{lab.name}-occupier", ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=str(taken))])
    )
    try:
        lab.up()
        network = lab.docker.networks.get(f"labctl-{lab.name}")
        assert network.attrs["IPAM"]["Config"][0]["Subnet"] != str(taken)
    finally:
        occupier.remove()


def test_labs_that_want_the_same_subnet_at_the_same_moment_all_get_one(new_lab: Callable[[], Lab]) -> None:
    labs = [new_lab(), new_lab()]
    wanted = next(addresses.candidates(labs[0].name, 27, ()))
    labs[1].name = next(
        name
        for name in (f"{labs[1].name}-{n}" for n in range(200_000))
        if next(addresses.candidates(name, 27, ())) == wanted
    )
    with ThreadPoolExecutor(len(labs)) as pool:
        results = list(pool.map(lambda each: each.up(), labs))
    assert [each["status"]["state"] for each in results] == ["ready", "ready"]
    endpoints = [{each["host"] for each in result["status"]["endpoints"]} for result in results]
    assert not endpoints[0] & endpoints[1]


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
