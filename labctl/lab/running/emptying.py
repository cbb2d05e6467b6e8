"""Emptying a lab's hosts of mail, so that nothing of before turns up again."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from labctl.errors import ServiceCommandFailed
from labctl.lab.role import Role
from labctl.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor

    from labctl.engine.protocol import Engine
    from labctl.lab.running.instance import Host, Instance

T = TypeVar("T")

SCRIPT: Final = "/usr/local/lib/labctl/reset"
"""In each image: empties what its daemon keeps, and leaves a mark in its log."""

_ROUNDS: Final = 10
"""How often MTAs are emptied that pass on mail to each other meanwhile; a message takes one hop a round."""


_CLOCK_STEP: Final = 0.05
"""Seconds; a file's time is the kernel's, which lags behind the clock by up to a tick."""


@dataclass(frozen=True, slots=True)
class Emptied:
    """What a host's script told: whether an MTA that was asked again had to empty again, and its idleness."""

    again: bool
    idle: tuple[float, float] | None
    """Since when an MTA had no mail, and until when at least."""


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


@dataclass(frozen=True, slots=True)
class Searched:
    """What was found in a host that was emptied."""

    emptied: Emptied
    strange: frozenset[str]
    """Files that were changed, added or removed and that are none of labctl's."""

    rewritten: bool
    """Whether a file of labctl's is not as labctl wrote it."""


NOTHING_LEFT: Final = Emptied(again=False, idle=(0.0, math.inf))
"""Told of a host that is being made anew."""


def empty(
    engine: Engine, there: Instance, *, search: bool = False, progress: Progress = silent
) -> tuple[str, ...]:
    """Empty a lab of mail: its queues, its mailboxes, what Postfix remembers; and mark each log.

    The quick part of a reset: files and faults stay as they are.

    A message may be on its way from one MTA to another that has been emptied already, and from there to a
    mailbox. So, unless no MTA had any, all are asked once more when all have been emptied, while mailboxes
    are; and where mail has come in to one meanwhile, this is done again.

    Args:
        engine: The engine.
        there: The lab.
        search: Also look for whatever else somebody may have changed in a host.
        progress: Told which host has been emptied.

    Returns:
        The services that are not as new: they don't run, and so were passed over, or something was found.

    Raises:
        ServiceCommandFailed: A host could not be emptied.
    """
    running = [each for each in there.hosts if each.running and each.role is not None]
    written = there.record.files if there.record is not None else {}
    changed: set[str] = set()

    def first(host: Host) -> Emptied:
        if search:
            found = searched(engine, host, written.get(host.service, {}))
            if found.strange or found.rewritten:
                changed.add(host.service)
            told = found.emptied
        else:
            told = run(engine, host)
        progress(host.service, "emptied")
        return told

    with ThreadPoolExecutor(max_workers=max(len(running), 1)) as pool:
        in_turns(
            pool,
            [each for each in running if each.role == Role.MTA],
            [each for each in running if each.role != Role.MTA],
            first=first,
            again=lambda host: run(engine, host, "again"),
        )
    return tuple(each.service for each in there.hosts if each not in running or each.service in changed)


def in_turns(
    pool: Executor,
    mtas: Sequence[T],
    others: Sequence[T],
    *,
    first: Callable[[T], Emptied],
    again: Callable[[T], Emptied],
) -> None:
    """Empty the MTAs, and then the others, until no mail can be on its way from the ones to the others.

    Args:
        pool: What does it at once.
        mtas: The MTAs, in whatever form.
        others: The other hosts.
        first: Empties one.
        again: Empties an MTA if mail has come in since.

    Raises:
        ServiceCommandFailed: There is no end of mail, or a host could not be emptied.
    """
    asked = [] if idle(list(pool.map(first, mtas))) else mtas
    for _ in range(_ROUNDS):
        rest = [pool.submit(first, each) for each in others]
        came_in = [told.again for told in pool.map(again, asked)]
        for each in rest:
            each.result()
        if not any(came_in):
            return
    message = "mail still comes in to the MTAs faster than it can be removed"
    raise ServiceCommandFailed(message, hint="labctl queue")


def idle(told: Sequence[Emptied]) -> bool:
    """Say whether no MTA had any mail since before the first of them was looked at: none to pass on."""
    times = [each.idle for each in told if each.idle is not None]
    if len(times) < len(told):
        return False
    last = max((since for since, _ in times), default=0.0)
    return all(last + _CLOCK_STEP < until for _, until in times)


def emptied(told: str) -> Emptied:
    """Read what a host's script told; others than an MTA's tell nothing."""
    lines = [line.split() for line in told.splitlines()]
    times = None
    for line in lines:
        match line:
            case ["idle", since, until]:
                with suppress(ValueError):  # none of ours
                    times = float(since), float(until)
    return Emptied(["again"] in lines, times)


def run(engine: Engine, host: Host, *arguments: str) -> Emptied:
    """Run a host's script.

    Raises:
        ServiceCommandFailed: It could not empty the host.
    """
    return emptied(_said(engine, host, [SCRIPT, *arguments]))


def searched(engine: Engine, host: Host, written: Mapping[str, str]) -> Searched:
    """Empty a host, and look for what was changed in it besides.

    Args:
        engine: The engine.
        host: The host.
        written: The fingerprints of the files that labctl wrote there, by path.

    Raises:
        ServiceCommandFailed: The host could not be emptied.
    """
    said = _said(engine, host, ["/bin/sh", "-c", RESET, "reset", *written])
    told, _, changes = said.partition("changes:\n")
    changes, _, fingerprints = changes.partition("files:\n")
    return Searched(
        emptied(told),
        frozenset(changes.splitlines()) - EXPECTED - written.keys(),
        _fingerprints(fingerprints) != dict(written),
    )


def _said(engine: Engine, host: Host, argv: Sequence[str]) -> str:
    said = engine.execute(host.running_container().id, argv)
    if said.exit_code != 0:
        complaint = said.stderr.decode("utf-8", "replace").strip()
        raise ServiceCommandFailed(
            f"{host.service} ({host.hostname}) could not be emptied: {complaint}",
            hint=f"labctl logs {host.service}",
            detail={"said": complaint},
        )
    return said.stdout.decode("utf-8", "surrogateescape")


def _fingerprints(told: str) -> dict[str, str]:
    """Read what `RESET` says of files: for each path a line with its hash, and one with its mode."""
    words: dict[str, list[str]] = {}
    for line in told.splitlines():
        word, _, path = line.partition("  ")
        words.setdefault(path, []).append(word)
    return {path: " ".join(said_of_it) for path, said_of_it in words.items()}
