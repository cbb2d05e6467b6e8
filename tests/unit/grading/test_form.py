from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from labctl.errors import GradingError
from labctl.grading import form
from labctl.grading.job import Examination, Job, Observation, Rejection
from labctl.grading.seedfrom import SeedFrom
from labctl.grading.verdict import CheckVerdict

texts = st.text(max_size=30)
lines = st.lists(texts, max_size=3).map(tuple)
seconds = st.floats(0, 1e6)
observations = st.builds(
    Observation, texts, texts, st.sampled_from(CheckVerdict), seconds, texts, lines, st.integers(1, 2)
)
maybe_texts = st.none() | texts
rejections = st.builds(
    Rejection, texts, texts, texts, maybe_texts, st.none() | st.integers(1, 1 << 40), maybe_texts, texts
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
    texts,
    st.just(Path("/labs/small")),
    st.none() | st.just(Path("/hidden")),
    st.dictionaries(texts, st.binary(max_size=50), max_size=3),
    texts,
    texts,
    texts,
    sources,
)


@given(jobs)
def test_a_job_is_read_as_it_was_written(job: Job) -> None:
    assert form.job(form.job_text(job)) == job


@given(examinations)
def test_an_examination_is_read_as_it_was_written(examination: Examination) -> None:
    assert form.examination(form.examination_text(examination)) == examination


def test_bytes_that_are_no_text_survive_as_surrogates() -> None:
    seen = Examination("anna", "small", "00", 1.0, broken="caf\udce9")
    assert form.examination(form.examination_text(seen)) == seen


@given(texts | st.sampled_from(["{}", "[]", "null", '{"schema": "labctl/examination/v1"}', "[" * 10_000]))
def test_what_is_no_examination_is_an_error_of_ours(text: str) -> None:
    with pytest.raises(GradingError):
        form.examination(text)


def test_what_was_written_before_anybody_asked_whose_word_a_seed_is_can_be_read() -> None:
    seen = Examination("anna", "small", "00", 1.0)
    told = json.loads(form.examination_text(seen))
    del told["seed_from"]

    assert form.examination(json.dumps(told)) == seen


def test_a_document_of_another_version_is_refused() -> None:
    text = form.examination_text(Examination("anna", "small", "00", 1.0)).replace("/v1", "/v2")
    with pytest.raises(GradingError, match="this is no labctl/examination/v1"):
        form.examination(text)


def schema(name: str) -> Draft202012Validator:
    text = (files("labctl.grading") / "schemas" / f"{name}.v1.json").read_text(encoding="utf-8")
    Draft202012Validator.check_schema(json.loads(text))
    return Draft202012Validator(json.loads(text))


@given(jobs)
def test_a_job_is_what_its_schema_says(job: Job) -> None:
    written = form.job_text(replace(job, attempt="anna", name="job-1"))
    assert list(schema("examination-job").iter_errors(json.loads(written))) == []


@given(examinations, st.sampled_from(["missing-file", "forbidden-file", "config-rejected"]))
def test_an_examination_is_what_its_schema_says(examination: Examination, code: str) -> None:
    rejection = None if examination.rejection is None else replace(examination.rejection, code=code)
    checks = tuple(replace(each, id=f"check-{each.id}") for each in examination.checks)
    written = form.examination_text(replace(examination, rejection=rejection, checks=checks))
    assert list(schema("examination").iter_errors(json.loads(written))) == []
