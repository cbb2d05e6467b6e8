"""labctl killed or interrupted at any moment: what the next one finds, it can take up."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

import pytest

from labctl import resources

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.integration.conftest import Lab, OwnLab


STAGES_OF_UP: Final = (0, 1, 3, 5, 6, 7, 9, 11, 13, 14)
"""After how many lines of its progress an `up` is killed: 5 hosts created, 1 network, 5 started, 5 ready."""

STAGES_OF_DOWN: Final = (0, 1, 2, 3, 4, 5)
"""The same of a `down`: 5 hosts removed, 1 network."""


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


@pytest.mark.parametrize("stage", STAGES_OF_UP)
def test_an_up_that_was_killed_is_taken_up_by_the_next(new_lab: Callable[[], Lab], stage: int) -> None:
    lab = new_lab()
    killed(lab, "up", after=stage)
    assert lab.up()["status"]["state"] == "ready"
    assert len(lab.leftovers()) == 6
    assert lab.up()["changed"] == []
    lab.send("alice@alpha.test", "bob@beta.test")


@pytest.mark.parametrize("stage", STAGES_OF_UP[1::2])
def test_an_up_that_was_killed_is_cleared_away_by_a_down(new_lab: Callable[[], Lab], stage: int) -> None:
    lab = new_lab()
    killed(lab, "up", after=stage)
    lab.json("down")
    assert lab.leftovers() == []


@pytest.mark.parametrize("stage", [6, 8])
@pytest.mark.usefixtures("alone")
def test_an_up_that_was_killed_is_cleared_away_by_prune_and_whole_labs_are_not(
    new_lab: Callable[[], Lab], standing_lab: Lab, stage: int
) -> None:
    lab = new_lab()
    killed(lab, "up", after=stage)
    lab.container("mail-beta").remove(force=True)  # however far it had come, it is not whole
    before = standing_lab.ids()
    removed = lab.labctl.json("prune")["removed"]
    assert f"labctl-{lab.name}-dns" in removed
    assert lab.leftovers() == []
    assert standing_lab.ids() == before


def test_a_lab_survives_one_crash_after_the_other(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    for stage in (1, 4, 6, 2, 6):
        killed(lab, "up", after=stage)
        killed(lab, "down", after=1)
    assert lab.up()["status"]["state"] == "ready"
    assert len(lab.leftovers()) == 6


@pytest.mark.parametrize("stage", STAGES_OF_DOWN)
def test_a_down_that_was_killed_is_finished_by_the_next(new_lab: Callable[[], Lab], stage: int) -> None:
    lab = new_lab()
    lab.up()
    killed(lab, "down", after=stage)
    lab.json("down")
    assert lab.leftovers() == []


@pytest.mark.parametrize("stage", STAGES_OF_DOWN[1::2])
def test_a_lab_half_taken_down_comes_back_whole(new_lab: Callable[[], Lab], stage: int) -> None:
    lab = new_lab()
    lab.up()
    killed(lab, "down", after=stage)
    assert lab.up()["status"]["state"] == "ready"
    assert len(lab.leftovers()) == 6
    lab.send("bob@beta.test", "alice@alpha.test")


@pytest.mark.parametrize("stage", [1, 4, 6, 8])
def test_an_interrupted_up_of_a_new_lab_leaves_nothing(new_lab: Callable[[], Lab], stage: int) -> None:
    lab = new_lab()
    with lab.labctl.started("up", "--name", lab.name) as process:
        await_progress(process, stage)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert lab.leftovers() == []


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


def test_a_wait_that_is_interrupted_ends_with_130(lab: Lab) -> None:
    lab.container("mx-beta").kill()
    arguments = ("alice@alpha.test", "bob@beta.test", "--wait", "delivered", "--timeout", "60")
    with lab.labctl.started("send", "--name", lab.name, *arguments) as process:
        assert lab.queued_soon("mx-alpha")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said


@pytest.mark.parametrize("stage", [0, 1, 3, 5, 7])
def test_a_reset_that_was_killed_is_finished_by_the_next(lab: Lab, stage: int) -> None:
    lab.send("alice@alpha.test", "bob@beta.test")
    killed(lab, "reset", after=stage)
    assert lab.json("reset")["status"]["state"] == "ready"
    assert lab.inbox("bob@beta.test") == []
    lab.send("alice@alpha.test", "bob@beta.test")
