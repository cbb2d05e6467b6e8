"""Measures grading beside the engine's floor: ``python -m tests.bench.grading --help``.

The same attempts, each of other contents, are graded by `labctl grade` and examined by hand, in turns:
network and containers by bare API calls, the six checks by Python's own clients, and all taken down again;
or, for attempts that are only data, in a pool of laboratories that the images' own scripts empty in between.
"""

from __future__ import annotations

import argparse
import imaplib
import itertools
import poplib
import queue
import smtplib
import statistics
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from labctl import resources
from labctl.engine.model import File
from labctl.lab import origin
from labctl.lab.blueprint import definition
from labctl.lab.running import emptying
from labctl.resolver import resolve
from tests.bench.floor import Floor, archive, planned, until
from tests.bench.measure import labctl

if TYPE_CHECKING:
    from labctl.lab.blueprint.definition import LabDefinition

ZONE: Final = "/etc/coredns/zones/beta.test.zone"
ALIASES: Final = "/etc/postfix/aliases"
TOPOLOGY: Final = resources.compose_dir() / "two-domains"

LAB: Final = """\
id = "bench-grading"
title = "What is measured"
topology = "two-domains"

[[editable]]
path = "handed-in"
service = "{service}"
target = "{target}"

[grading]
limits = {{ seconds = 60 }}
"""

CHECKS: Final = '''
def test_the_mx_is_there(lab):
    """The MX of beta.test is there."""
    lab.dig("beta.test", "MX").must_be("10 mx.beta.test.")


def test_a_letter_arrives(alice, bob):
    """A letter to beta.test arrives."""
    bob.expect_delivery(alice.send(bob))


def test_an_answer_arrives(bob, alice):
    """A letter from beta.test arrives."""
    alice.expect_delivery(bob.send(alice))


def test_a_letter_to_nobody_comes_back(chance, alice):
    """A letter to nobody comes back."""
    alice.expect_bounce(alice.send(f"{chance.name()}@beta.test"), status="5.1.1")


def test_mail_is_read_by_pop3(lab, alice, bob):
    """Mail can be fetched by POP3."""
    letter = alice.send(bob)
    bob.expect_delivery(letter)
    if letter.message_id not in [each.message_id for each in bob.download()]:
        raise lab.fail("the letter", "others")


def test_what_was_refused_comes_again(alice, bea):
    """A letter that is refused for now is brought again."""
    bea.expect_delivery(alice.send(bea))
'''

GREYLIST: Final = """
smtpd_restriction_classes = greylisted
greylisted = check_policy_service unix:private/greylist
smtpd_recipient_restrictions = check_recipient_access inline:{ { bea@beta.test = greylisted } }
"""

OVERLAY: Final = """\
services:
  mx-beta:
    configs:
      - {source: greylist, target: /etc/postfix/greylist}
configs:
  mx-beta-main.cf: {file: ./main.cf}
  greylist: {file: ./greylist}
"""


def write_lab(directory: Path, *, reused: bool) -> LabDefinition:
    """Write the lab that is measured; of data where laboratories are to be used again."""
    (directory / "checks").mkdir(parents=True)
    service, target = ("dns", ZONE) if reused else ("mx-beta", ALIASES)
    ids = [each.split("(")[0].replace("_", "-") for each in CHECKS.split("def test_")[1:]]
    tables = "".join(f'\n[[checks]]\nid = "{each}"\npoints = 1\n' for each in ids)
    (directory / "lab.toml").write_text(LAB.format(service=service, target=target) + tables)
    (directory / "checks" / "test_all.py").write_text(CHECKS)
    (directory / "main.cf").write_text((TOPOLOGY / "mx-beta" / "main.cf").read_text() + GREYLIST)
    (directory / "greylist").write_text("1\n")
    (directory / "compose.yaml").write_text(OVERLAY)
    return definition.load(directory)


def contents(lab: LabDefinition, number: int) -> bytes:
    """Return what an attempt hands in, of which no other is the same."""
    if lab.editable[0].service == "dns":
        text = (TOPOLOGY / "dns" / "beta.test.zone").read_text()
        return text.replace(" 1 3600", f" {number} 3600").encode()
    return (TOPOLOGY / "mx-beta" / "aliases").read_bytes() + f"# {number}\n".encode()


def by_labctl(lab: LabDefinition, numbers: range, jobs: int) -> float:
    """Grade attempts as a whole command; return its seconds."""
    with tempfile.TemporaryDirectory() as place:
        attempts = [Path(place) / f"attempt-{n}" for n in numbers]
        for n, each in zip(numbers, attempts, strict=True):
            each.mkdir()
            (each / "handed-in").write_bytes(contents(lab, n))
        return labctl("grade", *map(str, attempts), "--lab", str(lab.directory), "--jobs", str(jobs))


def floors(lab: LabDefinition, numbers: range) -> list[Floor]:
    """Plan a laboratory for each of these attempts, each on a subnet of its own."""
    specs = origin.image_specs()
    key = lab.editable[0].service, lab.editable[0].target
    names = {n: f"floor-{uuid.uuid4().hex[:8]}" for n in numbers}
    return planned(
        origin.planner_for(name, lab, specs, handed_in={key: contents(lab, n)}) for n, name in names.items()
    )


def by_hand_fresh(lab: LabDefinition, numbers: range, jobs: int) -> float:
    """Examine attempts by hand, each in a laboratory of its own; return the seconds."""
    made = floors(lab, numbers)

    def one(floor: Floor) -> None:
        try:
            floor.up()
            probe(floor)
        finally:
            floor.down()

    began = time.monotonic()
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        list(pool.map(one, made))
    return time.monotonic() - began


