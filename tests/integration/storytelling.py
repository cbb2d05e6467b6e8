"""A plugin for pytest: after each exercise, is what the trace tells of each of its letters the true story?

An exercise knows what it did and what its servers said; here that is compared with the traces of its letters,
before its faults are undone and its lab is as new again. What differs is written to a file, by exercise.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from labctl.commands.trace import trace
from labctl.errors import NoSuchMessage
from labctl.exercises.catalogue import discovery
from labctl.exercises.vocabulary.hosts import Hosts
from labctl.exercises.vocabulary.letter import Letter
from labctl.exercises.vocabulary.mailbox import Mailbox
from labctl.exercises.vocabulary.person import Person
from labctl.lab.running.instance import accounts
from labctl.mail.content import dsn
from labctl.mail.log.logevent import DeliveryStatus, NotificationKind, Rejected
from labctl.mail.state import MessageState
from labctl.trace.finding.wanted import Wanted
from labctl.trace.journey.hop import HopEvent, NoteKind

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.letter import Attempt
    from labctl.exercises.vocabulary.mail import Mail
    from labctl.mail.content.dsn import Dsn
    from labctl.trace.journey.hop import Hop, Notice, TracedMessage

FINDINGS: Final = "LABCTL_TEST_FINDINGS"
"""Names the file in the environment."""

_TRIES: Final = 5
"""How often a letter is traced anew because something happened to it meanwhile."""

_OUTCOMES: Final[dict[HopEvent, DeliveryStatus | None]] = {
    HopEvent.RELAYED: DeliveryStatus.SENT,
    HopEvent.FORWARDED: DeliveryStatus.SENT,
    HopEvent.DELIVERED: DeliveryStatus.SENT,
    HopEvent.DISCARDED: DeliveryStatus.SENT,
    HopEvent.DEFERRED: DeliveryStatus.DEFERRED,
    HopEvent.BOUNCED: DeliveryStatus.BOUNCED,
    HopEvent.REMARKED: None,
}
_PROBES: Final = {DeliveryStatus.DELIVERABLE, DeliveryStatus.UNDELIVERABLE}
_LOOPS: Final = ("loops back to myself", "mail forwarding loop", "too many hops")


@dataclass
class Known:
    """What an exercise did."""

    letters: list[Letter] = field(default_factory=list)
    done: list[tuple[str, str, str]] = field(default_factory=list)
    """With mails: who, what, and its Message-ID."""
    emptied: set[str] = field(default_factory=set)
    """Whose mailboxes were emptied on their host, which no log tells."""
    passed: bool = False


class Storyteller:
    """Listens to the exercises, and compares."""

    def __init__(self) -> None:
        self.findings: dict[str, list[str]] = {}
        self.traced: Counter[str] = Counter()
        self._known = Known()

    def listen(self) -> None:
        """Note each letter that comes to be known, and what is done in mailboxes and with them."""
        made, moved, flagged = Letter.__init__, Mailbox.move, Mailbox.flag
        downloaded, executed = Person.download, Hosts.exec

        def make(this: Letter, *args: Any, **kwargs: Any) -> None:
            made(this, *args, **kwargs)
            self._known.letters.append(this)

        def flag(this: Mailbox, mail: Mail, *flags: str, folder: str = "INBOX") -> None:
            flagged(this, mail, *flags, folder=folder)
            self._did(this, [HopEvent.SEEN] if "\\Seen" in flags else [], mail)

        def move(this: Mailbox, mail: Mail, to: str, folder: str = "INBOX") -> None:
            moved(this, mail, to, folder)
            self._did(this, [HopEvent.COPIED], mail)

        def download(this: Person, *, delete: bool = False, hang_up: bool = False) -> list[Mail]:
            mails = downloaded(this, delete=delete, hang_up=hang_up)
            gone = [HopEvent.DELETED] if delete and not hang_up else []
            self._did(this, [HopEvent.FETCHED, *gone], *mails)
            return mails

        def execute(this: Hosts, host: str, *argv: str, **kwargs: Any) -> str:
            if argv[:3] == ("doveadm", "expunge", "-u"):
                self._known.emptied.add(argv[3])
            return executed(this, host, *argv, **kwargs)

        replaced: tuple[tuple[type, str, Callable[..., Any]], ...] = (
            (Letter, "__init__", make),
            (Mailbox, "flag", flag),
            (Mailbox, "move", move),
            (Person, "download", download),
            (Hosts, "exec", execute),
        )
        for owner, name, function in replaced:
            setattr(owner, name, function)

    def _did(self, who: Mailbox | Person, what: list[HopEvent], *mails: Mail) -> None:
        for mail in mails:
            self._known.done.extend((who.address, each, mail.message_id) for each in what)

    def pytest_runtest_setup(self) -> None:
        self._known = Known()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.when == "call":
            self._known.passed = report.passed
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Compare, as long as the lab is as the exercise left it."""
        exercise = discovery.id_of(item.name)
        lab = getattr(item, "funcargs", {}).get("lab")
        if not self._known.passed or lab is None:
            self.findings[exercise] = ["it did not pass"]
            return
        letters = {each.message_id: each for each in reversed(self._known.letters)}.values()
        story = Story(lab, list(letters), self._known)
        self.findings[exercise] = [f"{each}: {said}" for each in letters for said in story.differs(each)]
        self.traced[exercise] = story.traced

    def pytest_sessionfinish(self) -> None:
        found = {"findings": self.findings, "traced": self.traced}
        Path(os.environ[FINDINGS]).write_text(json.dumps(found), encoding="utf-8")


