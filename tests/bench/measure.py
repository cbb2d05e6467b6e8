"""Measures labctl beside its peers in one run: ``python -m tests.bench.measure --help``.

Every figure is a whole command, from its start to its end; commands that are compared take turns, so that a
machine that is slow for a while is slow for both.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from labctl import resources
from labctl.engine.docker import DockerEngine
from labctl.engine.endpoint import Endpoint
from labctl.lab import catalogue, origin
from labctl.lab.mark import labels
from labctl.lab.running.emptying import SEARCH
from tests.bench.floor import SOCKET, Floor, planned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")

LABCTL = [str(Path(sys.executable).with_name("labctl"))]
SHIM = "containerd-shim"
COMPOSE_FILE = resources.compose_dir() / "two-domains.yaml"


@dataclass(frozen=True)
class Figure:
    """The seconds of one thing measured."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        low, high = min(self.seconds), max(self.seconds)
        return f"| {self.name} | {self.median:.3f} | {low:.3f}-{high:.3f} | {len(self.seconds)} |"


def timed(command: list[str]) -> float:
    """Run a command that has to succeed; return its seconds."""
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return seconds


def labctl(*arguments: str) -> float:
    return timed([*LABCTL, *arguments])


def in_turn(runs: int, **things: Callable[[], float]) -> dict[str, Figure]:
    """Measure several things, one after the other, again and again."""
    seconds: dict[str, list[float]] = {name: [] for name in things}
    for _ in range(runs):
        for name, thing in things.items():
            seconds[name].append(thing())
    figures = {name: Figure(name.replace("_", " "), tuple(each)) for name, each in seconds.items()}
    for figure in figures.values():
        print(figure, flush=True)
    return figures


def ratio(figures: dict[str, Figure], above: str, below: str) -> None:
    """Print the ratio of two figures, run by run."""
    found = [a / b for a, b in zip(figures[above].seconds, figures[below].seconds, strict=True)]
    middle = statistics.median(found)
    print(f"| {above} / {below} | {middle:.2f} | {min(found):.2f}-{max(found):.2f} | |", flush=True)


def floors_of(names: Iterable[str]) -> list[Floor]:
    """Plan labs that are made by hand, each on a subnet of its own."""
    lab = catalogue.find("two-domains", os.environ)
    return planned(origin.planner_for(name, lab, origin.image_specs()) for name in names)


def warm(runs: int, compose: list[str] | None) -> dict[str, Figure]:
    """A lab from nothing running to ready, and away again."""
    downs: dict[str, list[float]] = {"labctl": [], "floor": [], "compose": []}

    def by_labctl() -> float:
        seconds = labctl("up", "--name", "bench")
        downs["labctl"].append(labctl("down", "--name", "bench"))
        return seconds

    def by_floor() -> float:
        [floor] = floors_of(["floor"])
        seconds = floor.up()
        downs["floor"].append(floor.down())
        return seconds

    def by_compose() -> float:
        assert compose is not None
        seconds = timed([*compose, "-f", str(COMPOSE_FILE), "up", "-d", "--wait"])
        downs["compose"].append(timed([*compose, "-f", str(COMPOSE_FILE), "down", "-t", "0"]))
        return seconds

    things: dict[str, Callable[[], float]] = {"up": by_labctl, "up_floor": by_floor}
    if compose:
        things["up_compose"] = by_compose
    figures = in_turn(runs, **things)
    ratio(figures, "up", "up_floor")
    down = {f"down_{name}": Figure(f"down {name}", tuple(each)) for name, each in downs.items() if each}
    for figure in down.values():
        print(figure, flush=True)
    ratio(down, "down_labctl", "down_floor")
    if compose:
        ratio(figures, "up", "up_compose")
        ratio(down, "down_labctl", "down_compose")
    return figures | down


def running(runs: int, compose: list[str] | None) -> dict[str, Figure]:
    """What is done to a lab that runs."""
    labctl("up", "--name", "bench")
    [floor] = floors_of(["bench"])
    things: dict[str, Callable[[], float]] = {
        "up_again": lambda: labctl("up", "--name", "bench"),
        "reset": lambda: labctl("reset", "--name", "bench"),
        "reset_floor": lambda: floor.execute("/bin/sh", "-c", SEARCH, "search", f"{time.time():.0f}"),
        "status": lambda: labctl("status", "--name", "bench"),
        "help": lambda: labctl("--help"),
        "help_floor": lambda: timed([sys.executable, "-c", "import typer"]),
        "send_wait_delivered": lambda: labctl(
            "send", "--name", "bench", "alice@alpha.test", "bob@beta.test", "--wait", "delivered"
        ),
    }
    if compose:
        # Its health checks, four a second in each container, would slow down what is measured beside them.
        compose_file = [*compose, "-f", str(COMPOSE_FILE)]

        def again_by_compose() -> float:
            timed([*compose_file, "up", "-d", "--wait"])
            seconds = timed([*compose_file, "up", "-d", "--wait"])
            timed([*compose_file, "down", "-t", "0"])
            return seconds

        things["up_again_compose"] = again_by_compose
    figures = in_turn(runs, **things)
    for name in ("reset", "help"):
        ratio(figures, name, f"{name}_floor")
    if compose:
        ratio(figures, "up_again", "up_again_compose")
    labctl("down", "--name", "bench")
    return figures


