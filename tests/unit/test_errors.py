from __future__ import annotations

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import MachineError, UsageError, quoted, refused

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)


@given(values, st.integers(20, 200))
def test_a_value_is_quoted_on_one_line_and_not_longer_than_wanted(value: object, limit: int) -> None:
    said = quoted(value, limit)
    assert len(said) <= limit
    assert "\n" not in said
    if isinstance(value, str) and len(repr(value)) <= limit:
        assert said == repr(value)


@pytest.mark.parametrize(
    "value",
    ["x" * 5000, [["y" * 5000] * 5000], {"a" * 5000: 1}, pytest.param(1 << 99_999, id="number")],
)
def test_what_is_long_is_cut_and_says_so(value: object) -> None:
    assert quoted(value).endswith("…")
    assert len(quoted(value)) == 80


class Nested(dict[str, object]):
    """A mapping of a kind of its own, as those of Compose files are."""


def test_what_is_made_of_few_lines_without_end_takes_no_time() -> None:
    value: object = "bomb"
    for _ in range(60):  # 10**60 bombs
        value = Nested({str(n): value for n in range(10)})
    assert len(quoted(value)) <= 80


@pytest.mark.parametrize("number", [errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP, errno.EACCES])
def test_a_path_that_can_not_be_used_is_a_matter_of_usage(number: int) -> None:
    error = refused(OSError(number, os.strerror(number), b"\xff" * 300))
    assert isinstance(error, UsageError)
    assert os.strerror(number) in error.message
    assert "'\\udcff\\udcff" in error.message
    assert len(error.message) < 200


@pytest.mark.parametrize(
    "error", [OSError(errno.EMFILE, "Too many open files"), MemoryError(), OSError("odd")]
)
def test_a_machine_that_has_no_more_to_give_is_no_bug(error: OSError | MemoryError) -> None:
    assert isinstance(refused(error), MachineError)
