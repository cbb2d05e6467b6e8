"""The queue of a real Postfix: when it tries again, and what one sees who keeps looking."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import pairwise
from threading import Thread
from typing import TYPE_CHECKING, Any

from labctl.wait import eventually
from tests.integration.conftest import SOON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import Lab

RUNS_EVERY = timedelta(seconds=1)
"""The lab's queue_run_delay."""

BUSY = timedelta(seconds=1)
"""By how much a queue run may be late on a busy machine."""


def seen_soon(look: Callable[[], Any]) -> Any:
    found = eventually(look, within=SOON)
    assert found is not None
    return found


def taken_up(lab: Lab, queue_id: str) -> list[datetime]:
    """When the queue manager took up a message, by its log's stamps, which the engine tells quickly."""
    log = lab.container("mx-alpha").logs(timestamps=True).decode()
    return [
        datetime.fromisoformat(line.split()[0])
        for line in log.rpartition("labctl: reset")[2].splitlines()
        if f"{queue_id}: from=" in line and "(queue active)" in line
    ]


def test_the_next_try_is_made_when_the_queue_says(lab: Lab) -> None:
    lab.json("fault", "apply", "refuse", "host=mx-beta")
    sent = lab.json("send", "alice@alpha.test", "bob@beta.test", "--wait", "deferred")
    queue_id = sent["queue_id"]
    said: dict[int, tuple[datetime, float]] = {}

    def three_tries() -> bool | None:
        made = len(taken_up(lab, queue_id))
        for each in lab.queued("mx-alpha")["messages"]:
            if each["next_try_at"] and len(taken_up(lab, queue_id)) == made:  # no try came meanwhile
                said[made] = datetime.fromisoformat(each["next_try_at"]), each["real_wait"]
        return True if len(said) >= 3 and len(taken_up(lab, queue_id)) > max(said) else None

    assert eventually(three_tries, within=4 * SOON)  # on a busy machine some are missed
    tries = taken_up(lab, queue_id)
    for made, (due, _) in said.items():
        late = tries[made] - due
        assert timedelta(0) <= late <= RUNS_EVERY + BUSY, f"try {made}: due {due}, made {tries[made]}"
    real = {1: 300, 2: 300, 3: 600, 4: 1200, 5: 2400}
    waits = {made: wait for made, (_, wait) in said.items() if made in real}
    assert waits == {made: real[made] for made in waits}


def test_a_held_message_is_not_tried_and_a_stopped_host_has_a_state(lab: Lab) -> None:
    lab.json("fault", "apply", "mta-down", "host=mx-beta")
    lab.json("send", "alice@alpha.test", "bob@beta.test")
    assert lab.execute("mx-alpha", "postsuper", "-h", "ALL")[0] == 0
    held = seen_soon(lambda: next(iter(lab.queued("mx-alpha")["messages"]), None))
    assert (held["queue_name"], held["next_try_at"], held["real_wait"]) == ("hold", None, None)
    said = lab.run("queue").stdout
    assert "never by itself" in said
    assert "mx.beta.test (mx-beta) is stopped" in said
    assert max(map(len, said.splitlines())) <= 80


def test_a_message_that_an_operator_gives_up_is_told_so(lab: Lab) -> None:
    lab.json("fault", "apply", "refuse", "host=mx-beta")
    lab.json("send", "alice@alpha.test", "bob@beta.test", "--wait", "deferred")
    assert lab.execute("mx-alpha", "postsuper", "-h", "ALL")[0] == 0
    assert lab.execute("mx-alpha", "postsuper", "-e", "ALL")[0] == 0
    [message] = lab.queued("mx-alpha")["messages"]
    assert message["forced_expire"] is True
    assert "It is given up at the next try" in lab.run("queue", "mx-alpha").stdout


@contextmanager
def documents(lab: Lab) -> Iterator[tuple[list[dict[str, Any]], subprocess.Popen[str]]]:
    """Watch the queues for JSON: what has come so far, and the process."""
    with lab.labctl.started("queue", "--name", lab.name, "--watch", "--json") as process:
        assert process.stdout is not None
        stdout = process.stdout
        found: list[dict[str, Any]] = []
        reader = Thread(target=lambda: found.extend(map(json.loads, iter(stdout.readline, ""))), daemon=True)
        reader.start()
        yield found, process
        reader.join(SOON)
        assert not reader.is_alive()


def test_a_watch_tells_each_change_in_a_document_a_line_until_it_is_interrupted(
    lab: Lab, valid_document: Callable[[Any], None]
) -> None:
    with documents(lab) as (found, process):
        seen_soon(lambda: found or None)
        lab.json("fault", "apply", "refuse", "host=mx-beta")
        sent = lab.json("send", "alice@alpha.test", "bob@beta.test", "--wait", "deferred")

        def names() -> list[str]:
            return [m["queue_name"] for each in found for h in each["hosts"] for m in h["messages"]]

        seen_soon(lambda: "deferred" in names() or None)
        lab.json("fault", "revert")
        seen_soon(lambda: not any(each["messages"] for each in found[-1]["hosts"]) or None)
        process.send_signal(signal.SIGINT)
        assert process.wait(SOON) == 130
    told = {m["message_id"] for each in found for h in each["hosts"] for m in h["messages"]}
    assert told - {None} == {sent["message_id"]}  # none where it left between being listed and being read
    for before, after in pairwise(found):
        valid_document(after)
        assert before["hosts"] != after["hosts"]


def test_a_watch_on_a_terminal_draws_the_table_in_its_place_and_leaves_it_as_it_was(lab: Lab) -> None:
    near, far = pty.openpty()
    said = bytearray()

    def read() -> None:
        with suppress(OSError):  # the other side is closed
            while more := os.read(near, 4096):
                said.extend(more)

    command = [sys.executable, "-m", "labctl", "queue", "--name", lab.name, "--watch"]
    environment = lab.labctl.environment({"TERM": "xterm"})
    with subprocess.Popen(
        command, stdin=far, stdout=far, stderr=far, env=environment, start_new_session=True
    ) as process:
        os.close(far)
        reader = Thread(target=read, daemon=True)
        reader.start()
        try:
            seen_soon(lambda: b"mx.beta.test (mx-beta): the queue is empty." in said or None)
            lab.json("fault", "apply", "refuse", "host=mx-beta")
            lab.json("send", "alice@alpha.test", "bob@beta.test", "--wait", "deferred")
            seen_soon(lambda: b"Connection refused" in said or None)
            process.send_signal(signal.SIGINT)
            assert process.wait(SOON) == 130
            reader.join(SOON)
        finally:
            process.kill()
            os.close(near)
    text = said.decode()
    assert re.search(r"\x1b\[[0-9]+A", text)  # it went back to where the table begins
    assert "\x1b[?1049h" not in text  # and not to another screen
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_a_watch_sees_a_host_go_and_come(lab: Lab) -> None:
    def state(wanted: str) -> Callable[[], bool | None]:
        return lambda: found[-1]["hosts"][1]["state"] == wanted or None

    container = lab.container("mx-beta")
    with documents(lab) as (found, process):
        seen_soon(lambda: found or None)
        for leave, left, come in (
            (container.kill, "stopped", container.start),
            (container.pause, "paused", container.unpause),
        ):
            leave()
            seen_soon(state(left))
            come()
            seen_soon(state("ready"))
        process.send_signal(signal.SIGINT)
        assert process.wait(SOON) == 130