def notice(runs: int) -> None:
    """How long after the message lay in the mailbox `send --wait delivered` knew it."""
    labctl("up", "--name", "bench")
    laid: list[float] = []
    noticed: list[float] = []
    command = [*LABCTL, "send", "--name", "bench", "--json", "--wait", "delivered"]
    for _ in range(runs):
        done = subprocess.run(
            [*command, "alice@alpha.test", "bob@beta.test"], capture_output=True, text=True, check=True
        )
        ended = time.time()
        sent = json.loads(done.stdout)
        accepted = _seconds(sent["accepted_at"])
        saved = _seconds(sent["recipients"][0]["at"])
        laid.append(saved - accepted)
        noticed.append(ended - saved)
    print(Figure("accepted to saved", tuple(laid)))
    print(Figure("saved to labctl's end", tuple(noticed)))
    labctl("down", "--name", "bench")


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def many(labs: int) -> tuple[float, float]:
    """Many labs at once, four in parallel; return their time by the floor's, and the megabytes each takes."""
    names = [f"bench{n}" for n in range(labs)]
    began = time.monotonic()
    at_once(lambda name: labctl("up", "--name", name), names)
    took = time.monotonic() - began
    fresh = memory(names) / labs / 1e6
    for name in names:
        labctl("send", "--name", name, "alice@alpha.test", "bob@beta.test", "--wait", "delivered")
    used = memory(names) / labs / 1e6
    at_once(lambda name: labctl("down", "--name", name), names)
    floors = floors_of(names)
    began = time.monotonic()
    at_once(Floor.up, floors)
    floor_took = time.monotonic() - began
    at_once(Floor.down, floors)
    print(f"| {labs} labs, 4 in parallel | {took:.2f} | floor {floor_took:.2f} | {took / floor_took:.2f} |")
    print(f"| memory of a lab, {labs} running | {fresh:.1f} MB, {used:.1f} with mail | | |", flush=True)
    return took / floor_took, used


def at_once(work: Callable[[T], object], things: Iterable[T]) -> None:
    """Do the same about several things, four at a time."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(work, things))


def memory(names: Iterable[str]) -> float:
    """Return the bytes that labs take: the proportional set sizes of their processes and shims."""
    engine = DockerEngine(Endpoint(SOCKET))
    containers = [each for name in names for each in engine.containers({labels.NAME: name})]
    marks = [*(each.id for each in containers), *(str(each.address) for each in containers)]
    parents: dict[int, int] = {}
    ours: set[int] = set()
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            pid, command = int(directory.name), (directory / "cmdline").read_text(errors="replace")
            parents[pid] = int((directory / "stat").read_text().rpartition(")")[2].split()[1])
            if (SHIM in command or "docker-proxy" in command) and set(marks) & set(command.split("\0")):
                ours.add(pid)

    def belongs(pid: int) -> bool:
        return pid in ours or (pid in parents and belongs(parents[pid]))

    total = 0
    for pid in filter(belongs, list(parents)):
        with suppress(OSError, StopIteration):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += int(next(line for line in lines if line.startswith("Pss:")).split()[1]) * 1024
    return total


def figures(runs: int, labs: int) -> None:
    """What labctl may cost, beside what it does, all in one run."""
    found = warm(runs, None) | running(runs, None)
    by_floor, megabytes = many(labs)
    up, down = found["up"].median / found["up_floor"].median, found["down_labctl"].median
    print("| Figure | Measured | At most |\n|---|---|---|")
    for name, value, most in (
        ("reset, seconds", found["reset"].median, 0.42),
        ("down, by the floor's", down / found["down_floor"].median, 1.1),
        ("up on a running lab, seconds", found["up_again"].median, 0.2),
        ("up, by the floor's", up, 1.02),
        (f"{labs} labs, by the floor's", by_floor, 1.08),
        (f"memory of a lab of {labs}, MB", megabytes, 48),
        ("--help, seconds", found["help"].median, 0.085),
    ):
        print(f"| {name} | {value:.3f} | {most} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--labs", type=int, default=20)
    parser.add_argument("--compose", help="the docker-compose program; `docker compose` where not given")
    parser.add_argument("what", nargs="*", default=["warm", "running", "notice", "many"])
    arguments = parser.parse_args()
    compose = [arguments.compose] if arguments.compose else None
    if compose is None and shutil.which("docker"):
        found = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        compose = ["docker", "compose"] if found.returncode == 0 else None
    labctl("up", "--name", "bench")  # the images are there from here on
    labctl("down", "--name", "bench")
    print("| What | Median s | Range | Runs |\n|---|---|---|---|")
    for what in arguments.what:
        match what:
            case "warm":
                warm(arguments.runs, compose)
            case "running":
                running(arguments.runs, compose)
            case "notice":
                notice(arguments.runs)
            case "many":
                many(arguments.labs)
            case "figures":
                figures(arguments.runs, arguments.labs)


if __name__ == "__main__":
    main()
