"""A command in a container on this process's own terminal."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import termios
import tty
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_CHUNK = 65536


def converse(stream: socket.socket, *, resize: Callable[[int, int], None]) -> None:
    """Copy between the terminal and a command's stream until the command ends.

    Args:
        stream: The command's terminal in the container, both ways.
        resize: Tells the command the terminal's size, as rows and columns; called at each change.
    """
    stdin, stdout = sys.stdin.fileno(), sys.stdout.fileno()

    def tell_size(*_: object) -> None:
        size = shutil.get_terminal_size()
        resize(size.lines, size.columns)

    stream.setblocking(True)  # noqa: FBT003  # the socket's own signature
    saved = termios.tcgetattr(stdin) if os.isatty(stdin) else None
    before = signal.signal(signal.SIGWINCH, tell_size)
    try:
        if saved is not None:
            tty.setraw(stdin)
            tell_size()
        sources: list[int | socket.socket] = [stdin, stream]
        while True:
            ready, _, _ = select.select(sources, [], [])
            if stream in ready:
                try:
                    said = stream.recv(_CHUNK)
                except ConnectionError:
                    return
                if not said:
                    return
                _write(stdout, said)
            if stdin in ready:
                typed = os.read(stdin, _CHUNK)
                with suppress(ConnectionError):  # it ends: what it still says is to be read
                    stream.sendall(typed or b"\x04")
                if not typed:  # the end of a piped input is the end of the command's
                    sources.remove(stdin)
    finally:
        signal.signal(signal.SIGWINCH, before)
        if saved is not None:
            termios.tcsetattr(stdin, termios.TCSADRAIN, saved)
        stream.close()


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
