"""What a run leaves in its lab, and what it tells the process that runs the exercises."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from labctl.commands.run import Wish, run
from labctl.exercises.worker.protocol import Setup
from labctl.exercises.worker.runner import Audience
from labctl.lab.running import instance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from tests.unit.conftest import Stage


@dataclass
class Interrupted:
    """A process whose exercise has applied a fault when its user has had enough."""

    stage: Stage
    told: list[object] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def order(self, message: object) -> None:
        self.told.append(message)

    def events(self, _: float) -> Iterator[Any]:
        self.stage.apply("mx-null", "dns")
        raise KeyboardInterrupt
        yield

    def interrupt(self) -> None: ...


@pytest.fixture(params=[True, False], ids=["kept", "not kept"])
def keep(request: pytest.FixtureRequest) -> bool:
    return cast("bool", request.param)


@pytest.fixture
def child(stage: Stage, keep: bool) -> Interrupted:
    stage.stand()
    found = Interrupted(stage)
    wish = Wish(name="x", keep_faults=keep)
    with pytest.raises(KeyboardInterrupt):
        run(stage.fake, "unix:///x", wish, environ={}, audience=Audience(), child=lambda: cast("Any", found))
    return found


def test_what_an_exercise_applied_is_undone_where_its_user_has_had_enough_unless_he_keeps_it(
    child: Interrupted, *, keep: bool
) -> None:
    assert bool(instance.observe(child.stage.fake, "x").faults) is keep


def test_whether_faults_are_kept_is_told_who_runs_the_exercises(child: Interrupted, *, keep: bool) -> None:
    [setup] = [each for each in child.told if isinstance(each, Setup)]
    assert setup.keep_faults is keep
