"""The machine's own dockerd: started, ended, and what it left behind swept away."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from labctl.engine.endpoint import Endpoint
from labctl.engine.machine import (
    EXEC_ROOT,
    PID_FILE,
    SOCKET,
    command_line,
    listens,
    process_name,
    processes,
)
from labctl.engine.search import Answer, look
from labctl.errors import EngineError
from labctl.wait import eventually

if TYPE_CHECKING:
    from labctl.engine.machine import Machine

LOG: Final = "/var/log/labctl/dockerd.log"

START_WITHIN: Final = 60.0
STOP_WITHIN: Final = 60.0
"""dockerd gives its containers 15 seconds, or as long as the most patient of them asked for."""
KILL_WITHIN: Final = 5.0

_GARBAGE: Final = {"GOGC": "400"}
"""How seldom dockerd collects its garbage (Go's package runtime): a new heap is swept at 16 MB and not at 4.

dockerd runs itself four times for each container that starts, to unpack files and to lay out its network.
Each time it makes more than 4 MB before it begins; without a sweep of that, a container takes 16 % less
processor time to start. dockerd itself then takes some 30 MB more.
"""

_LAST_WORDS: Final = 12
"""Lines of a log that an error shows."""

_CHATTER: Final = re.compile(r"\blevel=(?:info|debug)\b")

_SYSTEM_CONTAINERD: Final = "/run/containerd/containerd.sock"

StartedBy = Literal["labctl", "systemd", "others"]


@dataclass(frozen=True, slots=True)
class Launch:
    """How dockerd was started; `pid` is None where systemd keeps it.

    `by` is ``others`` where one was starting already, as after an installation that starts services itself.
    """

    by: StartedBy
    pid: int | None


def answers(machine: Machine) -> bool:
    """Whether the machine's own engine answers."""
    return look(Endpoint(machine.engine_url)).answer is Answer.ANSWERS


def dockerd_pid(machine: Machine) -> int | None:
    """Return the process that dockerd's pid file names, if that lives and is a dockerd."""
    try:
        pid = int(machine.path(PID_FILE).read_text())
    except (OSError, ValueError):
        return None
    return pid if process_name(pid) == "dockerd" else None


def launch(machine: Machine) -> Launch:
    """Start dockerd, by systemd where that runs the machine, and do not wait for it.

    Raises:
        EngineError: It can't be started.
    """
    if machine.has_systemd:
        done = machine.run(["systemctl", "start", "docker.service"])
        if done.returncode:
            raise _failed(f"systemd could not start docker.service: {done.stderr.strip()}", journal(machine))
        return Launch("systemd", None)
    running = dockerd_pid(machine)
    if running is not None and _outcome(machine, running) != "gone":
        return Launch("others", running)
    dockerd = machine.program("dockerd")
    if dockerd is None:
        raise EngineError("dockerd is not installed on this machine", hint="sudo labctl up --yes")
    sweep(machine, thoroughly=False)
    _mount_cgroups(machine)
    return Launch("labctl", _spawn(machine, dockerd))


def await_answer(machine: Machine, launched: Launch) -> int | None:
    """Wait until the engine answers; returns dockerd's process.

    Raises:
        EngineError: It ended, or it does not answer in time; with its last words.
    """
    outcome = _outcome(machine, launched.pid)
    if outcome == "come":
        return dockerd_pid(machine)
    words = journal(machine) if launched.by == "systemd" else last_words(machine)
    what = (
        "ended instead of answering" if outcome == "gone" else f"did not answer within {START_WITHIN:.0f} s"
    )
    raise _failed(f"dockerd was started, but {what} at {machine.engine_url}", words)


def _outcome(machine: Machine, pid: int | None) -> str | None:
    """Wait until the engine answers (``come``) or the process is no more (``gone``); None is neither."""

    def come_or_gone() -> str | None:
        if answers(machine):
            return "come"
        return "gone" if pid is not None and process_name(pid) is None else None

    return eventually(come_or_gone, within=START_WITHIN)


def stop(machine: Machine) -> None:
    """End dockerd, its containerd and all containers; nothing there is success.

    Raises:
        EngineError: It does not end.
    """
    if machine.has_systemd:
        # The socket first: a question that comes between would start the service again.
        machine.run(["systemctl", "stop", "docker.socket", "docker.service"])
    if (pid := dockerd_pid(machine)) is not None:
        _end(pid, "dockerd", within=STOP_WITHIN)
    sweep(machine, thoroughly=True)
    if answers(machine):
        raise EngineError(
            f"an engine still answers at {machine.engine_url}, and {machine.path(PID_FILE)} does not name it",
            hint="pgrep -a dockerd",
        )


def sweep(machine: Machine, *, thoroughly: bool) -> None:
    """Take away what a dockerd that is gone left behind, since it keeps the next one from starting.

    dockerd refuses to start while its pid file names any living process, and takes whatever process the pid
    file of its containerd names for that containerd: also one that the kernel is just ending, since who has
    started it is gone. The next one takes up the containers.

    Args:
        machine: Where.
        thoroughly: End the containers, too.
    """
    if dockerd_pid(machine) is not None or listens(machine.path(SOCKET)):
        return
    machine.path(PID_FILE).unlink(missing_ok=True)
    directory = machine.path(f"{EXEC_ROOT}/containerd")
    pid_file, containerd_socket = directory / "containerd.pid", directory / "containerd.sock"
    for pid in _called("containerd", directory / "containerd.toml"):
        _end(pid, "containerd", within=KILL_WITHIN)
    pid_file.unlink(missing_ok=True)
    if thoroughly:
        _end_shims(containerd_socket)
        machine.path(SOCKET).unlink(missing_ok=True)
    system = machine.path(_SYSTEM_CONTAINERD)
    if not machine.has_systemd and system.exists() and not listens(system):
        # dockerd takes this socket's mere existence for a containerd of the system's and waits for it.
        system.unlink()


def last_words(machine: Machine) -> str:
    """Return the end of the log of the dockerd that labctl started, its chatter left out."""
    try:
        text = machine.path(LOG).read_text(errors="replace")
    except OSError:
        return ""
    told = [line for line in text.splitlines() if not _CHATTER.search(line)]
    return "\n".join(told[-_LAST_WORDS:])


def journal(machine: Machine) -> str:
    """Return the end of docker.service's journal."""
    lines = f"--lines={_LAST_WORDS}"
    return machine.run(["journalctl", "--unit=docker", lines, "--no-pager", "-o", "cat"]).stdout


def _failed(message: str, words: str) -> EngineError:
    tail = f"; its last words:\n{words}" if words.strip() else ""
    return EngineError(f"{message}{tail}", hint="labctl doctor", detail={"log": words})


def _spawn(machine: Machine, dockerd: Path) -> int:
    """Start dockerd in a session of its own, so that no Ctrl-C for labctl reaches it.

    Not with `subprocess`: this child is meant to outlive its parent.
    """
    log = machine.path(LOG)
    log.parent.mkdir(parents=True, exist_ok=True)
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    search = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"))
    return os.posix_spawn(
        "/usr/bin/env",  # it changes the directory: dockerd must not hold the user's
        ["env", "--chdir=/", str(dockerd), *machine.dockerd_arguments],
        {**_GARBAGE, **os.environ, "PATH": search},
        setsid=True,
        setsigmask=(),
        setsigdef=(signal.SIGINT, signal.SIGHUP, signal.SIGPIPE),
        file_actions=(
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o640),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ),
    )


