"""Whether the daemons of a lab take what was handed in, and where in it they found something wrong."""

from __future__ import annotations

import shlex
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from labctl import byteordermark
from labctl.engine.model import ContainerState
from labctl.errors import ConfigRejected, EngineError, EngineUnavailable, ServiceCommandFailed
from labctl.lab.attempt.refusal import Refusal, refusal, shown
from labctl.lab.running.patience import log_of
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from labctl.engine.model import Container, ExecResult
    from labctl.engine.protocol import Engine
    from labctl.lab.blueprint.definition import Editable, LabDefinition
    from labctl.lab.running.instance import Instance

_LOG_TAIL: Final = 40

_CHECKED_WITHIN: Final = 20.0
"""Seconds for a service's own tool to look at a file, which takes it a hundredth of one."""

_MOST_SAID: Final = 1 << 20
"""Bytes that it may say."""

_NOTED_WITHIN: Final = 2.0
"""Seconds in which an engine takes note that a container has ended."""

_RELOADED_WITHIN: Final = 20.0
"""Seconds that a resolver has to say that it took its zones up, or did not."""

_KILLED: Final = 137
"""The exit code of a command that was killed."""

_NO_ANSWER: Final = frozenset({126, 127, _KILLED})
"""The exit codes of a command that is none, that is not there, or that somebody killed."""

_MOST_LINES: Final = 5

_NOTHING: Final[Mapping[str, bytes]] = MappingProxyType({})

_RELOADED: Final = "[INFO] Reloading complete"
_NOT_RELOADED: Final = "[ERROR] Restart failed: "
"""What CoreDNS says of SIGUSR1."""

_OUT_OF_MEMORY: Final = "its zones need more memory than it may use"
_OUT_OF_TIME: Final = f"it had not read its zones after {_RELOADED_WITHIN:.0f} s"
"""Why it says nothing more."""

_NEVER_SERVED: Final = "it used up all the memory that it may use, and ended before it served"

_LOG_SEARCHED: Final = 200


def rejection(
    engine: Engine, there: Instance, lab: LabDefinition, *, handed_in: Mapping[str, bytes] = _NOTHING
) -> ConfigRejected | None:
    """Find out whether a daemon refused a file of an attempt, once the lab was started with it.

    A host that has ended has said why, unless it used up its memory, which is reason enough. Where it runs,
    the lab's own check of each file is run in it, as nobody and so without any of the container's
    capabilities: the daemon there does what a student says, and may have put another program in that one's
    place. A check that can't be run is none; one that comes to no end, or uses up the memory there is, met
    what no daemon can use either.

    Args:
        engine: The engine.
        there: The lab.
        lab: Its definition, whose `[[editable]]` names the files.
        handed_in: The contents of the files, by the path that the lab gives.

    Returns:
        The error to raise, or None where nothing was refused.

    Raises:
        EngineUnavailable: The engine stopped answering.
    """
    files: dict[str, list[Editable]] = {}
    for each in lab.editable:
        if each.service:
            files.setdefault(each.service, []).append(each)
    containers = {
        service: engine.inspect(host.container.id)
        for service in files
        if (host := there.host(service)).container is not None
    }
    for service, container in containers.items():
        if container.state == ContainerState.EXITED and (said := _last_words(engine, container)) is not None:
            return _rejected(service, files[service], said, handed_in)
    for service, container in containers.items():
        if container.state == ContainerState.RUNNING:
            for file in files[service]:
                if file.check and (said := _complaint(engine, container, file)) is not None:
                    return _rejected(service, files[service], said, handed_in)
    return None


