"""Being told to stop: by Ctrl-C, or by what a CI runner, a service manager or a closed terminal sends.

Each of `SIGNALS` raises KeyboardInterrupt in the main thread, so that what undoes a command's work on Ctrl-C
does so whoever sent for its end. One that was ignored when the process began stays so (nohup(1), and SIGINT
in the background of a shell).
Source: signal(7).
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import NoReturn

EXIT_CODE: Final = 130
"""Of a command that was told to stop, after it has cleaned up."""

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_SAME: Final = 1.0
"""Seconds in which a further signal is the same order: timeout(1) may send two, and a closed terminal too."""


class _Orders:
    """What this process was told so far."""

    def __init__(self) -> None:
        self.last: float | None = None
        self._number = signal.SIGINT
        self._can_raise = True

    def take(self, number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt, but once only for one order."""
        del frame
        if not self._can_raise:
            self._send_later()
            return
        before, self.last, self._number = self.last, time.monotonic(), signal.Signals(number)
        if before is None or self.last - before > _SAME:
            raise KeyboardInterrupt

    def repeat(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Take an order again that came while Python could not raise, as within a callback of its imports."""
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            self._can_raise = False
            self.last = None
            self._send_later()
            self._can_raise = True
        else:
            sys.__unraisablehook__(unraisable)

    def _send_later(self) -> None:
        """Send this thread the signal again, from another one: not before this one goes on."""
        _thread.start_new_thread(signal.pthread_kill, (_thread.get_ident(), self._number))


_ORDERS: Final = _Orders()


def exit_at_once() -> None:
    """Have an order to stop end this process without a word of Python's: nothing has been done so far."""
    _set(_exit)


def heed() -> None:
    """Have an order to stop raise KeyboardInterrupt from now on, until the process ends."""
    sys.unraisablehook = _ORDERS.repeat
    _set(_ORDERS.take)


def ignore() -> None:
    """Have no order to stop any effect from now on: all is done, or is being cleaned up for the last time."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)


def came() -> bool:
    """Say whether this process was told to stop since it heeds that."""
    return _ORDERS.last is not None


@contextmanager
def undone(undo: Callable[[], object], *, unless: tuple[type[BaseException], ...] = ()) -> Iterator[None]:
    """Undo what a block did, where an error or an order to stop ends it before it has come to its end.

    Args:
        undo: Undoes it, as far as it was done.
        unless: Errors that leave it.
    """
    try:
        yield
    except BaseException as exc:
        if not isinstance(exc, unless):
            undo()
        raise


@contextmanager
def heeded() -> Iterator[None]:
    """Heed SIGTERM and SIGHUP for the length of a block, in somebody else's program; SIGINT is its own."""
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    ours = [each for each, handler in before.items() if handler == signal.SIG_DFL]
    for each in ours:
        signal.signal(each, signal.default_int_handler)
    try:
        yield
    finally:
        for each in ours:
            signal.signal(each, before[each])


@contextmanager
def held_back() -> Iterator[None]:
    """Let an order to stop wait: a pool that is interrupted as it starts a thread neither joins nor ends it.

    The signals are not blocked: whatever is started meanwhile would inherit that.
    """
    import threading  # noqa: PLC0415  # nothing else here needs it

    if threading.current_thread() is not threading.main_thread():  # only that one hears of signals
        yield
        return
    waiting: list[int] = []
    before = {each: signal.getsignal(each) for each in SIGNALS}
    heard = [each for each, handler in before.items() if callable(handler)]
    try:
        for each in heard:
            signal.signal(each, lambda number, _: waiting.append(number))
        yield
    finally:
        for each in heard:
            signal.signal(each, before[each])
        if waiting:
            signal.raise_signal(signal.Signals(waiting[0]))


def _set(handler: object) -> None:
    for each in SIGNALS:
        if signal.getsignal(each) != signal.SIG_IGN:
            signal.signal(each, handler)  # type: ignore[arg-type]


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    os.write(2, b"labctl: interrupted\n")
    os._exit(EXIT_CODE)
