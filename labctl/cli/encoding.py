"""What a stream's encoding can't say: pictures are drawn in ASCII then, all else is told by its number."""

from __future__ import annotations

import codecs
import io
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ERRORS: Final = "labctl.ascii"
"""The name of the error handler, for ``str.encode``."""

# One column for one column: nothing that is drawn or aligned is moved.
_ASCII: Final = {
    ord(sign): plain
    for signs, plain in (
        ("─", "-"),
        ("│", "|"),
        ("┌┐└┘├┤┬┴┼╔╗╚╝", "+"),
        ("═", "="),
        ("║", "|"),
        ("━┃┏┓┗┛", "#"),
        ("┄·", "."),
        ("┊⋮", ":"),
        ("→", ">"),
        ("↩", "<"),
        ("↺", "@"),
        ("✓", "+"),
        ("✗", "x"),
        ("●•", "*"),
        ("◷", "o"),
        ("…", "~"),
        ("\ufffd", "?"),
        ("\u2013\u2014", "-"),
        ("“”", '"'),
        ("\u2018\u2019", "'"),
    )
    for sign in signs
}


def _in_ascii(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return what stands for the first character that can't be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    first = UnicodeEncodeError(error.encoding, error.object, error.start, error.start + 1, error.reason)
    plain = _ASCII.get(ord(error.object[error.start]))
    return (plain, error.start + 1) if plain is not None else codecs.backslashreplace_errors(first)


codecs.register_error(ERRORS, _in_ascii)


def settle(environ: Mapping[str, str]) -> None:
    """Have standard output and error say what the locale can say, and nothing be an error.

    Python itself writes UTF-8 where the locale is C or unknown (PEP 538, PEP 540), whatever the terminal is.

    Args:
        environ: The environment, with ``LC_ALL``, ``LC_CTYPE`` and ``LANG``.
    """
    # Where Python took C for C.UTF-8, it has written so into LC_CTYPE itself: what stood there is not known.
    coerced = bool(sys.flags.utf8_mode) and environ.get("LC_CTYPE") == "C.UTF-8"
    encoding = _of_locale({**environ, "LC_CTYPE": ""} if coerced else environ)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=encoding or stream.encoding, errors=ERRORS)


def _of_locale(environ: Mapping[str, str]) -> str | None:
    """Return the encoding that the locale names (locale(7)); None where it names none."""
    named = next((value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := environ.get(name))), "")
    if named in {"C", "POSIX"}:
        return "ascii"
    codeset = named.partition(".")[2].partition("@")[0]
    if not codeset:
        return None
    try:
        return codeset if "labctl".encode(codeset) == b"labctl" else "ascii"
    except (LookupError, UnicodeError, ValueError):  # no encoding, or none of text
        return "ascii"
