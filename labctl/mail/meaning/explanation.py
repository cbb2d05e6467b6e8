"""Explaining codes, replies, states and actions: the most specific that is known wins."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from labctl.mail.meaning.meaning import Meaning
from labctl.mail.meaning.table import (
    Entry,
    action_table,
    reply_table,
    sayings,
    state_table,
    status_table,
)
from labctl.mail.reply import EnhancedStatus

if TYPE_CHECKING:
    from labctl.mail.state import MessageState

_LONGEST: Final = 4000
"""Nobody says more than this in a reply (RFC 5321, section 4.5.3.1.5: 512 bytes a line)."""
_SUBJECT: Final = 120
_TYPE: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,30};\s*+")  # "smtp; …" (RFC 3464, section 2.3.6)
_ENHANCED: Final = r"#?([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![\w.])"
# A basic code begins the words or what a host "said:", or has an enhanced one behind it; "#" is Exchange's.
_CODES: Final = re.compile(
    rf"(?:^|(?<=said: )|(?<=;)|(?<=; )|(?<=#))([2-5][0-9]{{2}})(?=[ -]|$)(?:[ -]{_ENHANCED})?"
    rf"|(?<![\w.-])([2-5][0-9]{{2}})[ -]{_ENHANCED}"
)
_ALONE: Final = re.compile(rf"(?:^|(?<=[#(<]))(?<![\w.]){_ENHANCED}")
_ADDRESS: Final = re.compile(r"(?<![\w.+=-])(\w[\w.+=-]{0,63}@\w[\w-]{0,62}(?:\.[\w-]{1,63}){0,8})")
_NAME: Final = r"((?:[A-Za-z0-9_-]{1,63}\.){1,8}[A-Za-z0-9-]{1,63})"
_DOMAIN: Final = re.compile(rf"(?:name=|[Dd]omain |mail for |type=MX: ){_NAME}")
_HOST: Final = re.compile(rf"(?<![\w.-]){_NAME}\[")
_IP: Final = re.compile(r"\[([0-9A-Fa-f.:]{3,45})\]")
_IN_ADDRESS: Final = re.compile(r"[^\s<>@]{0,64}@[^\s<>@]{0,255}|<[^<>@\s]{0,64}>(?=:)")


@dataclass(frozen=True, slots=True)
class _Case:
    """What is known of the case at hand."""

    basic: str = ""
    """The three digits; empty where there are none."""
    enhanced: EnhancedStatus | None = None
    words: str = ""
    address: str = ""
    host: str = ""
    given_up: bool = False

    @property
    def digit(self) -> str:
        """The class; where the codes disagree, servers obey the basic one (RFC 5321, section 4.2)."""
        return self.basic[:1] or (str(self.enhanced.status_class) if self.enhanced else "")


def explain_status(
    status: EnhancedStatus | str,
    reply_text: str = "",
    *,
    address: str = "",
    host: str = "",
    given_up: bool = False,
) -> Meaning:
    """Explain an enhanced status code, with the words that came with it, if any.

    Args:
        status: ``4.4.1``; of what is none, the words alone are explained.
        reply_text: What the server said: words explain more than codes.
        address: The recipient, to be named in the next steps.
        host: The next host, to be named in the next steps.
        given_up: Whether nobody tries again, whatever the code says: a 4.x.x in a bounce.
    """
    parsed = EnhancedStatus.parse(status) if isinstance(status, str) else status
    said = _case(reply_text, address, host, given_up=given_up)
    if parsed is None:
        return _explained(said)
    # Many a report's Status is a vague one, made up by who wrote it, beside a reply that is exact.
    exact = said.enhanced if (parsed.subject, parsed.detail) == (0, 0) and said.enhanced else parsed
    meaning = _explained(replace(said, enhanced=exact))
    return replace(meaning, subject=str(parsed))


def explain_reply(text: str, *, address: str = "", given_up: bool = False) -> Meaning:
    """Explain what a server said, as a log or a report quotes it.

    The most specific wins: the words, then the enhanced code, then the basic code, then its first digit.

    Args:
        text: ``550 5.1.1 <bob@beta.test>: Recipient address rejected: User unknown``, or with ``smtp;``
            before it, or ``host mx.beta.test[…] said: 550 …``, or ``connect to …: Connection refused``.
        address: The recipient, to be named in the next steps; otherwise one that the words name.
        given_up: Whether nobody tries again, whatever the code says.
    """
    return _cached(text[:_LONGEST], address, given_up)


def explain_state(state: MessageState) -> Meaning:
    """Explain a state of a message or of one recipient's copy."""
    return _meaning(state.value, state_table()[state.value], _Case())


def explain_action(action: str) -> Meaning | None:
    """Explain what a report says was done (RFC 3464, section 2.3.3); None where it is no such word."""
    entry = action_table().get(action)
    return None if entry is None else _meaning(action, entry, _Case())


