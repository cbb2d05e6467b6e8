"""Programs that labctl runs end when it is told to, with all they started."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from labctl.engine.images.children import Children, Finished, Stopped
from labctl.engine.machine import process_name
from labctl.wait import eventually

if TYPE_CHECKING:
    from pathlib import Path

ENVIRON = {"PATH": os.environ["PATH"]}


def test_lines_of_both_streams_are_told_and_the_last_are_kept() -> None:
    said: list[str] = []
    finished = Children().run(
        ["sh", "-c", "echo one; echo two >&2; exit 3"], environ=ENVIRON, on_line=said.append
    )
    assert said == ["one", "two"]
    assert finished == Finished(3, ("one", "two"))
    assert finished.last == "two"


def test_a_silent_failure_says_how_it_ended() -> None:
    assert Children().run(["false"], environ=ENVIRON).last == "it said nothing and ended with 1"


def test_bytes_that_are_no_text_do_not_matter() -> None:
    assert Children().run(["printf", r"\377\n"], environ=ENVIRON).tail == ("\ufffd",)


def test_the_environment_is_the_one_given(tmp_path: Path) -> None:
    finished = Children().run(
        [sys.executable, "-c", "import os; print(os.getcwd(), sorted(os.environ))"],
        environ={"ONLY": "this"},
        cwd=tmp_path,
    )
    assert str(tmp_path) in finished.last
    assert "ONLY" in finished.last
    assert "HOME" not in finished.last


@pytest.mark.parametrize("shield", ["", "trap '' TERM; "])
def test_stop_ends_a_program_and_what_it_started(shield: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labctl.engine.images.children.GRACE", 0.2)
    children = Children()
    pids: list[int] = []
    started = threading.Event()

    def note(line: str) -> None:
        pids.extend(int(word) for word in line.split())
        started.set()

    script = f"{shield}sleep 600 & echo $$ $!; wait; wait; sleep 600"
    outcome: list[Finished] = []
    runner = threading.Thread(
        target=lambda: outcome.append(children.run(["sh", "-c", script], environ=ENVIRON, on_line=note))
    )
    runner.start()
    assert started.wait(30)
    children.stop()
    runner.join(30)
    assert outcome[0].exit_code < 0
    assert eventually(lambda: not any(process_name(pid) for pid in pids) or None, within=10)


def test_nothing_starts_after_a_stop() -> None:
    children = Children()
    children.stop()
    with pytest.raises(Stopped):
        children.run(["true"], environ=ENVIRON)
    with pytest.raises(Stopped):
        children.check()


def test_a_program_that_must_finish_is_left_to_finish(tmp_path: Path) -> None:
    children = Children()
    gate, started = tmp_path / "gate", threading.Event()
    os.mkfifo(gate)
    outcome: list[Finished] = []

    def run() -> None:
        script = f"echo ready; read line < {gate}; echo $line"
        outcome.append(
            children.run(["sh", "-c", script], environ=ENVIRON, on_line=lambda _: started.set(), finish=True)
        )

    runner = threading.Thread(target=run)
    runner.start()
    assert started.wait(30)
    children.stop()
    gate.write_text("done\n")
    runner.join(30)
    assert outcome == [Finished(0, ("ready", "done"))]


def test_who_waits_is_woken_by_a_stop_even_if_it_came_before() -> None:
    children = Children()
    before = children.wake()
    children.stop()
    assert before.is_set()
    assert children.wake().is_set()
