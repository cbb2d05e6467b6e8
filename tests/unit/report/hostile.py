"""What strangers may write into mail, names and logs, to be shown as what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, Final

HOSTILE: Final = (
    "<script>document.title='owned'</script>",
    '"><img id=planted src=x onerror="document.title=\'owned\'">',
    "]]></style></title></svg></pre><script>document.title='owned'</script>",
    "javascript:document.title='owned'",
    "\x1b]0;owned\x07\x1b[2J\x9b1A\r\n\x00\x08",
    "\u202egnp.exe\u2066\u2028\u2029\ufeff\ud800\udcff\ufffe\uffff",
    "&#60;script&#62;document.title='owned'&#60;/script&#62;&lt;b id=planted&gt;",
    "--><iframe id=planted srcdoc='<script>parent.document.title=1</script>'></iframe><!--",
)


def spoilt(value: Any, junk: str) -> Any:
    """Return a result with a hostile text in every text and detail that is not a word of labctl's own."""
    match value:
        case Enum():
            return value
        case str():
            return value + junk
        case tuple() | list():
            return type(value)(spoilt(each, junk) for each in value)
        case Mapping():
            return {key: spoilt(each, junk) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{each.name: spoilt(getattr(value, each.name), junk) for each in fields(value)}
        )
    return value
