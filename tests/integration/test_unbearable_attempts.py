"""What an attempt contains ends as failed or rejected, whatever comes of it; a bug of a check is an error."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from labctl import resources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.conftest import Labctl

CASES: Final = Path(__file__).parents[1] / "cases" / "faults"

HEAD: Final = """\
$ORIGIN beta.test.
$TTL 300
@ SOA dns.lab.test. postmaster.beta.test. 8 3600 600 604800 60
@ NS dns.lab.test.
"""
MAIL: Final = "mail A 198.51.100.143\n"

ZONES: Final = {
    "no mail": f"{HEAD}@ MX 0 .\n{MAIL}",
    "odd bytes": rf"{HEAD}@ MX 10 m\000\032\255\"\;.beta.test." + f"\n{MAIL}",
    "more than a message": HEAD + "".join(f"@ MX {n} mx{n}.beta.test.\n" for n in range(4000)) + MAIL,
    "a ring": f"{HEAD}@ MX 10 mx.beta.test.\nmx CNAME mx2\nmx2 CNAME mx\n{MAIL}",
}

HIDDEN: Final = '''\
def test_has_a_bug(lab):
    """It never gets to the mail."""
    nonsense(lab)


def test_reads_the_zone(lab, attempt):
    """The numbers of all MX records are below a hundred."""
    lines = [each.split() for each in attempt.text("beta.test.zone").splitlines() if " MX " in each]
    assert all(int(each[each.index("MX") + 1]) < 100 for each in lines)
'''


def solution(lab: str) -> Path:
    return resources.labs_dir() / lab / "solution"


def hand_in(directory: Path, name: str, lab: str, files: Mapping[str, str]) -> Path:
    """Make an attempt: the lab's solution with some files of its own."""
    place = directory / name.replace(" ", "-")
    shutil.copytree(solution(lab), place)
    for path, content in {"labctl.toml": f'lab = "{lab}"\n', **files}.items():
        (place / path).write_text(content, encoding="utf-8")
    return place


def verdicts(document: Mapping[str, Any]) -> dict[str, str]:
    return {each["id"]: each["verdict"] for each in document["attempts"]}


def checks(document: Mapping[str, Any], attempt: str) -> dict[str, dict[str, Any]]:
    [found] = [each for each in document["attempts"] if each["id"] == attempt]
    return {each["id"]: each for each in found["checks"]}


def test_nothing_in_a_zone_or_in_the_settings_is_an_error(labctl: Labctl, tmp_path: Path) -> None:
    lab = "fix-the-mx"
    places = [hand_in(tmp_path, name, lab, {"beta.test.zone": text}) for name, text in ZONES.items()]
    places += [shutil.copytree(CASES / name, tmp_path / name) for name in ("apex-cname", "toml-bomb")]
    places += [
        hand_in(tmp_path, "good", lab, {}),
        hand_in(tmp_path, "of another lab", lab, {"labctl.toml": 'lab = "relay-closed"\n'}),
    ]
    ran = labctl("grade", *map(str, places), "--json", "--jobs", "4")
    document = labctl.document_of(ran.stdout)
    assert verdicts(document) == {
        **{name.replace(" ", "-"): "failed" for name in ZONES},
        "apex-cname": "failed",
        "good": "passed",
        "of-another-lab": "rejected",
        "toml-bomb": "passed",  # what it says of itself is of no use, and its zone is right
    }
    assert ran.code == 1
    [bomb] = [each for each in document["attempts"] if each["id"] == "toml-bomb"]
    assert "labctl.toml" in " ".join(bomb["remarks"])


def test_nothing_in_answers_is_an_error_and_one_fault_is_told_once(labctl: Labctl, tmp_path: Path) -> None:
    lab = "why-did-it-bounce"
    answers = (solution(lab) / "answers.toml").read_text(encoding="utf-8")
    odd = "[letter-1]\nhost = [{a = 1}]\ncode = inf\nover = 1979-05-27\nremedy = '''\u2028\ud7ff'''\n"
    places = [
        shutil.copytree(CASES / "hex-answer", tmp_path / "hex-answer"),
        hand_in(tmp_path, "odd", lab, {"answers.toml": odd}),
        hand_in(tmp_path, "deep", lab, {"answers.toml": f"{answers}\nx{'.a' * 30_000} = 1\n"}),
    ]
    ran = labctl("grade", *map(str, places), "--json", "--lab", lab, "--jobs", "3")
    document = labctl.document_of(ran.stdout)
    assert verdicts(document) == {"hex-answer": "failed", "odd": "failed", "deep": "failed"}
    assert ran.code == 1
    told = [each["explanation"] for each in checks(document, "deep").values()]
    assert sum("a key of more than 16 parts" in each for each in told) == 1
    assert sum("it is not, as letter-1 tells" in each for each in told) == len(told) - 1


@pytest.fixture
def hidden(tmp_path: Path) -> Path:
    place = tmp_path / "hidden"
    place.mkdir()
    (place / "checks.toml").write_text(
        '[[checks]]\nid = "has-a-bug"\npoints = 1\n\n[[checks]]\nid = "reads-the-zone"\npoints = 1\n'
    )
    (place / "test_hidden.py").write_text(HIDDEN)
    return place


def test_a_bug_of_a_check_is_an_error_and_what_an_attempt_makes_it_raise_is_not(
    labctl: Labctl, tmp_path: Path, hidden: Path
) -> None:
    lab = "fix-the-mx"
    zone = (solution(lab) / "beta.test.zone").read_text(encoding="utf-8")
    place = hand_in(tmp_path, "amy", lab, {"beta.test.zone": f"{zone}; an MX ten\n"})
    ran = labctl("grade", str(place), "--json", "--checks", str(hidden))
    found = checks(labctl.document_of(ran.stdout), "amy")
    assert {name: each["verdict"] for name, each in found.items() if each["verdict"] != "passed"} == {
        "has-a-bug": "error",
        "reads-the-zone": "failed",
    }
    assert ran.code == 4
    bug, read = found["has-a-bug"], found["reads-the-zone"]
    assert bug["explanation"].startswith("test_hidden.py:3: NameError: name 'nonsense' is not defined")
    assert (bug["path"], bug["line"]) == ("test_hidden.py", 3)
    assert "test_hidden.py:9: ValueError: invalid literal" in read["explanation"]
    assert (read["path"], read["line"]) == ("test_hidden.py", 9)
