"""The fixtures ``alice``, ``amy``, ``bob`` and ``bea``: what a user of mail does, and expects to get."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from labctl.exercises.vocabulary.answer import await_answer, await_no_answer, notice_in
from labctl.exercises.vocabulary.expectation import WITHIN, ExpectationFailed
from labctl.exercises.vocabulary.letter import Letter
from labctl.exercises.vocabulary.mail import Mail
from labctl.exercises.vocabulary.mailbox import Mailbox
from labctl.exercises.vocabulary.report import Report, await_report
from labctl.lab.inside.mailhosts import mda_of, mta_of
from labctl.mail.client.envelope import Envelope
from labctl.mail.client.pop3 import Pop3Mailbox
from labctl.mail.client.submission import submit
from labctl.mail.content.message import compose_message, prepared
from labctl.mail.log.delivery import DeliveryTracker
from labctl.mail.log.logevent import NotificationKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from labctl.exercises.vocabulary.servers import Servers
    from labctl.lab.account import Account


class Person:
    """A user of the lab, with a mail program."""

    def __init__(self, lab: Servers, account: Account) -> None:
        self._lab = lab
        self._account = account
        self._clients: list[Mailbox] = []
        self.mailbox = self.another_client()
        """The mailbox over IMAP, as this user's mail program sees it."""

    @property
    def address(self) -> str:
        """The mail address."""
        return self._account.address

    @property
    def password(self) -> str:
        """The password, which is no secret in a laboratory."""
        return self._account.password

    def __str__(self) -> str:
        return self._account.address

    def close(self) -> None:
        """Give the connections back."""
        for each in self._clients:
            each.close()

    def another_client(self) -> Mailbox:
        """Return the same mailbox as a second mail program sees it, over a connection of its own."""
        client = Mailbox(self._lab, self._account)
        self._clients.append(client)
        return client

    # Sending

    def send(
        self,
        to: str | Person | Sequence[str | Person],
        subject: str = "A letter",
        body: str = "Hello.\n",
        *,
        file: Path | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        mail_from: str | None = None,
        notify: Sequence[str] | None = None,
        ret: str | None = None,
        envid: str | None = None,
        smtputf8: bool = False,
        password: str | None = None,
    ) -> Letter:
        """Submit a letter to this user's server (RFC 6409).

        Args:
            to: Whom to: the envelope's recipients.
            subject: The subject.
            body: The text.
            file: Send this message file instead, as it is.
            content: Send these bytes instead, as they are.
            headers: Further header fields, put on top.
            mail_from: The envelope's sender, where it is not this user; "" is the null sender.
            notify: When to be told (RFC 3461): NEVER, or some of SUCCESS, FAILURE, DELAY.
            ret: How much of it a report is to bring back: FULL or HDRS.
            envid: What a report is to quote.
            smtputf8: Declare it as internationalized (RFC 6531).
            password: What to log in with, where it is not this user's own.

        Returns:
            The letter; whether the server took it is told by it, and no error.
        """
        listed = [to] if isinstance(to, str | Person) else list(to)
        rcpt_tos = tuple(str(each) for each in listed)
        sender = self.address if mail_from is None else mail_from
        if file is not None:
            subject, content = file.name, file.read_bytes()
        if content is None:
            message_id, content = compose_message(self.address, rcpt_tos, subject=subject, body=body)
        else:
            message_id, content = prepared(content, domain=self._account.domain)
        extra = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        lab = self._lab
        host = mta_of(lab.there, self.address)
        from_whom = self.address if sender == self.address else f"{self.address}, as <{sender}>,"
        with lab.narrator.step(f"{from_whom} sends “{subject}” to {', '.join(rcpt_tos)}") as evidence:
            submission = submit(
                *host.door(587),
                Envelope(sender, rcpt_tos),
                extra.encode() + content,
                user=self.address,
                password=self.password if password is None else password,
                notify=notify,
                ret=ret,
                envid=envid,
                smtputf8=smtputf8,
            )
            evidence.append(f"Message-ID {message_id}")
            evidence.append(f"{host.hostname} to {submission.stage}: {submission.reply}")
            evidence.extend(f"{host.hostname} to <{who}>: {reply}" for who, reply in submission.refused)
        tracker = DeliveryTracker(
            message_id,
            submission.queue_id,
            host.hostname,
            submission.recipients,
            refused=submission.refused,
            journal=lab.watch.journal,
        )
        return Letter(message_id, sender, rcpt_tos, subject, tracker, lab.watch, submission)

    def expect_refusal(
        self,
        letter: Letter,
        *,
        code: int | None = None,
        status: str | None = None,
        says: str | None = None,
        stage: str | None = None,
    ) -> None:
        """Expect that this user's own server did not take a letter.

        Args:
            letter: The letter.
            code: The reply's code, as 501.
            status: The enhanced status code, as ``5.1.3``.
            says: Part of the reply.
            stage: What was answered so: AUTH, MAIL, RCPT, DATA, END-OF-MESSAGE.

        Raises:
            ExpectationFailed: It took it, or refused it otherwise.
        """
        wanted = " ".join(str(each) for each in (code, status, says, stage) if each is not None)
        with self._lab.narrator.step(f"Expect that {letter} was refused: {wanted}") as evidence:
            submission = letter.submission
            if submission is None or submission.accepted:
                raise self._lab.fail(f"a refusal {wanted}", "the server took it", letter)
            reply = submission.reply
            evidence.append(f"{submission.stage}: {reply}")
            if (
                code not in {None, reply.code}
                or (status is not None and str(reply.enhanced) != status)
                or (says is not None and says not in reply.text)
                or stage not in {None, str(submission.stage)}
            ):
                raise self._lab.fail(wanted, f"{submission.stage}: {reply}", letter)

    # What comes

    def expect_delivery(self, letter: Letter, *, folder: str = "INBOX", within: float = WITHIN) -> Mail:
        """Expect a letter in this user's mailbox.

        Sent is not delivered: what counts is that it lies in the mailbox, where a mail program finds it.
        """
        return self.mailbox.expect_delivery(letter, folder, within=within)

    def expect_bounce(self, letter: Letter, *, within: float = WITHIN, **says: Any) -> Report:
        """Expect a bounce about a letter: a report that it failed for good (RFC 3464, action failed).

        Args:
            letter: The letter.
            within: Seconds.
            says: What it has to say, as in `Report.must_say`.
        """
        told = {"action": "failed", **says}
        return await_report(self._lab, self.mailbox, letter, NotificationKind.FAILED, told, within=within)

    def expect_delay_warning(self, letter: Letter, *, within: float = WITHIN, **says: Any) -> Report:
        """Expect to be warned that a letter is late (action delayed); it is still being tried."""
        told = {"action": "delayed", **says}
        return await_report(self._lab, self.mailbox, letter, NotificationKind.DELAYED, told, within=within)

    def expect_receipt(self, letter: Letter, *, within: float = WITHIN, **says: Any) -> Report:
        """Expect to be told of success (RFC 3461, NOTIFY=SUCCESS): delivered, relayed or expanded."""
        return await_report(self._lab, self.mailbox, letter, NotificationKind.SUCCESS, says, within=within)

    def expect_silence(self, letter: Letter, *, within: float = WITHIN) -> None:
        """Expect that a letter comes to its end and this user hears nothing of it."""
        with self._lab.narrator.step(f"Expect that {self.address} hears nothing about {letter}") as evidence:
            self._lab.expect_gone(letter, within=within)
            written = [str(saying) for saying, _ in letter.reports()]
            found = ((m.subject, m.dsn.original_message_id) for m in self.mailbox.messages() if m.dsn)
            about = [subject for subject, message_id in found if message_id == letter.message_id]
            if written or about:
                raise self._lab.fail("no report", "; ".join([*written, *about]), letter)
            evidence.append("no report was written, and there is none in the mailbox")

    def expect_mail(
        self, *, subject: str | None = None, folder: str = "INBOX", within: float = WITHIN
    ) -> Mail:
        """Expect a mail that this exercise did not send, such as an automatic answer, by its subject."""
        wish = f"a mail “{subject}”" if subject is not None else "any mail"

        def there() -> Mail | None:
            fitting = (m for m in self.mailbox.messages(folder) if subject is None or subject in m.subject)
            first = next(fitting, None)
            return None if first is None else self.mailbox.read(first, folder)

        with self._lab.narrator.step(f"Expect {wish} in the mailbox of {self.address}") as evidence:
            mail = self._lab.expectations.expect(wish, there, within=within, polls=True)
            evidence.append(f"UID {mail.uid}: “{mail.subject}” from {mail.listed.from_}")
            return mail

    def expect_answer(self, letter: Letter, *, within: float = WITHIN) -> Mail:
        """Expect that the recipient's filter answers a letter by itself (Sieve's vacation)."""
        return await_answer(self._lab, self.mailbox, letter, within)

    def expect_no_answer(self, letter: Letter, *, within: float = WITHIN) -> None:
        """Expect that a letter is delivered and no filter answers it."""
        await_no_answer(self._lab, letter, within)

    def expect_notice(self, letter: Letter, disposition: str, *, within: float = WITHIN) -> Mail:
        """Expect a message disposition notification about a letter (MDN, RFC 8098).

        Args:
            letter: The letter.
            disposition: What was done with it: ``deleted``, ``displayed``.
            within: Seconds.
        """
        what = f"a notice that {letter} was {disposition}"
        with self._lab.narrator.step(f"Expect {what}, in the mailbox of {self.address}") as evidence:
            mail = self.expect_answer(letter, within=within)
            notice = notice_in(mail)
            evidence.append(f"Final-Recipient: {notice.final_recipient}, Disposition: {notice.disposition}")
            if notice.disposition != disposition:
                raise ExpectationFailed(what, f"it was {notice.disposition}")
            return mail

    @contextmanager
    def idle(self) -> Iterator[_Idling]:
        """Keep a connection open on which the server tells of new mail by itself (RFC 2177, IDLE)."""
        mailbox = self.another_client()
        try:
            with mailbox.open().idle() as idling:
                yield _Idling(self, idling)
        finally:
            mailbox.close()

    def download(self, *, delete: bool = False, hang_up: bool = False) -> list[Mail]:
        """Fetch all mail by POP3 (RFC 1939).

        Args:
            delete: Mark each for deletion once it is here (DELE).
            hang_up: Cut the connection instead of saying QUIT; nothing is deleted then (section 6).
        """
        host = mda_of(self._lab.there, self.address)
        words = ["RETR", *(["DELE"] if delete else []), "hang up" if hang_up else "QUIT"]
        with self._lab.narrator.step(f"{self.address} downloads by POP3: {', '.join(words)}") as evidence:
            maildrop = Pop3Mailbox.open(*host.door(110), self.address, self.password)
            try:
                listed = maildrop.messages()
                mails = [Mail(m, maildrop.content(m.uid) or b"", self._lab.narrator) for m in listed]
                if delete:
                    maildrop.delete([each.uid for each in mails])
                if not hang_up:
                    maildrop.commit()
            finally:
                maildrop.abandon()
            evidence.extend(f"{each.uid}: “{each.subject}” {each.message_id}" for each in mails)
            return mails

    def use_sieve(self, script: str, why: str) -> None:
        """Make a Sieve script (RFC 5228) this user's filter.

        Args:
            script: The script.
            why: What it does, as the step's text.
        """
        host = mda_of(self._lab.there, self.address)
        with self._lab.narrator.step(f"{self.address}: {why}") as evidence:
            evidence.extend(script.strip().splitlines())
            put = ("doveadm", "sieve", "put", "-u", self.address, "-a", "filter")
            self._lab.exec(host.service, *put, stdin=script)


class _Idling:
    """A user who watches the mailbox."""

    def __init__(self, person: Person, idling: Any) -> None:
        self._person = person
        self._idling = idling

    def expect_news(self, count: int | None = None, *, within: float = WITHIN) -> int:
        """Expect that the server tells of a new mail: that there are so many now; return how many."""
        lab = self._person._lab  # noqa: SLF001  # of one house
        with lab.narrator.step(f"Expect that the server tells {self._person} of new mail") as evidence:
            told: int | None = self._idling.wait_for_exists(within)
            if told is None:
                raise ExpectationFailed("* n EXISTS", f"nothing within {within:g} s")
            evidence.append(f"* {told} EXISTS")
            if count not in {None, told}:
                raise ExpectationFailed(f"* {count} EXISTS", f"* {told} EXISTS")
            return told
