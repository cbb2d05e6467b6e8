from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.trace.logs import presence


@pytest.fixture(params=[True, False], ids=["C library", "Python"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.param:
        monkeypatch.setattr(presence, "_memmem", lambda: None)


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("needle", [b"\n", b"4AB12345C1", b"a\0b\0c\0", b"x" * 5000, "zoë@x".encode()])
def test_a_text_is_found_at_both_ends_and_between(needle: bytes) -> None:
    is_in = presence.test_of(needle)
    for chunk in (needle, needle + b"\0 ", b" \0" + needle, b" \0" + needle + b"\0"):
        assert is_in(chunk)
    for chunk in (b"", b"\0" * 9000, needle[:-1], needle[:-1] + b"_"):
        assert not is_in(chunk)


@given(st.binary(max_size=40), st.binary(min_size=1, max_size=6))
def test_the_c_library_tells_what_python_tells(chunk: bytes, needle: bytes) -> None:
    assert presence.test_of(needle)(chunk) == (needle in chunk)
    assert presence.test_of(needle)(chunk + needle + chunk)
