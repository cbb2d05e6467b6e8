"""What is random of an attempt: the same whenever it is examined, and another's is different."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.exercises.vocabulary.chance import Chance
from labctl.exercises.worker.protocol import Exam

SEED = "5ca1ab1e00000000"


def test_the_algorithm_is_the_one_that_is_documented() -> None:
    """Saved: seeds are on record, and what came of them has to come of them with every version."""
    chance = Chance(SEED, "mx-resolves")
    assert chance.token() == "25hrvqhbhcur"
    assert chance.name() == "quinn-4774"
    assert chance.shuffled(range(5)) == [0, 1, 3, 2, 4]


@given(st.text(), st.text(), st.integers(1, 2**64))
def test_a_number_is_below_its_bound_and_the_same_for_the_same_seed_and_key(
    seed: str, key: str, bound: int
) -> None:
    first, again = Chance(seed, key), Chance(seed, key)
    numbers = [first.below(bound) for _ in range(5)]
    assert all(0 <= each < bound for each in numbers)
    assert numbers == [again.below(bound) for _ in range(5)]


@given(st.lists(st.integers()))
def test_shuffled_loses_nothing_and_leaves_the_original(among: list[int]) -> None:
    before = among.copy()
    assert sorted(Chance(SEED, "a").shuffled(among)) == sorted(before)
    assert among == before


def test_every_order_comes_about_alike_often() -> None:
    orders = ["".join(Chance(str(seed), "order").shuffled("abc")) for seed in range(6000)]
    assert {order: 850 < orders.count(order) < 1150 for order in set(orders)} == dict.fromkeys(
        ("abc", "acb", "bac", "bca", "cab", "cba"), True
    )


@pytest.mark.parametrize(("seed", "key"), [("5ca1ab1e00000001", "a"), (SEED, "b")])
def test_another_seed_or_another_check_gets_something_else(seed: str, key: str) -> None:
    assert Chance(seed, key).token() != Chance(SEED, "a").token()


def test_all_checks_that_ask_with_one_key_get_the_same() -> None:
    one, other = Chance(SEED, "a"), Chance(SEED, "b")
    one.token()
    assert one.of("recipient").name() == other.of("recipient").name()
    assert one.of("recipient").name() != one.of("sender").name()


def test_a_check_that_is_named_like_a_key_does_not_share_its_stream() -> None:
    assert Chance(SEED, "recipient").token() != Chance(SEED, "a").of("recipient").token()


@pytest.mark.parametrize("bound", [-1, 0, 2**64 + 1])
def test_what_the_stream_can_not_choose_below_is_refused(bound: int) -> None:
    with pytest.raises(ValueError, match=f"below {bound}"):
        Chance(SEED, "a").below(bound)


def test_the_digest_of_what_was_handed_in_tells_every_file_and_content_from_others() -> None:
    exams = [Exam(files=each) for each in ({}, {"a": b"x"}, {"a": b"y"}, {"b": b"x"})]
    assert len({each.digest for each in exams}) == len(exams)
