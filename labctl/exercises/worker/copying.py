"""Copies of a process that has all it needs: fork(2) instead of starting and importing anew."""

from __future__ import annotations

import faulthandler
import gc
import os
import select
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from labctl.exercises.worker.protocol import Free, encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


def copied(events: int, orders: int, warm_up: Callable[[], None]) -> None:
    """Return in a copy of this process whenever there are orders.

    This process itself reads none of them, starts no thread, and ends when the orders' pipe does, or as a
    copy did that did not end well.

    Args:
        events: The descriptor on which to say that a copy is over.
        orders: The descriptor from which a copy reads.
        warm_up: Imports what every copy needs.
    """
    warm_up()
    gc.collect()
    gc.freeze()  # what is never looked at again stays shared
    running: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        del frame
        if not running:
            sys.exit(128 + number)
        os.kill(running[0], number)

    signal.signal(signal.SIGINT, pass_on)
    waiting = select.poll()
    waiting.register(orders, select.POLLIN)
    while any(event & select.POLLIN for _, event in waiting.poll()):
        copy = os.fork()
        if copy == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            return
        running[:] = [copy]
        _, status = os.waitpid(copy, 0)
        running.clear()
        if (code := os.waitstatus_to_exitcode(status)) != 0:
            _end_like(code)
        os.write(events, encode(Free()))
    sys.exit()


def _end_like(code: int) -> None:
    """End as a copy did: what is told of its end is read from this process's."""
    if code < 0:
        faulthandler.disable()
        with suppress(OSError):  # SIGKILL's can't be another
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)
