"""A lab's files with a value of another type in each place: read, or wrong with file and line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labctl import resources
from labctl.errors import InvalidLabFile
from labctl.grading import gradedlab
from labctl.lab.blueprint import definition, topology
from labctl.lab.blueprint.plan import make_planner
from tests.fuzz.places import LAB

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOML_VALUES: Final = (
    "3", "-1", "0", "0.5", "1e308", "-inf", "nan", "0x7fffffffffffffff", "true", '""', '"x"', '"\\u0000"',
    '"../x"', '"é\\u202e"', f'"{"x" * 500}"', "[]", "[[]]", "[1]", '["a", 1]', '["", ""]', "{}", "{a = 1}",
    "[{a = {}}]", "1979-05-27", "07:32:00", "1979-05-27T07:32:00+23:59",
)  # fmt: skip

YAML_VALUES: Final[tuple[Any, ...]] = (
    None, 3, -1, 0, 0.5, 1e308, float("nan"), True, "", "x", "$x", "$$", "..", "/", "a\nb", "é\u202e",
    "x" * 500, "1s", [], [[]], [None], [3], ["a"], ["a="], [{}], [{"source": 3}], {}, {"a": None},
    {"a": {"b": []}}, {"": ""}, {3: 3}, {"file": "none"}, {"extends": {}},
)  # fmt: skip

KEYS: Final = [n for n, line in enumerate(LAB.splitlines()) if " = " in line]
BASE: Final = resources.compose_dir() / "two-domains.yaml"

writes_files = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def judge(error: InvalidLabFile, path: Path) -> None:
    assert error.path == path
    assert error.line is not None
    assert 1 <= error.line <= len(path.read_text(encoding="utf-8").splitlines()) + 1
    assert len(error.message) < 1000


@writes_files
@given(st.sampled_from(KEYS), st.sampled_from(TOML_VALUES))
def test_a_definition_with_another_value_in_a_place_is_read_or_wrong_with_its_line(
    tmp_path: Path, number: int, value: str
) -> None:
    lines = LAB.splitlines()
    lines[number] = f"{lines[number].partition(' = ')[0]} = {value}"
    path = tmp_path / "lab.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "checks").mkdir(exist_ok=True)
    (tmp_path / "checks/test_mx.py").write_text('def test_mx():\n    """It is there."""\n')
    try:
        lab = definition.load(tmp_path)
        make_planner("x", lab, images={})
        gradedlab.load(lab)
    except InvalidLabFile as error:
        judge(error, path)


def test_the_definition_that_is_altered_is_right(tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text(LAB)
    make_planner("x", definition.load(tmp_path), images={})


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where values are in the mappings of a file."""
    for key, each in value.items() if isinstance(value, dict) else ():
        yield (*above, key)
        yield from places(each, (*above, key))


PLACES: Final = list(places(yaml.safe_load(BASE.read_text(encoding="utf-8"))))


@writes_files
@given(st.sampled_from(PLACES), st.sampled_from(YAML_VALUES))
def test_an_overlay_with_any_value_in_a_place_is_read_or_wrong_with_its_line(
    tmp_path: Path, place: tuple[Any, ...], value: Any
) -> None:
    for key in reversed(place):
        value = {key: value}
    path = tmp_path / "compose.yaml"
    path.write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8")
    try:
        topology.load(BASE, path)
    except InvalidLabFile as error:
        judge(error, path)


@pytest.mark.parametrize("place", [("services", "dns", "networks"), ("configs", "Corefile")])
def test_places_are_those_of_the_real_topology(place: tuple[str, ...]) -> None:
    assert place in PLACES or place[:1] in PLACES
