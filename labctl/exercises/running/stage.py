"""The lab that exercises are run in: as new before each, and known to be broken where it is.

What only a lab needs that is not up, or that is damaged, is imported when it is: where one exercise is run,
its user waits for the first step.
"""
# ruff: noqa: PLC0415  # for the reason given above

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from labctl.errors import EngineError, FaultError, LabNotUp, UsageError
from labctl.lab import lock
from labctl.lab.running import emptying, instance
from labctl.lab.running.instance import HostState
from labctl.progress import Progress, silent
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from labctl.engine.protocol import Engine
    from labctl.exercises.log.watch import Watch
    from labctl.exercises.result.outcome import Outcome
    from labctl.exercises.running.judgement import ExamJudge
    from labctl.lab.blueprint.definition import LabDefinition
    from labctl.lab.running.instance import Instance


_GOES_ON_WITHIN: Final = 1.0
"""Seconds that a host may seem paused that goes on already: a busy engine hears late of a pause."""


class Condition(Enum):
    """What is known of a lab before an exercise."""

    PRISTINE = auto()
    """It is as new: there is nothing to do."""

    USED = auto()
    """An exercise has left mail there, and perhaps faults."""

    UNKNOWN = auto()
    """It was there before: a user may have changed anything."""

    DOUBTFUL = auto()
    """Something went wrong in it: nobody knows what else is not as it was."""


