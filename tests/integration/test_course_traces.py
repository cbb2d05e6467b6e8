"""The course, told by traces: of each letter in each exercise the trace tells the true story."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labctl import resources
from labctl.exercises.catalogue import discovery
from labctl.lab.blueprint import definition
from tests.integration.storytelling import FINDINGS

if TYPE_CHECKING:
    from tests.integration.conftest import Labctl

LABS = sorted(path.parent.name for path in resources.labs_dir().glob("*/exercises"))

WITHOUT_LETTERS = {"early-talker", "no-address-at-all"}
"""Their letters are refused before a log names them: Postfix says that a client spoke too early, or that it
named what is no address, and that is all.
"""

_LONGEST = 300.0


@pytest.mark.parametrize("lab", LABS)
def test_the_trace_of_each_letter_in_an_exercise_tells_what_became_of_it(
    lab: str, labctl: Labctl, tmp_path: Path
) -> None:
    directory = resources.labs_dir() / lab
    found = tmp_path / "findings.json"
    name = f"it-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    arguments = [
        *("-c", os.devnull, f"--rootdir={tmp_path}", "--import-mode=importlib", "-q"),
        *("-p", "no:cacheprovider", "-p", "tests.integration.storytelling"),
        str(directory / discovery.DIRECTORY),
    ]
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            env=labctl.environment({FINDINGS: str(found), "LABCTL_NAME": name}),
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=_LONGEST,
            check=False,
        )
    finally:
        removed = labctl("down", "--name", name)
    assert removed.code == 0, removed
    assert ran.returncode == 0, ran.stdout
    told = json.loads(found.read_text(encoding="utf-8"))
    assert {each: said for each, said in told["findings"].items() if said} == {}
    exercises = {each.id for each in discovery.of_lab(definition.load(directory))}
    assert set(told["findings"]) == exercises
    assert {each for each in exercises if not told["traced"][each]} == exercises & WITHOUT_LETTERS
