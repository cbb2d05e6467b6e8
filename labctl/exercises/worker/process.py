"""The process that runs exercises, as who gives it orders sees it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Final

from labctl.exercises.worker.protocol import Free, Setup, decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from labctl.exercises.worker.protocol import Message

_UNDONE_WITHIN: Final = 30.0
"""Seconds that an interrupted exercise has to undo what it did."""

_PROGRAM: Final = "import gc; gc.set_threshold(50_000); from labctl.exercises.child import main; main()"
"""To look for garbage during the imports takes long, and finds none."""


class Child(AbstractContextManager["Child"]):
    """The process that runs exercises. It starts at once, and waits for its orders.

    Args:
        environ: Its environment; what would change pytest is left out.
        directory: An empty one to work in; then it takes one setup after the other, and runs each in a copy
            of itself. Else it takes one, and works where this process does.
    """

    def __init__(self, environ: Mapping[str, str], directory: str | None = None) -> None:
        events, events_end = os.pipe()
        orders_end, self._orders = os.pipe()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
        self._arrived: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self.free = False
        """Whether it has done a setup to the end, and waits for the next."""

        own = {"PYTEST_ADDOPTS", "PYTEST_PLUGINS"}
        call = [sys.executable, "-P", "-c", _PROGRAM, str(events_end), str(orders_end)]
        self._process = subprocess.Popen(
            call if directory is None else [*call, "lasting"],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            pass_fds=(events_end, orders_end),
            env={key: value for key, value in environ.items() if key not in own}
            | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            process_group=0,  # a terminal's Ctrl-C comes from here, in its turn
        )
        os.close(events_end)
        os.close(orders_end)
        reader = threading.Thread(target=self._read, args=(events,), daemon=True)
        reader.start()
        threading.Thread(target=self._await_end, args=(reader,), daemon=True).start()

    def __exit__(self, *exc_info: object) -> None:
        """End the process, and all that it has started."""
        self.close()

    def kill(self) -> None:
        """Have the process end at once, and all that it has started; whoever listens to it hears of it."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process, and give back what it took; a second time there is nothing to do."""
        if self._output.closed:
            return
        self.kill()
        self._process.wait()
        os.close(self._orders)
        self._output.close()

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def order(self, message: Message) -> None:
        """Give an order; to a process that has ended it is no error."""
        if isinstance(message, Setup):
            self.free = False
            self._output.seek(0)  # what the last one wrote is no last word of this one
            self._output.truncate()
        rest = encode(message)
        with suppress(BrokenPipeError):
            while rest:
                rest = rest[os.write(self._orders, rest) :]

    def events(self, silence: float) -> Iterator[Message]:
        """Yield what is told, until the process is free, has ended or says nothing for too many seconds."""
        with suppress(queue.Empty):
            while (message := self._arrived.get(timeout=silence)) is not None:
                if isinstance(message, Free):
                    self.free = True
                    return
                yield message

    def interrupt(self) -> None:
        """Have the process undo what the exercise did, and end."""
        self._process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_UNDONE_WITHIN)

    def last_words(self) -> str:
        """Return how the process ended, and all that it wrote."""
        self._process.poll()
        self._output.seek(0)
        return self._output.read().decode("utf-8", "replace")

    @property
    def end(self) -> str:
        """How the process ended, in words."""
        match self._process.poll():
            case None:
                return "its process said nothing any more"
            case code if code < 0:
                return f"its process was ended by signal {-code} ({signal.strsignal(-code)})"
            case code:
                return f"its process ended in the middle, with exit code {code}"

    def _read(self, events: int) -> None:
        with os.fdopen(events, "rb") as lines:
            for line in lines:
                with suppress(ValueError):  # cut off in the middle, with the process
                    self._arrived.put(decode(line))

    def _await_end(self, reader: threading.Thread) -> None:
        self._process.wait()
        reader.join(1.0)  # what it has started itself may hold the pipe open
        self._arrived.put(None)
