"""Bounces and their kin, of any mail system.

`read` tells what a message is that a mail system wrote about another one, and what it says: by RFC 3464 where
it keeps to that, else by its software's habits. What can't be told is unknown, and never guessed as success.
"""

from labctl.mail.bounce.reading import attached, read
from labctl.mail.bounce.report import BounceReport, ReportKind

__all__ = ["BounceReport", "ReportKind", "attached", "read"]
