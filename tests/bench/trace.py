"""Measures the trace on a lab with many messages in its logs: ``python -m tests.bench.trace --help``.

Whole commands, from their start to their end, beside the floor: the engine's own ``docker logs`` of all hosts
at once. Then a flood is followed live: what was missed, and how late the rest was told.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.engine import search
from labctl.engine.docker import DockerEngine
from labctl.lab.running import instance
from labctl.mail.content.message import normal_message_id
from labctl.mail.log.logevent import Queued
from labctl.mail.log.mailboxevent import Saved
from labctl.trace.following import followed
from labctl.trace.laboratory import logs_of
from labctl.wait import eventually
from tests.bench.measure import LABCTL, Figure, in_turn, labctl, ratio, timed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labctl.lab.running.instance import Instance
    from labctl.trace.logs.entry import Entry

PORTION = 500
"""Messages that are sent at once; the lab gives up what it could not deliver within 10 s."""

RECIPIENT = "bob@beta.test"
SOURCE = ["smtp-source", "-c", "-s", "10", "-f", "alice@alpha.test", "-t", RECIPIENT]


@dataclass
class Lab:
    """A lab, full of messages."""

    name: str
    engine: DockerEngine = field(default_factory=lambda: DockerEngine(search.find(os.environ, Path.home())))

    @property
    def there(self) -> Instance:
        return instance.observe(self.engine, self.name)

    def inside(self, service: str, *argv: str) -> str:
        said = self.engine.execute(self.there.host(service).running_container().id, list(argv))
        assert said.exit_code == 0, f"{argv} on {service}: {said}"
        return said.stdout.decode()

    def open(self) -> None:
        """Let the one MTA relay what its own host sends, and the other not ask too much of its MDA."""
        self.inside("mx-alpha", "postconf", "-e", "smtpd_relay_restrictions=permit_mynetworks,reject")
        self.inside("mx-beta", "postconf", "-e", "lmtp_destination_concurrency_limit=5")
        for each in ("mx-alpha", "mx-beta"):
            self.inside(each, "postfix", "reload")

    def send(self, messages: int) -> None:
        self.inside("mx-alpha", *SOURCE, "-m", str(messages), "127.0.0.1:25")

    def drained(self) -> bool | None:
        """Whether all that was sent has arrived."""
        waiting = (self.inside(each, "postqueue", "-j") for each in ("mx-alpha", "mx-beta"))
        return not any(waiting) or None

    def fill(self, messages: int) -> None:
        """Send messages, as many as the lab can take before it gives some up."""
        while messages > 0:
            self.send(min(messages, PORTION))
            messages -= PORTION
            assert eventually(self.drained, within=60), "the queues do not become empty"

    def entries(self, service: str, since: datetime | None = None) -> list[Entry]:
        """Read a host's log."""
        with logs_of(self.engine, [self.there.host(service)]) as [log]:
            return list(log.entries(log.offset_at(since) if since else 0))

    def sizes(self) -> str:
        with logs_of(self.engine, self.there.hosts) as logs:
            lines = {log.name: sum(1 for _ in log.lines()) for log in logs}
            told = ", ".join(f"{name} {count}" for name, count in lines.items())
            return f"{sum(lines.values())} lines ({told}), {sum(log.size for log in logs) / 1e6:.0f} MB"


def message_ids(entries: Iterable[Entry]) -> list[str]:
    """Return the Message-IDs that an MTA took in, the oldest first."""
    return [normal_message_id(each.event.message_id) for each in entries if isinstance(each.event, Queued)]


