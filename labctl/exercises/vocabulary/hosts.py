"""What can be done to a lab's hosts in an exercise."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING

from labctl.errors import EngineError, FaultError, GradingError, ServiceCommandFailed
from labctl.exercises.log.watch import Watch, now
from labctl.exercises.vocabulary.conversation import Conversation, connected
from labctl.exercises.vocabulary.expectation import Expectations
from labctl.exercises.vocabulary.records import Records
from labctl.faults import application, catalogue
from labctl.faults.hostchange import HostChange
from labctl.lab import lock
from labctl.lab.blueprint.clock import Clock
from labctl.lab.role import Role
from labctl.lab.running import instance
from labctl.resolver import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime

    from labctl.engine.protocol import Engine
    from labctl.exercises.result.narration import Narrator
    from labctl.lab.blueprint.definition import LabDefinition
    from labctl.lab.running.instance import Host, Instance


@dataclass(eq=False, repr=False)
class Hosts:
    """The hosts of a running lab, during one exercise.

    Args:
        engine: The engine.
        there: The lab.
        definition: What it was started from.
        narrator: Told every step.
    """

    engine: Engine
    there: Instance
    definition: InitVar[LabDefinition]
    narrator: Narrator
    clock: Clock = field(init=False)
    watch: Watch = field(init=False)
    expectations: Expectations = field(init=False)
    flushed: list[tuple[str, datetime]] = field(default_factory=list, init=False)
    _applied: list[str] = field(default_factory=list, init=False)
    _changes: int = field(default=0, init=False)

    def __post_init__(self, definition: LabDefinition) -> None:
        self.clock = Clock.of(definition)
        self.watch = Watch(self.engine, self.there.hosts, since=now())
        self.expectations = Expectations(self.engine, self.there, self.watch)

    def host(self, name: str) -> Host:
        """Return a host by its service's name or its FQDN.

        Raises:
            NoSuchHost: There is none.
        """
        return self.there.host(name)

    def close(self, *, keep_faults: bool = False) -> None:
        """End the exercise: what is still applied is undone, the youngest first, and the logs are let go.

        Raises:
            EngineError: Something could not be undone; the rest was.
        """
        self.watch.close()
        failures: list[EngineError | FaultError | GradingError] = []
        for name in [] if keep_faults else reversed(self._applied.copy()):
            try:
                self._revert(name)
            except (EngineError, FaultError, GradingError) as exc:
                failures.append(exc)
        if failures:
            raise failures[0]

    @contextmanager
    def fault(self, name: str, **parameters: object) -> Iterator[None]:
        """Apply a fault (``labctl fault list``) for the length of a block.

        Args:
            name: Its name, as ``mx-null``.
            parameters: Its parameters; the others keep their defaults.
        """
        fault = catalogue.find(name)
        given = {key: str(value) for key, value in parameters.items()}
        values = fault.values(given)
        with self.narrator.step(f"Fault {name}: {fault.told(values)}") as evidence:
            evidence.extend(fault.setting.splitlines())
            with lock.working(self.engine, self.there.name):
                application.apply(self.engine, self._now(), fault, given)
            self._applied.append(name)
        yield from self._for_a_block(name, f"The fault {name} is gone")

    def settings(self, host: str, why: str, **settings: str) -> AbstractContextManager[None]:
        """Change parameters of an MTA's ``main.cf`` for the length of a block.

        Args:
            host: The MTA.
            why: What that means, as the step's text.
            settings: The parameters (postconf(5)) and their values.
        """
        lines = [f"{name} = {value}" for name, value in settings.items()]
        change = HostChange(self.host(host).service, settings=settings)
        return self.changed(f"{self.host(host).hostname}: {why}", lines, change)

    def files(self, host: str, why: str, files: Mapping[str, str]) -> AbstractContextManager[None]:
        """Put files into a host for the length of a block, and make its daemon read them.

        Args:
            host: The host.
            why: What that means, as the step's text.
            files: Texts by path.
        """
        lines = [f"{path}: {line}" for path, text in files.items() for line in text.splitlines() if line]
        change = HostChange(self.host(host).service, files=files)
        return self.changed(f"{self.host(host).hostname}: {why}", lines, change)

    @contextmanager
    def changed(self, text: str, evidence_lines: list[str], *changes: HostChange) -> Iterator[None]:
        """Make changes to hosts, all at once, for the length of a block: what `settings` and its kin do."""
        self._changes += 1
        name = f"exercise-{self._changes}"
        with self.narrator.step(text) as evidence:
            evidence.extend(evidence_lines)
            with lock.working(self.engine, self.there.name):
                application.change(self.engine, self._now(), name, {}, changes, title=text)
            self._applied.append(name)
        yield from self._for_a_block(name, f"As before again: {text}")

    def _for_a_block(self, name: str, text: str) -> Iterator[None]:
        """Undo at the block's end, unless an exception passes: then `close` does, or the user keeps it."""
        yield
        with self.narrator.step(text):
            self._revert(name)

    def _revert(self, name: str) -> None:
        with lock.working(self.engine, self.there.name):
            application.revert(self.engine, self._now(), name)
        self._applied.remove(name)

    def _now(self) -> Instance:
        return instance.observe(self.engine, self.there.name)

    def exec(
        self, host: str, *argv: str, why: str = "", stdin: str | None = None, fails: bool = False
    ) -> str:
        """Run a command on a host, as root.

        Args:
            host: The host.
            argv: The command.
            why: What it is for, as the step's text; the command itself where it is empty.
            stdin: What it reads.
            fails: Whether it may end with another code than 0.

        Returns:
            What it printed, both streams.

        Raises:
            ServiceCommandFailed: It ended with another code than 0, or came to no end.
        """
        there = self.host(host)
        shown = shlex.join(argv)
        with self.narrator.step(f"{there.hostname}: {why or shown}") as evidence:
            command = list(argv)
            if stdin is not None:
                script = 'input=$1; shift; printf %s "$input" | "$@"'
                command = ["/bin/sh", "-c", script, "exec", stdin, *argv]
            done = self.engine.execute(there.running_container().id, command)
            said = (done.stdout + done.stderr).decode("utf-8", "replace")
            evidence.append(f"$ {shown}")
            evidence.extend(said.splitlines())
            if done.exit_code != 0 and not fails:
                raise ServiceCommandFailed(
                    f"{shown} on {there.service} ended with {done.exit_code}: {said.strip()}",
                    hint=f"labctl logs {there.service}",
                    detail={"service": there.service},
                )
            return said

    def flush(self, host: str) -> None:
        """Make an MTA try at once what waits in its queue (postqueue(1))."""
        self.flushed.append((self.host(host).hostname, now()))
        self.exec(host, "postqueue", "-f", why="try everything in the queue now")

    @contextmanager
    def conversation(self, host: str, port: int = 25, *, early: str | None = None) -> Iterator[Conversation]:
        """Talk SMTP with a server, line by line.

        Args:
            host: The server.
            port: Its port.
            early: A line to say without waiting for the greeting, as no client may.
        """
        there = self.host(host)
        too_early = f", and say “{early}” before it greets" if early else ""
        with self.narrator.step(f"Connect to {there.hostname}, port {port}{too_early}") as evidence:
            dialogue = connected(self.engine, there, port, early)
            evidence.extend(dialogue.transcript)
        with dialogue:
            yield Conversation(dialogue, there.hostname, self.narrator)

    def dig(self, name: str, rdtype: str | None = None) -> Records:
        """Ask the lab's resolver."""
        resolver = self.there.of_role(Role.DNS)[0]
        with self.narrator.step(f"Ask {resolver.hostname} for {name} {rdtype or ''}".rstrip()) as evidence:
            answer = resolve(*resolver.door(53, "udp"), name, rdtype)
            records = Records(answer, self.expectations, self.narrator)
            evidence.extend(records.lines)
            return records

    def exchangers(self, domain: str) -> list[str]:
        """Return the hosts that a domain's MX records name, in the order of their preference (RFC 5321, 5.1).

        Names are in small letters: to the DNS, large ones are the same (RFC 4343).
        """
        found = (each.text.split() for each in self.dig(domain, "MX").answer.records if each.type == "MX")
        ordered = sorted((int(preference), name.casefold()) for preference, name in found)
        return list(dict.fromkeys(name for _, name in ordered))

    def addresses(self, name: str) -> set[str]:
        """Return the addresses that a name has, IPv6's too, be it by way of aliases."""
        records = ((each, kind) for kind in ("A", "AAAA") for each in self.dig(name, kind).answer.records)
        return {each.text for each, kind in records if each.type == kind}
