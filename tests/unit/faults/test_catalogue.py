"""Faults are found by their names."""

from __future__ import annotations

import shlex

import pytest

from labctl.commands.fault import ordered
from labctl.errors import NoSuchFault, UsageError
from labctl.faults import catalogue


@pytest.mark.parametrize(
    ("wrong", "near"), [("mx-nul", "mx-null"), ("greylisting", "greylist"), ("down-mta", "mta-down")]
)
def test_a_wrong_name_is_told_with_what_is_near(wrong: str, near: str) -> None:
    with pytest.raises(NoSuchFault) as caught:
        catalogue.find(wrong)
    assert near in caught.value.message
    assert near in caught.value.detail["near"]


def test_a_name_that_is_near_nothing_is_told_without() -> None:
    with pytest.raises(NoSuchFault, match=r"^no fault is called 'xyzzy'$"):
        catalogue.find("xyzzy")


def test_a_value_is_told_with_one_that_would_do() -> None:
    with pytest.raises(UsageError) as caught:
        catalogue.find("refuse").values({"port": "70000"})
    assert caught.value.hint == "labctl fault apply refuse port=25"


@pytest.mark.parametrize(
    ("fault", "parameter"), [(each.name, one.name) for each in catalogue.FAULTS for one in each.parameters]
)
def test_the_command_that_is_hinted_at_can_be_typed(fault: str, parameter: str) -> None:
    with pytest.raises(UsageError) as caught:
        catalogue.find(fault).values({parameter: "\x00"})
    *command, name, assignment = shlex.split(caught.value.hint)
    assert command == ["labctl", "fault", "apply"]
    assert ordered(name, [assignment])[1].keys() == {parameter}
