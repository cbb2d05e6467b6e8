from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from labctl import interruption

SWALLOWED = """
import gc, signal, sys
from labctl import interruption

class Gone:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)  # Python can't raise anything here

interruption.heed()
try:
    Gone()
    gc.collect()
    for _ in range(100_000_000):  # in vain, and not for long; signal.pause() may miss what comes just before
        pass
except KeyboardInterrupt:
    print("stopped", interruption.came())
"""

TWICE = """
import signal
from labctl import interruption

interruption.heed()
times = 0
for number in interruption.SIGNALS:
    try:
        signal.raise_signal(number)
    except KeyboardInterrupt:
        times += 1
print("stopped", times)
"""


def said_by(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_an_order_that_python_can_not_raise_is_taken_again() -> None:
    assert said_by(SWALLOWED) == "stopped True\n"


def test_signals_that_come_together_are_one_order() -> None:
    assert said_by(TWICE) == "stopped 1\n"


def test_an_order_that_is_held_back_comes_at_the_end_of_the_block() -> None:
    done = []

    def work() -> None:
        with interruption.held_back():
            signal.raise_signal(signal.SIGINT)
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [1]
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_another_thread_holds_nothing_back_and_does_not_fail() -> None:
    def work() -> bool:
        with interruption.held_back():
            return True

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result()


def test_a_program_of_somebody_else_hears_of_its_end_as_of_ctrl_c_while_it_has_a_lab() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interruption.heeded():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    ("ends", "undone"),
    [(None, []), (ValueError(), [1]), (KeyboardInterrupt(), [1]), (LookupError(), []), (KeyError(), [])],
)
def test_what_did_not_come_to_its_end_is_undone(ends: BaseException | None, undone: list[int]) -> None:
    done: list[int] = []
    with suppress(BaseException), interruption.undone(lambda: done.append(1), unless=(LookupError,)):
        if ends is not None:
            raise ends
    assert done == undone
