"""Faults are on record while they last; nothing stays half-applied, and everything can be undone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from labctl.engine.model import ContainerState, Volume
from labctl.errors import EngineError, FaultClash, FaultError, LabNotUp
from labctl.faults import application
from labctl.faults.hostchange import HostChange
from labctl.lab.blueprint.maincf import MAIN_CF
from labctl.lab.mark import faultrecord, labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.engine.fake import Call
    from tests.unit.faults.conftest import Faulty

ZONE = "/etc/coredns/zones/beta.test.zone"


def names(faulty: Faulty) -> list[str]:
    return [each.name for each in faulty.there.faults]


def test_a_fault_is_on_record_before_it_acts_and_until_it_is_undone(faulty: Faulty) -> None:
    on_record: list[tuple[str, list[str]]] = []

    def hear(call: Call) -> None:
        if call.method == "put_files":
            on_record.append((call.subject, names(faulty)))
        faulty.hear(call)

    faulty.fake.hook = hear
    applied = faulty.apply("mx-null", domain="alpha.test")
    faulty.revert("mx-null")
    assert [each for _, each in on_record] == [["mx-null"], ["mx-null"]]
    assert names(faulty) == []
    assert applied.title == "alpha.test says that it takes no mail at all: mail for it is returned at once"
    assert applied.parameters == {"domain": "alpha.test"}
    assert applied.services == ("dns",)


def test_a_fault_is_applied_once(faulty: Faulty) -> None:
    faulty.apply("mx-null")
    before = faulty.files()
    with pytest.raises(FaultClash, match="mx-null is applied already") as caught:
        faulty.apply("mx-null", domain="alpha.test")
    assert caught.value.hint == "labctl fault revert mx-null"
    assert faulty.files() == before


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ("mx-null", "mx-missing", ZONE),
        ("dns-timeout", "dns-servfail", "/etc/coredns/Corefile"),
        ("hold", "reject stage=data", "smtpd_data_restrictions"),
        ("refuse", "mta-down", "what ends with it"),
        ("lost-after-dot", "mta-down", "what ends with it"),
    ],
)
def test_two_that_change_the_same_clash(faulty: Faulty, first: str, second: str, shared: str) -> None:
    faulty.apply(first)
    before = faulty.files()
    name, *given = second.split()
    with pytest.raises(FaultClash, match=f"{name} clashes with {first}: both change .*{shared}"):
        faulty.apply(name, **dict(each.split("=") for each in given))
    assert names(faulty) == [first]
    assert faulty.files() == before


@pytest.mark.parametrize("order", [("size-limit", "hold", "mx-null"), ("mx-null", "size-limit", "hold")])
def test_two_that_change_different_things_go_in_any_order(faulty: Faulty, order: tuple[str, ...]) -> None:
    with faulty.spared():
        for name in ("hold", "size-limit", "mx-null"):
            faulty.apply(name)
        assert names(faulty) == ["hold", "mx-null", "size-limit"]
        for name in order:
            faulty.revert(name)


def test_all_are_undone_at_once_and_the_stopped_ones_first(faulty: Faulty) -> None:
    every = ("hold", "mta-down", "mx-null")
    with faulty.spared():
        for name in every:
            faulty.apply(name)
        assert application.revert_all(faulty.fake, faulty.there) == every
    assert faulty.there.host("mx-beta").running


def test_undoing_what_is_not_applied_is_no_error(faulty: Faulty) -> None:
    faulty.revert("mx-null")
    assert application.revert_all(faulty.fake, faulty.there) == ()


def test_a_host_that_refuses_its_part_leaves_nothing_of_the_fault(faulty: Faulty) -> None:
    faulty.refuses = lambda name, argv: (
        "no chain for you" if name.endswith("mx-beta") and "nft -f" in argv[2] else None
    )
    with faulty.spared(), pytest.raises(FaultError, match=r"mx-beta \(mx\.beta\.test\).*no chain for you"):
        faulty.apply("partition")
    assert set(faulty.ran("nft delete table")) == {
        f"labctl-x-{each}" for each in ("mx-alpha", "mail-alpha", "mx-beta", "mail-beta")
    }


def test_a_kernel_without_the_discipline_is_told_with_what_may_help(faulty: Faulty) -> None:
    faulty.refuses = lambda _, argv: (
        "Error: Specified qdisc kind is unknown." if "tc qdisc replace" in argv[2] else None
    )
    with pytest.raises(FaultError, match="Specified qdisc kind is unknown") as caught:
        faulty.apply("latency")
    assert caught.value.hint == "sudo modprobe sch_netem"
    assert names(faulty) == []


@pytest.mark.parametrize("method", ["create_volume", "put_files", "signal"])
def test_an_interruption_while_it_is_applied_undoes_it(faulty: Faulty, method: str) -> None:
    def interrupt(call: Call) -> None:
        if call.method == method:
            faulty.fake.hook = faulty.hear
            raise KeyboardInterrupt

    faulty.fake.hook = interrupt
    with faulty.spared(), pytest.raises(KeyboardInterrupt):
        faulty.apply("mx-null")


@pytest.mark.parametrize("method", ["put_files", "signal"])
def test_what_a_killed_labctl_has_left_is_undone_from_the_record(faulty: Faulty, method: str) -> None:
    """A kill is played by an engine that is lost in the middle and stays so for the rest of that run."""

    def lose(call: Call) -> None:
        if call.method == method:
            faulty.fake.hook = gone
            raise EngineError("killed", hint="-")

    def gone(_call: Call) -> None:
        raise EngineError("killed", hint="-")

    faulty.fake.hook = lose
    with faulty.spared():
        with pytest.raises(EngineError):
            faulty.apply("mx-null")
        faulty.fake.hook = faulty.hear
        assert names(faulty) == ["mx-null"]
        faulty.revert("mx-null")


def test_a_host_that_does_not_run_gets_no_fault(faulty: Faulty) -> None:
    faulty.fake.stop("labctl-x-mx-beta", timeout=0)
    with pytest.raises(LabNotUp, match="mx-beta"):
        faulty.apply("refuse")
    assert names(faulty) == []


@pytest.mark.parametrize("state", [ContainerState.PAUSED, ContainerState.EXITED])
def test_a_host_that_somebody_stopped_since_is_started_to_be_put_back(
    faulty: Faulty, state: ContainerState
) -> None:
    with faulty.spared():
        faulty.apply("greylist")
        if state == ContainerState.PAUSED:
            faulty.fake.pause("labctl-x-mx-beta")
        else:
            faulty.fake.stop("labctl-x-mx-beta", timeout=0)
        faulty.revert("greylist")
    assert faulty.there.host("mx-beta").running


def test_a_host_that_another_fault_keeps_stopped_can_not_be_put_back_yet(faulty: Faulty) -> None:
    faulty.apply("hold")
    faulty.apply("mta-down")
    with pytest.raises(FaultClash, match="mta-down keeps it stopped") as caught:
        faulty.revert("hold")
    assert caught.value.hint == "labctl fault revert mta-down"
    faulty.revert("mta-down")
    faulty.revert("hold")
    assert names(faulty) == []


def test_a_host_that_is_gone_needs_no_undoing(faulty: Faulty) -> None:
    faulty.apply("hold")
    faulty.fake.remove_container("labctl-x-mx-beta")
    faulty.revert("hold")
    assert names(faulty) == []


def test_one_that_can_not_be_undone_stays_on_record_and_keeps_no_other(faulty: Faulty) -> None:
    faulty.apply("hold")
    faulty.apply("mx-null")

    def refuse(name: str, _argv: Sequence[str]) -> str | None:
        return "no" if name.endswith("mx-beta") else None

    faulty.refuses = refuse
    with pytest.raises(FaultError, match="did not take its new configuration up: no"):
        application.revert_all(faulty.fake, faulty.there)
    assert names(faulty) == ["hold"]


def test_a_record_of_another_version_is_not_passed_over(faulty: Faulty) -> None:
    faulty.fake.create_volume(
        Volume(
            faultrecord.volume_name("x", "mx-null"),
            {labels.NAME: "x", labels.LAB: "two-domains", faultrecord.FAULT: "mx-null"},
        )
    )
    for undo in (
        lambda: application.revert(faulty.fake, faulty.there, "mx-null"),
        lambda: application.revert_all(faulty.fake, faulty.there),
        lambda: faulty.apply("mx-null"),
    ):
        with pytest.raises(FaultError, match="another version of labctl") as caught:
            undo()
        assert caught.value.hint == "labctl down --name x"


def test_changes_of_ones_own_are_on_record_under_their_name(faulty: Faulty) -> None:
    changes = (HostChange("mx-beta", {"soft_bounce": "yes", "mydestination": "beta.test"}),)
    with faulty.spared():
        application.change(faulty.fake, faulty.there, "softly", {}, changes, title="bounces softly")
        assert "soft_bounce = yes" in faulty.read("mx-beta", MAIN_CF)
        assert names(faulty) == ["softly"]
        faulty.revert("softly")


def test_a_server_in_place_of_the_hosts_own_is_started_before_its_rules_lead_there(faulty: Faulty) -> None:
    faulty.apply("lost-after-dot")
    scripts = [argv for name, argv in faulty.commands if name == "labctl-x-mx-beta"]
    [serve, rules] = scripts
    assert "smtp-sink" in serve
    assert "09DD" in serve  # where it is seen to listen: 2525
    assert "tcp dport 25 redirect to :2525" in rules[-1]
    faulty.revert("lost-after-dot")
    assert faulty.ran("kill -- ") == ["labctl-x-mx-beta"]


def test_marks_of_different_hosts_are_different() -> None:
    change = HostChange("a", {"x": "1"}, {"/y": ""}, server=("s",), qdisc="q", stopped=True)
    assert len(change.touches) == 5
    assert not change.touches & replace(change, service="b").touches
