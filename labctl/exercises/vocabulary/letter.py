"""A letter that was sent in an exercise, and all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labctl.mail.log.logevent import BESIDES, Delivery, Discarded, Event, Held, NonDelivery, Rejected
from labctl.mail.state import MessageState, is_final
from labctl.trace.journey.weaving import weave

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.exercises.log.watch import Watch
    from labctl.mail.client.submission import Submission
    from labctl.mail.log.delivery import DeliveryTracker
    from labctl.mail.log.logevent import DeliveryStatus
    from labctl.trace.journey.hop import TracedMessage
    from labctl.trace.journey.world import World
    from labctl.trace.logs.entry import Entry


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver a letter to one recipient, as the delivery agent logged it."""

    saying: Entry
    delivery: Delivery

    @property
    def says(self) -> str:
        """The reply, or what the agent itself found wrong."""
        return self.delivery.reply_text

    @property
    def status(self) -> DeliveryStatus | str:
        """``sent``, ``deferred``, ``bounced`` or another of Postfix's words."""
        return self.delivery.status

    @property
    def dsn(self) -> str:
        """The enhanced status code."""
        return self.delivery.dsn


@dataclass(eq=False, slots=True)
class Letter:
    """A letter, from the moment its sender's server answered."""

    message_id: str
    mail_from: str
    rcpt_tos: tuple[str, ...]
    subject: str
    tracker: DeliveryTracker
    watch: Watch
    submission: Submission | None = None
    """None for a letter that was not sent by the exercise itself."""

    @property
    def accepted(self) -> bool:
        """Whether the server took it, for one recipient at least."""
        return self.submission is None or self.submission.accepted

    @property
    def reply(self) -> str:
        """The server's reply that decided."""
        return "" if self.submission is None else str(self.submission.reply)

    @property
    def queue_id(self) -> str:
        """The id under which the first server queued it; empty where it did not."""
        told = "" if self.submission is None else self.submission.queue_id or ""  # before its log does
        return next((queue_id for _, queue_id in self.tracker.queue_ids), told)

    def __str__(self) -> str:
        return f"“{self.subject}”" if self.subject else self.message_id

    @property
    def state(self) -> MessageState:
        """What is true of it now: of its recipients' states the least happy."""
        return self.tracker.state if self.accepted else MessageState.REJECTED

    def over(self) -> bool:
        """Whether nothing more will happen to it: every recipient's copy is in a final state."""
        if not self.accepted:
            return True
        recipients = self.tracker.recipients
        return (
            bool(recipients) and all(is_final(each.state) for each in recipients) and self.tracker.knows_all
        )

    def sayings(self) -> Iterator[Entry]:
        """Yield the log lines that are about it, in the order of time."""
        ids = set(self.tracker.queue_ids)
        for each in self.watch.sayings:
            if _is_of_fate(each) and ((each.host, each.queue_id) in ids or self._names(each.event)):
                yield each

    def _names(self, event: object) -> bool:
        """Say whether an event without a queue id is about one of its recipients."""
        if not isinstance(event, Rejected | Held | Discarded) or event.queue_id is not None:
            return False
        return event.rcpt_to in self.rcpt_tos and event.mail_from in {None, self.mail_from}

    def attempts(self, recipient: str | None = None) -> Iterator[Attempt]:
        """Yield the attempts to deliver it, of one recipient where one is named."""
        wanted = None if recipient is None else recipient.casefold()
        for each in self.sayings():
            if isinstance(each.event, Delivery):
                names = {each.event.recipient.casefold(), (each.event.orig_to or "").casefold()}
                if wanted is None or wanted in names:
                    yield Attempt(each, each.event)

    def lines(self) -> Iterator[Entry]:
        """Yield all that was said of it: the lines about it, then the remarks."""
        yield from self.sayings()
        yield from self.remarks()

    def remarks(self) -> Iterator[Entry]:
        """Yield what a delivery agent said without naming a letter, right before it told how this one fared.

        So it logs hosts that it could not reach, and what it finds wrong in the DNS.
        """
        ids = set(self.tracker.queue_ids)
        said: dict[tuple[str, str, int], list[Entry]] = {}
        for each in self.watch.sayings:
            agent = (each.host, each.program, each.pid)
            if not _is_of_fate(each):
                said.setdefault(agent, []).append(each)
                continue
            before = said.pop(agent, [])
            if isinstance(each.event, Delivery) and (each.host, each.queue_id) in ids:
                yield from before

    def journey(self, world: World) -> TracedMessage | None:
        """Tell its whole journey as far as the logs have it now; None where no log names it.

        Args:
            world: What is known beside the logs.
        """
        found = weave(self.watch.sayings, world, queue_files=self.tracker.queue_ids)
        return next((each for each in found if each.message_id == self.message_id), None)

    def reports(self) -> Iterator[tuple[Entry, NonDelivery]]:
        """Yield what bounce(8) wrote about it."""
        for each in self.sayings():
            if isinstance(each.event, NonDelivery):
                yield each, each.event

    def report_ids(self, to: str = "sender") -> list[str]:
        """Return the Message-IDs of the reports that were written about it, to be followed by `lab.letter`.

        Args:
            to: Whom they were written to: its ``sender``, or the ``postmaster``.
        """
        journal = self.watch.journal
        written = [(saying.host, event.dsn_queue_id) for saying, event in self.reports() if event.to == to]
        files = [journal.last(host, queue_id) for host, queue_id in written]
        return [each.message_id for each in files if each is not None and each.message_id]


def _is_of_fate(entry: Entry) -> bool:
    """Whether a line says what became of a message."""
    return isinstance(entry.event, Event) and not isinstance(entry.event, BESIDES)
