"""labctl told to stop while it is still starting: the code is 130, and Python says nothing of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.conftest import Labctl


@contextmanager
def begun(labctl: Labctl) -> Iterator[tuple[subprocess.Popen[str], Iterator[str]]]:
    """Start a command that tells of each module that it has imported; give it, and what it tells."""
    command = [sys.executable, "-X", "importtime", "-m", "labctl", "labs"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=labctl.environ
    ) as process:
        assert process.stderr is not None
        lines = iter(process.stderr)
        assert any("labctl.interruption" in line for line in lines)
        yield process, lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_from_the_first_line_of_labctls_own_an_order_to_stop_ends_it_with_130(
    labctl: Labctl, number: signal.Signals
) -> None:
    with begun(labctl) as (_, lines):
        modules = sum(1 for _ in lines)
    for nth in range(1, 9):
        with begun(labctl) as (process, lines):
            for _ in range(modules * nth // 10):
                next(lines)
            process.send_signal(number)
            said = [line for line in lines if not line.startswith("import time:")]
        assert (process.returncode, said) == (130, ["labctl: interrupted\n"]), nth
