"""Emptying a lab's hosts of mail, so that nothing of before turns up again."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from labctl.errors import ServiceCommandFailed
from labctl.lab.role import Role
from labctl.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor

    from labctl.engine.protocol import Engine
    from labctl.lab.running.instance import Host, Instance

SCRIPT: Final = "/usr/local/lib/labctl/reset"
"""In each image: empties what its daemon keeps, and leaves a mark in its log."""

_ROUNDS: Final = 10
"""How often MTAs are emptied that pass on mail to each other meanwhile; a message takes one hop a round."""


_CLOCK_STEP: Final = 0.05
"""Seconds; a file's time is the kernel's, which lags behind the clock by up to a tick."""


@dataclass(frozen=True, slots=True)
class Emptied:
    """What a host's script told."""

    again: bool = False
    """Whether an MTA that was asked again had to empty again."""

    idle: tuple[float, float] | None = None
    """Since when an MTA had no mail, and until when at least."""

    began: float | None = None
    """Since when an MDA was being emptied."""


SEARCH: Final = f"""
{SCRIPT} || exit
changes=$(/usr/local/lib/labctl/changes "$1") || exit
shift
printf 'changes:\\n%s\\n' "$changes"
for each; do
    shift
    [ -f "$each" ] || echo "$each"
    case $changes in *"$each"*) set -- "$@" "$each" ;; esac
done
echo 'files:'
[ $# -eq 0 ] || sha256sum -- "$@"
[ $# -eq 0 ] || stat -c '%a  %n' -- "$@"
exit 0
"""
"""For a host's shell: the image's own scripts empty what the daemon keeps, leave a mark in the log, and tell
what else was changed; the rest says of those files of labctl's that were touched what their fingerprints are
made of."""

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


NOTHING_LEFT: Final = Emptied(idle=(0.0, math.inf), began=math.inf)
"""Told of a host that is being made anew."""


def empty(
    engine: Engine, there: Instance, *, search: bool = False, progress: Progress = silent
) -> tuple[str, ...]:
    """Empty a lab of mail: its queues, its mailboxes, what Postfix remembers; and mark each log.

    The quick part of a reset: files and faults stay as they are. See `sweep`.

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
        sweep(pool, running, first=first, again=lambda host: run(engine, host, "again"))
    return tuple(each.service for each in there.hosts if each not in running or each.service in changed)


class HasRole(Protocol):
    """A host, in whatever form."""

    @property
    def role(self) -> Role | None:
        """What it is for."""


H = TypeVar("H", bound=HasRole)


def sweep(
    pool: Executor, hosts: Sequence[H], *, first: Callable[[H], Emptied], again: Callable[[H], Emptied]
) -> None:
    """Empty all hosts at once, and MTAs and MDAs until no mail can be on its way between them.

    A message may be on its way from one MTA to another that has been emptied already, and from there to a
    mailbox. So, unless no MTA had any by then, all are asked once more when all have been emptied, while
    mailboxes are; and where mail has come in to one meanwhile, this is done again.

    Args:
        pool: What does it at once.
        hosts: The hosts.
        first: Empties one.
        again: Empties an MTA if mail has come in since.

    Raises:
        ServiceCommandFailed: There is no end of mail, or a host could not be emptied.
    """
    told = list(zip(hosts, pool.map(first, hosts), strict=True))
    mtas, mdas = ([each for each in told if each[0].role == role] for role in (Role.MTA, Role.MDA))
    if idle([said for _, said in mtas], [said for _, said in mdas]):
        return
    for _ in range(_ROUNDS):
        rest = [pool.submit(first, host) for host, _ in mdas]
        came_in = [said.again for said in pool.map(again, [host for host, _ in mtas])]
        for each in rest:
            each.result()
        if not any(came_in):
            return
    message = "mail still comes in to the MTAs faster than it can be removed"
    raise ServiceCommandFailed(message, hint="labctl queue")


def idle(mtas: Sequence[Emptied], mdas: Sequence[Emptied]) -> bool:
    """Say whether no MTA had any mail since before the first of all hosts was looked at: none to pass on."""
    times = [each.idle for each in mtas if each.idle is not None]
    looked = [until for _, until in times] + [each.began for each in mdas if each.began is not None]
    if len(looked) < len(mtas) + len(mdas):
        return False
    last = max((since for since, _ in times), default=0.0)
    return all(last + _CLOCK_STEP < each for each in looked)


def emptied(told: str) -> Emptied:
    """Read what a host's script told: times of an MTA's or an MDA's, and whether it is told again."""
    said: dict[str, tuple[float, ...]] = {}
    for word, *times in (line.split() for line in told.splitlines() if line.strip()):
        with suppress(ValueError):  # none of ours
            said[word] = tuple(map(float, times))
    since, began = said.get("idle", ()), said.get("began", ())
    return Emptied(
        again="again" in said,
        idle=(since[0], since[1]) if len(since) == 2 else None,  # noqa: PLR2004  # from, and to
        began=began[0] if len(began) == 1 else None,
    )


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
    made = str(int(host.running_container().created_at.timestamp()))
    said = _said(engine, host, ["/bin/sh", "-c", SEARCH, "search", made, *written])
    told, _, said = said.partition("changes:\n")
    changes, _, said = said.partition("files:\n")
    found, fingerprints = frozenset(changes.splitlines()) - {""}, _fingerprints(said)
    rewritten = any(fingerprints.get(path) != written[path] for path in found & written.keys())
    return Searched(emptied(told), found - EXPECTED - written.keys(), rewritten)


def _said(engine: Engine, host: Host, argv: Sequence[str]) -> str:
    said = engine.execute(host.running_container().id, argv, again=True)
    if said.exit_code != 0:
        complaint = said.stderr.decode("utf-8", "replace").strip()
        raise ServiceCommandFailed(
            f"{host.service} ({host.hostname}) could not be emptied: {complaint}",
            hint=f"labctl logs {host.service}",
            detail={"said": complaint},
        )
    return said.stdout.decode("utf-8", "surrogateescape")


def _fingerprints(told: str) -> dict[str, str]:
    """Read what `SEARCH` says of files: for each path a line with its hash, and one with its mode."""
    words: dict[str, list[str]] = {}
    for line in told.splitlines():
        word, _, path = line.partition("  ")
        words.setdefault(path, []).append(word)
    return {path: " ".join(said_of_it) for path, said_of_it in words.items()}