def tracing(lab: Lab, runs: int) -> None:
    """One message of many, by its Message-ID: an early one, one in the middle and a late one."""
    known = message_ids(lab.entries("mx-alpha"))
    places = {"early": len(known) // 100, "middle": len(known) // 2, "late": -len(known) // 100}

    def trace(place: int) -> float:
        command = [*LABCTL, "trace", "--name", lab.name, "--json", known[place]]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        took = time.monotonic() - began
        assert done.returncode == 0, done
        [message] = json.loads(done.stdout)["messages"]
        assert message["state"] == "delivered", message
        return took

    def floor() -> float:
        names = [f"labctl-{lab.name}-{each.service}" for each in lab.there.hosts]
        commands = [f"docker logs -t {name} > /dev/null 2>&1" for name in names]
        return timed(["sh", "-c", " & ".join([*commands, "wait"])])

    figures = in_turn(
        runs,
        **{f"trace, {name}": lambda place=place: trace(place) for name, place in places.items()},
        docker_logs=floor,
        status=lambda: labctl("status", "--name", lab.name),
    )
    for name in places:
        ratio(figures, f"trace, {name}", "docker_logs")


def live(lab: Lab, messages: int) -> None:
    """A flood, followed as it comes: by `followed`, in this process."""
    began = datetime.now(UTC)
    lags: list[float] = []
    seen: list[Entry] = []
    with followed(lab.engine, lab.there) as entries:
        sender = threading.Thread(target=lab.fill, args=(messages,))
        sender.start()
        saved = 0
        for entry in entries:
            lags.append(time.time() - entry.at.timestamp())
            seen.append(entry)
            saved += isinstance(entry.event, Saved)
            if saved == messages:
                break
        last = time.time()
        sender.join()
    told = Counter((each.host, each.at, each.text) for each in seen)
    written: Counter[tuple[str, datetime, str]] = Counter()
    for host in lab.there.hosts:
        of_host = [each for each in lab.entries(host.service, began) if each.at.timestamp() <= last - 1]
        written.update((each.host, each.at, each.text) for each in of_host)
    missed = (written - told).total()
    lags.sort()
    print(f"| live: lines, missed, told twice | {len(seen)}, {missed}, {len(seen) - len(told)} | | |")
    print(Figure("live: from the engine's stamp to being told", tuple(lags)))
    print(f"| live: the same, 99 of 100 | {lags[len(lags) * 99 // 100]:.3f} | | {len(lags)} |", flush=True)


def command(lab: Lab, messages: int) -> None:
    """The same flood, followed by ``labctl trace --follow --json``: when each is told to be stored."""
    with subprocess.Popen(
        [*LABCTL, "trace", "--name", lab.name, "--follow", "--json"], stdout=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout is not None

        def probing() -> None:
            def told() -> bool | None:
                lab.send(1)
                return bool(stored) or None

            eventually(told, within=30, longest_pause=1)

        probe = threading.Thread(target=probing)
        stored: set[str] = set()
        lags: list[float] = []
        probe.start()
        sender = None
        wanted = 0
        for line in following.stdout:
            told = json.loads(line)
            if told["hop"]["event"] != "stored":
                continue
            stored.add(told["message_id"])
            at = datetime.fromisoformat(told["hop"]["at"])
            lags.append(time.time() - at.timestamp())
            if sender is None:  # it listens: now the flood
                probe.join()
                wanted, lags = messages, []
                stored.clear()
                sender = threading.Thread(target=lab.fill, args=(messages,))
                sender.start()
            if wanted and len(stored) >= wanted:
                break
        following.terminate()
        if sender is not None:
            sender.join()
    print(f"| command: messages told of {messages} | {len(stored)} | | |")
    print(Figure("command: from the engine's stamp to being told", tuple(lags)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="bench", help="the lab's name; it is made, and removed in the end")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--live", type=int, default=500)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--keep", action="store_true", help="leave the lab and its mail for the next run")
    parser.add_argument("what", nargs="*", default=["trace", "live", "command"])
    arguments = parser.parse_args()
    labctl("up", "--name", arguments.name)
    lab = Lab(arguments.name)
    lab.open()
    began = time.monotonic()
    missing = arguments.messages - len(message_ids(lab.entries("mx-alpha")))
    lab.fill(missing)
    print(f"{lab.sizes()}; {max(missing, 0)} messages sent in {time.monotonic() - began:.0f} s", flush=True)
    print("| What | Median s | Range | Runs |\n|---|---|---|---|")
    for what in arguments.what:
        match what:
            case "trace":
                tracing(lab, arguments.runs)
            case "live":
                live(lab, arguments.live)
            case "command":
                command(lab, arguments.live)
    if not arguments.keep:
        labctl("down", "--name", arguments.name)


if __name__ == "__main__":
    main()
