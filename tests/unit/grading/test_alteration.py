"""What mutants and variants say of themselves, and what is wrong with that."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import InvalidLabFile
from labctl.grading import alteration
from labctl.grading.alteration import Alteration, Kind
from labctl.lab.blueprint.definition import Check, Editable, LabDefinition

PATH = Path("mutants/no-mx/mutant.toml")


def lab_in(directory: Path) -> LabDefinition:
    return LabDefinition(
        "zones",
        "Zones",
        "two-domains",
        directory,
        editable=(Editable("beta.test.zone"), Editable("conf/main.cf")),
        checks=(Check("mx-resolves", 2), Check("mail-arrives", 1, needs=("mx-resolves",))),
    )


def parse(text: str, kind: Kind = Kind.MUTANT) -> Alteration:
    return alteration.parse(kind, text, PATH, lab_in(Path("zones")))


def write(directory: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(content)


FAILS = 'title = "x"\nfails = ["mx-resolves"]\n'


def test_a_mutant_says_what_is_wrong_and_what_fails() -> None:
    found = parse('title = "There is no MX"\nfails = ["mx-resolves"]\nremoves = ["conf/main.cf"]\n')

    assert (found.name, found.title) == ("no-mx", "There is no MX")
    assert (set(found.fails), found.rejected, found.removes) == ({"mx-resolves"}, False, ("conf/main.cf",))


def test_a_variant_says_what_it_does_otherwise_and_nothing_of_checks() -> None:
    found = parse('title = "By names"\nremoves = ["conf/main.cf"]\n', Kind.VARIANT)
    assert (found.title, set(found.fails), found.rejected) == ("By names", set(), False)

    for word in ('fails = ["mx-resolves"]', "rejected = true"):
        with pytest.raises(InvalidLabFile, match=f"unknown key '{word.split()[0]}'; known: title, removes"):
            parse(f'title = "By names"\n{word}\n', Kind.VARIANT)


def test_a_mutant_may_be_rejected_instead() -> None:
    found = parse('title = "x"\nrejected = true\n')

    assert (found.fails, found.rejected) == (frozenset(), True)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("title = \n", 1, "is no TOML"),
        ('fails = ["mx-resolves"]\n', None, "title = None"),
        ('title = " "\nrejected = true\n', 1, "title = ' '"),
        ('title = "x"\nfails = ["mx-resolvs"]\n', 2, "no 'mx-resolvs'; it has: mail-arrives, mx-resolves"),
        ('title = "x"\nfails = "mx-resolves"\n', 2, "expected a list of texts"),
        ('title = "x"\nfails = []\n', 2, "either the checks that it fails, or rejected = true"),
        ('title = "x"\n', None, "either the checks that it fails, or rejected = true"),
        ('title = "x"\nrejected = true\nfails = ["mx-resolves"]\n', 3, "either the checks"),
        ('title = "x"\nrejected = 1\n', 2, "rejected = 1, expected true"),
        (f'{FAILS}removes = ["alpha.test.zone"]\n', 3, "no 'alpha.test.zone'"),
        (f"{FAILS}\ncolour = 1\n", 4, "unknown key 'colour'"),
    ],
)
def test_what_is_wrong_in_its_file_is_named_with_its_line(text: str, line: int | None, said: str) -> None:
    with pytest.raises(InvalidLabFile) as caught:
        parse(text)
    assert (caught.value.path, caught.value.line, caught.value.exit_code) == (PATH, line, 3)
    assert said in caught.value.message


@given(
    st.text(max_size=60) | st.text("=[]\"'\\.#\n truefailsremovesjctd1", max_size=60), st.sampled_from(Kind)
)
def test_any_text_is_an_alteration_or_is_wrong(text: str, kind: Kind) -> None:
    try:
        found = parse(text, kind)
    except InvalidLabFile:
        return
    assert found.title.strip()
    assert (found.rejected != bool(found.fails)) == (kind == Kind.MUTANT)


def test_a_lab_has_its_variants_and_its_mutants_by_name(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "mutants/b/mutant.toml": FAILS,
            "mutants/b/beta.test.zone": "",
            "mutants/a/mutant.toml": f'{FAILS}removes = ["conf/main.cf"]\n',
            "mutants/README.md": "",
            "variants/c/variant.toml": 'title = "x"\n',
            "variants/c/beta.test.zone": "",
        },
    )

    found = [(each.kind, each.name) for each in alteration.of_lab(lab_in(tmp_path))]
    assert found == [("variant", "c"), ("mutant", "a"), ("mutant", "b")]
    assert alteration.of_lab(lab_in(tmp_path / "without")) == ()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a/beta.test.zone": ""}, r"a/mutant\.toml: can't be read"),
        ({"a/mutant.toml": FAILS, "a/Beta.test.zone": ""}, r"Beta\.test\.zone is no file that a student may"),
        ({"a/mutant.toml": FAILS}, "is the solution"),
    ],
    ids=["it does not say what it is", "a file that nobody may hand in", "nothing differs"],
)
def test_a_mutant_that_is_none_is_named(files: dict[str, str], said: str, tmp_path: Path) -> None:
    write(tmp_path / "mutants", files)
    with pytest.raises(InvalidLabFile, match=said):
        alteration.of_lab(lab_in(tmp_path))
