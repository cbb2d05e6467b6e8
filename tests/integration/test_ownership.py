"""A program's lab is its own: it takes nobody else's, and takes down only what it made."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from labctl.errors import EngineError, UsageError
from labctl.exercises.running.stage import Stage
from labctl.exercises.testcontainers import MailLab

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Lab


@pytest.mark.parametrize("definition", ["two-domains", "dns"])
def test_a_lab_that_a_person_has_up_is_left_with_all_its_mail(lab: Lab, definition: str) -> None:
    lab.send("alice@alpha.test", "bob@beta.test")
    before = lab.ids()

    with pytest.raises(UsageError, match=lab.name), MailLab(definition).with_name(lab.name):
        pytest.fail("it took somebody's lab")

    assert lab.ids() == before
    assert len(lab.inbox("bob@beta.test")) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="wants root: it mounts")
def test_a_lab_that_somebody_else_has_made_under_its_name_since_stays(new_lab: Callable[[], Lab]) -> None:
    theirs = new_lab()
    # Somebody whose locks lie elsewhere, as in a container: here nobody would be let in.
    again = "mount -t tmpfs -o mode=1777 tmpfs /run/lock && $0 -m labctl down && $0 -m labctl up"
    elsewhere = ("unshare", "--mount", "sh", "-c", again, sys.executable)

    with MailLab().with_name(theirs.name):
        subprocess.run(elsewhere, env=theirs.labctl.environment({"LABCTL_NAME": theirs.name}), check=True)

    assert theirs.json("status")["state"] == "ready"


def test_what_was_made_is_taken_down_where_the_start_comes_to_nothing(
    new_lab: Callable[[], Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = new_lab()
    there: list[str] = []

    def fail(_: Stage) -> None:
        there.extend(ours.leftovers())
        raise EngineError("the lab can't be made as new", hint="-")

    monkeypatch.setattr(Stage, "prepare", fail)
    with pytest.raises(EngineError, match="as new"), MailLab().with_name(ours.name):
        pytest.fail("it started")

    assert there
    assert ours.leftovers() == []


def test_it_is_in_use_until_its_end_and_what_can_not_be_undone_then_keeps_no_lab(
    new_lab: Callable[[], Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = new_lab()
    started = MailLab().with_name(ours.name).start()
    assert ours.json("down", code=2)["detail"]["holder"]["pid"] == os.getpid()
    close = started.mail.close

    def fail() -> None:
        close()
        raise EngineError("a fault can't be undone", hint="-")

    monkeypatch.setattr(started.mail, "close", fail)
    with pytest.raises(EngineError, match="can't be undone"):
        started.stop()

    assert ours.leftovers() == []
