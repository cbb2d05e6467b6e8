"""The letters of the lab why-did-it-bounce, as they are drawn for a seed."""

from __future__ import annotations

import importlib.util
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl import resources
from labctl.exercises.vocabulary.chance import Chance

if TYPE_CHECKING:
    from collections.abc import Iterator

LAB = resources.labs_dir() / "why-did-it-bounce"


@pytest.fixture(scope="module")
def scenario() -> Iterator[Any]:
    """The module that the lab's exercise and its checks draw letters with."""
    spec = importlib.util.spec_from_file_location("scenario", LAB / "scenario.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scenario"] = module  # dataclasses look there
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules["scenario"]


def drafts(scenario: Any, seed: str) -> Any:
    return scenario.drafts(Chance(seed, "any check").of("post"))


@given(seed=st.text("0123456789abcdef", min_size=16, max_size=16))
def test_a_seed_has_six_letters_which_are_numbered_and_no_two_alike(scenario: Any, seed: str) -> None:
    letters = drafts(scenario, seed)
    assert [int(each.subject.partition(":")[0]) for each in letters] == [1, 2, 3, 4, 5, 6]
    assert len({each.kind for each in letters}) == len(letters)
    assert all("{" not in each.to for each in letters)


def test_other_seeds_have_other_letters(scenario: Any) -> None:
    posts = [drafts(scenario, f"{seed:016x}") for seed in range(200)]
    assert len({tuple((each.kind.sender, each.to, each.subject) for each in post) for post in posts}) == 200
    kinds = {tuple(each.kind for each in post) for post in posts}
    assert len(kinds) > 190, "two students in a class seldom have the same questions"


def test_the_handout_explains_each_remedy_and_each_helps_somebody(scenario: Any) -> None:
    handout = (LAB / "README.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `([a-z-]+)` \|", handout, flags=re.MULTILINE)
    assert tuple(told) == scenario.REMEDIES
    kinds = [kind for pool in (*scenario.POOLS, scenario.GIVEN_UP) for kind in pool]
    assert len(kinds) >= 10
    assert {kind.remedy for kind in kinds} == set(scenario.REMEDIES)
