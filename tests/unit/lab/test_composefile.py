from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labctl.errors import InvalidLabFile
from labctl.lab.blueprint import composefile
from labctl.lab.blueprint.composefile import Mapping, extended, laid_over

if TYPE_CHECKING:
    from pathlib import Path

hypothesis_writes_files = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(directory: Path, text: str, name: str = "compose.yaml") -> Mapping:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return composefile.read(path)


def wrong(directory: Path, text: str) -> InvalidLabFile:
    with pytest.raises(InvalidLabFile) as caught:
        read(directory, text)
    assert str(directory / "compose.yaml") in caught.value.message
    return caught.value


def test_every_key_knows_its_line(tmp_path: Path) -> None:
    content = read(tmp_path, "# first\na: 1\n\nb:\n  c: [1, {d: 2}]\n")
    path = tmp_path / "compose.yaml"
    assert content.lines == {"a": (path, 2), "b": (path, 4)}
    inner = content.mapping("b", "here")
    assert (inner.line, inner.lines["c"]) == (5, (path, 5))
    assert inner["c"][1].lines == {"d": (path, 5)}


def test_an_error_points_at_the_key_or_else_at_the_mapping(tmp_path: Path) -> None:
    inner = read(tmp_path, "a:\n  b: 1\n  c: 2\n").mapping("a", "here")
    assert inner.wrong("odd", "c").line == 3
    assert inner.wrong("odd").line == 2
    assert inner.wrong("odd", "not there").line == 2


def test_merged_keys_keep_their_lines_and_give_way_to_the_mappings_own(tmp_path: Path) -> None:
    content = read(tmp_path, "x: &x\n  a: 1\n  b: 2\ny:\n  <<: *x\n  b: 3\n")
    merged = content["y"]
    assert dict(merged) == {"a": 1, "b": 3}
    assert {key: line for key, (_, line) in merged.lines.items()} == {"a": 2, "b": 6}


def test_several_merged_mappings_count_in_their_order(tmp_path: Path) -> None:
    content = read(tmp_path, "x: &x {a: 1}\ny: &y {a: 2, b: 2}\nz:\n  <<: [*x, *y]\n")
    assert dict(content["z"]) == {"a": 1, "b": 2}


def test_an_alias_of_a_mapping_that_merges_is_read_like_the_mapping(tmp_path: Path) -> None:
    content = read(tmp_path, "x: &x {a: 1}\ny: &y\n  <<: *x\n  a: 2\nz: *y\n")
    assert content["z"] == content["y"] == {"a": 2}


def test_many_aliases_are_read_once_each(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 40))]
    content = read(tmp_path, "\n".join(lines))
    assert len(content["a39"]) == 10


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: [1\nb: 2", 2, "is no YAML"),
        ("a: 1\n b: 2", 2, "is no YAML"),
        ("a: 1\n---\nb: 2", 2, "is no YAML"),
        ("a: *nobody", 1, "is no YAML"),
        ("a: !python/object:os.system x", 1, "is no YAML"),
        ("\na: !!int x", 2, "'x' is no value"),
        ("a: !!bool x", 1, "'x' is no value"),
        ("a: !!timestamp x", 1, "'x' is no value"),
        ("a: 0x_", 1, "'0x_' is no value"),
        ("a: 2024-99-99", 1, "'2024-99-99' is no value"),
        ("a: 1\nb: 2\na: 3", 3, "the key 'a' is there twice"),
        ("? [a]\n: 1", 1, "a key is no text"),
        ("- a", 1, "expected a mapping"),
        ("text", 1, "expected a mapping"),
        ("", 1, "expected a mapping"),
        ("a: &a\n- *a", 1, "contains itself"),
        ("a: &a\n  b: *a", 1, "contains itself"),
    ],
)
def test_what_is_no_compose_file_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    error = wrong(tmp_path, text)
    assert said in error.message
    assert error.line == line


