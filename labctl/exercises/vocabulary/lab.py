"""The fixture ``lab``: what can be done to a lab's hosts and expected of its servers."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from labctl.errors import ServiceCommandFailed
from labctl.exercises.vocabulary import attempts, timing
from labctl.exercises.vocabulary.conversation import Conversation, connected
from labctl.exercises.vocabulary.expectation import WITHIN, ExpectationFailed, Expectations
from labctl.exercises.vocabulary.letter import Letter
from labctl.exercises.vocabulary.person import Person
from labctl.exercises.vocabulary.records import Records
from labctl.exercises.watch import Watch, now
from labctl.faults import application, catalogue
from labctl.faults.hostchange import HostChange
from labctl.lab import instance, lock
from labctl.lab.clock import Clock
from labctl.lab.mailhosts import find_account
from labctl.lab.queues import read_queue
from labctl.lab.role import Role
from labctl.mail.delivery import DeliveryTracker
from labctl.mail.logevent import Queued
from labctl.mail.message import normal_message_id
from labctl.resolver import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from labctl.engine.protocol import Engine
    from labctl.exercises.narration import Narrator
    from labctl.exercises.saying import Saying
    from labctl.exercises.vocabulary.letter import Attempt
    from labctl.lab.definition import LabDefinition
    from labctl.lab.instance import Host, Instance
    from labctl.mail.queue import QueuedMessage


class ExerciseLab:
    """A running lab, during one exercise.

    Args:
        engine: The engine.
        engine_url: Its URL, under which labs are locked.
        there: The lab.
        definition: What it was started from.
        narrator: Told every step.
    """

    def __init__(
        self, engine: Engine, engine_url: str, there: Instance, definition: LabDefinition, narrator: Narrator
    ) -> None:
        self.engine = engine
        self.there = there
        self.narrator = narrator
        self.clock = Clock.of(definition)
        self.watch = Watch(engine, there.hosts, since=now())
        self.expectations = Expectations(engine, there, self.watch)
        self._engine_url = engine_url
        self._people: dict[str, Person] = {}
        self._applied: list[str] = []
        self._changes = 0
        self.flushed: list[tuple[str, datetime]] = []

    def account(self, address: str) -> Person:
        """Return the user of an account.

        Raises:
            NoSuchAccount: The lab has none of that address.
        """
        if address not in self._people:
            self._people[address] = Person(self, find_account(self.engine, self.there, address))
        return self._people[address]

    def host(self, name: str) -> Host:
        """Return a host by its service's name or its FQDN.

        Raises:
            NoSuchHost: There is none.
        """
        return self.there.host(name)

    def close(self, *, keep_faults: bool = False) -> None:
        """End the exercise: what is still applied is undone, and the connections are given back."""
        for person in self._people.values():
            person.close()
        self.watch.close()
        if not keep_faults:
            for name in reversed(self._applied):
                self._revert(name)

    # What is done to hosts

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
        with self.narrator.step(f"Fault {name}: {fault.title.format_map(values)}") as evidence:
            evidence.extend(fault.setting.splitlines())
            with lock.held(self._engine_url, self.there.name):
                application.apply(self.engine, self._now(), fault, given)
            self._applied.append(name)
        yield from self._for_a_block(name, f"The fault {name} is gone")

    @contextmanager
    def settings(self, host: str, why: str, **settings: str) -> Iterator[None]:
        """Change parameters of an MTA's ``main.cf`` for the length of a block.

        Args:
            host: The MTA.
            why: What that means, as the step's text.
            settings: The parameters (postconf(5)) and their values.
        """
        lines = [f"{name} = {value}" for name, value in settings.items()]
        change = HostChange(self.host(host).service, settings=settings)
        with self.changed(f"{self.host(host).hostname}: {why}", lines, change):
            yield

    @contextmanager
    def files(self, host: str, why: str, files: Mapping[str, str]) -> Iterator[None]:
        """Put files into a host for the length of a block, and make its daemon read them.

        Args:
            host: The host.
            why: What that means, as the step's text.
            files: Texts by path.
        """
        lines = [f"{path}: {line}" for path, text in files.items() for line in text.splitlines() if line]
        change = HostChange(self.host(host).service, files=files)
        with self.changed(f"{self.host(host).hostname}: {why}", lines, change):
            yield

    @contextmanager
    def changed(self, text: str, evidence_lines: list[str], *changes: HostChange) -> Iterator[None]:
        """Make changes to hosts, all at once, for the length of a block: what `settings` and its kin do."""
        self._changes += 1
        name = f"exercise-{self._changes}"
        with self.narrator.step(text) as evidence:
            evidence.extend(evidence_lines)
            with lock.held(self._engine_url, self.there.name):
                application.change(self.engine, self._now(), name, {}, changes, title=text)
            self._applied.append(name)
        yield from self._for_a_block(name, f"As before again: {text}")

    def _for_a_block(self, name: str, text: str) -> Iterator[None]:
        """Undo at the block's end, unless an exception passes: then `close` does, or the user keeps it."""
        yield
        with self.narrator.step(text):
            self._revert(name)

    def _revert(self, name: str) -> None:
        with lock.held(self._engine_url, self.there.name):
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
            ServiceCommandFailed: It ended with another code than 0.
        """
        there = self.host(host)
        shown = shlex.join(argv)
        with self.narrator.step(f"{there.hostname}: {why or shown}") as evidence:
            command = list(argv)
            if stdin is not None:
                command = [
                    "/bin/sh",
                    "-c",
                    'input=$1; shift; printf %s "$input" | "$@"',
                    "exec",
                    stdin,
                    *argv,
                ]
            done = self.engine.execute(there.running_container().id, command)
            said = (done.stdout + done.stderr).decode("utf-8", "replace")
            evidence.append(f"$ {shown}")
            evidence.extend(said.splitlines())
            if done.exit_code != 0 and not fails:
                raise ServiceCommandFailed(
                    f"{shown} on {there.service} ended with {done.exit_code}: {said.strip()}",
                    hint=f"labctl logs {there.service}",
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
            answer = Records(self, resolver, resolve(*resolver.door(53, "udp"), name, rdtype))
            evidence.extend(answer.lines)
            return answer

    # What is expected of servers

    def expect_sent(self, letter: Letter, **wanted: Any) -> Attempt:
        """Expect that a host handed a letter on (``status=sent``); see `expect_attempt`."""
        return self.expect_attempt(letter, "sent", **wanted)

    def expect_deferred(self, letter: Letter, **wanted: Any) -> Attempt:
        """Expect that an attempt failed for now (``status=deferred``); see `expect_attempt`."""
        return self.expect_attempt(letter, "deferred", **wanted)

    def expect_bounced(self, letter: Letter, **wanted: Any) -> Attempt:
        """Expect that an attempt failed for good (``status=bounced``); see `expect_attempt`."""
        return self.expect_attempt(letter, "bounced", **wanted)

    def expect_attempt(
        self,
        letter: Letter,
        status: str,
        *,
        dsn: str | None = None,
        code: int | None = None,
        says: str | None = None,
        at: str | None = None,
        relay: str | None = None,
        recipient: str | None = None,
        nth: int = 1,
        within: float = WITHIN,
    ) -> Attempt:
        """Expect an attempt to deliver a letter.

        Args:
            letter: The letter.
            status: Postfix's word for its outcome: sent, deferred, bounced, SOFTBOUNCE, deliverable…
            dsn: The enhanced status code, as ``4.4.1``.
            code: The code of the SMTP reply that decided, as 450.
            says: Part of the reply, or of what the agent itself found wrong.
            at: The host that tried.
            relay: Part of the next host's name or address as the log has it.
            recipient: Of whom.
            nth: Of those that fit the how manieth, from 1.
            within: Seconds.

        Raises:
            ExpectationFailed: There was none, or can't be any more.
        """
        host = None if at is None else self.host(at).hostname
        wish = attempts.Wish(status, dsn, code, says, host, relay, recipient)
        with self.narrator.step(f"Expect {wish}{attempts.turn(nth)}: {letter}") as evidence:
            fitting = self.expectations.expect(
                f"{wish}{attempts.turn(nth)}",
                lambda: attempts.nth(wish, letter, nth),
                letter=letter,
                hopeless=lambda: attempts.hopeless(letter),
                within=within,
            )
            evidence.append(str(fitting.saying))
            evidence.extend(timing.of_attempt(letter, fitting, self.clock, self.flushed))
            return fitting

    def expect_log(
        self, text: str, *, at: str, letter: Letter | None = None, within: float = WITHIN
    ) -> Saying:
        """Expect a line of a host's log that contains a text, said since the exercise began.

        Of a letter it has to be a line about it, or one that names none by the process that delivered it
        (`Letter.remarks`).
        """
        host = self.host(at).hostname
        lines = (lambda: self.watch.sayings) if letter is None else letter.lines
        with self.narrator.step(f"Expect {host} to log “{text}”") as evidence:
            said = self.expectations.expect(
                f"{host} logs “{text}”",
                lambda: next((e for e in lines() if e.host.hostname == host and text in e.text), None),
                letter=letter,
                hopeless=lambda: None if letter is None else attempts.hopeless(letter),
                within=within,
            )
            evidence.append(str(said))
            return said

    def expect_queued(self, letter: Letter, queue: str, *, at: str, within: float = WITHIN) -> QueuedMessage:
        """Expect a letter in one of a host's queues: ``hold``, ``deferred``, ``active``."""
        host = self.host(at)

        def found() -> QueuedMessage | None:
            entries = read_queue(self.engine, host)
            ours = (e for e in entries if e.message_id == letter.message_id and e.queue_name == queue)
            return next(ours, None)

        with self.narrator.step(f"Expect {letter} in the queue {queue} of {host.hostname}") as evidence:
            entry = self.expectations.expect(
                f"in the queue {queue} of {host.hostname}",
                found,
                letter=letter,
                hopeless=lambda: f"the letter is {letter.state}" if letter.over() else None,
                within=within,
                polls=True,
            )
            for each in entry.recipients:
                evidence.append(
                    f"{entry.queue_id} {entry.queue_name}: {each.address} {each.delay_reason or ''}"
                )
            return entry

    def expect_queue_empty(self, at: str | None = None, *, within: float = WITHIN) -> None:
        """Expect that nothing waits in a host's queue, or in any."""
        hosts = self.there.of_role(Role.MTA) if at is None else (self.host(at),)
        names = ", ".join(each.hostname for each in hosts)

        def empty() -> bool | None:
            return None if any(read_queue(self.engine, each) for each in hosts) else True

        with self.narrator.step(f"Expect that nothing waits: {names}"):
            self.expectations.expect(f"empty queues: {names}", empty, within=within, polls=True)

    def expect_gone(self, letter: Letter, *, within: float = WITHIN) -> None:
        """Expect that a letter has left every queue for good, whatever became of it."""
        with self.narrator.step(f"Expect that {letter} has left every queue") as evidence:
            self.expectations.expect(
                "no copy in any queue",
                lambda: True if attempts.gone(letter) else None,
                letter=letter,
                within=within,
            )
            evidence.extend(f"{each.address}: {each.state}" for each in letter.tracker.recipients)

    def letter(
        self, message_id: str, *, at: str | None = None, to: str | None = None, within: float = WITHIN
    ) -> Letter:
        """Find a letter that no `Person.send` sent, by its Message-ID in the servers' logs.

        Args:
            message_id: Its Message-ID.
            at: The server that it came to first; whichever logged it first where none is named.
            to: Whom to, where that is known.
            within: Seconds.
        """
        wanted = normal_message_id(message_id)
        host = None if at is None else self.host(at).hostname

        def found() -> tuple[Saying, Queued] | None:
            for each in self.watch.sayings:
                event, here = each.event, host in {None, each.host.hostname}
                if here and isinstance(event, Queued) and event.message_id == wanted:
                    return each, event
            return None

        with self.narrator.step(f"Find {wanted} in the log of {host or 'a server'}") as evidence:
            saying, queued = self.expectations.expect(f"{wanted} in a log", found, within=within)
            evidence.append(str(saying))
        rcpt_tos = None if to is None else (to,)
        tracker = DeliveryTracker(
            wanted, queued.queue_id, saying.host.hostname, rcpt_tos, journal=self.watch.journal
        )
        return Letter(wanted, "", rcpt_tos or (), "", tracker, self.watch)

    def fail(self, expected: str, seen: str, letter: Letter | None = None) -> ExpectationFailed:
        """Return the failure of an expectation of one's own, to be raised, with what is known of a letter."""
        return self.expectations.failure(expected, seen, letter)
