"""Mail logs of any size, and how long it takes to find a message in them, or to list all.

``python -m tests.bench.maillogs make DIR --bytes 1000000000 --hosts 3`` writes the logs of some hosts over
three days, in rotated files; ``search DIR`` measures against ``grep -F``, and ``list DIR`` beside a bare loop
over the same lines.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import resource
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BEGIN: Final = datetime(2026, 11, 20, tzinfo=UTC)
DAYS: Final = 3
FILES: Final = 3
"""How many files each host's log was rotated into."""
TURNS: Final = 3
"""How often commands that are compared take turns."""

# The lines are those of Postfix 3.10 and Dovecot 2.4, with what differs from message to message left out.
# `pid` is the process of a whole conversation, `other` that of a single line.
CONNECT: Final = "postfix/smtpd[{pid}]: connect from {client}"
TLS: Final = (
    "postfix/smtpd[{pid}]: Anonymous TLS connection established from {client}: TLSv1.3 with cipher "
    "TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits)"
)
CLIENT: Final = "postfix/smtpd[{pid}]: {qid}: client={client}"
SUBMITTED: Final = (
    "postfix/submission/smtpd[{pid}]: {qid}: client={client}, sasl_method=PLAIN, sasl_username={sender}"
)
SUBMISSION: Final = "postfix/submission/smtpd[{pid}]: connect from {client}"
SUBMISSION_END: Final = (
    "postfix/submission/smtpd[{pid}]: disconnect from {client} ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 "
    "quit=1 commands=8"
)
MESSAGE_ID: Final = "postfix/cleanup[{other}]: {qid}: message-id={message_id}"
ACTIVE: Final = "postfix/qmgr[812]: {qid}: from=<{sender}>, size={size}, nrcpt={nrcpt} (queue active)"
DISCONNECT: Final = (
    "postfix/smtpd[{pid}]: disconnect from {client} ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7"
)
SENT: Final = (
    "postfix/smtp[{other}]: {qid}: to=<{rcpt}>, relay={relay}:25, delay={delay}, delays=0.02/0.01/0.03/0.05, "
    "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {next})"
)
STORED: Final = (
    "postfix/lmtp[{other}]: {qid}: to=<{rcpt}>, relay=mail.lab.test[198.51.100.143]:24, delay=0.08, "
    "delays=0.02/0.01/0.01/0.04, dsn=2.0.0, status=sent (250 2.0.0 <{rcpt}> {session} Saved)"
)
SAVED: Final = "dovecot: lmtp({rcpt})<{pid}><{session}>: msgid={message_id}: saved mail to INBOX"
FORWARDED: Final = (
    "postfix/local[{other}]: {qid}: to=<{rcpt}>, orig_to=<{alias}>, relay=local, delay=0.04, "
    "delays=0.02/0.01/0/0.01, dsn=2.0.0, status=sent (forwarded as {next})"
)
REFUSED: Final = "postfix/smtp[{pid}]: connect to {relay}:25: Connection refused"
DEFERRED: Final = (
    "postfix/smtp[{pid}]: {qid}: to=<{rcpt}>, relay=none, delay={delay}, delays={delay}/0.01/0.02/0, "
    "dsn=4.4.1, status=deferred (connect to {relay}:25: Connection refused)"
)
BOUNCED: Final = (
    "postfix/smtp[{other}]: {qid}: to=<{rcpt}>, relay={relay}:25, delay=0.08, delays=0.02/0.01/0.03/0.02, "
    "dsn=5.1.1, status=bounced (host {relay} said: 550 5.1.1 <{rcpt}>: Recipient address rejected: User "
    "unknown in virtual mailbox table (in reply to RCPT TO command))"
)
NOTIFIED: Final = "postfix/bounce[{other}]: {qid}: sender non-delivery notification: {next}"
REMOVED: Final = "postfix/qmgr[812]: {qid}: removed"
REJECTED: Final = (
    "postfix/smtpd[{pid}]: NOQUEUE: reject: RCPT from {client}: 550 5.1.1 <{rcpt}>: Recipient address "
    "rejected: User unknown in virtual mailbox table; from=<{sender}> to=<{rcpt}> proto=ESMTP helo=<{helo}>"
)
LOST: Final = "postfix/smtpd[{pid}]: lost connection after AUTH from {client}"
BRIEF: Final = "postfix/smtpd[{pid}]: disconnect from {client} ehlo=1 auth=0/1 commands=1/2"
LOGIN: Final = (
    "dovecot: imap-login: Logged in: user=<{rcpt}>, method=PLAIN, rip=203.0.113.77, lip=198.51.100.143, "
    "mpid={pid}, TLS, session=<{session}>"
)
LOGOUT: Final = (
    "dovecot: imap({rcpt})<{pid}><{session}>: Disconnected: Logged out in=420 out=2516 deleted=0 expunged=0 "
    "trashed=0 hdr_count=3 hdr_bytes=900 body_count=1 body_bytes=1400"
)