@pytest.mark.parametrize("depth", [60, 200_000])
@pytest.mark.parametrize("end", ["", "]"])
def test_collections_too_deep_are_refused_before_they_overflow_anything(
    tmp_path: Path, depth: int, end: str
) -> None:
    message = wrong(tmp_path, f"a: {'[' * depth}{end * depth}").message
    assert "inside each other" in message or "nesting depth" in message  # ours, or a newer libyaml's own


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: 1\nb: \xff\n", r"bytes.yaml:2: is no UTF-8: it has the byte 0xff"),
        (b"a: 1\n\xc3\xa9: 2\nb: \x01\n", r"bytes.yaml:3: is no YAML: .* not allowed: '\\x01'"),
        (b"a: 1\nb: \x00\n", r"bytes.yaml:2: is no YAML: .* not allowed: '\\x00'"),
        (b"a: 1\nb: [0x" + b"f" * 9999 + b"]\n", r"bytes.yaml:2: '0xf{20,80}… is longer than a number"),
        (b"a: 1\nb: !!int ''\n", r"bytes.yaml:2: '' is no value"),
    ],
)
def test_bytes_that_mean_nothing_are_named_with_their_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "bytes.yaml").write_bytes(content)
    with pytest.raises(InvalidLabFile, match=said):
        composefile.read(tmp_path / "bytes.yaml")


def test_extensions_are_allowed_everywhere_and_nothing_else_unknown(tmp_path: Path) -> None:
    content = read(tmp_path, "x-mine: 1\na: 1\n\nb: 2\n")
    content.only({"a", "b"}, "the file")
    with pytest.raises(InvalidLabFile, match="'b' is not supported; labctl knows a, c") as caught:
        content.only({"c", "a"}, "the file")
    assert caught.value.line == 4


@pytest.mark.parametrize(
    ("value", "text"), [("word", "word"), ("5", "5"), ("1.5", "1.5"), ('"0"', "0"), ("a$$b", "a$b")]
)
def test_texts_and_numbers_are_texts(tmp_path: Path, value: str, text: str) -> None:
    assert read(tmp_path, f"a: {value}").text("a", "here") == text


def test_a_default_stands_in_for_a_key_that_is_not_there(tmp_path: Path) -> None:
    content = read(tmp_path, "a: 1")
    assert content.text("b", "here", "other") == "other"
    with pytest.raises(InvalidLabFile, match="b: None"):
        content.text("b", "here")


def test_one_text_is_a_list_of_one(tmp_path: Path) -> None:
    content = read(tmp_path, "a: x\nb: [y, 5]\nc:\n")
    assert [content.texts(key, "here") for key in "abcd"] == [("x",), ("y", "5"), (), ()]


def test_pairs_are_a_mapping_or_a_list(tmp_path: Path) -> None:
    content = read(tmp_path, 'a: {K: v, N: 5, E: ""}\nb: [K=v, N=5, E=]\n')
    assert content.pairs("a", "here") == content.pairs("b", "here") == {"K": "v", "N": "5", "E": ""}
    assert content.pairs("c", "here") == {}


OTHERS = {
    "text": ["[a]", "{b: 1}", "true", "", '""', "${HOME}", "$HOME", "a$", "2024-01-01"],
    "texts": ["[[a]]", "[true]", "[$HOME]", "{b: 1}", "5"],
    "pairs": ["[K]", "{K: }", "[K=$V]", "{K: $V}", "{K: true}", "{K: [v]}", "[[K=v]]", "5"],
}


@pytest.mark.parametrize(("kind", "value"), [(kind, each) for kind in OTHERS for each in OTHERS[kind]])
def test_what_is_no_plain_text_list_of_these_or_pairs_is_refused(
    tmp_path: Path, kind: str, value: str
) -> None:
    content = read(tmp_path, f"\n\na: {value}")
    with pytest.raises(InvalidLabFile) as caught:
        getattr(content, kind)("a", "here")
    assert caught.value.line == 3


def test_a_mapping_that_is_not_there_is_empty_and_points_where_it_would_be(tmp_path: Path) -> None:
    content = read(tmp_path, "a: 1\nb:\n")
    assert content.mapping("b", "here") == {}
    assert content.mapping("b", "here").wrong("odd").line == 2
    with pytest.raises(InvalidLabFile, match="a is 1, expected a mapping"):
        content.mapping("a", "here")
    with pytest.raises(InvalidLabFile, match="a is 1, expected a list"):
        content.sequence("a", "here")


