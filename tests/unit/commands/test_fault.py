from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.commands import fault
from labctl.faults import application
from labctl.lab.running import instance

if TYPE_CHECKING:
    from typing import Any

    from tests.unit.conftest import Stage


def interrupted(*_: Any) -> None:
    raise KeyboardInterrupt


def test_a_fault_that_is_interrupted_before_its_user_was_told_of_it_is_undone(stage: Stage) -> None:
    stage.stand()
    with pytest.raises(KeyboardInterrupt):
        fault.apply(stage.fake, None, *fault.ordered("refuse", []), tell=interrupted)
    assert instance.observe(stage.fake, "x").faults == ()


def test_a_fault_that_was_applied_before_stays_where_the_next_is_interrupted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.stand()
    fault.apply(stage.fake, None, *fault.ordered("refuse", []))
    monkeypatch.setattr(application, "apply", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fault.apply(stage.fake, None, *fault.ordered("refuse", []))
    assert [each.name for each in instance.observe(stage.fake, "x").faults] == ["refuse"]
