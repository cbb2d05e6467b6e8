"""The reports that servers write about letters: bounces, delay warnings, receipts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from labctl.exercises.vocabulary import attempts, timing
from labctl.exercises.vocabulary.expectation import ExpectationFailed
from labctl.exercises.vocabulary.letter import Letter
from labctl.mail.content import dsn as notification
from labctl.mail.log.delivery import DeliveryTracker
from labctl.mail.log.logevent import NotificationKind
from labctl.mail.state import MessageState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labctl.exercises.result.narration import Narrator
    from labctl.exercises.vocabulary.mail import Mail
    from labctl.exercises.vocabulary.mailbox import Mailbox
    from labctl.exercises.vocabulary.servers import Servers
    from labctl.mail.content.dsn import Dsn, DsnRecipient
    from labctl.mail.log.logevent import NonDelivery
    from labctl.trace.logs.entry import Entry

_REPORTS: Final[Mapping[NotificationKind, tuple[str, Callable[[Letter], bool]]]] = {
    NotificationKind.FAILED: ("a bounce", attempts.happy),
    NotificationKind.DELAYED: ("a delay warning", lambda _: True),
    NotificationKind.SUCCESS: ("a receipt", attempts.gone),
}
"""What each kind is called, and whether none can come any more about a letter that is at its end."""


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery status notification (RFC 3464) as it came to the sender: a bounce, a warning, a receipt."""

    mail: Mail
    dsn: Dsn
    narrator: Narrator

    @classmethod
    def of(cls, mail: Mail, narrator: Narrator) -> Report:
        """Read a mail as a report; it has to be one.

        Raises:
            ExpectationFailed: It is none.
        """
        found = notification.parse(mail.content)
        if found is None:
            raise ExpectationFailed("a delivery status notification", f"a mail “{mail.subject}”")
        return cls(mail, found, narrator)

    def recipient(self, address: str | None = None) -> DsnRecipient:
        """Return what it says of a recipient; of the first where none is named."""
        for each in self.dsn.recipients:
            if address is None or address in {each.address, each.original}:
                return each
        listed = ", ".join(each.address for each in self.dsn.recipients) or "nobody"
        raise ExpectationFailed(f"a word about {address or 'a recipient'}", f"it speaks of {listed}")

    def must_say(
        self,
        *,
        status: str | None = None,
        reported_by: str | None = None,
        action: str | None = None,
        diagnostic: str | None = None,
        remote_mta: str | None = None,
        recipient: str | None = None,
        nothing_of: str | None = None,
        tried_on: bool | None = None,
    ) -> Report:
        """Check what it says; a diagnostic has only to contain the text.

        Args:
            status: The enhanced status code (RFC 3463).
            reported_by: The Reporting-MTA: which host wrote it.
            action: ``failed``, ``delayed``, ``delivered``, ``relayed`` or ``expanded``.
            diagnostic: Part of the Diagnostic-Code: whose words led to it.
            remote_mta: The Remote-MTA; "" means that there is none.
            recipient: Of whom; of the first where none is named.
            nothing_of: A recipient that it must not speak of.
            tried_on: Whether it names the moment until which the letter is tried (Will-Retry-Until).

        Raises:
            ExpectationFailed: It says something else.
        """
        names = ("Reporting-MTA", "Action", "Status", "Remote-MTA")
        wanted = dict(zip(names, (reported_by, action, status, remote_mta), strict=True))
        told = [f"{name} {value or 'none'}" for name, value in wanted.items() if value is not None]
        told += [f"“{diagnostic}”"] if diagnostic is not None else []
        told += [f"nothing of {nothing_of}"] if nothing_of is not None else []
        of_whom = f" of {recipient}" if recipient is not None and told else ""
        said = ", ".join(told) or "what it has to"
        with self.narrator.step(f"The report says{of_whom}: {said}") as evidence:
            about = self.recipient(recipient)
            evidence.extend(self.lines(about))
            values = (self.dsn.reporting_mta or "", about.action, about.status, about.remote_mta or "")
            faults = [
                (f"{name}: {wanted[name] or 'none'}", f"{name}: {seen or 'none'}")
                for name, seen in zip(names, values, strict=True)
                if wanted[name] not in {None, seen}
            ]
            if diagnostic is not None and diagnostic not in (about.diagnostic_code or ""):
                faults.append((f"a Diagnostic-Code with “{diagnostic}”", f"{about.diagnostic_code}"))
            if tried_on not in {None, about.will_retry_until is not None}:
                named = ("no Will-Retry-Until", "a Will-Retry-Until")
                faults.append((named[bool(tried_on)], named[not tried_on]))
            if nothing_of is not None and any(nothing_of == each.address for each in self.dsn.recipients):
                faults.append((f"no word about {nothing_of}", "it speaks of it"))
            if faults:
                raise ExpectationFailed(*faults[0], self.lines(about))
        return self

    def lines(self, about: DsnRecipient) -> tuple[str, ...]:
        """Return its fields as they stand in it."""
        return (
            f"Reporting-MTA: {self.dsn.reporting_mta}",
            f"Final-Recipient: {about.address}",
            f"Action: {about.action}",
            f"Status: {about.status}",
            *((f"Remote-MTA: {about.remote_mta}",) if about.remote_mta else ()),
            *((f"Diagnostic-Code: {about.diagnostic_code}",) if about.diagnostic_code else ()),
            *((f"Will-Retry-Until: {about.will_retry_until:%c}",) if about.will_retry_until else ()),
        )


