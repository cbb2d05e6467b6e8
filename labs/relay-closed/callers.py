"""Who calls mx.beta.test beside its users: a stranger who asks, and the scanner."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import make_msgid
from typing import TYPE_CHECKING, Final

from labctl.exercises.vocabulary.expectation import ExpectationFailed
from labctl.mail.dialogue import HUNG_UP
from labctl.mail.reply import SmtpReply

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.letter import Letter

_GREETING: Final = "EHLO mx.alpha.test"

_CALL: Final = r"""
hear() {
    while read -r -t 10 line <&3; do [[ $line == [0-9][0-9][0-9]-* ]] || break; done
    echo "$line"
}
exec 3<> "/dev/tcp/$1/25" || exit
shift
hear
for line; do
    printf '%s\r\n' "$line" >&3
    hear
done
"""
"""Says lines to an SMTP server at an address, and prints the last line of each reply."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a stranger was answered before DATA: at MAIL where that was refused, else at RCPT."""

    sender: str
    recipient: str
    reply: SmtpReply
    transcript: tuple[str, ...]

    def must_be_taken(self) -> None:
        """Check that the recipient was taken."""
        if not self.reply.is_positive:
            raise ExpectationFailed(f"{self._letter} is taken", str(self.reply), self.transcript)

    def must_be_refused(self, status: str | None = None) -> None:
        """Check that the recipient was refused, with this enhanced status code where one is given."""
        wish = f"{self._letter} is refused" + (f" with {status}" if status else "")
        refused = self.reply.code and not self.reply.is_positive
        if not refused or status not in {None, str(self.reply.enhanced)}:
            raise ExpectationFailed(wish, str(self.reply) or "nothing", self.transcript)

    @property
    def _letter(self) -> str:
        return f"a letter from <{self.sender}> to <{self.recipient}>"


def asked(lab: ExerciseLab, sender: str, recipient: str) -> Answer:
    """Be a stranger who offers a letter to mx.beta.test, and hang up before it is said."""
    with lab.conversation("mx-beta") as server:
        server.say(_GREETING, expect=250)
        reply = server.say(f"MAIL FROM:<{sender}>")
        if reply.is_positive:
            reply = server.say(f"RCPT TO:<{recipient}>")
        return Answer(sender, recipient, reply, server.dialogue.transcript)


def asked_by(lab: ExerciseLab, caller: str, sender: str, recipient: str) -> Answer:
    """Let another host offer a letter to mx.beta.test, at the address that is on its network."""
    outside, office = (str(each) for each in lab.host("mx-beta").addresses)
    address = office if caller == "scanner-beta" else outside
    lines = (_GREETING, f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>")
    said = lab.exec(
        caller, "bash", "-c", _CALL, "call", address, *lines, why=f"offer {recipient} a letter", fails=True
    )
    replies = [SmtpReply.parse(line.rstrip()) for line in said.splitlines()]
    decided = next((each for each in replies if not each.is_positive), replies[-1] if replies else HUNG_UP)
    return Answer(sender, recipient, decided, tuple(str(each) for each in replies))


def must_refuse_strangers(lab: ExerciseLab, sender: str, recipient: str, status: str | None = None) -> None:
    """Check that a recipient is refused to whoever calls: a host without a name, and alpha's mail server."""
    asked(lab, sender, recipient).must_be_refused(status)
    asked_by(lab, "mx-alpha", sender, recipient).must_be_refused(status)


def scanned(lab: ExerciseLab, recipient: str) -> Letter:
    """Let the scanner send a letter, as it does: to mx.beta.test, without a password."""
    message_id = make_msgid(domain="scanner.beta.test")
    header = f"From: bob@beta.test\nTo: {recipient}\nSubject: Receipts\nMessage-ID: {message_id}\n"
    lab.exec(
        "scanner-beta",
        "sendmail",
        "-f",
        "bob@beta.test",
        recipient,
        why=f"the scanner sends what it scanned to {recipient}",
        stdin=f"{header}\nA page.\n",
    )
    return lab.letter(message_id, at="scanner-beta", to=recipient)