def _mount_cgroups(machine: Machine) -> None:
    """Mount the control groups where no init system did; without them no container starts."""
    mounts = machine.read_proc("mounts") or ""
    directory = machine.path("/sys/fs/cgroup")
    if any(line.split()[2].startswith("cgroup") for line in mounts.splitlines()) or not directory.is_dir():
        return
    done = machine.run(["mount", "-t", "cgroup2", "cgroup2", str(directory)])
    if done.returncode:
        raise EngineError(
            f"no control groups are mounted at {directory}, and mounting them failed: {done.stderr.strip()}",
            hint=f"mount -t cgroup2 cgroup2 {directory}",
        )


def _end(pid: int, name: str, *, within: float) -> None:
    """Ask a process to end, then kill it."""
    asked = _signal(pid, name, signal.SIGTERM, within=within)
    if not asked and not _signal(pid, name, signal.SIGKILL, within=KILL_WITHIN):
        message = f"{name} (process {pid}) does not end, not even killed"
        raise EngineError(message, hint=f"ps -o stat,wchan {pid}")


def _signal(pid: int, name: str, number: signal.Signals, *, within: float) -> bool:
    """Signal a process that is called so; say whether it has ended since."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return True
    return eventually(lambda: True if process_name(pid) != name else None, within=within) is not None


def _end_shims(containerd_socket: Path) -> None:
    """Kill the containers that outlived a killed dockerd, and the shims that keep them."""
    shims = _called("containerd-shim", containerd_socket)
    for pid in [*(child for shim in shims for child in _children(shim)), *shims]:
        if (name := process_name(pid)) is not None:
            _signal(pid, name, signal.SIGKILL, within=KILL_WITHIN)


def _called(name: str, path: Path) -> set[int]:
    """Return the processes of that name, or longer, that were called with that path.

    What sees other files, as an engine in a container does, means another by the same path.
    """
    found = {pid for pid, each in processes().items() if each.startswith(name)}
    return {pid for pid in found if str(path) in command_line(pid) and _sees_our_files(pid)}


def _sees_our_files(pid: int) -> bool:
    """Whether a process is in this one's mount namespace (mount_namespaces(7))."""
    try:
        return Path(f"/proc/{pid}/ns/mnt").readlink() == Path("/proc/self/ns/mnt").readlink()
    except OSError:
        return False


def _children(pid: int) -> tuple[int, ...]:
    """Return a process's children; proc_pid_stat(5) names the parent in its fourth field."""
    found = []
    for each in processes():
        try:
            stat = Path(f"/proc/{each}/stat").read_text(errors="replace")
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[1]) == pid:
            found.append(each)
    return tuple(found)
