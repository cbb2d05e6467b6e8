"""Mail programs that ask a mail store more than the usual ones do, and people who try others' passwords."""

from __future__ import annotations

import imaplib
import poplib
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from labctl.exercises.vocabulary.expectation import ExpectationFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person

STORE: Final = "mail-beta"
PATIENCE: Final = 30.0
"""Seconds."""

_TRY: Final = r"""
exec 3<> "/dev/tcp/$1/143" || exit
shift
hear() {
    while read -r -t 10 line <&3; do [[ $line == "$1 "* ]] && break; done
    echo "$line"
}
hear '*'
while (($# > 1)); do
    printf 'a LOGIN "%s" "%s"\r\n' "$1" "$2" >&3
    hear a
    shift 2
done
"""
"""Tries to log in by IMAP, with one user and password after the other, and prints each answer."""

_LISTED: Final = re.compile(r'\((?P<attributes>[^)]*)\) (?:"[^"]*"|NIL) "?(?P<name>[^"]*)"?')


class Session:
    """An IMAP session, of which everything that the server says is a value."""

    def __init__(self, lab: ExerciseLab, client: imaplib.IMAP4) -> None:
        self._lab = lab
        self._client = client

    def logs_in(self, user: str, password: str) -> bool:
        """Say whether the server lets a user in."""
        return self._done(lambda: self._client.login(f'"{user}"', password))

    def acts_for(self, owner: str, user: str, password: str) -> bool:
        """Say whether the server lets a user into somebody else's mailbox (RFC 4616: PLAIN, authzid)."""
        message = f"{owner}\0{user}\0{password}".encode()
        return self._done(lambda: self._client.authenticate("PLAIN", lambda _: message))

    def keeps(self, mailbox: str, content: bytes) -> bool:
        """Say whether the server takes a message into a mailbox (RFC 9051, section 6.3.12)."""
        with self._lab.narrator.step(f"APPEND {len(content)} bytes to {mailbox}") as evidence:
            taken = self._done(lambda: self._client.append(mailbox, "", "", content))
            evidence.append("taken" if taken else "refused")
            return taken

    def empties(self, mailbox: str) -> None:
        """Delete all that is in a mailbox."""
        with self._lab.narrator.step(f"Delete all that is in {mailbox}"):
            self._client.select(mailbox)
            self._client.store("1:*", "+FLAGS.SILENT", r"(\Deleted)")
            self._client.close()

    @staticmethod
    def _done(command: Callable[[], tuple[str, object]]) -> bool:
        """Say whether a command is answered with OK."""
        try:
            said, _ = command()
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            return False
        return said == "OK"

    def capabilities(self) -> set[str]:
        """Return what the server says it can do (RFC 9051, section 6.1.1)."""
        with self._lab.narrator.step(f"Say “CAPABILITY” to {STORE}") as evidence:
            said = _texts(self._client.capability()[1])
            evidence.extend(said)
            return set(" ".join(said).split())

    def mailboxes(self) -> dict[str, set[str]]:
        """Return each mailbox with its attributes, in small letters (RFC 9051, section 7.3.1; RFC 6154)."""
        return self._listed("LIST")

    def subscribed(self) -> set[str]:
        """Return the mailboxes that the user's mail programs show."""
        return set(self._listed("LSUB"))

    def quota(self) -> list[str]:
        """Return what the server says of the limits of the INBOX (RFC 9208)."""
        with self._lab.narrator.step("Say “GETQUOTAROOT INBOX”") as evidence:
            try:
                _, (_, limits) = self._client.getquotaroot("INBOX")
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error as error:
                evidence.append(str(error))
                return []
            found = _texts(limits)
            evidence.extend(found)
            return found

    def _listed(self, command: str) -> dict[str, set[str]]:
        with self._lab.narrator.step(f"Say “{command}  *”") as evidence:
            ask = self._client.list if command == "LIST" else self._client.lsub
            lines = _texts(ask()[1])
            evidence.extend(lines)
            matches = (_LISTED.fullmatch(line) for line in lines)
            return {each["name"]: set(each["attributes"].casefold().split()) for each in matches if each}


@contextmanager
def connected(lab: ExerciseLab) -> Iterator[Session]:
    """Connect to the mail store by IMAP; that it fails or falls silent is the store's fault."""
    try:
        client = imaplib.IMAP4(*lab.host(STORE).door(143), timeout=PATIENCE)
    except (OSError, imaplib.IMAP4.error) as error:
        raise _silent("IMAP", error) from error
    try:
        yield Session(lab, client)
    except (OSError, imaplib.IMAP4.error) as error:
        raise _silent("IMAP", error) from error
    finally:
        client.shutdown()


@contextmanager
def session(lab: ExerciseLab, person: Person) -> Iterator[Session]:
    """Connect and log in as a user."""
    with connected(lab) as store:
        if not store.logs_in(person.address, person.password):
            raise ExpectationFailed(f"{person} logs in by IMAP", "the password is refused")
        yield store


def lets_in_by_imap(lab: ExerciseLab, user: str, password: str) -> bool:
    """Say whether the mail store lets a user in by IMAP."""
    with connected(lab) as store:
        return store.logs_in(user, password)


def lets_in_from(lab: ExerciseLab, caller: str, logins: Sequence[tuple[str, str]]) -> list[bool]:
    """Say which users, each with a password, the mail store lets in by IMAP from another host."""
    said: list[bool] = []
    for user, password in logins:
        words = ("login", str(lab.host(STORE).addresses[0]), user, password)
        lines = lab.exec(caller, "bash", "-c", _TRY, *words, why=f"log in as {user}", fails=True).splitlines()
        if not lines or not lines[0].startswith("* "):
            raise ExpectationFailed(f"{STORE} greets {caller} by IMAP", "; ".join(lines) or "silence")
        said.append(lines[-1].startswith("a OK"))
    return said


def lets_in_by_pop3(lab: ExerciseLab, user: str, password: str) -> bool:
    """Say whether the mail store lets a user in by POP3."""
    try:
        client = poplib.POP3(*lab.host(STORE).door(110), timeout=PATIENCE)
    except (OSError, poplib.error_proto) as error:
        raise _silent("POP3", error) from error
    try:
        client.user(user)
        client.pass_(password)
    except poplib.error_proto:
        return False
    except OSError as error:
        raise _silent("POP3", error) from error
    else:
        return True
    finally:
        client.close()


def _texts(lines: Iterable[object]) -> list[str]:
    return [each.decode("utf-8", "replace") for each in lines if isinstance(each, bytes)]


def _silent(protocol: str, error: Exception) -> ExpectationFailed:
    return ExpectationFailed(f"{STORE} speaks {protocol}", f"{type(error).__name__}: {error}")
