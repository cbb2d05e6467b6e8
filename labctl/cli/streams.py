"""Standard input, output and error, where whoever started labctl closed one of them."""

from __future__ import annotations

import io
import os
import sys
from typing import BinaryIO, Final

from labctl import plainfile
from labctl.errors import UsageError

_INSTEAD: Final = (
    ("stdin", os.O_RDONLY),  # empty
    ("stdout", os.O_RDONLY),  # a result that can't be written is an error, as in ``labctl labs >&-``
    ("stderr", os.O_WRONLY),  # what was not to be heard is not heard
)


def open_standard_streams() -> None:
    """Open those that are closed: the next file that is opened would get the number, and what is printed."""
    for number, (name, mode) in enumerate(_INSTEAD):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, mode)
            if opened != number:
                os.dup2(opened, number, inheritable=True)
                os.close(opened)
            else:
                os.set_inheritable(number, True)  # noqa: FBT003  # it is so called
            stream = os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False)
            setattr(sys, name, stream)


def standard_input() -> BinaryIO:
    """Return standard input's bytes."""
    return getattr(sys.stdin, "buffer", None) or io.BytesIO()


def read_standard_input(most: int) -> bytes:
    """Read all of standard input.

    Args:
        most: Bytes; more are refused.

    Raises:
        UsageError: It is longer, or can't be read.
    """
    try:
        return plainfile.read(standard_input(), most)
    except OSError as exc:
        raise UsageError(f"standard input can't be read: {exc.strerror}", hint="labctl … < FILE") from exc
