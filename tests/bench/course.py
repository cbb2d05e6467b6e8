"""Measures the exercises: ``python -m tests.bench.course --help``.

``speed``: how soon an expectation returns after its fact, how long the reset between two exercises takes,
and when `labctl run ONE` begins its first step. ``steadiness``: the whole course again and again, each lab's
exercises in another order each time, in two instances side by side, on a machine that is busy besides.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.engine import search
from labctl.engine.docker import DockerEngine
from labctl.exercises.result.narration import Narrator
from labctl.exercises.vocabulary.lab import ExerciseLab
from labctl.lab import catalogue
from labctl.lab.running import emptying, instance
from tests.bench.measure import LABCTL, Figure, labctl

if TYPE_CHECKING:
    from collections.abc import Iterator

ONE = "a-letter-crosses-from-one-domain-to-the-other"


def speed(runs: int) -> None:
    """Print how quick an exercise's parts are, in a lab that runs."""
    labctl("up", "--name", "bench")
    found = search.find(os.environ, Path.home())
    engine = DockerEngine(found)
    there = instance.observe(engine, "bench")
    delivered, bounced, emptied = [], [], []
    for _ in range(runs):
        lab = ExerciseLab(engine, there, catalogue.find(there.lab, os.environ), Narrator())
        alice, bob = lab.account("alice@alpha.test"), lab.account("bob@beta.test")
        letter = alice.send(bob)
        sent = lab.expect_sent(letter, at="mx-beta")
        delivered.append(_since(sent.saying.at))
        stray = alice.send("no.such.user@beta.test")
        failed = lab.expect_bounced(stray, at="mx-alpha")
        bounced.append(_since(failed.saying.at))
        lab.close()
        began = time.monotonic()
        emptying.empty(engine, there)
        emptied.append(time.monotonic() - began)
    print(Figure("expect_sent returns after the log line", tuple(delivered)))
    print(Figure("expect_bounced returns after the log line", tuple(bounced)))
    print(Figure("reset between exercises", tuple(emptied)))
    print(Figure("`labctl run ONE` begins its first step after", tuple(_first_step() for _ in range(runs))))
    labctl("down", "--name", "bench")


def _since(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()


def _first_step() -> float:
    began = time.monotonic()
    command = [*LABCTL, "run", f"two-domains/{ONE}", "--name", "bench"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "✓" in line:
                seconds = time.monotonic() - began
                break
        else:
            raise AssertionError(f"{command}: no step")
        process.stdout.read()
    assert process.returncode == 0
    return seconds


def steadiness(times: int, labs: list[str], *, busy: bool, seed: int) -> bool:
    """Run the course again and again; print each exercise's seconds; return whether all passed."""
    order = random.Random(seed)  # noqa: S311  # an order of exercises is no secret
    print(f"{times} times, both cores busy: {busy}, seed {seed}")
    with _busy() if busy else nullcontext():
        told = [each for lab in labs for each in _again_and_again(lab, times, order)]
    seconds: dict[str, list[float]] = defaultdict(list)
    failures = []
    for lab, exercise in told:
        seconds[f"{lab}/{exercise['id']}"].append(exercise["seconds"])
        if exercise["verdict"] != "passed":
            failures.append(exercise)
    for name, each in seconds.items():
        print(Figure(name, tuple(each)))
    for failure in failures:
        print(json.dumps(failure, indent=1))
    print(f"{len(told)} runs of {len(seconds)} exercises, {len(failures)} not passed")
    return not failures


def _again_and_again(lab: str, times: int, order: random.Random) -> list[tuple[str, dict[str, Any]]]:
    listed = subprocess.run([*LABCTL, "exercises", lab, "--json"], capture_output=True, check=True)
    ids = [each["id"] for each in json.loads(listed.stdout)["exercises"]]
    names = [f"bench-{lab}-{n}"[:31] for n in (1, 2)]
    rounds = [order.sample(ids, len(ids)) for _ in range(times)]

    def several(name: str, mine: list[list[str]]) -> list[tuple[str, dict[str, Any]]]:
        labctl("up", lab, "--name", name)
        told = [(lab, exercise) for ids in mine for exercise in _run(lab, name, ids)]
        labctl("down", "--name", name)
        return told

    with ThreadPoolExecutor() as pool:
        halves = (rounds[::2], rounds[1::2])
        done = [pool.submit(several, *each) for each in zip(names, halves, strict=True)]
        told = [each for half in done for each in half.result()]
    print(f"{lab}: {sum(each['verdict'] == 'passed' for _, each in told)} of {len(told)} passed", flush=True)
    return told


def _run(lab: str, name: str, ids: list[str]) -> list[dict[str, Any]]:
    command = [*LABCTL, "run", *(f"{lab}/{each}" for each in ids), "--name", name, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    exercises: list[dict[str, Any]] = json.loads(done.stdout)["exercises"]
    assert {each["id"] for each in exercises} == set(ids), done.stderr  # in this order, but file by file
    return exercises


@contextmanager
def _busy() -> Iterator[None]:
    """Keep every core busy."""
    loop = "while True: pass"
    burning = [subprocess.Popen([sys.executable, "-c", loop]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for each in burning:
            each.kill()
            each.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--idle", action="store_true", help="leave the cores alone")
    parser.add_argument("--lab", action="append", help="only this lab; all of the course where none is named")
    parser.add_argument("what", choices=["speed", "steadiness"])
    arguments = parser.parse_args()
    if arguments.what == "speed":
        speed(arguments.times)
        return
    labs = arguments.lab or [
        each.id for each in catalogue.all_labs(os.environ) if (each.directory / "exercises").is_dir()
    ]
    passed = steadiness(arguments.times, labs, busy=not arguments.idle, seed=arguments.seed)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
