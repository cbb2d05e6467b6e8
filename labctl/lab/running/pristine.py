"""A lab as new: its mail, its files and its logs' past set aside, in place where that is complete."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labctl.engine.model import ContainerState
from labctl.errors import ServiceCommandFailed
from labctl.lab.running import instance, lifecycle, patience, readiness
from labctl.lab.running.difference import LOST, Change, compare
from labctl.lab.running.emptying import NOTHING_LEFT, Emptied, run, searched, sweep
from labctl.progress import Progress, silent
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labctl.engine.model import Container
    from labctl.engine.protocol import Engine
    from labctl.lab.blueprint.plan import Planner
    from labctl.lab.running.difference import Difference, Step
    from labctl.lab.running.instance import Host, Instance
    from labctl.lab.running.readiness import Complaint

_ANSWERS_WITHIN: Final = 1.0
"""Seconds; to make a host anew takes as long."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done beyond emptying, and the lab as it is since."""

    changes: tuple[Change, ...]
    there: Instance


def restore(
    engine: Engine, there: Instance, plan: Callable[[], Planner], progress: Progress = silent
) -> Restored:
    """Make a lab as new.

    A host where anything else was changed than its daemon's own store and the files that labctl put there is
    made anew, and so is one that does not run or does not answer, or that an applied fault changed; of the
    others the mail is removed, the files are written again and the daemon is reloaded.

    Args:
        engine: The engine.
        there: The lab, as it has just been seen.
        plan: Makes its planner: to read what a lab is made of takes as long as its daemons take to answer.
        progress: Told what is going on.

    Raises:
        EngineError: The engine failed, or a daemon did not become ready.
    """
    # A thread for each host to be asked, and one for each that is being emptied.
    with ThreadPoolExecutor(max_workers=2 * max(len(there.hosts), 1)) as pool:
        complaints = {
            each.service: pool.submit(_complaint, each, there.domains)
            for each in there.hosts
            if each.running and each.service not in there.faulted
        }
        planner = plan()
        found = compare(engine, planner, there)
        renewal = _Renewal(engine, found, {name: each.result for name, each in complaints.items()}, progress)
        used = [
            each
            for each in found.steps
            if not each.create and each.found is not None and each.found.state != ContainerState.CREATED
        ]
        sweep(pool, used, first=renewal.renew, again=renewal.again)
        if found.settled and not renewal.changes:
            hosts = [there.host(name) for name in renewal.reloaded]
            for _ in pool.map(lambda each: patience.await_ready(engine, each, there.domains), hosts):
                pass
            return Restored((), there)
    recreated = {change.subject for change in renewal.changes}
    further = lifecycle.bring_up(engine, planner, progress, known=None if recreated else found)
    changes = (*renewal.changes, *(change for change in further if change.subject not in recreated))
    return Restored(changes, instance.observe(engine, planner.name))


class _Renewal:
    """The emptying of one lab's hosts, each in place where that makes it as new.

    Args:
        engine: The engine.
        found: What lies between the lab and its plan.
        complaints: What to ask for a running host's answer, by service: see `readiness.complaint`.
        progress: Told what is going on.
    """

    def __init__(
        self,
        engine: Engine,
        found: Difference,
        complaints: Mapping[str, Callable[[], Complaint | None]],
        progress: Progress,
    ) -> None:
        self._engine = engine
        self._found = found
        self._complaints = complaints
        self._progress = progress
        self._removed: dict[str, Change] = {}
        self.reloaded: set[str] = set()
        """The services whose files were written again."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """The hosts to be made anew, in the topology's order."""
        return tuple(
            self._removed[each.service] for each in self._found.steps if each.service in self._removed
        )

    def renew(self, step: Step) -> Emptied:
        """Empty a host, or remove its container where that would not make it as new."""
        assert step.found is not None
        if step.service in self._removed:
            return NOTHING_LEFT
        told, obstacle = self._emptied(step, step.found)
        if obstacle is None:
            self._progress(step.service, "emptied")
            return told
        self._engine.remove_container(step.found.id)
        reason = f"{obstacle}: {LOST[step.role]}"
        self._removed[step.service] = Change(step.service, "recreated", reason)
        return NOTHING_LEFT

    def again(self, step: Step) -> Emptied:
        """Empty an MTA if mail has come in since; one that was removed has none."""
        assert step.found is not None
        if step.service in self._removed:
            return NOTHING_LEFT
        return run(self._engine, instance.observed(step.found), "again")

    def _emptied(self, step: Step, container: Container) -> tuple[Emptied, str | None]:
        """Empty a host and write its files again; say what its script told, and what it takes more."""
        if faults := [each.name for each in self._found.there.faults if step.service in each.services]:
            return NOTHING_LEFT, f"a fault was applied, {', '.join(faults)}"
        if container.state != ContainerState.RUNNING:
            return NOTHING_LEFT, f"it was {container.state}"
        if (complaint := self._complaints[step.service]()) is not None:
            return NOTHING_LEFT, f"it did not answer, {complaint}"
        try:
            found = searched(self._engine, instance.observed(container), step.host.manifest)
        except ServiceCommandFailed as failure:
            return NOTHING_LEFT, f"it could not be emptied, {failure.detail['said']}"
        if found.strange:
            return NOTHING_LEFT, f"{min(found.strange)} was changed"
        if found.rewritten:
            self._engine.put_files(container.id, step.host.files)
            self._engine.signal(container.id, step.host.service.reload_signal)
            self.reloaded.add(step.service)
        return found.emptied, None


def _complaint(host: Host, domains: tuple[str, ...]) -> Complaint | None:
    """Return what is wrong with a daemon, unless it is only slow to answer."""
    said: list[Complaint | None] = []

    def answers() -> bool | None:
        said.append(readiness.complaint(host, domains))
        return True if said[-1] is None else None

    eventually(answers, within=_ANSWERS_WITHIN)
    return said[-1]