def await_report(
    lab: Servers,
    mailbox: Mailbox,
    letter: Letter,
    kind: NotificationKind,
    says: Mapping[str, Any],
    *,
    within: float,
) -> Report:
    """Wait for a report about a letter in a mailbox.

    Args:
        lab: The lab.
        mailbox: Where it comes to.
        letter: The letter.
        kind: Which kind of report.
        says: What it has to say, as in `Report.must_say`.
        within: Seconds for it to be written, and again for it to arrive.

    Raises:
        ExpectationFailed: None came, or it says something else.
    """
    what, too_late = _REPORTS[kind]
    with lab.narrator.step(f"Expect {what} about {letter} in the mailbox of {mailbox.address}") as evidence:
        journal = lab.watch.journal

        def written() -> tuple[Entry, NonDelivery, str] | None:
            for saying, event in letter.reports():
                file = journal.last(saying.host, event.dsn_queue_id)
                if event.kind == kind and event.to == "sender" and file is not None and file.message_id:
                    return saying, event, file.message_id
            return None

        saying, event, message_id = lab.expectations.expect(
            what,
            written,
            letter=letter,
            hopeless=lambda: attempts.hopeless(letter) if too_late(letter) else None,
            within=within,
        )
        evidence.append(str(saying))
        evidence.extend(timing.of_report(letter, kind, saying, lab.clock))
        tracker = DeliveryTracker(
            message_id, event.dsn_queue_id, saying.host, (mailbox.address,), journal=journal
        )
        report_letter = Letter(message_id, "", (mailbox.address,), what, tracker, lab.watch)
        lab.expectations.expect(
            f"{what} in the mailbox of {mailbox.address}",
            lambda: True if tracker.state == MessageState.DELIVERED else None,
            letter=report_letter,
            hopeless=lambda: attempts.hopeless(report_letter),
            within=within,
        )
        mail = mailbox.arrived(message_id, report_letter, "INBOX", within)
        report = Report.of(mail, lab.narrator)
        if report.dsn.original_message_id not in {None, letter.message_id}:
            raise ExpectationFailed(f"a report about {letter}", f"about {report.dsn.original_message_id}")
        evidence.append(f"in the INBOX: “{mail.subject}”")
        evidence.extend(report.lines(report.recipient()))
    if says:
        report.must_say(**says)
    return report
