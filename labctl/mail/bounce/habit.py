"""How the mail systems of this world write reports in words; the phrases are data, in ``habits.toml``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

SENDERS: Final = re.compile(
    r"\b(?:mailer-?daemon|mail-daemon|postmaster|mail delivery (?:sub)?system|mail delivery service"
    r"|microsoftexchange\w*)\b",
    re.IGNORECASE,
)
"""Who sends reports (RFC 5321, section 4.5.1, and custom)."""

SUBJECTS: Final = re.compile(
    r"^(?:undeliver|returned mail|mail delivery fail|mail delivery status|delivery status notification"
    r"|failure notice|delivery fail|message delivery fail|non.?delivery|mail system error"
    r"|warning: (?:could not send|message)|unzustellbar|non remis|no se puede entregar|non recapitabile"
    r"|onbestelbaar|não é possível entregar|n[ãa]o entregue|échec de la remise|notice: mail delivery status)",
    re.IGNORECASE,
)

VACATIONS: Final = re.compile(
    r"^(?:(?:re|aw): )?(?:out of (?:the )?office|automatic reply|auto(?:matic)?[- ]?(?:reply|response)"
    r"|away from|vacation|abwesen|automatische antwort|réponse automatique|respuesta automática"
    r"|risposta automatica)",
    re.IGNORECASE,
)

CHALLENGES: Final = re.compile(
    r"(?:confirm (?:that )?(?:your|you are|you sent)|please confirm (?:your|you)|sender verification"
    r"|verify your (?:message|email|identity)|prove (?:that )?you are (?:a )?human|challenge[/-]response)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Habits:
    """The phrases, all in lower case."""

    failed: tuple[str, ...]
    """Said of what was given up."""
    delayed: tuple[str, ...]
    """Said of what is still tried; it outweighs the words above, which such texts have in them, too."""
    begins: tuple[str, ...]
    """Where the list of recipients begins."""
    ends: tuple[str, ...]
    """Where the original begins."""
    writers: tuple[tuple[str, tuple[str, ...]], ...]
    """What each software is known by."""


@cache
def habits() -> Habits:
    """Return the phrases; they are read when first needed."""
    content = tomllib.loads(files("labctl.mail.bounce").joinpath("habits.toml").read_text(encoding="utf-8"))
    lists = {name: tuple(content[name]) for name in ("failed", "delayed", "begins", "ends")}
    return Habits(**lists, writers=tuple((row["name"], tuple(row["known_by"])) for row in content["writer"]))
