"""A lab as new: its mail, its files and its logs' past set aside, in place where that is complete."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from labctl.engine.model import ContainerState
from labctl.errors import ServiceCommandFailed
from labctl.lab import lifecycle
from labctl.lab.difference import LOST, Change, compare
from labctl.lab.topology import Role
from labctl.progress import Progress, silent

if TYPE_CHECKING:
    from labctl.engine.model import Container
    from labctl.engine.protocol import Engine
    from labctl.lab.difference import Step
    from labctl.lab.plan import PlannedHost, Planner

RESET: Final = ("/usr/local/lib/labctl/reset",)
"""In each image: empties what its daemon keeps, and leaves a mark in the log."""

EXPECTED: Final = ("/etc/resolv.conf", "/root/.bash_history", "/run", "/var/lib/labctl", "/var/lib/misc")
"""Paths where a running host differs from its image, whatever it does."""

KEPT: Final[dict[Role, tuple[str, ...]]] = {
    Role.MTA: ("/var/spool/postfix", "/var/lib/postfix"),
    Role.MDA: ("/var/vmail", "/var/lib/dovecot"),
    Role.DNS: (),
}
"""Paths where a daemon keeps what `RESET` empties."""


def restore(engine: Engine, planner: Planner, progress: Progress = silent) -> tuple[Change, ...]:
    """Make a lab as new.

    A host where anything else was changed than its daemon's own store and the files that labctl put there is
    made anew; of the others the mail is removed, the files are written again and the daemon is reloaded.

    Returns:
        What was done beyond emptying.

    Raises:
        EngineError: The engine failed, or a daemon did not become ready.
    """
    difference = compare(engine, planner)
    running = [
        (step, step.found)
        for step in difference.steps
        if step.found is not None and not step.create and step.found.state == ContainerState.RUNNING
    ]
    changes: list[Change] = []
    with ThreadPoolExecutor(max_workers=max(len(running), 1)) as pool:
        for (step, container), strange in zip(
            running, pool.map(lambda each: _strange(engine, each[0], each[1]), running), strict=True
        ):
            if strange is None:
                continue
            role = step.host.service.role
            changes.append(
                Change(step.host.service.name, "recreated", f"{strange} was changed: {LOST[role]}")
            )
            engine.remove_container(container.id)
        doomed = {change.subject for change in changes}
        kept = [each for each in running if each[0].host.service.name not in doomed]
        # The queues first: what is still on its way to a mailbox would arrive in one that is empty already.
        for role in (Role.MTA, Role.MDA, Role.DNS):
            hosts = [(step.host, container) for step, container in kept if step.host.service.role == role]
            list(pool.map(lambda each: _empty(engine, each[0], each[1], progress), hosts))
    changes.extend(
        each for each in lifecycle.bring_up(engine, planner, progress) if each.subject not in doomed
    )
    return tuple(changes)


def _strange(engine: Engine, step: Step, container: Container) -> str | None:
    """Return a path that nobody but a person can have changed, or None."""
    changed = [path for path, _ in engine.changes(container.id)]
    directories = {path.rpartition("/")[0] for path in changed}
    own = {file.path for file in step.host.files}
    own_directories = {path.rpartition("/")[0] for path in own}
    accepted = (*EXPECTED, *KEPT[step.host.service.role])
    for path in changed:
        if path in own | own_directories | directories:
            continue
        if not any(path == each or path.startswith(f"{each}/") for each in accepted):
            return path
    return None


def _empty(engine: Engine, host: PlannedHost, container: Container, progress: Progress) -> None:
    engine.put_files(container.id, host.files)
    said = engine.execute(container.id, RESET)
    if said.exit_code != 0:
        raise ServiceCommandFailed(
            f"{host.service.name} could not be emptied: {said.stderr.decode('utf-8', 'replace').strip()}",
            hint="labctl down, then labctl up",
        )
    engine.signal(container.id, host.service.reload_signal)
    progress(host.service.name, "emptied")
