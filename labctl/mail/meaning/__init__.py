"""What codes, replies, states and reports mean, what usually causes them, and what to look at next.

The meanings are data, in TOML files beside the modules, each with its sources.
"""

from labctl.mail.meaning.explanation import (
    explain_action,
    explain_reply,
    explain_state,
    explain_status,
    is_known,
    known_codes,
)
from labctl.mail.meaning.meaning import Meaning
from labctl.mail.meaning.notification import explain_recipient
from labctl.mail.meaning.outcome import Outcome, explain_outcome, outcome_of

__all__ = [
    "Meaning",
    "Outcome",
    "explain_action",
    "explain_outcome",
    "explain_recipient",
    "explain_reply",
    "explain_state",
    "explain_status",
    "is_known",
    "known_codes",
    "outcome_of",
]