class TestLayingOver:
    LOWER = "a: 1\nb:\n  c: [1, 2]\n  d: {e: 1}\nf: [x]\n"

    def over(self, directory: Path, text: str) -> Mapping:
        lower, upper = read(directory, self.LOWER), read(directory, text, "over.yaml")
        before = (repr(lower), dict(lower.lines))
        merged = laid_over(lower, upper)
        assert (repr(lower), dict(lower.lines)) == before
        return merged

    def test_scalars_are_replaced_and_mappings_merged(self, tmp_path: Path) -> None:
        merged = self.over(tmp_path, "a: 2\nb:\n  d: {g: 2}\nnew: 1\n")
        assert merged == {"a": 2, "b": {"c": [1, 2], "d": {"e": 1, "g": 2}}, "f": ["x"], "new": 1}

    def test_sequences_are_appended_without_doubles(self, tmp_path: Path) -> None:
        assert self.over(tmp_path, "b: {c: [2, 3]}\n")["b"]["c"] == [1, 2, 3]

    def test_lines_are_those_of_the_file_that_counts(self, tmp_path: Path) -> None:
        merged = self.over(tmp_path, "\n\na: 2\nb:\n  d: {g: 2}\n")
        assert merged.lines["a"] == (tmp_path / "over.yaml", 3)
        assert merged.lines["f"] == (tmp_path / "compose.yaml", 5)
        assert merged["b"].lines["c"] == (tmp_path / "compose.yaml", 3)
        assert merged["b"]["d"].lines["g"] == (tmp_path / "over.yaml", 5)

    def test_an_error_in_an_empty_mapping_of_the_upper_file_names_that_file(self, tmp_path: Path) -> None:
        merged = self.over(tmp_path, "\nnew:\n")
        error = merged.mapping("new", "here").wrong("odd")
        assert (error.path, error.line) == (tmp_path / "over.yaml", 2)

    def test_what_is_empty_above_changes_nothing(self, tmp_path: Path) -> None:
        assert self.over(tmp_path, "a:\nb:\n") == read(tmp_path, self.LOWER)

    @pytest.mark.parametrize("text", ["\nb: [1]", "\nf: {a: 1}"])
    def test_a_list_and_a_mapping_are_not_mixed(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(InvalidLabFile, match="a list in one file and a mapping in the other") as caught:
            self.over(tmp_path, text)
        assert (caught.value.path, caught.value.line) == (tmp_path / "over.yaml", 2)

    def test_of_entries_for_one_target_the_upper_one_counts(self, tmp_path: Path) -> None:
        lower = read(tmp_path, "c: [{source: a, target: /1}, {source: b, target: /2}, e]")
        upper = read(tmp_path, "c: [{source: z, target: /1}]", "over.yaml")
        assert laid_over(lower, upper)["c"] == [
            {"source": "b", "target": "/2"},
            "e",
            {"source": "z", "target": "/1"},
        ]


@hypothesis_writes_files
@given(text=st.text() | st.text(alphabet="ab:-?&*<[]{}!#|>'\"%@ \n\t012xe_.", max_size=40))
def test_any_text_is_a_mapping_or_an_invalid_file(tmp_path: Path, text: str) -> None:
    try:
        content = read(tmp_path, text)
    except InvalidLabFile as error:
        assert error.hint  # noqa: PT017  # both outcomes are right
    else:
        assert set(content.lines) == set(content)


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(string.printable)
names = st.sampled_from(["a", "b", "c", "target", "source", "x-y"])
documents = st.dictionaries(
    names,
    st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=4,
)


def dump(document: dict[str, Any]) -> str:
    return str(yaml.dump(document, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))


@hypothesis_writes_files
@given(document=documents)
def test_whatever_yaml_is_written_is_read_again(tmp_path: Path, document: dict[str, Any]) -> None:
    content = read(tmp_path, dump(document))
    assert content == document
    assert all(line >= 1 for _, line in content.lines.values())


@hypothesis_writes_files
@given(lower=documents, upper=documents)
def test_laid_over_holds_all_keys_and_every_scalar_of_the_upper(
    tmp_path: Path, lower: dict[str, Any], upper: dict[str, Any]
) -> None:
    below = read(tmp_path, dump(lower))
    above = read(tmp_path, dump(upper), "over.yaml")
    try:
        merged = laid_over(below, above)
    except InvalidLabFile as error:
        assert "a list in one file" in error.message  # noqa: PT017  # both outcomes are right
        return
    assert set(merged) == set(lower) | set(upper)
    assert set(merged.lines) == set(merged)
    for key, value in upper.items():
        if value is not None and not isinstance(value, dict | list):
            assert merged[key] == value


class TestExtended:
    def services(self, directory: Path, text: str) -> Mapping:
        return extended(read(directory, text), directory).mapping("services", "the file")

    def refused(self, directory: Path, text: str) -> InvalidLabFile:
        with pytest.raises(InvalidLabFile) as caught:
            self.services(directory, text)
        return caught.value

    def test_a_service_is_laid_over_the_one_it_extends(self, tmp_path: Path) -> None:
        read(tmp_path, "services: {a: {image: one, labels: {x: 1, y: 2}, cap_add: [KILL]}}", "first.yaml")
        text = "services: {b: {extends: {file: first.yaml, service: a}, labels: {y: 3}, cap_add: [CHOWN]}}"
        assert self.services(tmp_path, text)["b"] == {
            "image": "one",
            "labels": {"x": 1, "y": 3},
            "cap_add": ["KILL", "CHOWN"],
        }

    @pytest.mark.parametrize("extends", ["a", "{service: a}"])
    def test_without_a_file_it_is_one_of_the_same(self, tmp_path: Path, extends: str) -> None:
        services = self.services(tmp_path, f"services: {{a: {{image: one}}, b: {{extends: {extends}}}}}")
        assert services["a"] == services["b"] == {"image": "one"}

    def test_what_is_extended_may_extend_another_in_turn(self, tmp_path: Path) -> None:
        read(tmp_path, "services: {a: {image: one}, b: {extends: a, user: me}}", "first.yaml")
        text = "services: {b: {extends: {file: first.yaml, service: b}, tty: 1}}"
        assert self.services(tmp_path, text) == {"b": {"image": "one", "user": "me", "tty": 1}}

    def test_a_file_without_services_or_extensions_is_as_it_was(self, tmp_path: Path) -> None:
        for text in ("configs: {}", "services: {a: {image: one}}"):
            content = read(tmp_path, text)
            assert extended(content, tmp_path) == content

    def test_every_key_still_knows_its_file_and_line(self, tmp_path: Path) -> None:
        read(tmp_path, "services:\n  a:\n    image: one\n", "first.yaml")
        text = "services:\n  b:\n    extends:\n      {file: first.yaml, service: a}\n    tty: 1\n"
        found = self.services(tmp_path, text)
        assert found["b"].lines["image"] == (tmp_path / "first.yaml", 3)
        assert found["b"].lines["tty"] == (tmp_path / "compose.yaml", 5)
        assert found.lines["b"] == (tmp_path / "compose.yaml", 2)

    def test_the_file_read_is_not_changed(self, tmp_path: Path) -> None:
        content = read(tmp_path, "services: {a: {image: one}, b: {extends: a}}")
        extended(content, tmp_path)
        assert content["services"]["b"] == {"extends": "a"}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("services: {a: {extends: a}}", "extends itself"),
            ("services: {a: {extends: b}, b: {extends: a}}", "extends itself"),
            ("services: {a: {extends: {file: compose.yaml, service: a}}}", "extends itself"),
            ("services: {a: {extends: b}}", "no service 'b'"),
            ("services: {a: {extends: {service: b}}}", "no service 'b'"),
            ("services: {a: {extends: {file: other.yaml, service: b}}}", "no file"),
            ("services: {a: {extends: {file: compose.yaml}}}", "no service ''"),
            (
                "services: {a: {extends: {file: compose.yaml, service: a, more: 1}}}",
                "'more' is not supported",
            ),
            ("services: {a: {extends: [b]}}", "expected a mapping"),
            ("services: {a: {extends: ''}}", "is empty"),
        ],
    )
    def test_what_can_not_be_extended_is_told(self, tmp_path: Path, text: str, said: str) -> None:
        error = self.refused(tmp_path, text)
        assert said in error.message
        assert (error.path, error.line) == (tmp_path / "compose.yaml", 1)

    @given(
        st.dictionaries(
            st.sampled_from("abc"),
            st.fixed_dictionaries({}, optional={"extends": st.sampled_from("abcd"), "image": st.just("x")}),
        )
    )
    @hypothesis_writes_files
    def test_whatever_extends_whatever_it_ends(self, tmp_path: Path, services: dict[str, Any]) -> None:
        text = yaml.safe_dump({"services": services})
        try:
            found = self.services(tmp_path, text)
        except InvalidLabFile:
            return
        assert set(found) == set(services)
        assert all("extends" not in service for service in found.values())
