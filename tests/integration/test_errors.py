"""What goes wrong is told: its exit code, what and where, one next step; and nothing is left behind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import by_night
from tests.integration.test_crash import await_progress
from tests.integration.unruly import unruly

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Lab, Labctl, OwnLab


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("logs", "mx-gamma"), "no-such-host", "mx-gamma"),
        (("exec", "gamma", "--", "true"), "no-such-host", "gamma"),
        (("queue", "mail-beta"), "no-such-host", "mail-beta"),
        (("inbox", "carol@beta.test"), "no-such-account", "carol@beta.test"),
        (("send", "carol@beta.test", "bob@beta.test"), "no-such-account", "carol@beta.test"),
        (("send", "alice@alpha.test", "bob"), "usage", "bob"),
        (("send", "alice@alpha.test", "bob @beta.test"), "usage", "bob @beta.test"),
        (("send", "alice@alpha.test", "bob@beta.test", "--file", "/no/such.eml"), "usage", "/no/such.eml"),
        (("send", "alice@alpha.test", "bob@beta.test", "--wait", "eaten"), "usage", "eaten"),
        (("dig", "beta.test", "NONSENSE"), "usage", "NONSENSE"),
        (("exec", "mx-alpha"), "usage", "command"),
    ],
)
def test_an_argument_that_names_nothing_is_named(
    standing_lab: Lab, arguments: tuple[str, ...], code: str, named: str
) -> None:
    command, *rest = arguments
    as_text = standing_lab.run(command, *rest)
    assert as_text.code == 2
    assert named in as_text.stderr
    assert as_text.stdout == ""
    if command != "logs":  # it has no JSON
        error = standing_lab.json(command, *rest, code=2)
        assert error["code"] == code
        assert named in error["message"]
        assert error["message"] in as_text.stderr
        assert error["hint"] in as_text.stderr


@pytest.mark.parametrize("command", ["reset", "inbox", "queue", "dig", "send", "exec"])
def test_a_command_about_a_lab_that_is_not_up_says_how_to_start_it(labctl: Labctl, command: str) -> None:
    arguments = {
        "inbox": ("bob@beta.test",),
        "dig": ("beta.test",),
        "send": ("alice@alpha.test", "bob@beta.test"),
        "exec": ("dns", "--", "true"),
    }
    error = labctl.json(command, "--name", "never-there", *arguments.get(command, ()), code=2)
    assert error["code"] == "lab-not-up"
    assert "never-there" in error["message"]
    assert error["hint"] == "labctl up --name never-there"


def test_a_daemon_that_ends_at_its_start_is_shown_with_its_last_words_and_mended_by_the_right_file(
    new_lab: Callable[[], Lab], own_lab: OwnLab
) -> None:
    own_lab.file("broken.conf", "dovecot_config_version = 2.4.1\nno_such_setting = yes\n")
    overlay = own_lab.file("compose.yaml", "configs:\n  dovecot.conf: {file: ./broken.conf}\n")
    lab = new_lab()
    error = lab.up(own_lab.directory, code=4)
    assert error["code"] == "service-not-ready"
    assert re.search(r"mail-(alpha|beta)", error["message"])
    assert "no_such_setting" in error["detail"]["log"]
    assert error["hint"].startswith("labctl logs mail-")
    assert lab.json("status")["state"] == "degraded"
    assert "no_such_setting" in lab.run("logs", error["detail"]["service"]).stdout
    overlay.unlink()
    assert lab.up(own_lab.directory)["status"]["state"] == "ready"
    lab.send("alice@alpha.test", "bob@beta.test")


def test_an_engine_that_was_ordered_and_is_not_there_is_told_and_none_other_is_tried(
    labctl: Labctl, tmp_path: Path
) -> None:
    url = f"unix://{tmp_path}/no.sock"
    error = labctl.json("up", "--name", "never-there", code=4, env={"DOCKER_HOST": url})
    assert error["code"] == "engine-unavailable"
    assert url in error["message"]
    assert labctl.json("status", "--name", "never-there")["state"] == "absent"


@pytest.mark.parametrize("stage", [2, by_night(6), 9])
def test_an_engine_that_goes_away_in_the_middle_is_told_and_the_next_up_repairs(
    new_lab: Callable[[], Lab], tmp_path: Path, stage: int
) -> None:
    lab = new_lab()
    arguments = ("up", "--json", "--name", lab.name)
    with (
        unruly(tmp_path, "sound", 0.0) as (url, engine),
        lab.labctl.started(*arguments, env={"DOCKER_HOST": url}) as process,
    ):
        await_progress(process, stage)
        engine.go_away()
        stdout, said = process.communicate(timeout=60)
    assert process.returncode == 4, said
    error = lab.labctl.document_of(stdout)
    assert error["code"] == "engine-unavailable"
    assert error["hint"]
    assert "Traceback" not in said
    assert lab.up()["status"]["state"] == "ready"
    assert len(lab.leftovers()) == 6


def test_a_lab_that_loses_a_container_while_mail_is_awaited_is_told(lab: Lab) -> None:
    lab.container("mx-beta").kill()
    arguments = ("alice@alpha.test", "bob@beta.test", "--wait", "delivered", "--timeout", "60")
    with lab.labctl.started("send", "--json", "--name", lab.name, *arguments) as process:
        assert lab.queued_soon("mx-alpha")
        lab.container("mx-alpha").kill()
        stdout, said = process.communicate(timeout=90)
    assert process.returncode == 1, said
    assert lab.labctl.document_of(stdout)["state"] in {"queued", "deferred"}