def by_hand_reused(lab: LabDefinition, numbers: range, jobs: int) -> float:
    """Examine attempts by hand in laboratories that are emptied in between; return the seconds."""
    made = floors(lab, numbers[:jobs])
    free: queue.SimpleQueue[Floor] = queue.SimpleQueue()

    def up(floor: Floor) -> None:
        floor.up()
        free.put(floor)

    def one(n: int) -> None:
        floor = free.get()
        give(floor, contents(lab, n), n)
        probe(floor)
        empty(floor)
        free.put(floor)

    began = time.monotonic()
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        try:
            list(pool.map(up, made))
            list(pool.map(one, numbers))
        finally:
            list(pool.map(Floor.down, made))
    return time.monotonic() - began


def give(floor: Floor, zone: bytes, serial: int) -> None:
    """Have a zone served."""
    name = floor.plan.host("dns").container.name
    floor.client().put_archive(name, "/", archive([File(ZONE, zone)]))
    floor.client().kill(name, "USR1")
    until(lambda: any(f" {serial} " in text for text in records(floor, "SOA")))


def empty(floor: Floor) -> None:
    """Run the scripts by which a laboratory is emptied, in those hosts that keep anything."""
    floor.execute(emptying.SCRIPT, but_for={"dns"})


def probe(floor: Floor) -> None:
    """Do what the six checks do, by the plainest means."""
    assert records(floor, "MX") == ["10 mx.beta.test."]
    first = send(floor, "alice@alpha.test", "bob@beta.test")
    arrives(floor, "bob@beta.test", first)
    arrives(floor, "alice@alpha.test", send(floor, "bob@beta.test", "alice@alpha.test"))
    nobody = f"quinn-{uuid.uuid4().hex[:4]}@beta.test"
    send(floor, "alice@alpha.test", nobody)
    arrives(floor, "alice@alpha.test", nobody)
    second = send(floor, "alice@alpha.test", "bob@beta.test")
    arrives(floor, "bob@beta.test", second)
    maildrop = poplib.POP3(address(floor, "mail-beta"))
    maildrop.user("bob@beta.test")
    maildrop.pass_("bob")
    count, _ = maildrop.stat()
    assert any(second.encode() in b"".join(maildrop.retr(n + 1)[1]) for n in range(count))
    maildrop.quit()
    arrives(floor, "bea@beta.test", send(floor, "alice@alpha.test", "bea@beta.test"))


def address(floor: Floor, service: str) -> str:
    return str(floor.plan.host(service).container.address)


def records(floor: Floor, kind: str) -> list[str]:
    answer = resolve(address(floor, "dns"), 53, "beta.test", kind)
    return [each.text for each in answer.records]


def send(floor: Floor, sender: str, recipient: str) -> str:
    """Submit a letter; return its Message-ID."""
    user, _, domain = sender.partition("@")
    message_id = f"<{uuid.uuid4().hex}@{domain}>"
    with smtplib.SMTP(address(floor, f"mx-{domain.removesuffix('.test')}"), 587) as server:
        server.login(sender, user)
        text = f"From: {sender}\nTo: {recipient}\nMessage-ID: {message_id}\nSubject: A letter\n\nHello.\n"
        server.sendmail(sender, [recipient], text)
    return message_id


def arrives(floor: Floor, owner: str, text: str) -> None:
    """Wait until a mail with a text is in somebody's mailbox."""
    user, _, domain = owner.partition("@")
    with imaplib.IMAP4(address(floor, f"mail-{domain.removesuffix('.test')}")) as mailbox:
        mailbox.login(owner, user)
        mailbox.select(readonly=True)

        def there() -> bool:
            mailbox.noop()
            return bool(mailbox.search(None, "TEXT", f'"{text}"')[1][0])

        until(there)


def compare(what: str, rounds: int, attempts: int, jobs: int) -> None:
    """Print how many attempts a minute labctl and the floor do, in turns, and the ratios of neighbours."""
    by_hand = by_hand_reused if what == "reused" else by_hand_fresh
    starts = itertools.count(2, attempts)
    rates: dict[str, list[float]] = {"labctl": [], "floor": []}
    with tempfile.TemporaryDirectory() as place:
        lab = write_lab(Path(place) / "lab", reused=what == "reused")
        for _ in range(rounds):
            for who, measure in (("labctl", by_labctl), ("floor", by_hand)):
                start = next(starts)
                seconds = measure(lab, range(start, start + attempts), jobs)
                rates[who].append(60 * attempts / seconds)
                print(f"| {what}, {who}, {attempts} attempts | {rates[who][-1]:.1f} a minute |", flush=True)
    ratios = [a / b for a, b in zip(rates["labctl"], rates["floor"], strict=True)]
    print(
        f"| {what}, labctl / floor | {statistics.median(ratios):.2f} | {min(ratios):.2f}-{max(ratios):.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="a laboratory for each attempt")
    parser.add_argument("--reused", action="store_true", help="laboratories that are emptied in between")
    parser.add_argument("--attempts", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    both = arguments.fresh == arguments.reused
    for what, wanted in (("fresh", arguments.fresh), ("reused", arguments.reused)):
        if wanted or both:
            compare(what, arguments.rounds, arguments.attempts, arguments.jobs)


if __name__ == "__main__":
    main()
