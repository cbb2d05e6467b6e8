"""labctl killed or interrupted at any moment: what the next one finds, it can take up."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

import pytest

from labctl import resources
from labctl.wait import eventually
from tests.integration.conftest import SOON, by_night
from tests.integration.test_in_use import HOLDS_A_FAULT

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.integration.conftest import Lab, OwnLab


ROUNDS: Final = (
    (1, 1),
    (5, 3),
    (11, 5),
    *(by_night(*each) for each in ((0, 0), (3, 2), (6, 4), (7, 0), (9, 1), (13, 5), (14, 2))),
)
"""After how many lines of their progress an `up` and a `down` are killed: an `up` tells of 5 hosts created,
1 network, 5 hosts started and 5 ready, a `down` of 5 hosts removed and 1 network.
"""


def await_progress(process: subprocess.Popen[str], lines: int) -> list[str]:
    """Read so many lines of a running labctl's progress."""
    assert process.stderr is not None
    return [line for _ in range(lines) if (line := process.stderr.readline())]


def killed(lab: Lab, command: str, *, after: int) -> None:
    with lab.labctl.started(command, "--name", lab.name) as process:
        seen = await_progress(process, after)
        if len(seen) == after:  # else it had less to do than that, and is done with it
            process.send_signal(signal.SIGKILL)
        ending = process.wait(30)
    assert ending == 0 or (ending == -signal.SIGKILL and len(seen) == after), (ending, seen)


@pytest.mark.parametrize(("up", "down"), ROUNDS)
def test_what_was_killed_is_finished_by_the_next(new_lab: Callable[[], Lab], up: int, down: int) -> None:
    lab = new_lab()
    killed(lab, "up", after=up)
    assert lab.up()["status"]["state"] == "ready"
    assert len(lab.leftovers()) == 6
    assert lab.up()["changed"] == []
    lab.send("alice@alpha.test", "bob@beta.test")
    killed(lab, "down", after=down)
    lab.json("down")
    assert lab.leftovers() == []


@pytest.mark.parametrize(("up", "down"), [(7, 4), by_night(1, 1), by_night(5, 3), by_night(11, 5)])
def test_a_lab_half_made_is_cleared_away_and_one_half_taken_down_comes_back(
    new_lab: Callable[[], Lab], up: int, down: int
) -> None:
    lab = new_lab()
    killed(lab, "up", after=up)
    lab.json("down")
    assert lab.leftovers() == []
    lab.up()
    killed(lab, "down", after=down)
    assert lab.up()["status"]["state"] == "ready"
    assert len(lab.leftovers()) == 6
    lab.send("bob@beta.test", "alice@alpha.test")


@pytest.mark.usefixtures("alone")
def test_an_up_that_was_killed_is_cleared_away_by_prune_and_whole_labs_are_not(
    new_lab: Callable[[], Lab], standing_lab: Lab
) -> None:
    lab = new_lab()
    killed(lab, "up", after=6)
    lab.container("mail-beta").remove(force=True)  # however far it had come, it is not whole
    before = standing_lab.ids()
    removed = lab.labctl.json("prune")["removed"]
    assert f"labctl-{lab.name}-dns" in removed
    assert lab.leftovers() == []
    assert standing_lab.ids() == before


@pytest.mark.nightly
def test_a_lab_survives_one_crash_after_the_other(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    for stage in (1, 4, 6, 2, 6):
        killed(lab, "up", after=stage)
        killed(lab, "down", after=1)
    assert lab.up()["status"]["state"] == "ready"
    assert len(lab.leftovers()) == 6


def test_an_up_that_waits_for_a_daemon_in_vain_can_be_interrupted(
    new_lab: Callable[[], Lab], own_lab: OwnLab
) -> None:
    config = resources.compose_dir() / "two-domains" / "dovecot.conf"
    own_lab.file("no-pop3.conf", config.read_text("utf-8").replace("imap pop3 lmtp", "imap lmtp"))
    own_lab.file("compose.yaml", "configs:\n  dovecot.conf: {file: ./no-pop3.conf}\n")
    lab = new_lab()
    with lab.labctl.started("up", str(own_lab), "--name", lab.name) as process:
        await_progress(process, 10)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert lab.leftovers() == []


def test_an_interrupted_up_of_a_lab_that_was_there_keeps_it(lab: Lab) -> None:
    sent = lab.send("alice@alpha.test", "bob@beta.test")
    lab.container("mx-alpha").kill()
    with lab.labctl.started("up", "--name", lab.name) as process:
        await_progress(process, 1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(lab.leftovers()) == 6
    assert [each["message_id"] for each in lab.inbox("bob@beta.test")] == [sent["message_id"]]
    assert lab.up()["status"]["state"] == "ready"


def test_a_reset_that_was_killed_is_finished_by_the_next(lab: Lab) -> None:
    for stage in (0, 1, 3, 5, 7):
        lab.send("alice@alpha.test", "bob@beta.test")
        killed(lab, "reset", after=stage)
        assert lab.json("reset")["status"]["state"] == "ready"
        assert lab.inbox("bob@beta.test") == []


def test_the_fault_of_an_exercise_that_was_killed_is_undone(lab: Lab, own_lab: OwnLab) -> None:
    path = own_lab.file("exercises/test_it.py", HOLDS_A_FAULT)
    with lab.labctl.started("run", str(path), "--lab", "two-domains", "--name", lab.name) as process:
        assert process.stdout is not None
        assert any("✓ Ask dns.lab.test" in line for line in process.stdout)
        assert lab.json("status")["faults"] == ["mx-null"]
        process.send_signal(signal.SIGKILL)
        process.wait(SOON)
    gone = eventually(lambda: True if lab.json("status")["faults"] == [] else None, within=SOON)
    assert gone, "the fault is still applied"
