"""Nothing is executed where an attempt's daemons run, and everything elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.engine.model import File
from labctl.errors import GradingError
from labctl.exercises.running.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.engine.protocol import Engine
    from tests.unit.conftest import Stage

REFUSED: dict[str, Callable[[Engine, str], object]] = {
    "execute": lambda engine, name: engine.execute(name, ["postqueue", "-j"]),
    "attach": lambda engine, name: engine.attach(name, ["sh"]),
    "start": lambda engine, name: engine.start(name),
    "put_files": lambda engine, name: engine.put_files(name, [File("/etc/x", b"")]),
}

PASSED_ON: dict[str, Callable[[Engine, str], object]] = {
    "inspect": lambda engine, name: engine.inspect(name),
    "logs": lambda engine, name: list(engine.logs(name)),
    "pause": lambda engine, name: engine.pause(name),
    "stop": lambda engine, name: engine.stop(name, timeout=1),
    "version": lambda engine, _: engine.version(),
}


def engine_of(stage: Stage) -> Engine:
    stage.stand()
    engine = guarded(stage.fake, ["mx-beta"])
    stage.fake.calls.clear()
    return engine


@pytest.mark.parametrize("method", REFUSED)
def test_what_runs_or_writes_in_a_guarded_host_is_refused_by_name_and_by_id(
    stage: Stage, method: str
) -> None:
    engine = engine_of(stage)
    for name in ("labctl-x-mx-beta", stage.host("mx-beta").running_container().id):
        with pytest.raises(GradingError, match="mx-beta runs what was handed in"):
            REFUSED[method](engine, name)
    assert method not in {call.method for call in stage.fake.calls}


@pytest.mark.parametrize("method", REFUSED)
def test_in_every_other_host_it_is_done(stage: Stage, method: str) -> None:
    REFUSED[method](engine_of(stage), "labctl-x-mx-alpha")
    assert method in {call.method for call in stage.fake.calls}


@pytest.mark.parametrize("method", PASSED_ON)
def test_what_executes_nothing_is_passed_on(stage: Stage, method: str) -> None:
    PASSED_ON[method](engine_of(stage), "labctl-x-mx-beta")
    assert method in {call.method for call in stage.fake.calls}


def test_where_nothing_is_guarded_the_engine_is_itself(stage: Stage) -> None:
    assert guarded(stage.fake, []) is stage.fake
