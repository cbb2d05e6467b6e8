"""Reading reports that are written for people only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labctl.mail.bounce.fields import status_in
from labctl.mail.bounce.habit import habits
from labctl.mail.content.dsn import DsnAction, DsnRecipient

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST_LINE: Final = 1000
_MOST_LINES: Final = 2000
_MOST_WORDS: Final = 1000
_NAME: Final = r"(?:[A-Za-z0-9_-]{1,63}\.){1,8}[A-Za-z0-9-]{1,63}"
_ADDRESS: Final = r"[^\s<>()\[\]\"',;:@]{1,64}@(?:[\w-]{1,63}\.){0,8}[\w-]{1,63}"
# An address that begins a line, as each form writes it: bare, <in brackets>:, "in quotes":, followed by
# <mailto:…> (Outlook's text of HTML), or by "on" and a date (Exchange 5.5).
_HEAD: Final = re.compile(
    rf"[\"'<]{{0,2}}(?:mailto:)?({_ADDRESS})[>\"']{{0,2}}(?=[\s:;<(]|$)(?:<mailto:[^<>]{{0,320}}>)?"
)
_REST: Final = re.compile(r"(?:\([^()]{0,320}\))?\s{0,9}[:;]?\s{0,9}(.*)")
_WITHIN: Final = re.compile(rf"(?<![\w.+=-])({_ADDRESS})")
_UNKNOWN: Final = re.compile(
    rf"(?:unknown user|user unknown|invalid recipient):\s{{0,9}}<?({_ADDRESS})", re.IGNORECASE
)
_SAID: Final = re.compile(r"(?<![\w.])[245][0-9]{2}[ -]|(?<![\w.])[245]\.[0-9]{1,3}\.[0-9]{1,3}(?![\w.])")
_REMOTE: Final = re.compile(
    rf"(?:\bhost:? |while talking to |domain \S{{1,255}} by )({_NAME})", re.IGNORECASE
)
_REPORTERS: Final = (
    re.compile(rf"qmail-send program at ({_NAME})", re.IGNORECASE),
    re.compile(rf"(?:notification from|mail system at host) ({_NAME})", re.IGNORECASE),
    # "Generating server:" in the language of the mailbox.
    re.compile(
        rf"(?:generating server|generierender server|serveur de génération|génération du serveur|servidor de "
        rf"generación|generando servidor|server di generazione|bronserver)\s{{0,3}}:\s{{0,3}}({_NAME})",
        re.IGNORECASE,
    ),
)
_ORIGINAL_ID: Final = re.compile(r"^message-id[ \t]*+:\s{0,9}(\S{1,998})", re.IGNORECASE | re.MULTILINE)
_RESPONSE: Final = re.compile(
    r"(?:the (?:response|error) (?:from the remote server|that the other server returned) was:?"
    r"|the response was:?|the reason for the problem:|for the following reason:|remote host said:|reason:)"
    r"\s{0,20}(\S[^\n]{0,600}(?:\n[^\n]{1,300}){0,4})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a text says."""

    action: str
    recipients: tuple[DsnRecipient, ...]
    reporting_mta: str | None
    original_message_id: str | None


@dataclass(slots=True)
class _Found:
    """A recipient, and the lines about them so far."""

    address: str
    lines: list[str]


def written_by(*texts: str) -> str | None:
    """Return the software whose habit a text or header shows."""
    lowered = [text.casefold() for text in texts]
    for name, phrases in habits().writers:
        if any(phrase in text for phrase in phrases for text in lowered):
            return name
    return None


def action_of(*texts: str) -> str:
    """Return what a text says was done; empty where it does not tell: success is never guessed."""
    lowered = " ".join(" ".join(texts).casefold().split())
    if any(phrase in lowered for phrase in habits().delayed):
        return DsnAction.DELAYED
    return DsnAction.FAILED if any(phrase in lowered for phrase in habits().failed) else ""


