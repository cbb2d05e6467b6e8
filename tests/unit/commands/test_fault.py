from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.commands import fault
from labctl.faults import application
from labctl.lab.running import instance

if TYPE_CHECKING:
    from typing import Any

    from tests.unit.conftest import Stage


@pytest.fixture
def too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ctrl-C come when all of a fault is applied, and nobody has been told yet."""
    apply = application.apply

    def interrupted(*arguments: Any) -> None:
        apply(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(application, "apply", interrupted)


@pytest.mark.usefixtures("too_late")
def test_a_fault_that_is_interrupted_when_all_of_it_is_applied_is_undone(stage: Stage) -> None:
    stage.stand()
    with pytest.raises(KeyboardInterrupt):
        fault.apply(stage.fake, None, *fault.ordered("refuse", []))
    assert instance.observe(stage.fake, "x").faults == ()


def test_a_fault_that_was_applied_before_stays_where_the_next_is_interrupted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.stand()
    fault.apply(stage.fake, None, *fault.ordered("refuse", []))

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(application, "apply", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fault.apply(stage.fake, None, *fault.ordered("refuse", []))
    assert [each.name for each in instance.observe(stage.fake, "x").faults] == ["refuse"]
