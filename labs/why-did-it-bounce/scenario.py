"""The post of this lab: letters drawn from all that can go wrong here, and what becomes of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.letter import Letter

REMEDIES: Final = (
    "correct-the-address",
    "send-it-smaller",
    "send-as-yourself",
    "ask-the-recipient-to-make-room",
    "write-to-their-postmaster",
    "use-another-way",
    "wait",
    "send-it-again-later",
)
"""What can be done about a letter that did not arrive; the handout tells when each is the right one."""

SUBJECTS: Final = (
    "The minutes of Tuesday",
    "Lunch?",
    "The key is under the mat",
    "Your umbrella",
    "Photographs of the boat",
    "Forty chairs",
    "A question about the choir",
    "The bill for the piano",
    "Who feeds the cat?",
    "Directions to the hut",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One way not to arrive: a letter that goes it, and what helps.

    Args:
        to: Whom it is for; ``{name}`` becomes a name that nobody has, ``{token}`` a word that means nothing.
        remedy: What would help.
        sender: Who writes it.
        mail_from: As whom, where that is somebody else.
        size: Bytes of text.
        waits: Whether nobody will have given it up when one looks.
    """

    to: str
    remedy: str
    sender: str = "alice@alpha.test"
    mail_from: str | None = None
    size: int = 100
    waits: bool = False


AT_THE_OWN_SERVER: Final = (
    Kind("{name}@alpha.test", "correct-the-address"),
    Kind("bob@beta.test", "send-as-yourself", mail_from="amy@alpha.test"),
    Kind("bea@beta.test", "send-as-yourself", sender="amy@alpha.test", mail_from="alice@alpha.test"),
)
ON_THE_WAY: Final = (
    Kind("{name}@{token}.test", "correct-the-address"),
    Kind("{name}@archive.beta.test", "use-another-way"),
    Kind("{name}@shop.beta.test", "write-to-their-postmaster"),
    Kind("{name}@museum.beta.test", "write-to-their-postmaster"),
)
AT_THE_DOOR: Final = (
    Kind("{name}@beta.test", "correct-the-address"),
    Kind("{name}@club.beta.test", "write-to-their-postmaster"),
    Kind("bob@beta.test", "write-to-their-postmaster", sender="amy@alpha.test"),
    Kind("bea@beta.test", "send-it-smaller", size=30_000),
)
AT_THE_MAILBOX: Final = (
    Kind("ben@beta.test", "ask-the-recipient-to-make-room"),
    Kind("bruno@beta.test", "correct-the-address"),
)
IN_THE_QUEUE: Final = (
    Kind("{name}@office.beta.test", "wait", waits=True),
    Kind("bella@beta.test", "wait", waits=True),
)
GIVEN_UP: Final = (Kind("{name}@office.beta.test", "send-it-again-later", sender="bob@beta.test"),)

POOLS: Final = (AT_THE_OWN_SERVER, ON_THE_WAY, AT_THE_DOOR, AT_THE_MAILBOX, IN_THE_QUEUE)
"""One letter is of each; the sixth is given up, or one more of these."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a letter.

    Args:
        host: The host that said no, or that found out by itself that it can't go on.
        code: The enhanced status code (RFC 3463).
        over: Whether nobody will try it again.
    """

    host: str
    code: str
    over: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """A letter that is going to be written."""

    kind: Kind
    to: str
    subject: str

    def send(self, lab: ExerciseLab) -> Letter:
        """Write it."""
        text = "We have to talk about this.\n" * (self.kind.size // 28 + 1)
        sender = lab.account(self.kind.sender)
        return sender.send(self.to, self.subject, text, mail_from=self.kind.mail_from)


def drafts(chance: Chance) -> list[Draft]:
    """Return the letters of a seed, in the order of their numbers.

    Args:
        chance: A stream that nothing was drawn from yet.
    """
    kinds = [chance.choice(pool) for pool in POOLS]
    others = [kind for pool in POOLS for kind in pool if kind not in kinds]
    kinds.append(chance.choice((*GIVEN_UP, chance.choice(others))))
    subjects = chance.shuffled(SUBJECTS)
    return [
        Draft(kind, kind.to.format(name=chance.name(), token=chance.token()), f"{number}: {subject}")
        for number, (kind, subject) in enumerate(zip(chance.shuffled(kinds), subjects, strict=False), start=1)
    ]


def outcome(lab: ExerciseLab, draft: Draft, letter: Letter) -> Outcome:
    """Wait for what becomes of a letter.

    Raises:
        ExpectationFailed: It arrived, or nothing was heard of it.
    """
    if not letter.accepted and letter.submission is not None:
        reply = letter.submission.reply
        [_, domain] = draft.kind.sender.split("@")
        return Outcome(f"mx.{domain}", str(reply.enhanced), over=reply.code >= 500)  # noqa: PLR2004  # RFC 5321, 4.2.1

    def settled() -> bool | None:
        tried = any(letter.attempts())
        return True if letter.over() or (draft.kind.waits and tried) else None

    lab.expectations.expect(f"the end of {letter}, or a reason to wait", settled, letter=letter)
    *_, last = letter.attempts()
    if last.status == "sent":
        raise lab.fail("a letter that does not arrive", f"it is {letter.state}", letter)
    spoke = re.match(r"host \S+\[([0-9.]+)\] said: ", last.says)
    host = last.saying.host if spoke is None else lab.there.names_by_address[spoke[1]]
    return Outcome(host, last.dsn, over=letter.over())
