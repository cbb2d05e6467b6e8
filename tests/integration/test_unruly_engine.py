"""An engine that breaks off, refuses or talks nonsense at random: errors of its own, and nothing left."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from labctl.engine import search
from labctl.engine.docker import DockerEngine
from labctl.errors import ServiceCommandFailed
from labctl.wait import eventually
from tests.integration.conftest import by_night
from tests.integration.unruly import unruly

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Lab, Labctl

ONES_OWN: Final = frozenset({0, 1, 2, 4})
"""The exit codes for what labctl knows of."""

COMMANDS: Final = (
    ("status",),
    ("queue",),
    ("inbox", "bob@beta.test"),
    ("send", "alice@alpha.test", "bob@beta.test", "--wait", "delivered", "--timeout", "5"),
    ("trace",),
    ("exec", "mx-alpha", "--", "true"),
    ("reset",),
)


def look(labctl: Labctl, url: str, *argv: str) -> int:
    """Run a command for its JSON against an engine; return its exit code."""
    ran = labctl(argv[0], "--json", *argv[1:], env={"DOCKER_HOST": url, "LABCTL_YES": "1"})
    assert ran.code in ONES_OWN, f"{argv}: {ran}"
    assert "Traceback" not in ran.stdout + ran.stderr, f"{argv}: {ran}"
    assert "\x1b" not in ran.stdout + ran.stderr, f"{argv}: {ran}"
    labctl.document_of(ran.stdout)
    return ran.code


@pytest.mark.parametrize("seed", ["one", by_night("two")])
def test_no_command_breaks_with_its_engine(lab: Lab, labctl: Labctl, tmp_path: Path, seed: str) -> None:
    with unruly(tmp_path, seed, 0.2) as (url, engine):
        codes = {look(labctl, url, name, "--name", lab.name, *rest) for name, *rest in COMMANDS}
    assert engine.spoiled
    assert 4 in codes, engine.spoiled


@pytest.mark.parametrize("seed", ["one", by_night("two")])
def test_a_lab_whose_start_failed_half_way_is_taken_down(
    new_lab: Callable[[], Lab], labctl: Labctl, tmp_path: Path, seed: str
) -> None:
    lab = new_lab()
    with unruly(tmp_path, seed, 0.1) as (url, engine):
        look(labctl, url, "up", "--name", lab.name)
        look(labctl, url, "down", "--name", lab.name)
    assert engine.spoiled
    assert lab.run("down").code == 0
    assert lab.leftovers() == []


@pytest.mark.parametrize("user", ["", "nobody"])
def test_a_command_that_goes_on_beyond_its_time_is_ended_with_its_children(lab: Lab, user: str) -> None:
    seconds = f"12{len(user)}.25"  # a number of this test's own
    with closing(DockerEngine(search.find(os.environ, Path.home()))) as engine:
        name = lab.container("mx-alpha").id
        argv = ["sh", "-c", f"sleep {seconds} & sleep {seconds}"]
        with pytest.raises(ServiceCommandFailed, match=r"came to no end: 0 bytes in 0\.5 s"):
            engine.execute(name, argv, user=user, within=0.5)
        with pytest.raises(ServiceCommandFailed, match="came to no end"):
            engine.execute(name, ["yes", seconds], user=user, most=1000)

    def gone() -> bool | None:
        return seconds not in str(lab.container("mx-alpha").top()["Processes"]) or None

    assert eventually(gone, within=10)
