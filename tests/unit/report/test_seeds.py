"""Who says which seed an attempt has is told wherever it may have answered what another was asked."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING

import pytest

from labctl.grading.seedfrom import OWN_WORD, UNLISTED, SeedFrom
from labctl.report.grading.gradescope import gradescope
from labctl.report.grading.page import page
from labctl.report.grading.summary import summary
from labctl.report.grading.text import grade
from tests.unit.report.grades import graded

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.commands.grade import Grade


def by_their_word(remark: str) -> Grade:
    """Return attempts of which the first two have the seed that they say."""
    first, second, *others = graded().attempts
    own = tuple(replace(each, seed_from=SeedFrom.ATTEMPT, remarks=(remark,)) for each in (first, second))
    return replace(graded(), attempts=(*own, *others))


@pytest.mark.parametrize("remark", [OWN_WORD, UNLISTED])
@pytest.mark.parametrize("write", [grade, page, summary])
def test_whose_seed_is_only_their_word_is_told_once_for_all(
    write: Callable[[Grade], str], remark: str
) -> None:
    result = by_their_word(remark)
    names = ", ".join(each.id for each in result.attempts[:2])

    assert f"{remark}: {names}" in re.sub(r"\s+", " ", unescape(write(result)))
    assert remark not in unescape(write(graded()))


@pytest.mark.parametrize("remark", [OWN_WORD, UNLISTED])
def test_it_is_told_of_one_attempt_alone(remark: str) -> None:
    result = by_their_word(remark)
    alone = replace(result, attempts=result.attempts[:1])

    for said in (grade(alone), unescape(page(alone)), gradescope(alone.attempts[0], alone.title)):
        assert remark in re.sub(r"\s+", " ", said)
        assert "the roster's" not in said