def told(text: str, subject: str, failed: Iterable[str]) -> Told:
    """Read a report in words.

    Args:
        text: The part for people, with the original behind it where that is quoted.
        subject: The report's subject.
        failed: The recipients that the header names (X-Failed-Recipients of Exim and Gmail).
    """
    words, original = _parted(text)
    action = action_of(subject, words)
    section = _section(words)
    found = _recipients(section)
    transcript = _transcript(words)
    reporters = (pattern.search(words) for pattern in _REPORTERS)
    for address in failed:
        if all(each.address.casefold() != address.casefold() for each in found):
            found.append(_Found(address, []))
    if not found and (match := _UNKNOWN.search(words)) is not None:  # IMail
        found.append(_Found(match[1], [match[0]]))
    if not found:  # Gmail, SES: the address stands in a sentence
        addresses = dict.fromkeys(match.rstrip(".") for match in _WITHIN.findall(section[:_LONGEST_LINE]))
        found = [_Found(address, []) for address in list(addresses)[:1]]
    return Told(
        action=action,
        recipients=tuple(
            _recipient(each, action, words, transcript, alone=len(found) == 1) for each in found
        ),
        reporting_mta=next((match[1] for match in reporters if match is not None), None),
        original_message_id=original_id(original),
    )


def original_id(text: str) -> str | None:
    """Return the Message-ID of an original's text."""
    match = _ORIGINAL_ID.search(text)
    return match[1] if match else None


def _parted(text: str) -> tuple[str, str]:
    """Part a report from the original that it quotes."""
    lines = [line[:_LONGEST_LINE] for line in text.split("\n")]
    for number, line in enumerate(lines):
        lowered = line.casefold()
        if any(mark in lowered for mark in habits().ends) or lowered.startswith(
            ("received: from ", "return-path: <")
        ):
            return "\n".join(lines[:number][:_MOST_LINES]), "\n".join(lines[number:])
    return "\n".join(lines[:_MOST_LINES]), ""


def _section(words: str) -> str:
    """Return what follows the words that introduce the recipients; everything where there are none."""
    lowered = words.casefold()
    if len(lowered) != len(words):  # a letter that becomes two: positions would not fit
        lowered = words.lower() if len(words.lower()) == len(words) else words
    for phrase in habits().begins:
        if (place := lowered.find(phrase)) >= 0:
            return words[place + len(phrase) :]
    return words


def _recipients(section: str) -> list[_Found]:
    found: list[_Found] = []
    before: list[str] = []
    known: set[str] = set()
    for line in section.split("\n"):
        stripped = line.strip()
        if "transcript of session" in stripped.casefold():
            break
        head = None if stripped.startswith((">>>", "<<<")) else _HEAD.match(stripped)
        if head is not None and head[1].casefold() not in known:
            known.add(head[1].casefold())
            rest = _REST.match(stripped, head.end())
            said = rest[1] if rest else ""
            found.append(_Found(head[1], [] if said.startswith("on ") else [said]))
        elif stripped:
            (found[-1].lines if found else before).append(stripped)
    if len(found) == 1 and not any(found[0].lines):  # Notes says why before it says to whom
        found[0].lines.extend(line for line in before if any(letter.isalpha() for letter in line))
    return found


def _recipient(found: _Found, action: str, words: str, transcript: str, *, alone: bool) -> DsnRecipient:
    diagnostic = " ".join(" ".join(found.lines).split()).removeprefix("because: ")  # Domino
    if _SAID.search(diagnostic) is None:
        if transcript:
            diagnostic = transcript
        elif (match := _RESPONSE.search(words)) is not None:
            diagnostic = " ".join(match[1].split())
    remote = _REMOTE.search(diagnostic) or (_REMOTE.search(words) if alone else None)
    status = status_in(diagnostic)
    return DsnRecipient(
        address=found.address,
        original=None,
        action=action or (DsnAction.FAILED if status.startswith("5") else ""),
        status=status,
        remote_mta=remote[1] if remote else None,
        diagnostic_code=_shortened(diagnostic) or None,
        will_retry_until=None,
        last_attempt=None,
    )


def _transcript(words: str) -> str:
    """Return what Sendmail's and Courier's transcripts hold: the next host's words, else the writer's own."""
    _, _, transcript = words.partition("Transcript of session follows")
    lines = [line.strip() for line in words.split("\n")]
    said = [line[4:] for line in lines if line.startswith("<<< ")]
    own = [line.strip() for line in transcript.split("\n")]
    last = next((each for each in reversed(said) if _SAID.match(each)), "")
    return last or next((line for line in own if "... " in line and not line.startswith(("...", ">>>"))), "")


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_WORDS else f"{text[: _MOST_WORDS - 1]}…"
