"""What runs that came to no end left: half-made labs, and laboratories of gradings that nobody needs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labctl.engine.lockfile import voucher
from labctl.engine.model import ContainerState
from labctl.errors import LabInUse
from labctl.lab import lock
from labctl.lab.running import instance
from labctl.lab.running.teardown import take_down

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labctl.engine.protocol import Engine
    from labctl.lab.running.instance import Instance

_OVER: Final = frozenset({ContainerState.EXITED, ContainerState.DEAD})


@dataclass(frozen=True, slots=True)
class Leftovers:
    """The names of labs that are no person's own and whole, and that no labctl here is at work on.

    Args:
        dead: Whose locks lie here: whoever made them is at work no more.
        stopped: Whose locks lie elsewhere, as in a container or before the machine's start, and of which
            nothing runs.
        unknown: Whose locks lie elsewhere, and of which something runs.
    """

    dead: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def removable(self) -> tuple[str, ...]:
        """Those that cannot be in use."""
        return (*self.dead, *self.stopped)


def of_runs(engine: Engine) -> Leftovers:
    """Find the laboratories of gradings that nobody is at work on."""
    return _sorted(engine, (each for each in instance.observe_all(engine, graded=True) if each.run))


def of_all(engine: Engine) -> Leftovers:
    """Find these, and the labs that were never finished.

    Only a start that came to its end leaves a record; a lab that has one and misses a container since is
    alive, and ``labctl up`` mends it.
    """
    labs = instance.observe_all(engine, graded=True)
    return _sorted(engine, (each for each in labs if is_leftover(each)))


def is_leftover(there: Instance) -> bool:
    """Say whether a lab is one, if nobody is at work on it."""
    return bool(there.run) or (not there.whole and (there.record is None or there.network is None))


def remove_dead(engine: Engine) -> tuple[str, ...]:
    """Take down the laboratories of gradings that are known to be dead.

    Returns:
        The names of what was removed.

    Raises:
        EngineError: The engine failed.
    """
    removed: list[str] = []
    for name in of_runs(engine).dead:
        with suppress(LabInUse), lock.held(engine, name):  # one that is examined again is no leftover
            removed.extend(take_down(engine, name))
    return tuple(removed)


def _sorted(engine: Engine, labs: Iterable[Instance]) -> Leftovers:
    here = voucher()
    found: dict[str, list[str]] = {"dead": [], "stopped": [], "unknown": []}
    for each in labs:
        if not lock.is_held(engine, each.name):
            states = [host.container.state for host in each.hosts if host.container is not None]
            stopped = "stopped" if states and _OVER.issuperset(states) else "unknown"
            found["dead" if each.vouchers == {here} else stopped].append(each.name)
    return Leftovers(**{key: tuple(names) for key, names in found.items()})
