"""An SMTP conversation, line by line, as steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labctl.exercises.vocabulary.expectation import ExpectationFailed
from labctl.mail.client.dialogue import SmtpDialogue

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from labctl.engine.protocol import Engine
    from labctl.exercises.result.narration import Narrator
    from labctl.lab.running.instance import Host
    from labctl.mail.reply import SmtpReply


@dataclass(frozen=True, slots=True)
class Conversation:
    """A connection to an SMTP server on which nothing is said that the exercise does not say."""

    dialogue: SmtpDialogue
    _hostname: str
    _narrator: Narrator

    def say(self, line: str, expect: int | None = None, status: str | None = None) -> SmtpReply:
        """Say one line, and read the answer.

        Args:
            line: The line, without its end.
            expect: The reply's code that it has to be answered with.
            status: The enhanced status code that it has to be answered with.

        Raises:
            ExpectationFailed: The answer is another.
        """
        with self._step(f"Say “{line}”", expect, status) as evidence:
            return self._checked(self.dialogue.say(line), expect, status, evidence)

    def send(self, text: str | bytes, why: str) -> None:
        """Send text as it is, with no line end added, and wait for no answer."""
        with self._narrator.step(why) as evidence:
            content = text.encode() if isinstance(text, str) else text
            evidence.append(f"C: {content!r}")
            self.dialogue.send(content)

    def read(self, expect: int | None = None, status: str | None = None) -> SmtpReply:
        """Read one answer.

        Raises:
            ExpectationFailed: The answer is another than expected.
        """
        with self._step(f"Read the answer of {self._hostname}", expect, status) as evidence:
            return self._checked(self.dialogue.read(), expect, status, evidence)

    def starttls(self, expect: int | None = None) -> SmtpReply:
        """Ask for TLS, and go on under it where the server agrees."""
        with self._narrator.step("Say “STARTTLS”") as evidence:
            return self._checked(self.dialogue.starttls(), expect, None, evidence)

    def _step(self, text: str, expect: int | None, status: str | None) -> AbstractContextManager[list[str]]:
        wish = _wish(expect, status)
        return self._narrator.step(f"{text}, expect {wish}" if wish else text)

    def _checked(
        self, reply: SmtpReply, expect: int | None, status: str | None, evidence: list[str]
    ) -> SmtpReply:
        evidence.append(f"S: {reply}" if reply.code or reply.text else "S: (hung up)")
        if expect not in {None, reply.code} or status not in {None, str(reply.enhanced)}:
            seen = str(reply) or "the server hung up"
            raise ExpectationFailed(_wish(expect, status), seen, self.dialogue.transcript[-20:])
        return reply


def _wish(*wanted: object) -> str:
    return " ".join(str(each) for each in wanted if each is not None)


def connected(engine: Engine, host: Host, port: int, early: str | None = None) -> SmtpDialogue:
    """Connect to an SMTP server.

    Args:
        engine: The engine.
        host: The server.
        port: Its port.
        early: A line to say without waiting for the greeting; an empty one is not said. The server, which
            greets before anyone can speak, is held for that moment; its kernel takes the line in.
    """
    if early is None:
        return SmtpDialogue.open(*host.door(port))
    container = host.running_container().id
    engine.pause(container)
    try:
        dialogue = SmtpDialogue.open(*host.door(port), greet=False)
        if early:
            dialogue.send(early.encode() + b"\r\n")
    finally:
        engine.unpause(container)
    return dialogue
