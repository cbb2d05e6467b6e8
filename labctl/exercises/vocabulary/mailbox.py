"""A user's mailbox over IMAP (RFC 9051), as one mail program sees it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from labctl.exercises.vocabulary import attempts, timing
from labctl.exercises.vocabulary.expectation import WITHIN, ExpectationFailed
from labctl.exercises.vocabulary.mail import Mail
from labctl.lab.inside.mailhosts import mda_of
from labctl.mail.client.imap import ImapMailbox
from labctl.mail.log.logevent import DeliveryStatus
from labctl.mail.state import MessageState

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.letter import Letter
    from labctl.exercises.vocabulary.servers import Servers
    from labctl.lab.account import Account
    from labctl.mail.client.mailbox import MailboxMessage
    from labctl.mail.log.delivery import RecipientState


class Mailbox:
    """A mailbox; the connection is made when it is first needed, and kept."""

    def __init__(self, lab: Servers, account: Account) -> None:
        self._lab = lab
        self._account = account
        self._open: ImapMailbox | None = None

    @property
    def address(self) -> str:
        """The address of its user."""
        return self._account.address

    def open(self) -> ImapMailbox:
        """Return the connection."""
        if self._open is None:
            host = mda_of(self._lab.there, self._account.address)
            self._open = ImapMailbox.open(*host.door(143), self._account.address, self._account.password)
        return self._open

    def close(self) -> None:
        """Give the connection back."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def messages(self, folder: str = "INBOX") -> tuple[MailboxMessage, ...]:
        """List a folder; no step of its own."""
        return self.open().messages(folder)

    def find(self, message_id: str, folder: str = "INBOX") -> MailboxMessage | None:
        """Look for a message by its Message-ID; no step of its own."""
        return self.open().find(message_id, folder)

    def read(self, listed: MailboxMessage, folder: str = "INBOX") -> Mail:
        """Read a whole message, without marking it as seen; no step of its own."""
        return Mail(listed, self.open().content(listed.uid, folder) or b"", self._lab.narrator)

    def list(self, folder: str = "INBOX") -> list[MailboxMessage]:
        """List a folder."""
        with self._lab.narrator.step(f"{self.address} looks into {folder} by IMAP") as evidence:
            listed = list(self.messages(folder))
            evidence.extend(f"UID {m.uid}: “{m.subject}” {' '.join(m.flags)}" for m in listed)
            return listed

    def expect(self, letter: Letter, folder: str = "INBOX", *, within: float = WITHIN) -> Mail:
        """Expect a letter in a folder, whatever the servers' logs say of it.

        Only that it failed is believed of a log: whose letter came back need not wait for it any longer.

        Args:
            letter: The letter.
            folder: The folder.
            within: Seconds.

        Raises:
            ExpectationFailed: It did not come.
        """
        wish = f"{letter} in {folder} of {self.address}"
        with self._lab.narrator.step(f"Expect {wish}") as evidence:
            mail = self._lab.expectations.expect(
                wish,
                lambda: self._found(letter.message_id, folder),
                letter=letter,
                hopeless=lambda: (
                    None if letter.accepted and attempts.happy(letter) else attempts.hopeless(letter)
                ),
                within=within,
                polls=True,
            )
            evidence.append(f"UID {mail.uid}, flags {' '.join(mail.flags) or 'none'}")
            return mail

    def expect_delivery(self, letter: Letter, folder: str = "INBOX", *, within: float = WITHIN) -> Mail:
        """Expect a letter in a folder, once the servers' logs say that it was saved there.

        Sent is not delivered: what counts is that it lies in the mailbox, where a mail program finds it.
        """
        with self._lab.narrator.step(f"Expect {letter} in the mailbox of {self.address}") as evidence:

            def saved() -> bool | None:
                mine = [each for each in letter.tracker.recipients if self._is_for_me(each)]
                return True if any(each.state == MessageState.DELIVERED for each in mine) else None

            self._lab.expectations.expect(
                f"delivered to {self.address}",
                saved,
                letter=letter,
                hopeless=lambda: attempts.hopeless(letter),
                within=within,
            )
            mail = self.arrived(letter.message_id, letter, folder, within)
            for each in letter.attempts():
                evidence.append(str(each.saying))
                if each.status == DeliveryStatus.SENT:
                    evidence.extend(timing.of_attempt(letter, each, self._lab.clock, self._lab.flushed))
            evidence.append(f"in {folder}, UID {mail.uid}: “{mail.subject}”")
            return mail

    def _is_for_me(self, copy: RecipientState) -> bool:
        """Say whether a copy goes to this user, by whatever name; alice+lists is alice."""
        names = {re.sub(r"\+[^@]*@", "@", each).casefold() for each in (copy.address, copy.original)}
        return self.address.casefold() in names

    def arrived(self, message_id: str, letter: Letter, folder: str, within: float) -> Mail:
        """Wait for a message in the mailbox that the log says was saved."""
        return self._lab.expectations.expect(
            f"{message_id} in {folder} of {self.address}",
            lambda: self._found(message_id, folder),
            letter=letter,
            within=within,
            polls=True,
        )

    def _found(self, message_id: str, folder: str) -> Mail | None:
        found = self.find(message_id, folder)
        return None if found is None else self.read(found, folder)

    def must_hold(
        self,
        letter: Letter,
        folder: str = "INBOX",
        *,
        flags: tuple[str, ...] = (),
        without: tuple[str, ...] = (),
    ) -> Mail:
        """Check that a folder holds a letter, with these flags at least, and without those.

        Raises:
            ExpectationFailed: It does not.
        """
        with self._lab.narrator.step(f"{letter} is in {folder} of {self.address}") as evidence:
            found = self.find(letter.message_id, folder)
            if found is None:
                raise self._lab.fail(f"{letter} in {folder}", "it is not there", letter)
            evidence.append(f"UID {found.uid}, flags {' '.join(found.flags) or 'none'}")
            if missing := [each for each in flags if each not in found.flags]:
                raise ExpectationFailed(
                    f"the flags {' '.join(missing)}", f"{' '.join(found.flags) or 'none'}"
                )
            if wrong := [each for each in without if each in found.flags]:
                raise ExpectationFailed(f"not the flags {' '.join(wrong)}", " ".join(found.flags))
            return self.read(found, folder)

    def must_not_hold(self, letter: Letter, folder: str = "INBOX") -> None:
        """Check that a folder does not hold a letter.

        Raises:
            ExpectationFailed: It does.
        """
        with self._lab.narrator.step(f"{letter} is not in {folder} of {self.address}") as evidence:
            found = self.find(letter.message_id, folder)
            if found is not None:
                raise self._lab.fail(f"no {letter} in {folder}", f"UID {found.uid}", letter)
            evidence.append(f"{len(self.messages(folder))} other mails there")

    def must_be_empty(self, folder: str = "INBOX") -> None:
        """Check that a folder holds nothing.

        Raises:
            ExpectationFailed: It holds something.
        """
        with self._lab.narrator.step(f"There is nothing in {folder} of {self.address}"):
            if there := [each.subject for each in self.messages(folder)]:
                raise ExpectationFailed(f"nothing in {folder}", ", ".join(f"“{each}”" for each in there))

    def create_folder(self, name: str) -> None:
        """Make a folder."""
        with self._lab.narrator.step(f"{self.address} makes the folder {name}"):
            self.open().create_folder(name)

    def flag(self, mail: Mail, *flags: str, folder: str = "INBOX") -> None:
        r"""Set flags, such as ``\Seen`` and ``\Flagged``."""
        with self._lab.narrator.step(f"{self.address} marks “{mail.subject}” {' '.join(flags)}"):
            self.open().flag(mail.uid, flags, folder)

    def move(self, mail: Mail, to: str, folder: str = "INBOX") -> None:
        """Move a mail to another folder (RFC 6851)."""
        with self._lab.narrator.step(f"{self.address} moves “{mail.subject}” to {to}"):
            self.open().move(mail.uid, to, folder)