def reloaded(
    engine: Engine,
    there: Instance,
    lab: LabDefinition,
    service: str,
    since: datetime,
    *,
    handed_in: Mapping[str, bytes] = _NOTHING,
) -> ConfigRejected | None:
    """Wait until a resolver whose zones were replaced while it runs has taken them up, or says why not.

    Args:
        engine: The engine.
        there: The lab.
        lab: Its definition, whose `[[editable]]` names the zones.
        service: The resolver's service; it was sent SIGUSR1.
        since: A moment before that.
        handed_in: The contents of the files, by the path that the lab gives.

    Returns:
        The error to raise, or None where it serves the new zones. Zones that use up its memory or its time,
        or that end it, are refused, too: what was there before took it none.

    Raises:
        EngineError: The engine failed.
    """
    container = there.host(service).running_container()

    def outcome() -> str | None:
        for line in log_of(engine, container, _LOG_SEARCHED, since):
            if line.startswith((_RELOADED, _NOT_RELOADED)):
                return line
        now = engine.inspect(container.id)
        if now.oom_killed:
            return _OUT_OF_MEMORY
        return None if now.state == ContainerState.RUNNING else f"it ended with exit code {now.exit_code}"

    found = eventually(outcome, within=_RELOADED_WITHIN) or _OUT_OF_TIME
    if found.startswith(_RELOADED):
        return None
    files = [each for each in lab.editable if each.service == service]
    reason = found.removeprefix(_NOT_RELOADED)
    said = shown(found)
    if reason == found:  # these are not its own words
        log = log_of(engine, container, _LOG_SEARCHED, since)
        words = [each for each in log if each[:1] != "{"]  # what it was asked, which is JSON, tells nothing
        said = "\n".join(map(shown, words[-_MOST_LINES:]))
    told = refusal([found]) or Refusal(shown(reason), None, None, said)
    return _rejected(service, files, told, handed_in)


def _last_words(engine: Engine, container: Container) -> Refusal | None:
    """Return why a host has ended."""
    if container.oom_killed:
        return Refusal(_NEVER_SERVED, None, None, _NEVER_SERVED)
    return refusal(log_of(engine, container, _LOG_TAIL))


def _complaint(engine: Engine, container: Container, file: Editable) -> Refusal | None:
    """Run the lab's check of a file where it is used; return what it has against it."""
    try:
        done = engine.execute(
            container.id, file.check, user="nobody", within=_CHECKED_WITHIN, most=_MOST_SAID, again=True
        )
    except EngineUnavailable:
        raise
    except ServiceCommandFailed as exc:
        reason = f"{shlex.join(file.check)} comes to no end with it"
        said = [shown(line) for line in str(exc.detail.get("said", "")).split("\n")]
        words = "\n".join((reason, *said[-_MOST_LINES:])).strip()
        return Refusal(reason, file.target, None, words)
    except EngineError:  # nothing can be run where an attempt used up all processes there may be
        return None
    if done.exit_code == _KILLED:
        return _killed(engine, container, file)
    if done.exit_code == 0 or done.exit_code in _NO_ANSWER:
        return None
    lines = _lines(done)
    words = "\n".join(lines[-_MOST_LINES:]) or f"{file.check[0]} ended with exit code {done.exit_code}"
    return refusal(lines, warnings=True) or Refusal(words.rpartition("\n")[2], file.target, None, words)


def _killed(engine: Engine, container: Container, file: Editable) -> Refusal | None:
    """Return why a check was killed: for want of memory, or because its host has ended and all there with it.

    An engine takes note of that end a moment later.
    """

    def ended() -> Container | None:
        now = engine.inspect(container.id)
        return now if now.oom_killed or now.state == ContainerState.EXITED else None

    if (now := eventually(ended, within=_NOTED_WITHIN)) is None:
        return None
    if now.state == ContainerState.EXITED:
        return _last_words(engine, now)
    reason = f"{shlex.join(file.check)} used up all the memory that there is for it"
    return Refusal(reason, file.target, None, reason)


def _lines(done: ExecResult) -> list[str]:
    text = (done.stdout + b"\n" + done.stderr).decode("utf-8", "surrogateescape")
    return [shown(line) for line in text.split("\n") if line.strip()]


def _rejected(
    service: str, files: Sequence[Editable], said: Refusal, handed_in: Mapping[str, bytes]
) -> ConfigRejected:
    """Tell it of the file as the attempt names it; what one file draws in is that file's matter.

    A byte order mark is told as one: no daemon does.
    """
    meant = next((each for each in files if each.target == said.path), None)
    file, line = (meant.path, said.line) if meant is not None else (files[0].path, None)
    if (fault := byteordermark.fault_of(handed_in.get(file, b""))) is not None:
        reason, line = f"it {fault}", 1
    else:
        reason = said.reason
    where = f"{file}, line {line}" if line is not None else file
    return ConfigRejected(
        f"{service} refuses {where}: {reason}",
        service=service,
        file=file,
        line=line,
        said=said.said,
        hint=f"edit {file}",
    )
