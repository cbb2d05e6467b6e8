"""What can be expected of a lab's servers, beside what can be done to its hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labctl.exercises.vocabulary import attempts, timing
from labctl.exercises.vocabulary.expectation import WITHIN, ExpectationFailed
from labctl.exercises.vocabulary.hosts import Hosts
from labctl.exercises.vocabulary.letter import Letter
from labctl.lab.inside.queues import read_queue
from labctl.lab.role import Role
from labctl.mail.content.message import normal_message_id
from labctl.mail.log.delivery import DeliveryTracker
from labctl.mail.log.logevent import Queued

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.letter import Attempt
    from labctl.mail.queue import QueuedMessage
    from labctl.trace.logs.entry import Entry


class Servers(Hosts):
    """The servers of a running lab, during one exercise; the arguments are those of `Hosts`."""

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
    ) -> Entry:
        """Expect a line of a host's log that contains a text, said since the exercise began.

        Of a letter it has to be a line about it, or one that names none by the process that delivered it
        (`Letter.remarks`).
        """
        host = self.host(at).hostname
        lines = (lambda: self.watch.sayings) if letter is None else letter.lines
        with self.narrator.step(f"Expect {host} to log “{text}”") as evidence:
            said = self.expectations.expect(
                f"{host} logs “{text}”",
                lambda: next((e for e in lines() if e.host == host and text in e.text), None),
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

        def found() -> tuple[Entry, Queued] | None:
            queued = [
                (each, each.event)
                for each in self.watch.sayings
                if isinstance(each.event, Queued)
                and each.event.message_id == wanted
                and host in {None, each.host}
            ]
            # Hosts are listened to apart: what one of them said first may come last.
            return min(queued, key=lambda each: each[0].at, default=None)

        with self.narrator.step(f"Find {wanted} in the log of {host or 'a server'}") as evidence:
            saying, queued = self.expectations.expect(f"{wanted} in a log", found, within=within)
            evidence.append(str(saying))
        rcpt_tos = None if to is None else (to,)
        tracker = DeliveryTracker(wanted, queued.queue_id, saying.host, rcpt_tos, journal=self.watch.journal)
        return Letter(wanted, "", rcpt_tos or (), "", tracker, self.watch)

    def fail(self, expected: str, seen: str, letter: Letter | None = None) -> ExpectationFailed:
        """Return the failure of an expectation of one's own, to be raised, with what is known of a letter."""
        return self.expectations.failure(expected, seen, letter)
