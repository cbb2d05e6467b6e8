"""A lab as new: its mail, its files and its logs' past set aside, in place where that is complete."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from labctl.engine.model import ContainerState
from labctl.lab import instance, lifecycle, readiness
from labctl.lab.difference import LOST, Change, compare
from labctl.lab.role import Role
from labctl.progress import Progress, silent
from labctl.wait import eventually

if TYPE_CHECKING:
    from labctl.engine.model import Container
    from labctl.engine.protocol import Engine
    from labctl.lab.difference import Step
    from labctl.lab.plan import PlannedHost, Planner

RESET: Final = """
/usr/local/lib/labctl/reset || exit
echo 'changes:'
/usr/local/lib/labctl/changes || exit
echo 'files:'
sha256sum -- "$@"
stat -c '%a  %n' -- "$@"
exit 0
"""
"""For a host's shell: the image's own scripts empty what the daemon keeps, leave a mark in the log, and tell
what else was changed; the rest says of each file of labctl's what its fingerprint is made of."""

EXPECTED: Final = frozenset({"/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/root/.bash_history"})
"""Files that the engine or a shell writes, whatever the lab does."""

_ANSWERS_WITHIN: Final = 1.0
"""Seconds; to make a host anew takes as long."""


def restore(engine: Engine, planner: Planner, progress: Progress = silent) -> tuple[Change, ...]:
    """Make a lab as new.

    A host where anything else was changed than its daemon's own store and the files that labctl put there is
    made anew, and so is one that does not run or does not answer; of the others the mail is removed, the
    files are written again and the daemon is reloaded.

    Returns:
        What was done beyond emptying.

    Raises:
        EngineError: The engine failed, or a daemon did not become ready.
    """
    found = compare(engine, planner)
    used = [
        (step, step.found)
        for step in found.steps
        if step.found is not None and not step.create and step.found.state != ContainerState.CREATED
    ]
    changes: list[Change] = []
    with ThreadPoolExecutor(max_workers=max(len(used), 1)) as pool:
        # The queues first: what is still on its way to a mailbox would arrive in one that is empty already.
        for roles in ({Role.MTA}, {Role.MDA, Role.DNS}):
            round_of = [each for each in used if each[0].host.service.role in roles]
            done = pool.map(lambda each: _renew(engine, planner, each[0], each[1], progress), round_of)
            changes.extend(change for change in done if change is not None)
    recreated = {change.subject for change in changes}
    further = lifecycle.bring_up(engine, planner, progress, known=None if recreated else found)
    return (*changes, *(change for change in further if change.subject not in recreated))


def _renew(
    engine: Engine, planner: Planner, step: Step, container: Container, progress: Progress
) -> Change | None:
    """Empty a host, or remove its container where that would not make it as new."""
    if container.state != ContainerState.RUNNING:
        reason = f"it was {container.state}"
    elif (complaint := _complaint(container, planner.topology.domains)) is not None:
        reason = f"it did not answer, {complaint}"
    elif (obstacle := _empty(engine, step.host, container)) is not None:
        reason = obstacle
    else:
        progress(step.host.service.name, "emptied")
        return None
    engine.remove_container(container.id)
    return Change(step.host.service.name, "recreated", f"{reason}: {LOST[step.host.service.role]}")


def _complaint(container: Container, domains: tuple[str, ...]) -> str | None:
    """Return what is wrong with a daemon, unless it is only slow to answer."""
    said: list[str | None] = []

    def answers() -> bool | None:
        said.append(readiness.complaint(instance.observed(container), domains))
        return True if said[-1] is None else None

    eventually(answers, within=_ANSWERS_WITHIN)
    return said[-1]


def _empty(engine: Engine, host: PlannedHost, container: Container) -> str | None:
    """Empty a host and write its files again; return what keeps it from being as new, or None."""
    paths = [file.path for file in host.files]
    said = engine.execute(container.id, ["/bin/sh", "-c", RESET, "reset", *paths])
    if said.exit_code != 0:
        return f"it could not be emptied, {said.stderr.decode('utf-8', 'replace').strip()}"
    told = said.stdout.decode("utf-8", "surrogateescape").partition("changes:\n")[2]
    changes, _, fingerprints = told.partition("files:\n")
    if strange := set(changes.splitlines()) - EXPECTED - set(paths):
        return f"{min(strange)} was changed"
    if _fingerprints(fingerprints) != host.manifest:
        engine.put_files(container.id, host.files)
        engine.signal(container.id, host.service.reload_signal)
    return None


def _fingerprints(told: str) -> dict[str, str]:
    """Read what `RESET` says of files: for each path a line with its hash, and one with its mode."""
    words: dict[str, list[str]] = {}
    for line in told.splitlines():
        word, _, path = line.partition("  ")
        words.setdefault(path, []).append(word)
    return {path: " ".join(said_of_it) for path, said_of_it in words.items()}
