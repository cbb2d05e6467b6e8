"""Byte order marks: what editors put before a text, and what most programs take for a part of it.

Source: Unicode 16.0, section 23.8, "Byte Order Mark (BOM)".
"""

from __future__ import annotations

import codecs
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # which begins as UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
LONGEST: Final = 4
"""Bytes of a mark."""


def encoding_of(content: bytes) -> str | None:
    """Return the encoding that a content's byte order mark tells; None where it begins with none."""
    return next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)


def fault_of(content: bytes) -> str | None:
    """Return what is wrong with a content that begins with a byte order mark; None where it does not."""
    encoding = encoding_of(content)
    if encoding is None:
        return None
    kind = encoding.upper().removesuffix("-LE").removesuffix("-BE")
    what = "a byte order mark (BOM)" if encoding == "utf-8" else f"the byte order mark (BOM) of {kind}"
    return f"begins with {what}: save it as UTF-8 without one"


def without(content: bytes) -> bytes:
    """Return a text without its byte order mark, in UTF-8; what is none in its encoding is replaced."""
    encoding = encoding_of(content)
    if encoding is None:
        return content
    mark = next(mark for mark, each in _MARKS if each == encoding)
    text = content[len(mark) :]
    return text if encoding == "utf-8" else text.decode(encoding, "replace").encode()