@dataclass(slots=True)
class Stage:
    """One lab, by its name, for one exercise after the other."""

    engine: Engine
    name: str
    lab: LabDefinition
    environ: Mapping[str, str]
    condition: Condition = field(default=Condition.UNKNOWN)
    judge: ExamJudge | None = None
    """Judges what goes wrong where the lab was given what somebody handed in."""

    excused: frozenset[str] = field(default=frozenset(), init=False)
    """Services that may end without the lab being broken: those that were given it."""

    seen: Instance | None = field(default=None, init=False)
    """The lab as it was at the last `complaint`."""
    _made: bool = field(default=False, init=False)
    """Whether there was no lab of that name before: only such a one is taken down."""
    _network: str = field(default="", init=False)
    """The id of the network that it was made with; a lab that has another one is somebody else's."""

    def bring(self, *, url: str = "", new: bool = False, progress: Progress = silent) -> None:
        """Make the lab be there, unless it is.

        Args:
            url: The engine's: where its networks are out of reach from here, ports are published.
            new: Whether it is to be one that nobody has: where one of that name is up, nothing is done.
            progress: Told what is going on.

        Raises:
            UsageError: There is a lab of that name already, of another kind or where it is to be a new one.
            LabError: It is wrong.
            EngineError: The engine, an image or a daemon failed; a daemon's failure leaves the lab.
        """
        there = self._found(new=new)
        if there.whole and not _fallen(there):
            return
        from labctl.engine import images
        from labctl.lab import origin
        from labctl.lab.running import lifecycle

        specs = origin.image_specs()
        publish = there.published or origin.has_to_publish(url)
        planner = origin.planner_for(self.name, self.lab, specs, publish=publish)
        images.ensure(self.engine, specs, environ=self.environ, progress=progress)
        with lock.working(self.engine, self.name):
            there = self._found(new=new)  # who held the lock may have brought it up
            self._made = not there.exists
            lifecycle.bring_up(self.engine, planner, progress)
            brought = instance.observe(self.engine, self.name)
        self._network = brought.network.id if brought.network is not None else ""
        self.condition = Condition.DOUBTFUL if there.exists else Condition.PRISTINE

    def _found(self, *, new: bool) -> Instance:
        """Look at the lab of that name, and refuse one that is not to be touched."""
        there = instance.observe(self.engine, self.name)
        instance.refuse_other(there, self.lab.id)
        if there.exists and new:
            raise UsageError(
                f"lab {self.name!r} is there already, and is not this program's to use",
                hint=f"take another name, or remove it: labctl down --name {self.name}",
            )
        return there

    def prepare(self) -> Instance:
        """Make the lab as new for the next exercise, as cheaply as what is known of it allows.

        Raises:
            LabNotUp: It is gone.
            EngineError: It can't be made as new.
        """
        there = instance.observe(self.engine, self.name)
        if not there.exists:
            raise LabNotUp(f"lab {self.name!r} is gone", hint=f"labctl up {self.lab.id} --name {self.name}")
        if self.condition != Condition.PRISTINE:
            with lock.working(self.engine, self.name):
                there = self._renewed(there)
        self.condition = Condition.DOUBTFUL  # until the exercise has come to an end
        return there

    def left(self, *, well: bool) -> None:
        """Take note that an exercise is over, and whether it came to a verdict on the mail."""
        self.condition = Condition.USED if well else Condition.DOUBTFUL

    def _renewed(self, there: Instance) -> Instance:
        if there.faults:
            with suppress(EngineError, FaultError):  # what can't be undone now is once all hosts run again
                there = self._reverted(there)
        unknown = self.condition == Condition.UNKNOWN
        doubtful = self.condition == Condition.DOUBTFUL or bool(there.faults)
        if not doubtful and not emptying.empty(self.engine, there, search=unknown):
            return there
        from labctl.lab import origin
        from labctl.lab.running import pristine

        planner = origin.planner_for(self.name, self.lab, origin.image_specs(), publish=there.published)
        there = instance.observe(self.engine, self.name)
        return self._reverted(pristine.restore(self.engine, there, lambda: planner).there)

    def _reverted(self, there: Instance) -> Instance:
        """Undo every fault that is on record."""
        if not there.faults:
            return there
        from labctl.faults import application

        application.revert_all(self.engine, there)
        return instance.observe(self.engine, self.name)

    def complaint(self) -> str | None:
        """Return what has broken of the lab by itself, or None; what a fault has stopped is not broken."""
        try:
            there = eventually(self._going_on, within=_GOES_ON_WITHIN)
            there = self.seen = there or instance.observe(self.engine, self.name)
        except EngineError as exc:
            return exc.message
        return f"lab {self.name!r} is gone" if not there.exists else _fallen(there, self.excused)

    def _going_on(self) -> Instance | None:
        """Look at the lab; None while a host is paused that no fault has paused."""
        there = instance.observe(self.engine, self.name)
        meant = there.faulted | self.excused
        paused = any(each.state == HostState.PAUSED and each.service not in meant for each in there.hosts)
        return None if paused else there

    def defeat(self) -> Outcome | None:
        """Return what an attempt has done to its hosts, or None: where nothing was handed in, nothing."""
        return None

    def overheard(self, watch: Watch) -> tuple[str, ...]:
        """Return what an attempt's daemons complained of: where nothing was handed in, nothing."""
        del watch
        return ()

    def tidy(self) -> None:
        """Undo every fault that is still applied, as far as that can be done.

        Raises:
            EngineError: One could not be undone; it stays on record.
        """
        with lock.working(self.engine, self.name):
            self._reverted(instance.observe(self.engine, self.name))

    def take_down(self) -> None:
        """Remove the lab if `bring` made it, and if nobody has made another one of its name since.

        Raises:
            EngineError: The engine failed.
        """
        if not self._made:
            return
        from labctl.lab.running import teardown  # the first step is waited for

        with lock.working(self.engine, self.name):
            network = instance.observe(self.engine, self.name).network
            if network is None or self._network in {"", network.id}:
                teardown.take_down(self.engine, self.name)
        self._made = False

    def occupied(self) -> AbstractContextManager[None]:
        """Have the lab in use: no other run of exercises, and no command that changes it, comes in between.

        Raises:
            LabInUse: There is one.
        """
        return lock.used(self.engine, self.name)


def _fallen(there: Instance, excused: frozenset[str] = frozenset()) -> str | None:
    """Name a host that does not run although no fault has stopped it; some hosts are excused."""
    for host in there.hosts:
        if not host.running and host.service not in there.faulted | excused:
            return f"{host.service} ({host.hostname}) is {host.state}, and no fault has stopped it"
    return None
