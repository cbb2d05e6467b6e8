"""What the values of parameters may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.faults import catalogue, values

if TYPE_CHECKING:
    from labctl.faults.fault import Fault


@pytest.mark.parametrize("fault", catalogue.FAULTS, ids=lambda fault: fault.name)
def test_a_title_names_nothing_but_the_faults_own_parameters(fault: Fault) -> None:
    assert "{" not in fault.told(fault.values({}))


def test_names_of_faults_are_different() -> None:
    assert len({each.name for each in catalogue.FAULTS}) == len(catalogue.FAULTS) == 30


@given(st.text(max_size=40))
def test_a_text_that_is_taken_means_nothing_to_main_cf_and_stays_on_its_line(text: str) -> None:
    if values.text(text) is None:
        assert not set(text) & set('{}$"\\#\r\n\t\0')
        assert text == text.strip()


@given(st.integers(), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_number_is_taken_within_its_bounds_alone(number: int, one: int, other: int) -> None:
    lowest, highest = sorted((one, other))
    assert (values.number(lowest, highest)(str(number)) is None) == (lowest <= number <= highest)


@pytest.mark.parametrize(
    ("check", "refused"),
    [
        (values.number(0, 1000), ["", "-1", "+1", "01", "1.0", " 1", "1 ", "1e3", "٣", "0x1", "1\n"]),
        (values.name, ["", ".", "-a", "a-", "a..b", "Beta.test", "a b", "a/b", "a" * 64, "a\n"]),
        (values.code, ["200", "3", "399", "560", "4000", "45x", ""]),
        (values.status, ["2.0.0", "5.7", "5.7.1.1", "5.7.1000", "x"]),
    ],
    ids=["a plain number", "a name", "a code that refuses", "a status that refuses"],
)
def test_what_is_none_is_refused(check: values.Check, refused: list[str]) -> None:
    assert [each for each in refused if check(each) is None] == []


@pytest.mark.parametrize("value", ["beta.test", "mx-beta", "a", "x1.y2"])
def test_names_are_taken(value: str) -> None:
    assert values.name(value) is None