class Story:
    """The letters of one exercise, and how to compare one with its trace."""

    def __init__(self, lab: ExerciseLab, letters: list[Letter], known: Known) -> None:
        self._lab = lab
        self._letters = letters
        self._done = known.done
        self._emptied = known.emptied
        self._accounts = {each.address.casefold() for each in accounts(lab.engine, lab.there)}
        self.traced = 0

    def differs(self, letter: Letter) -> Iterator[str]:
        """Say in what a letter's trace differs from what the exercise knows."""
        if not letter.tracker.queue_ids:
            yield from self._refusal(letter)
            return
        try:
            messages = self._traced(letter)
        except NoSuchMessage as error:
            yield error.message
            return
        except TimeoutError as error:
            yield str(error)
            return
        host, queue_id = letter.tracker.queue_ids[0]
        ours = [m for m in messages if (host, queue_id) in {(q.host, q.queue_id) for q in m.queue_ids}]
        if len(ours) != 1 or len(messages) != 1:
            yield f"it is {len(ours)} of {len(messages)} messages"
        if not ours:
            return
        message = ours[0]
        self.traced += 1
        yield from _different("state", letter.state, message.state)
        known, told = letter.tracker.recipients, message.recipients
        if letter.submission is not None:
            yield from _different("sender", letter.mail_from, message.mail_from)
            yield from _different("originals", {r.original for r in known}, {r.original for r in told})
        asked = {each.delivery.recipient for each in letter.attempts() if each.status in _PROBES}
        if asked:  # and nothing was sent
            told_of = {(each.address, each.state) for each in told}
            yield from _different("recipients", {(each, MessageState.UNKNOWN) for each in asked}, told_of)
        else:
            yield from _different("recipients", _fates(known), _fates(told))
        yield from _different("attempts", _attempts(letter), _attempts_told(message.hops))
        yield from self._queue_ids(letter, message)
        yield from self._order(message)
        yield from self._lookups(letter, message)
        yield from self._reports(letter, message)
        yield from self._mailboxes(letter, message)
        yield from self._warnings(letter, message)

    def _traced(self, letter: Letter) -> tuple[TracedMessage, ...]:
        """Trace it while nothing happens to it."""
        lab = self._lab
        for _ in range(_TRIES):
            lab.watch.catch_up()
            before = _snapshot(letter)
            found = trace(
                lab.engine, lab.there.name, Wanted.parse(letter.message_id), environ=os.environ
            ).messages
            lab.watch.catch_up()
            if _snapshot(letter) == before:
                return found
        raise TimeoutError("something happens to it all the time")

    def _refusal(self, letter: Letter) -> Iterator[str]:
        """Compare what the server's log says of a letter that it did not take."""
        said = [
            (each, each.event)
            for each in letter.sayings()
            if isinstance(each.event, Rejected) and str(each.event.reply) in letter.reply
        ]
        for saying, event in said:
            wanted = Wanted.parse(event.rcpt_to or letter.mail_from)
            lab = self._lab
            messages = trace(lab.engine, lab.there.name, wanted, environ=os.environ).messages
            ours = [m for m in messages if any(hop.at == saying.at for hop in m.hops)]
            if len(ours) != 1:
                yield f"its refusal is told {len(ours)} times"
                continue
            self.traced += 1
            yield from _different("state", MessageState.REJECTED, ours[0].state)
            told = [
                (h.detail["reply"], h.detail["mail_from"], h.detail["recipient"])
                for h in ours[0].hops
                if h.event is HopEvent.REJECTED and h.at == saying.at
            ]
            yield from _different("refusal", [(str(event.reply), event.mail_from, event.rcpt_to)], told)

    def _queue_ids(self, letter: Letter, message: TracedMessage) -> Iterator[str]:
        own = set(letter.tracker.queue_ids)
        told = {(each.host, each.queue_id) for each in message.queue_ids}
        journal = self._lab.watch.journal
        others = {
            each  # a host that broke off had queued it already: its own log names the letter
            for each in told - own
            if getattr(journal.last(*each), "message_id", None) == letter.message_id
        }
        yield from _different("queue ids", own, told - others)
        for hop in message.hops:
            if hop.queue_id is not None and (hop.host, hop.queue_id) not in told:
                yield f"a hop of {hop.host}'s {hop.queue_id}: {hop.text}"
        for other in self._letters:
            if other is not letter and told & (set(other.tracker.queue_ids) - own):
                yield f"queue ids of {other}: {told & set(other.tracker.queue_ids)}"

    def _order(self, message: TracedMessage) -> Iterator[str]:
        for hops in (message.hops, *(each.hops for each in message.notices)):
            if sorted(each.at for each in hops) != [each.at for each in hops]:
                yield "hops are out of order"
        # Engines stamp what two hosts say at one time as they come to read it.
        first = next(each for each in message.hops if each.host == message.queue_ids[0].host)
        if first.event not in {HopEvent.SUBMITTED, HopEvent.LOOKUP, HopEvent.QUEUED}:
            yield f"it begins with {first.event}"

    def _lookups(self, letter: Letter, message: TracedMessage) -> Iterator[str]:
        """A host asked the resolver for where a letter goes before it knew that."""
        lookups = [each for each in message.hops if each.event is HopEvent.LOOKUP]
        for attempt in letter.attempts():
            domain = attempt.delivery.recipient.rpartition("@")[2].casefold()
            direct = domain not in attempt.delivery.relay and attempt.delivery.program == "smtp"
            if (
                direct
                and attempt.status not in _PROBES
                and not any(
                    each.at <= attempt.saying.at
                    and each.detail["name"].rstrip(".").casefold() == domain
                    and each.detail["type"] == "MX"
                    for each in lookups
                )
            ):
                yield f"no lookup of the MX of {domain} before {attempt.saying}"

    def _reports(self, letter: Letter, message: TracedMessage) -> Iterator[str]:
        journal = self._lab.watch.journal
        own = [
            (
                event.kind,
                event.to,
                saying.at,
                saying.host,
                event.dsn_queue_id,
                getattr(journal.last(saying.host, event.dsn_queue_id), "message_id", None),
            )
            for saying, event in letter.reports()
        ]
        named = {(host, queue_id) for _, _, _, host, queue_id, _ in own}
        notices = [each for each in message.notices if (each.host, each.queue_id) in named]
        told = [(n.kind, n.to, n.at, n.host, n.queue_id, n.message_id) for n in notices]
        yield from _different("reports", own, told)
        second = {
            (file.host, event.dsn_queue_id)
            for host, queue_id in named
            if (file := journal.last(host, queue_id)) is not None
            for _, event in file.notices
        }
        others = {(each.host, each.queue_id) for each in message.notices} - named
        yield from _different("reports about reports", second, others)
        for each in notices:
            yield from _different("what a report says", self._said(each), each.dsn)
        failures = [n for n in notices if n.kind is NotificationKind.FAILED and n.to == "sender"]
        yield from _different("the bounce", failures[-1] if failures else None, message.bounce)

    def _said(self, notice: Notice) -> Dsn | None:
        """Read a report where it lies."""
        for each in notice.recipients:
            if (person := self._person(each.address)) is not None:
                found = person.mailbox.find(notice.message_id or "")
                if found is not None:
                    return dsn.parse(person.mailbox.read(found).content)
        return None

    def _person(self, address: str) -> Person | None:
        return self._lab.account(address.casefold()) if address.casefold() in self._accounts else None

    def _mailboxes(self, letter: Letter, message: TracedMessage) -> Iterator[str]:
        """What lies in the mailboxes was stored there, and what was done with it is told."""
        hops = [each for each in message.hops if "user" in each.detail]
        told = {(str(each.detail["user"]).casefold(), str(each.event)) for each in hops}
        for who, what, message_id in self._done:
            if message_id == letter.message_id and (who.casefold(), what) not in told:
                yield f"{who}: {what} is not told"
        for each in letter.tracker.recipients:
            taken = {(each.address.casefold(), what) for what in (HopEvent.STORED, HopEvent.FILTERED)}
            owner = self._person(each.address)
            if each.state is MessageState.DELIVERED and owner is not None and not taken & told:
                yield f"delivered to {each.address}, and neither stored nor filtered: {told}"
        for hop in hops:
            person = self._person(str(hop.detail["user"]))
            gone = {HopEvent.DELETED, HopEvent.COPIED} & {
                h.event for h in hops if h.at > hop.at and h.detail["user"] == hop.detail["user"]
            }
            if hop.event is not HopEvent.STORED or person is None or gone or person.address in self._emptied:
                continue
            if person.mailbox.find(letter.message_id, str(hop.detail["mailbox"])) is None:
                yield f"it is not in {hop.detail['mailbox']} of {person}"

    def _warnings(self, letter: Letter, message: TracedMessage) -> Iterator[str]:
        kinds = {each.kind for each in message.notes}
        states = {each.state for each in letter.tracker.recipients}
        stored = Counter(str(each.detail["user"]) for each in message.hops if each.event is HopEvent.STORED)
        expected = {
            NoteKind.VANISHED: MessageState.DISCARDED in states,
            NoteKind.LOOP: any(text in each.says for text in _LOOPS for each in letter.attempts()),
            NoteKind.DUPLICATE: any(times > 1 for times in stored.values()),
            NoteKind.INCOMPLETE: False,
            NoteKind.NO_ID: False,
            NoteKind.DUPLICATE_ID: False,
        }
        for kind, due in expected.items():
            yield from _different(f"the note {kind}", due, kind in kinds)
        if MessageState.HELD in states and not any(e.event is HopEvent.HELD for e in message.hops):
            yield "that it is held is not told"


