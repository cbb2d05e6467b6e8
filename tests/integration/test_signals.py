"""Told to stop by whatever signal, amid whatever work: nothing is left of it, and the code is 130."""

from __future__ import annotations

import base64
import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from labctl.lab.mark import labels
from labctl.wait import eventually
from tests.integration.conftest import SOON, by_night
from tests.integration.test_crash import await_progress
from tests.integration.test_in_use import HOLDS_A_FAULT

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import GradedLab, Lab, Labctl


def stopped(process: subprocess.Popen[str], *numbers: signal.Signals) -> str:
    """Send signals; return what it said on standard error, after it has ended as it should."""
    for number in numbers:
        process.send_signal(number)
    _, said = process.communicate(timeout=SOON * 4)
    assert process.returncode == 130, said
    assert said.endswith("labctl: interrupted\n")
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize(
    ("number", "stage"),
    [
        (signal.SIGINT, 1),
        (signal.SIGTERM, 4),
        (signal.SIGHUP, 8),
        *(by_night(signal.SIGINT, stage) for stage in (4, 6, 8)),
        *(by_night(signal.SIGTERM, stage) for stage in (1, 8)),
        *(by_night(signal.SIGHUP, stage) for stage in (1, 4)),
    ],
)
def test_an_up_of_a_new_lab_leaves_nothing(
    new_lab: Callable[[], Lab], number: signal.Signals, stage: int
) -> None:
    lab = new_lab()
    with lab.labctl.started("up", "--name", lab.name) as process:
        await_progress(process, stage)
        stopped(process, number)
    assert lab.leftovers() == []


def test_one_order_that_comes_by_several_signals_is_one(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    with lab.labctl.started("up", "--name", lab.name) as process:
        await_progress(process, 5)
        stopped(process, signal.SIGTERM, signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
    assert lab.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, by_night(signal.SIGHUP)])
def test_a_run_undoes_what_its_exercise_did(lab: Lab, tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "exercises.py"
    path.write_text(HOLDS_A_FAULT, encoding="utf-8")
    with lab.labctl.started("run", str(path), "--lab", "two-domains", "--name", lab.name) as process:
        assert process.stdout is not None
        assert any("✓ Ask dns.lab.test" in line for line in process.stdout)
        stopped(process, number)
    assert lab.json("status")["faults"] == []


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("grade", signal.SIGINT),
        ("labs test", signal.SIGTERM),
        ("examine", signal.SIGHUP),
        by_night("grade", signal.SIGTERM),
        by_night("labs test", signal.SIGHUP),
        by_night("examine", signal.SIGTERM),
    ],
)
def test_what_grades_takes_its_laboratories_down(
    command: str, number: signal.Signals, labctl: Labctl, graded_lab: GradedLab, tmp_path: Path
) -> None:
    directory = graded_lab.directory
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    orders = {
        "grade": ("grade", str(directory / "solution"), str(directory / "starter"), "--lab", str(directory)),
        "labs test": ("labs", "test", str(directory), "--jobs", "2"),
        "examine": ("examine",),
    }
    job = tmp_path / "job.json"
    job.write_text(json.dumps(_job(directory)), encoding="utf-8")
    with (
        job.open() as stdin,
        labctl.started(*orders[command], env={"TMPDIR": str(temporary)}, stdin=stdin) as process,
    ):
        names = eventually(lambda: graded_lab.laboratories() or None, within=120)
        assert names
        assert list(temporary.iterdir())
        stopped(process, number)
    assert graded_lab.laboratories() == set()
    volumes = graded_lab.docker.volumes
    assert [volumes.list(filters={"label": f"{labels.NAME}={each}"}) for each in names] == [[]] * len(names)
    assert list(temporary.iterdir()) == []


def _job(directory: Path) -> dict[str, Any]:
    return {
        "schema": "labctl/examination-job/v1",
        "attempt": "a",
        "lab": str(directory),
        "checks": None,
        "files": {
            each.name: base64.b64encode(each.read_bytes()).decode()
            for each in (directory / "solution").iterdir()
        },
        "seed": "7",
        "name": f"it-{os.getpid()}-job",
        "run": "",
    }


def test_images_that_are_being_saved_leave_no_file(labctl: Labctl, tmp_path: Path) -> None:
    with labctl.started("images", "save", str(tmp_path / "images.tar.gz")) as process:
        assert eventually(lambda: [*tmp_path.iterdir()] or None, within=SOON)
        stopped(process, signal.SIGTERM)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("queue", "--watch"),
        ("send", "alice@alpha.test", "bob@beta.test", "--wait", "delivered", "--timeout", "60"),
    ],
)
def test_what_waits_ends(lab: Lab, arguments: tuple[str, ...]) -> None:
    lab.container("mx-beta").kill()
    with lab.labctl.started(arguments[0], "--name", lab.name, *arguments[1:]) as process:
        if arguments[0] == "send":
            assert lab.queued_soon("mx-alpha")
        else:
            assert process.stdout is not None
            assert process.stdout.readline()
        stopped(process, signal.SIGTERM)


def test_a_hangup_that_nohup_has_ignored_stays_ignored(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # which programs started meanwhile inherit
    try:
        with lab.labctl.started("up", "--name", lab.name) as process:
            await_progress(process, 3)
            process.send_signal(signal.SIGHUP)
            process.communicate(timeout=SOON * 4)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert process.returncode == 0
    assert len(lab.leftovers()) == 6