def is_known(text: str) -> bool:
    """Whether there is something to explain in a text: a code, or words that servers use."""
    case = _case(text[:_LONGEST], "", "", given_up=False)
    return bool(case.digit) or _said(case) is not None


@lru_cache(maxsize=1024)
def _cached(text: str, address: str, given_up: bool) -> Meaning:  # noqa: FBT001  # lru_cache's key
    return _explained(_case(text, address, "", given_up=given_up))


def _case(text: str, address: str, host: str, *, given_up: bool) -> _Case:
    words = " ".join(text[:_LONGEST].split())
    if (kind := _TYPE.match(words)) is not None:
        words = words[kind.end() :]
    basic = enhanced = ""
    if (match := _CODES.search(words)) is not None:
        basic = match[1] or match[3]
        enhanced = match[2] or match[4] or ""
        if enhanced:  # it stands on each line of the reply (RFC 2034, section 4): once is enough
            words = f"{basic} {enhanced} " + re.sub(
                rf"(?:^|(?<= )){basic}[ -]{re.escape(enhanced)} ", "", words
            )
    if not enhanced and (match := _ALONE.search(words)) is not None:
        enhanced = match[1]
    return _Case(basic, EnhancedStatus.parse(enhanced), words, address, host, given_up)


def _explained(case: _Case) -> Meaning:
    subject = " ".join(part for part in (case.basic, str(case.enhanced or "")) if part)
    subject = subject or case.words[:_SUBJECT]
    entry = _said(case) or _by_code(case)
    if entry is not None:
        return _meaning(subject, entry, case)
    return Meaning(
        subject=subject,
        title="words of the server's own",
        text="The words hold no code, and are none of those that are known here.",
        cause="A server says in its own words what happened.",
        next=("read them: what do they name?", "look into the log of the host that said so, at that time"),
        sources=("RFC 5321, section 4.2",),
    )


def _said(case: _Case) -> Entry | None:
    """Find what the words say; names in them are no words of the server."""
    words = _IN_ADDRESS.sub("", case.words).casefold()
    for saying in sayings():
        if case.digit and saying.is_good is not (case.digit == "2"):
            continue
        if any(phrase.is_in(words) for phrase in saying.phrases):
            return saying.entry
    return None


def _by_code(case: _Case) -> Entry | None:
    replies, statuses = reply_table(), status_table()
    enhanced = case.enhanced
    if enhanced is not None and (enhanced.subject, enhanced.detail) != (0, 0):
        return _by_enhanced(case.digit, enhanced)
    if case.basic in replies.codes:
        return replies.codes[case.basic]
    if enhanced is not None:
        return _by_enhanced(case.digit, enhanced)
    return replies.classes.get(case.digit) or statuses.classes.get(case.digit)


def _by_enhanced(digit: str, enhanced: EnhancedStatus) -> Entry | None:
    """Find a code that is registered, else its subject, else its class (RFC 3463, section 2)."""
    table = status_table()
    variants = table.codes.get(f"{enhanced.subject}.{enhanced.detail}")
    if variants is not None:
        entry = variants.get(digit, variants["*"])
        if digit == "2" and digit not in variants:
            success = table.classes[digit]
            return replace(entry, text=success.text, cause=success.cause, next=success.next)
        return entry
    return table.subjects.get(str(enhanced.subject)) or table.classes.get(digit)


def _meaning(subject: str, entry: Entry, case: _Case) -> Meaning:
    table = status_table()
    text = entry.text
    if case.digit in ("4", "5") and entry.outlook:
        plain = table.classes[case.digit].text
        outlook = table.given_up[case.digit] if case.given_up else plain
        text = outlook if text == plain else f"{text} {outlook}"
    names = _names(case)
    return Meaning(
        subject=subject,
        title=entry.title,
        text=text,
        cause=entry.cause,
        next=tuple(_filled(step, names) for step in entry.next),
        sources=entry.sources,
    )


def _names(case: _Case) -> dict[str, str]:
    """Find what the next steps can name: only what is safe in a command that people copy."""
    given = _ADDRESS.fullmatch(case.address)
    found = given or _ADDRESS.search(case.words)
    address = found[1] if found else ""
    domain = address.rpartition("@")[2] if given else ""
    if not domain:
        named = _DOMAIN.search(case.words)
        domain = named[1] if named else address.rpartition("@")[2]
    host = re.fullmatch(_NAME, case.host) or _HOST.search(case.words)
    ip = _IP.search(case.words)
    return {
        "{address}": address or "ADDRESS",
        "{domain}": domain or "DOMAIN",
        "{host}": host[1] if host else "HOST",
        "{ip}": ip[1] if ip else "IP",
    }


def _filled(step: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        step = step.replace(name, value)
    return step


def known_codes() -> tuple[str, ...]:
    """Return every code that can be explained exactly, and every state."""
    statuses = (f"{digit}.{code}" for digit in "245" for code in status_table().codes)
    return (*statuses, *reply_table().codes, *state_table())
