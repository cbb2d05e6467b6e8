"""Texts that mean something to whoever shows them: a terminal, GitHub, XML, HTML, a spreadsheet."""

from __future__ import annotations

from typing import Final

ESCAPES: Final = "\x1b[2J\x1b]0;owned\x07\x9b31m"

MARKED: Final = "::error file=x::owned ]]><script>alert(1)</script> &lt; | `x` ![x](y) =HYPERLINK(1)"
"""What stays of it after the escapes, as one line."""

ALL: Final = f"{ESCAPES}{MARKED}"

DIRECTORY: Final = f"=1+1 {ESCAPES}::error::]]><b>\n@x"
"""A directory's name."""
