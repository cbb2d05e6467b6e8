"""Parameters in main.cf are read and written; putting one back leaves the file as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl import resources
from labctl.lab.blueprint.maincf import settings_in, with_settings

TEXT = b"""\
# a comment
one = 1
empty =
many = a,
    b,
# between
    c
one_more = x
"""


def test_values_are_read_as_they_are_written() -> None:
    found = settings_in(TEXT, ["one", "empty", "many", "none"])
    assert found == {"one": "1", "empty": "", "many": "a,\n    b,\n# between\n    c", "none": None}


def test_of_several_the_last_one_counts() -> None:
    assert settings_in(b"a = 1\na = 2\n", ["a"]) == {"a": "2"}


def test_a_parameter_is_set_where_it_stands_or_at_the_end() -> None:
    after = with_settings(TEXT, {"many": "z", "new": "y", "one": "2"}).decode()
    assert after == "# a comment\none = 2\nempty =\nmany = z\none_more = x\nnew = y\n"


@pytest.mark.parametrize("host", ["mx-alpha", "mx-beta"])
@given(
    settings=st.dictionaries(
        st.sampled_from(
            ["mydestination", "mynetworks", "queue_run_delay", "soft_bounce", "virtual_transport"]
        ),
        st.from_regex(r"[a-z0-9:{}, ]{0,20}", fullmatch=True).map(str.strip),
    )
)
def test_setting_and_putting_back_leaves_every_byte(host: str, settings: dict[str, str]) -> None:
    path = resources.compose_dir() / "two-domains" / host / "main.cf"
    before = path.read_bytes()
    after = with_settings(before, settings)
    assert settings_in(after, settings) == settings
    assert with_settings(after, settings_in(before, settings)) == before
