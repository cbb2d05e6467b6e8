"""What codes, replies, states and reports mean, what usually causes them, and what to look at next.

The meanings are data, in TOML files beside the modules, each with its sources.
"""

from labctl.mail.meaning.explanation import (
    explain_action,
    explain_reply,
    explain_state,
    explain_status,
    is_known,
)
from labctl.mail.meaning.meaning import Meaning

__all__ = ["Meaning", "explain_action", "explain_reply", "explain_state", "explain_status", "is_known"]
