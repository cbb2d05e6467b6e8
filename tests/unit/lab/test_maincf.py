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


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b"a = 1\nx = 3\nb = 2\n", b"a = 1\nx = 1s\nb = 2\n", id="where it stands"),
        pytest.param(
            b"x =\n  3\n\tof old\nb = 2\n  more of b\n",
            b"x = 1s\nb = 2\n  more of b\n",
            id="with its continuation lines",
        ),
        pytest.param(
            b"x = a,\n# between\n    c\nb = 2\n", b"x = 1s\nb = 2\n", id="with the comments between these"
        ),
        pytest.param(b"#x = 3\n# x = 5\nb = 2", b"#x = 3\n# x = 5\nb = 2\nx = 1s\n", id="no commented one"),
        pytest.param(b"x = 3\n# default: 3\n", b"x = 1s\n# default: 3\n", id="no comment behind it"),
        pytest.param(b"my_x = 1\nx_y = 2\n", b"my_x = 1\nx_y = 2\nx = 1s\n", id="none of a longer name"),
        pytest.param(b"x = 1\nb = 2\nx=9\n", b"x = 1s\nb = 2\nx = 1s\n", id="each of two: the last counts"),
        pytest.param(b"b = x = 3\n  x = 4\n", b"b = x = 3\n  x = 4\nx = 1s\n", id="no value that names it"),
        pytest.param(b"a = \xff\n", b"a = \xff\nx = 1s\n", id="beside bytes that are no text"),
        pytest.param(b"", b"x = 1s\n", id="in an empty file"),
    ],
)
def test_a_parameter_is_set_where_it_stands_or_at_the_end(before: bytes, after: bytes) -> None:
    assert with_settings(before, {"x": "1s"}).lstrip() == after


LINES = """\
queue_run_delay = 1
queue_run_delay=2
#queue_run_delay = 3
queue_run_delay_x = 4
b = 2
b =
# c
  # c

  \t
  more
\tx = y
x_y = 5
"""
main_cfs = st.lists(st.sampled_from(LINES.split("\n")), max_size=12).map("\n".join)
names = st.sampled_from(["queue_run_delay", "x_y", "anvil_rate_time_unit"])


@given(main_cfs, st.dictionaries(names, st.sampled_from(["1s", "0", "5d"]), max_size=3))
def test_postfix_would_read_the_values_that_were_set_and_all_others_as_before(
    text: str, settings: dict[str, str]
) -> None:
    found = with_settings(text.encode(), settings)
    assert with_settings(found, settings) == found
    assert _parameters(found.decode()) == _parameters(text) | settings


def _parameters(text: str) -> dict[str, str]:
    """Read a main.cf as postconf(5) tells: logical lines, comments inside them, the last value counts."""
    logical: list[str] = []
    for line in text.split("\n"):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0] in " \t" and logical:
            logical[-1] += f" {line.strip()}"
        elif line[0] not in " \t":
            logical.append(line)
    pairs = (line.partition("=") for line in logical if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


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
