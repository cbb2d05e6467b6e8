from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import GradingError
from labctl.grading import form
from labctl.grading.job import Examination, Job, Observation, Rejection
from labctl.grading.seedfrom import SeedFrom
from labctl.grading.verdict import CheckVerdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

texts = st.text(max_size=30)
words = st.text(min_size=1, max_size=30)
some = words.map("a{}".format)
lines = st.lists(texts, max_size=3).map(tuple)
seconds = st.floats(0, 1e6)
observations = st.builds(
    Observation, some, some, st.sampled_from(CheckVerdict), seconds, texts, lines, st.integers(1, 2)
)
maybe_texts = st.none() | texts
codes = st.sampled_from(["missing-file", "forbidden-file", "config-rejected"])
rejections = st.builds(
    Rejection, codes, some, some, maybe_texts, st.none() | st.integers(1, 1 << 40), maybe_texts, texts
)
sources = st.none() | st.sampled_from(SeedFrom)
examinations = st.builds(
    Examination,
    texts,
    texts,
    texts,
    seconds,
    st.lists(observations, max_size=3).map(tuple),
    st.none() | rejections,
    texts,
    lines,
    st.dictionaries(texts, lines, max_size=2),
    sources,
)
jobs = st.builds(
    Job,
    words,
    st.just(Path("/labs/small")),
    st.none() | st.just(Path("/hidden")),
    st.dictionaries(texts, st.binary(max_size=50), max_size=3),
    texts,
    st.just("job-1"),
    texts,
    sources,
    lines,
)


@given(jobs)
def test_a_job_is_read_as_it_was_written(job: Job) -> None:
    assert form.read(form.written(job), Job) == job


@given(examinations)
def test_an_examination_is_read_as_it_was_written(examination: Examination) -> None:
    assert form.read(form.written(examination), Examination) == examination


def test_bytes_that_are_no_text_survive_as_surrogates() -> None:
    seen = Examination("anna", "small", "00", 1.0, broken="caf\udce9")
    assert form.read(form.written(seen), Examination) == seen


@given(texts | st.sampled_from(["{}", "[]", "null", '{"schema": "labctl/examination/v1"}', "[" * 10_000]))
def test_what_is_no_examination_is_an_error_of_ours(text: str) -> None:
    with pytest.raises(GradingError):
        form.read(text, Examination)


def test_what_was_written_before_anybody_asked_whose_word_a_seed_is_can_be_read() -> None:
    seen = Examination("anna", "small", "00", 1.0)
    told = json.loads(form.written(seen))
    del told["seed_from"]

    assert form.read(json.dumps(told), Examination) == seen


def test_a_document_of_another_version_is_refused() -> None:
    text = form.written(Examination("anna", "small", "00", 1.0)).replace("/v1", "/v2")
    with pytest.raises(GradingError, match="this is no labctl/examination/v1"):
        form.read(text, Examination)


@given(jobs | examinations)
def test_both_are_what_their_schemas_say(
    valid_document: Callable[[Mapping[str, Any]], None], told: Job | Examination
) -> None:
    valid_document(json.loads(form.written(told)))