def _snapshot(letter: Letter) -> object:
    return (
        letter.state,
        letter.tracker.recipients,
        tuple(each.saying.text for each in letter.attempts()),
        tuple(each.text for each, _ in letter.reports()),
    )


def _fates(recipients: Any) -> list[tuple[Any, ...]]:
    return sorted((r.address.casefold(), r.state, r.dsn, r.reason, r.host) for r in recipients)


def _attempts(letter: Letter) -> list[tuple[Any, ...]]:
    """What the servers said of each attempt, in the order of time."""
    return [_of(each) for each in letter.attempts()]


def _of(attempt: Attempt) -> tuple[Any, ...]:
    here, what = attempt.saying, attempt.delivery
    status: str | None = DeliveryStatus.DEFERRED if what.status == DeliveryStatus.SOFTBOUNCE else what.status
    if status in _PROBES:
        status = None
    return (
        here.at,
        here.host,
        what.queue_id,
        what.recipient,
        status,
        what.dsn,
        what.relay,
        what.reply_text,
    )


def _attempts_told(hops: tuple[Hop, ...]) -> list[tuple[Any, ...]]:
    return [
        (
            hop.at,
            hop.host,
            hop.queue_id,
            hop.detail["recipient"],
            _OUTCOMES[hop.event],
            hop.detail["dsn"],
            hop.detail["relay"],
            hop.detail["reply"],
        )
        for hop in hops
        if hop.event in _OUTCOMES and "relay" in hop.detail
    ]


def _different(what: str, known: Any, told: Any) -> Iterator[str]:
    if known != told:
        if isinstance(known, list | set) and isinstance(told, list | set):
            known, told = [e for e in known if e not in told], [e for e in told if e not in known]
        yield f"{what}: known is {known}, told {told}"


def pytest_configure(config: pytest.Config) -> None:
    """Join in."""
    teller = Storyteller()
    config.pluginmanager.register(teller, "storyteller")
    teller.listen()