_BASE_52: Final = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"


@dataclass
class Host:
    """One mail server, and its log."""

    name: str
    directory: Path
    budget: int
    long_ids: bool
    """Long queue ids, and RFC 3339's times."""
    files: list[Path] = field(default_factory=list)
    written: int = 0
    _file: TextIO | None = None

    @property
    def relay(self) -> str:
        return f"{self.name}.lab.test[203.0.113.{10 + int(self.name[2:])}]"

    def write(self, at: datetime, text: str) -> None:
        if self._file is None or self.written > self.budget * len(self.files) // FILES:
            self.close()
            self.files.append(self.directory / f"{self.name}.log.{len(self.files) + 1}")
            self._file = self.files[-1].open("w")
        if self.long_ids:
            line = f"{at.isoformat(timespec='microseconds')} {self.name} {text}\n"
        else:
            line = f"{at:%b} {at.day:2d} {at:%H:%M:%S} {self.name} {text}\n"
        self.written += len(line)
        self._file.write(line)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class Generator:
    """Invents messages one after the other, and writes what hosts would log of them."""

    def __init__(self, directory: Path, *, size: int, hosts: int, seed: int = 1) -> None:
        self.random = random.Random(seed)  # noqa: S311  # not for secrets
        self.size = size
        self.directory = directory
        self.hosts = [
            Host(f"mx{number + 1}", directory, size // hosts, long_ids=number % 3 == 2)
            for number in range(hosts)
        ]
        self.messages: list[dict[str, object]] = []
        self._lines: list[tuple[datetime, int, Host, str]] = []
        self._count = 0

    def run(self) -> None:
        """Write the logs, and which messages are in them."""
        kinds: list[tuple[Callable[[datetime], dict[str, object] | None], int]] = [
            (self._normal, 60),
            (self._several, 8),
            (self._deferred, 8),
            (self._bounced, 6),
            (self._aliased, 6),
            (self._rejected, 12),
            (self._stranger, 20),
            (self._reader, 20),
        ]
        makers, weights = [maker for maker, _ in kinds], [weight for _, weight in kinds]
        at, number, written = BEGIN, 0, 0
        while written < self.size:
            maker = self.random.choices(makers, weights)[0]
            told = maker(at)
            if told is not None and (number := number + 1) % 200 == 0:
                self.messages.append({"kind": maker.__name__.strip("_"), "at": at.isoformat(), **told})
            # What is written tells how far the days have gone, so that any size takes as long.
            written = sum(host.written for host in self.hosts)
            at = max(at, BEGIN + timedelta(days=DAYS) * (written / self.size))
            at += timedelta(milliseconds=self.random.randrange(1, 40))
            while self._lines and self._lines[0][0] <= at:
                said_at, _, host, text = heapq.heappop(self._lines)
                host.write(said_at, text)
        for host in self.hosts:
            host.close()
        (self.directory / "messages.json").write_text(json.dumps(self.messages))

    def _say(self, host: Host, at: datetime, *templates: str, **fields: object) -> datetime:
        """Have a host say lines, one soon after the other; return when it would say the next."""
        fields = {"pid": self._pid(), **fields}
        for each in templates:
            self._count += 1
            text = each.format(other=self._pid(), **fields)
            heapq.heappush(self._lines, (at, self._count, host, text))
            at += timedelta(milliseconds=self.random.randrange(2, 20))
        return at

    # What messages are made of.

    def _queue_id(self, host: Host, at: datetime) -> str:
        micros, inode = at.microsecond, self.random.randrange(1 << 20, 1 << 22)
        if not host.long_ids:
            return f"{micros:05X}{inode:06X}"
        return f"4{self._base_52(int(at.timestamp()), 5)}{self._base_52(micros, 4)}z{self._base_52(inode, 4)}"

    @staticmethod
    def _base_52(number: int, width: int) -> str:
        digits = []
        for _ in range(width):
            number, digit = divmod(number, 51)
            digits.append(_BASE_52[digit])
        return "".join(reversed(digits))

    def _pid(self) -> int:
        return self.random.randrange(1000, 32000)

    def _user(self) -> str:
        return f"user{self.random.randrange(5000)}@lab{self.random.randrange(20)}.test"

    def _session(self) -> str:
        return f"{self.random.getrandbits(64):016x}"

    def _pair(self) -> tuple[Host, Host]:
        first = self.random.choice(self.hosts)
        return first, self.random.choice([host for host in self.hosts if host is not first] or [first])

    def _submit(self, host: Host, at: datetime, sender: str, nrcpt: int = 1) -> tuple[str, str, datetime]:
        qid = self._queue_id(host, at)
        message_id = f"<{self._session()}.{at:%Y%m%d%H%M%S}@client.lab.test>"
        lines = (SUBMISSION, SUBMITTED, MESSAGE_ID, ACTIVE, SUBMISSION_END)
        client, size = "unknown[203.0.113.77]", 2400
        told = {"qid": qid, "message_id": message_id, "sender": sender, "size": size, "nrcpt": nrcpt}
        return qid, message_id, self._say(host, at, *lines, client=client, **told)

    def _relay(
        self, here: Host, there: Host, at: datetime, *, qid: str, message_id: str, sender: str, rcpt: str
    ) -> datetime:
        """Hand a message to the next host, which stores it."""
        following, at = self._arrive(there, here, at, message_id, sender)
        at = self._say(here, at, SENT, qid=qid, rcpt=rcpt, relay=there.relay, delay=0.11, next=following)
        self._store(there, at, following, message_id, rcpt)
        return at

    def _arrive(
        self, host: Host, client: Host, at: datetime, message_id: str, sender: str
    ) -> tuple[str, datetime]:
        qid = self._queue_id(host, at)
        lines = (CONNECT, TLS, CLIENT, MESSAGE_ID, ACTIVE, DISCONNECT)
        told = {"qid": qid, "message_id": message_id, "sender": sender, "size": 2900, "nrcpt": 1}
        return qid, self._say(host, at, *lines, client=client.relay, **told)

    def _store(self, host: Host, at: datetime, qid: str, message_id: str, rcpt: str) -> datetime:
        told = {"qid": qid, "message_id": message_id, "rcpt": rcpt, "session": self._session()}
        return self._say(host, at, SAVED, STORED, REMOVED, **told)

    # What becomes of them.

    def _normal(self, at: datetime) -> dict[str, object]:
        return self._several(at, 1)

    def _several(self, at: datetime, count: int = 3) -> dict[str, object]:
        (here, there), sender = self._pair(), self._user()
        qid, message_id, at = self._submit(here, at, sender, count)
        for _ in range(count):
            at = self._relay(
                here, there, at, qid=qid, message_id=message_id, sender=sender, rcpt=self._user()
            )
        self._say(here, at, REMOVED, qid=qid)
        return {"queue_id": qid, "message_id": message_id}

    def _deferred(self, at: datetime) -> dict[str, object]:
        (here, there), sender, rcpt = self._pair(), self._user(), self._user()
        qid, message_id, arrived = self._submit(here, at, sender)
        at = arrived
        for attempt in range(self.random.randrange(1, 7)):
            delay = round((at - arrived).total_seconds() + 0.1, 1)
            at = self._say(here, at, REFUSED, DEFERRED, qid=qid, rcpt=rcpt, relay=there.relay, delay=delay)
            at += timedelta(seconds=300 * 2**attempt)
            at = self._say(here, at, ACTIVE, qid=qid, sender=sender, size=2400, nrcpt=1)
        at = self._relay(here, there, at, qid=qid, message_id=message_id, sender=sender, rcpt=rcpt)
        self._say(here, at, REMOVED, qid=qid)
        return {"queue_id": qid, "message_id": message_id}

    def _bounced(self, at: datetime) -> dict[str, object]:
        (here, there), sender, rcpt = self._pair(), self._user(), self._user()
        qid, message_id, at = self._submit(here, at, sender)
        at = self._reject(there, at, here.relay, rcpt=rcpt, sender=sender, helo="mx.lab.test")
        at = self._say(here, at, BOUNCED, qid=qid, rcpt=rcpt, relay=there.relay)
        notice = self._queue_id(here, at)
        notice_id = f"<{at:%Y%m%d%H%M%S}.{notice}@{here.name}.lab.test>"
        at = self._say(here, at, MESSAGE_ID, qid=notice, message_id=notice_id)
        at = self._say(here, at, NOTIFIED, qid=qid, next=notice)
        at = self._say(here, at, ACTIVE, qid=notice, sender="", size=4400, nrcpt=1)
        self._say(here, at, REMOVED, qid=qid)
        self._store(here, at, notice, notice_id, sender)
        return {"queue_id": qid, "message_id": message_id}

    def _aliased(self, at: datetime) -> dict[str, object]:
        (here, there), sender, rcpt = self._pair(), self._user(), self._user()
        qid, message_id, at = self._submit(here, at, sender)
        team = "team@lab1.test"
        second, at = self._arrive(there, here, at, message_id, sender)
        at = self._say(here, at, SENT, qid=qid, rcpt=team, relay=there.relay, delay=0.1, next=second)
        self._say(here, at, REMOVED, qid=qid)
        third = self._queue_id(there, at)
        at = self._say(there, at, MESSAGE_ID, qid=third, message_id=message_id)
        told = {"qid": second, "rcpt": "team@localhost", "alias": team, "next": third}
        at = self._say(there, at, FORWARDED, REMOVED, **told)
        at = self._say(there, at, ACTIVE, qid=third, sender=sender, size=2950, nrcpt=1)
        self._store(there, at, third, message_id, rcpt)
        return {"queue_id": qid, "message_id": message_id}

    def _rejected(self, at: datetime) -> None:
        rcpt, sender = self._user(), self._user()
        self._reject(
            self.random.choice(self.hosts), at, self._stray(), rcpt=rcpt, sender=sender, helo="spam.test"
        )

    def _reject(self, host: Host, at: datetime, client: str, **told: str) -> datetime:
        return self._say(host, at, CONNECT, REJECTED, DISCONNECT, client=client, **told)

    def _stranger(self, at: datetime) -> None:
        self._say(self.random.choice(self.hosts), at, CONNECT, LOST, BRIEF, client=self._stray())

    def _stray(self) -> str:
        return f"unknown[203.0.113.{self.random.randrange(80, 250)}]"

    def _reader(self, at: datetime) -> None:
        host, rcpt, pid, session = self.random.choice(self.hosts), self._user(), self._pid(), self._session()
        self._say(host, at, LOGIN, rcpt=rcpt, pid=pid, session=session)
        at += timedelta(seconds=self.random.randrange(1, 600))
        self._say(host, at, LOGOUT, rcpt=rcpt, pid=pid, session=session)


def files_of(directory: Path) -> list[str]:
    """Return the logs in a directory."""
    return sorted(str(path) for path in directory.glob("*.log.*"))


def picked(directory: Path, count: int) -> Iterator[dict[str, str]]:
    """Yield messages of each kind from the beginning, the middle and the end."""
    messages = json.loads((directory / "messages.json").read_text())
    for step in range(count):
        part = messages[len(messages) * step // count : len(messages) * (step + 1) // count]
        kinds = {each["kind"]: each for each in part}
        yield from (kinds[kind] for kind in sorted(kinds))


def find(wanted: str, files: list[str]) -> int:
    """Find one message; return how many lines tell of it."""
    from labctl.trace.finding.search import search  # noqa: PLC0415
    from labctl.trace.finding.wanted import Wanted  # noqa: PLC0415
    from labctl.trace.logs.log import open_logs  # noqa: PLC0415  # part of what is measured

    with open_logs(files, zone=UTC) as logs:
        return len(search(logs, Wanted.parse(wanted)).entries)


def measure_search(directory: Path, count: int) -> None:
    """Print how long it takes to find messages, and to tell of them, beside ``grep -F``.

    What is compared takes turns with grep, three times; medians count.
    """
    files = files_of(directory)
    size = sum(Path(file).stat().st_size for file in files)
    print(f"{len(files)} files, {size / 1e9:.2f} GB; seconds, and how many times grep's")
    python = [sys.executable, "-m"]
    worst = {"search": 0.0, "trace": 0.0}
    for message in picked(directory, count):
        for wanted in (message["queue_id"], message["message_id"]):
            grep = ["grep", "-F", "-c", message["queue_id"], *files]
            logs = [word for file in files for word in ("--logs", file)]
            told = f"{message['at'][:16]} {message['kind']:9} {'id' if '<' in wanted else 'queue':5}"
            for what, command in (
                ("search", [*python, "tests.bench.maillogs", "find", wanted, *files]),
                ("trace", [*python, "labctl", "trace", *logs, wanted, "--json"]),
            ):
                pairs = [(_seconds(grep), _seconds(command)) for _ in range(TURNS)]
                ratio = median(after / before for before, after in pairs)
                worst[what] = max(worst[what], ratio)
                before, after = (median(each) for each in zip(*pairs, strict=True))
                told += f" | grep {before:.2f} {what} {after:.2f} ratio {ratio:.1f}"
            print(told, flush=True)
    print(", ".join(f"worst ratio of {what} {ratio:.1f}" for what, ratio in worst.items()))


def measure_list(directory: Path) -> None:
    """Print how fast all messages are listed, and in how much memory, beside a bare loop."""
    from labctl.report.tracing import table as tracetable  # noqa: PLC0415
    from labctl.trace.listing.table import Filters, rows  # noqa: PLC0415
    from labctl.trace.logs.log import open_logs  # noqa: PLC0415  # as above

    paths = files_of(directory)
    print(f"{len(paths)} files, {sum(Path(path).stat().st_size for path in paths) / 1e6:.0f} MB")
    lines = _count(paths)
    _measured("bare loop", lines, lambda: _count(paths))
    with open_logs(paths, zone=UTC) as logs:
        told = Counter[str]()
        _measured("rows", lines, lambda: told.update(row.state.value for row in rows(logs, Filters())))
        print(told)
        _measured("rows, written as text", lines, lambda: sum(map(len, tracetable.lines(rows(logs), 80))))
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB of memory at most")


def _count(paths: list[str]) -> int:
    """Count lines, as the quickest loop of Python does."""
    count = 0
    for path in paths:
        with Path(path).open("rb") as file:
            for _ in file:
                count += 1
    return count


def _measured(what: str, lines: int, work: Callable[[], object]) -> None:
    """Do some work, and print its seconds and how many lines it went through in one."""
    wall, cpu = time.monotonic(), time.process_time()
    work()
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    print(
        f"| {what} | {wall:.2f} s | {cpu:.2f} s CPU | {lines / cpu:,.0f} lines a second of CPU |", flush=True
    )


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def main() -> None:
    """Make logs, or measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.maillogs")
    verbs = parser.add_subparsers(dest="verb", required=True)
    make = verbs.add_parser("make")
    make.add_argument("directory", type=Path)
    make.add_argument("--bytes", type=int, default=1_000_000_000)
    make.add_argument("--hosts", type=int, default=3)
    make.add_argument("--seed", type=int, default=1)
    measured = verbs.add_parser("search")
    measured.add_argument("directory", type=Path)
    measured.add_argument("--count", type=int, default=3)
    verbs.add_parser("list").add_argument("directory", type=Path)
    found = verbs.add_parser("find")
    found.add_argument("wanted")
    found.add_argument("files", nargs="+")
    given = parser.parse_args()
    match given.verb:
        case "make":
            given.directory.mkdir(parents=True, exist_ok=True)
            Generator(given.directory, size=given.bytes, hosts=given.hosts, seed=given.seed).run()
        case "search":
            measure_search(given.directory, given.count)
        case "list":
            measure_list(given.directory)
        case _:
            print(find(given.wanted, given.files))


if __name__ == "__main__":
    main()
