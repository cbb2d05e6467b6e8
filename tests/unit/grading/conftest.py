"""Labs and observations to grade with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.grading import gradedlab
from labctl.lab.blueprint import definition

if TYPE_CHECKING:
    from pathlib import Path

    from labctl.grading.gradedlab import GradedLab

LAB = """
id = "small"
title = "A small lab"
topology = "two-domains"

[[editable]]
path = "beta.test.zone"
service = "dns"
target = "/etc/coredns/zones/beta.test.zone"

[[checks]]
id = "zone-answers"
points = 1
hint = "labctl dig beta.test SOA"

[[checks]]
id = "mx-resolves"
points = 2
hint = "labctl dig beta.test MX"
needs = ["zone-answers"]

[[checks]]
id = "mail-arrives"
points = 3
needs = ["mx-resolves"]
points_if_blocked = 0.5
"""

CHECKS = '''
"""Checks that are only looked at."""

def test_mail_arrives(lab):
    """A letter arrives."""

def test_zone_answers(lab):
    """The zone is there."""

def test_mx_resolves(lab):
    """The MX has an address."""
'''


def write_lab(directory: Path, text: str = LAB, checks: str = CHECKS) -> Path:
    """Write a lab to grade."""
    (directory / "checks").mkdir(parents=True)
    (directory / "lab.toml").write_text(text, encoding="utf-8")
    (directory / "checks" / "test_beta.py").write_text(checks, encoding="utf-8")
    return directory


@pytest.fixture
def lab_directory(tmp_path: Path) -> Path:
    """Return the directory of a lab to grade."""
    return write_lab(tmp_path / "small")


@pytest.fixture
def graded_lab(lab_directory: Path) -> GradedLab:
    """Return a lab to grade."""
    return gradedlab.load(definition.load(lab_directory))
