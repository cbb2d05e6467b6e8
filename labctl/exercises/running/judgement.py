"""Whose doing it is that a check of an attempt went wrong: the attempt's, the lab's or the check's own.

The rule: what the author of an attempt can influence is failed, and only what he can't is an error. A server
that was given a file of the attempt, or needs one that was, is his. So may be whatever else a check raises,
as it reads what these servers say: here that is blamed on the check, and `labctl.grading.control` then finds
out whether it raises without the attempt, too.
"""

from __future__ import annotations

import smtplib
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from labctl.errors import EngineError, LabctlError, LabNotUp, ServiceCommandFailed, ServiceNotReady
from labctl.exercises.result.outcome import Blame, Outcome, told_below
from labctl.exercises.result.verdict import Verdict
from labctl.exercises.running.performance import explained
from labctl.lab.running import instance
from labctl.lab.running.instance import HostState
from labctl.mail.client.failure import seen_in

if TYPE_CHECKING:
    from labctl.engine.model import Container
    from labctl.engine.protocol import Engine
    from labctl.exercises.worker.protocol import Exam
    from labctl.lab.running.instance import Host, Instance

_LOG_TAIL: Final = 20

_KILLED: Final = 137
"""The exit code of a container whose first process was killed (128 + SIGKILL)."""

_GONE: Final = (ConnectionError, TimeoutError, EOFError, MemoryError, smtplib.SMTPServerDisconnected)
"""What a check's own socket raises where a server is not there, hangs up, or never comes to an end."""

_SILENT: Final = ("connection refused", "no ")
"""How `seen_in` begins where a server said nothing."""


class ExamJudge:
    """Judges what checks of one attempt raise, and what has become of the hosts that were given it.

    Args:
        engine: The engine.
        name: The lab's name.
        exam: The exam.
        memory: How much each host may use, as a lab's definition has it (``256m``).
    """

    def __init__(self, engine: Engine, name: str, exam: Exam, memory: str) -> None:
        self._engine = engine
        self._name = name
        self._exam = exam
        self._memory = f"{memory[:-1]} {memory[-1:].upper()}B"

    def judged(self, error: BaseException) -> Outcome | None:
        """Judge what a check raised.

        Returns:
            Failed where a daemon of the attempt's, or one that needs such a one, did not answer as a server
            does; an error where the engine or another host failed; None where it is the check's own doing.
        """
        of_socket = isinstance(error, _GONE) and bool(self._exam.students)
        if not of_socket and not isinstance(error, ServiceNotReady | ServiceCommandFailed | LabNotUp):
            return None
        try:
            there = instance.observe(self._engine, self._name)
            if (defeat := self.defeat(there)) is not None:
                return defeat
        except EngineError as failure:
            return Outcome(Verdict.ERROR, failure.message, Blame.LAB)
        if isinstance(error, LabctlError):
            return self._of_service(error, there)
        seen = "its answer is too large" if isinstance(error, MemoryError) else seen_in(error)
        return Outcome(Verdict.FAILED, f"a server did not go on: {seen}")

    def out_of_time(self, said: str) -> Outcome:
        """Judge a check that did not end in its time: failed, if only the engine answers."""
        try:
            self._engine.version()
        except EngineError as failure:
            return Outcome(Verdict.ERROR, f"{said}\n{failure.message}", Blame.LAB)
        return Outcome(Verdict.FAILED, said)

    def defeat(self, there: Instance) -> Outcome | None:
        """Return which host that was given a file of the attempt has ended, and how, or None."""
        for host in there.hosts:
            ended = host.state in {HostState.STOPPED, HostState.ABSENT} and host.service not in there.faulted
            if ended and host.service in self._exam.students:
                return self._end_of(host)
        return None

    def _end_of(self, host: Host) -> Outcome:
        if host.container is None:
            return Outcome(Verdict.FAILED, f"{host.service} is gone")
        container = self._engine.inspect(host.container.id)
        lines = self._last_lines(container)
        text = f"{host.service} ended ({self._how(container)})"
        return Outcome(Verdict.FAILED, text + told_below(lines), evidence=lines)

    def _how(self, container: Container) -> str:
        code = f"exit code {container.exit_code}"
        if container.exit_code != _KILLED:
            return code
        return f"{code}: {f'it used up its {self._memory} of memory' if container.oom_killed else 'killed'}"

    def _last_lines(self, container: Container) -> tuple[str, ...]:
        with suppress(LabctlError):  # it has ended, whatever it said
            return tuple(each.text for each in self._engine.logs(container.id, tail=_LOG_TAIL))
        return ()

    def _of_service(self, error: LabctlError, there: Instance) -> Outcome:
        """Judge what is told of one service; what is not known to be of an attempt's is the lab's own."""
        host, port = _place(error, there)
        if host is None or host.service not in there.with_needing(self._exam.students):
            return Outcome(Verdict.ERROR, explained(error), Blame.LAB)
        seen = str(error.detail.get("seen", error.message))
        if port is None:
            said = error.message
        elif seen.startswith(_SILENT) and error.detail.get("stage", "CONNECT") == "CONNECT":
            said = f"{host.hostname} does not answer on port {port}: {seen}"
        else:
            at = f"at {error.detail['stage']}, " if "stage" in error.detail else ""
            said = f"{host.hostname}, port {port}: {at}{seen}"
        if host.service not in self._exam.students:
            said += f" (it can't answer without {' and '.join(sorted(self._exam.students))})"
        return Outcome(Verdict.FAILED, said)


def _place(error: LabctlError, there: Instance) -> tuple[Host | None, int | None]:
    """Find the host that an error is about, and its port where that is told."""
    if service := error.detail.get("service"):
        return next((each for each in there.hosts if each.service == service), None), None
    where = str(error.detail.get("server") or error.detail.get("mailbox") or "")
    address, _, port = where.rpartition("@")[2].rpartition("//")[2].rpartition(":")
    for host in there.hosts:
        if host.container is None or not port.isdecimal():
            continue
        if address == str(host.container.address):
            return host, int(port)
        published = (each for each in host.container.published if str(each.host_port) == port)
        if address == "127.0.0.1" and (found := next(published, None)) is not None:
            return host, found.port
    return None, None
