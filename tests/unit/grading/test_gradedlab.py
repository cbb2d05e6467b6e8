from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.errors import InvalidLabFile, UsageError
from labctl.grading import gradedlab
from labctl.lab.blueprint import definition
from tests.unit.grading.conftest import CHECKS, LAB, write_lab

if TYPE_CHECKING:
    from pathlib import Path

    from labctl.grading.gradedlab import GradedLab

HIDDEN = """
[[checks]]
id = "no-back-door"
points = 4
needs = ["mail-arrives"]
"""

HIDDEN_CHECKS = '''
def test_no_back_door(lab):
    """There is no other way in."""
'''


def test_checks_come_in_an_order_in_which_each_finds_what_it_needs(graded_lab: GradedLab) -> None:
    order = ("zone-answers", "mx-resolves", "mail-arrives")
    assert graded_lab.order == order
    [choice] = graded_lab.choices
    assert tuple(each.id for each in choice.exercises) == order


def test_checks_that_need_nothing_keep_the_order_of_their_declaration(tmp_path: Path) -> None:
    text = LAB.replace('needs = ["mx-resolves"]', "").replace(
        'needs = ["zone-answers"]', 'needs = ["mail-arrives"]'
    )
    found = gradedlab.load(definition.load(write_lab(tmp_path / "small", text)))
    assert found.order == ("zone-answers", "mail-arrives", "mx-resolves")


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('    """The MX has an address."""', "    pass", "test_mx_resolves has no docstring"),
        ('"""The MX has an address."""', '"""  """', "test_mx_resolves has no docstring"),
        ("test_mx_resolves(lab)", "test_mx_resolves(labb)", "asks for the fixture 'labb'.*is lab meant"),
        ("test_mx_resolves", "test_mx_is_there", "'mx-resolves' has no function test_mx_resolves"),
    ],
)
def test_a_check_that_tells_nothing_or_can_not_be_run_is_the_labs_mistake(
    tmp_path: Path, right: str, wrong: str, said: str
) -> None:
    directory = write_lab(tmp_path / "small", checks=CHECKS.replace(right, wrong))
    place = r"lab\.toml:\d+" if "no function" in said else r"test_beta\.py:10"
    with pytest.raises(InvalidLabFile, match=rf"{place}: .*{said}"):
        gradedlab.load(definition.load(directory))


def test_a_lab_without_checks_is_not_graded(tmp_path: Path) -> None:
    directory = write_lab(tmp_path / "small", LAB.partition("[[checks]]")[0])
    with pytest.raises(UsageError, match="not one to be graded"):
        gradedlab.load(definition.load(directory))


@pytest.fixture
def hidden(tmp_path: Path) -> Path:
    """A directory of hidden checks."""
    directory = tmp_path / "hidden"
    directory.mkdir()
    (directory / "checks.toml").write_text(HIDDEN, encoding="utf-8")
    (directory / "test_hidden.py").write_text(HIDDEN_CHECKS, encoding="utf-8")
    return directory


def test_hidden_checks_come_after_the_labs_own_and_may_need_them(lab_directory: Path, hidden: Path) -> None:
    found = gradedlab.load(definition.load(lab_directory), hidden)
    assert [each.id for each in found.checks][-1] == "no-back-door"
    assert found.hidden == {"no-back-door"}
    assert found.max_score == 10
    assert [each.path.name for each in found.choices] == ["test_beta.py", "test_hidden.py"]


def test_a_hidden_check_that_needs_what_there_is_not_is_named_with_its_line(
    lab_directory: Path, hidden: Path
) -> None:
    (hidden / "checks.toml").write_text(HIDDEN.replace("mail-arrives", "mail-flies"), encoding="utf-8")
    with pytest.raises(InvalidLabFile, match=r"checks.toml:5: check 'no-back-door' needs 'mail-flies'"):
        gradedlab.load(definition.load(lab_directory), hidden)


def test_a_directory_of_hidden_checks_that_is_not_there_is_a_mistake_of_the_user(
    lab_directory: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no hidden checks"):
        gradedlab.load(definition.load(lab_directory), tmp_path / "nowhere")


def test_a_lab_whose_attempts_are_zones_is_data_and_one_that_configures_a_daemon_is_not(
    graded_lab: GradedLab, tmp_path: Path
) -> None:
    assert graded_lab.lab.is_data
    text = LAB.replace('"dns"', '"mail-beta"').replace(
        "/etc/coredns/zones/beta.test.zone", "/etc/dovecot/dovecot.conf"
    )
    assert not definition.load(write_lab(tmp_path / "other", text)).is_data
