"""Attempts that attack the grader, the machine or each other: nothing comes of it, and the report says so.

Each kind of lab is graded once, with all attacks on it and a good attempt among them; the tests look at what
came of each, and at the machine.
"""

from __future__ import annotations

import csv
import json
import re
import resource
import select
import socket
import subprocess
import threading
import unicodedata
import uuid
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

import pytest

from tests.integration.hostile import daemons, directories, labs, programs, words, zones
from tests.integration.hostile.attack import Attack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.integration.conftest import Labctl, Ran

KINDS: Final = {
    "zone": labs.zone_lab,
    "resolver": labs.resolver_lab,
    "mta": labs.mta_lab,
    "mda": labs.mda_lab,
}

_NOTHING: Final = dict.fromkeys(
    ("beta.test.zone", "Corefile", "main.cf", "master.cf", "aliases", "dovecot.conf"), ""
)

ATTACKS: Final = [
    pytest.param(
        *(kind, attack.id),
        id=f"{kind}:{re.sub('[^a-z-]', '', attack.id)}",
        marks=pytest.mark.nightly if attack.nightly else (),
    )
    for kind, attacks in {
        "zone": (*directories.attacks(Path(), Path()), *zones.zone_attacks(Path(), _NOTHING)),
        "resolver": zones.resolver_attacks(Path(), "", 0, _NOTHING),
        "mta": daemons.mta_attacks("", _NOTHING),
        "mda": daemons.mda_attacks("", Path(), _NOTHING),
    }.items()
    for attack in attacks
]

ONE_MEBIBYTE: Final = 1024
"""In the unit of ru_maxrss, getrusage(2)."""


@dataclass(frozen=True)
class Machine:
    """What of this machine an attempt must not reach."""

    secret: Path
    token: str
    mark: Path
    listeners: tuple[socket.socket, ...]
    addresses: tuple[str, ...]

    @property
    def port(self) -> int:
        return int(self.listeners[0].getsockname()[1])

    def heard(self) -> list[socket.socket]:
        return select.select(self.listeners, [], [], 0.2)[0]


@dataclass(frozen=True)
class Graded:
    """What came of one kind of lab."""

    lab: Path
    attacks: Mapping[str, Attack]
    ran: Ran
    document: Mapping[str, Any]
    written: Path
    created: tuple[str, ...]

    def attempt(self, name: str) -> Mapping[str, Any]:
        [found] = [each for each in self.document["attempts"] if each["id"] == name]
        return dict(found)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    place = tmp_path_factory.mktemp("machine")
    token = f"secret-{uuid.uuid4().hex}"
    secret = place / "secret"
    secret.write_text(f"{token}\n")
    said = subprocess.run(["ip", "-json", "-4", "address"], capture_output=True, check=True).stdout
    every = [each["local"] for link in json.loads(said) for each in link["addr_info"]]
    addresses = tuple(each for each in every if not each.startswith(("127.", "198.18.", "198.19.")))
    with ExitStack() as ends:
        listeners = [ends.enter_context(socket.create_server(("0.0.0.0", 0)))]  # noqa: S104  # none may be reached
        port = listeners[0].getsockname()[1]
        for kind, at in ((socket.SOCK_DGRAM, port), (socket.SOCK_DGRAM, 53), (socket.SOCK_STREAM, 53)):
            listener = ends.enter_context(closing(socket.socket(socket.AF_INET, kind)))
            with suppress(OSError):  # this machine has a resolver of its own, or we are not root
                listener.bind(("0.0.0.0", at))  # noqa: S104  # as above
                if kind == socket.SOCK_STREAM:
                    listener.listen()
                listeners.append(listener)
        yield Machine(secret, token, place / "mark", tuple(listeners), addresses)


@pytest.fixture(scope="module")
def graded(
    labctl: Labctl, docker: Any, machine: Machine, tmp_path_factory: pytest.TempPathFactory, nightly: bool
) -> Mapping[str, Graded]:
    """Each kind of lab, graded when it is first asked for."""

    class Kinds(dict[str, Graded]):
        def __missing__(self, kind: str) -> Graded:
            place = tmp_path_factory.mktemp(kind)
            self[kind] = grade(kind, labctl, docker, machine, place, nightly=nightly)
            return self[kind]

    return Kinds()


def grade(kind: str, labctl: Labctl, docker: Any, machine: Machine, place: Path, *, nightly: bool) -> Graded:
    """Grade all attacks on a kind of lab, and a good attempt with them, in every format."""
    name = f"hostile-{kind}-{uuid.uuid4().hex[:6]}"
    lab = KINDS[kind](place / "lab", name)
    solution = labs.solution(lab)
    survey = programs.survey(machine.secret, machine.addresses, machine.port)
    match kind:
        case "zone":
            found = [*directories.attacks(machine.secret, machine.mark)]
            found += zones.zone_attacks(machine.secret, solution)
        case "resolver":
            found = [*zones.resolver_attacks(machine.secret, machine.addresses[0], machine.port, solution)]
        case "mta":
            found = [*daemons.mta_attacks(survey, solution)]
        case _:
            found = [*daemons.mda_attacks(survey, machine.secret, solution)]
    found = [each for each in found if nightly or not each.nightly]
    attacks = {each.id: each for each in (*found, Attack("good", "passed", ""))}
    for each in attacks.values():
        each.write(place / "attempts" / each.id, solution)
    out = place / "graded"
    formats = [
        word
        for option, path in (("junit", "j.xml"), ("html", "h.html"), ("csv", "c.csv"), ("summary", "s.md"))
        for word in (f"--{option}", str(place / path))
    ]
    with created(docker, name) as containers:
        ran = labctl(
            "grade",
            *(str(place / "attempts" / each) for each in attacks),
            *("--lab", str(lab), "--jobs", "4", "--json", "--out", str(out), *formats),
            env={"TOKEN": machine.token, "GITHUB_ACTIONS": "true"},
        )
    assert ran.stdout, ran
    return Graded(lab, attacks, ran, labctl.document_of(ran.stdout), place, tuple(containers))


@contextmanager
def created(docker: Any, lab: str) -> Iterator[list[str]]:
    """Take note of the names of all containers that are created of a lab, for the length of a block."""
    names: list[str] = []
    events = docker.events(filters={"event": "create", "label": f"labctl.lab={lab}"}, decode=True)

    def note() -> None:
        names.extend(each["Actor"]["Attributes"]["name"] for each in events)

    thread = threading.Thread(target=note)
    thread.start()
    try:
        yield names
    finally:
        events.close()
        thread.join()


def texts(attempt: Mapping[str, Any]) -> str:
    """Return all that a report says of an attempt."""
    parts = [attempt["explanation"], *attempt["remarks"]]
    parts += [str(attempt["rejection"])] if attempt["rejection"] else []
    for check in attempt["checks"]:
        parts += [check["explanation"], *check["evidence"]]
    for lines in attempt["logs"].values():
        parts += lines
    return "\n".join(parts)


def outputs(place: Path) -> list[Path]:
    """Return all files that a grading wrote."""
    return [each for each in (*place.glob("*.*"), *(place / "graded").rglob("*")) if each.is_file()]


@pytest.mark.parametrize(("kind", "attack"), ATTACKS)
def test_a_verdict_says_what_happened(graded: Mapping[str, Graded], kind: str, attack: str) -> None:
    expected, found = graded[kind].attacks[attack], graded[kind].attempt(attack)
    assert re.fullmatch(expected.verdict, found["verdict"]), found
    assert re.search(expected.says, texts(found)), found
    assert re.search("attack: ran", texts(found)) is None  # nobody ran what it left for others to run


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_attempt_among_them_is_as_good_as_alone(graded: Mapping[str, Graded], kind: str) -> None:
    good = graded[kind].attempt("good")
    assert (good["verdict"], good["score"]) == ("passed", good["max_score"]), good


@pytest.mark.parametrize("kind", KINDS)
def test_the_machine_is_as_it_was(
    graded: Mapping[str, Graded], machine: Machine, docker: Any, kind: str
) -> None:
    done = graded[kind]
    assert machine.heard() == []
    assert machine.secret.read_text() == f"{machine.token}\n"
    assert not machine.mark.exists()
    assert done.created
    left = {each.name for each in docker.containers.list(all=True, ignore_removed=True)}
    left |= {each.name for each in docker.volumes.list()} | {each.name for each in docker.networks.list()}
    assert left & {*done.created, *(name.rpartition("-")[0] for name in done.created)} == set()
    assert marked_processes(machine) == []


def marked_processes(machine: Machine) -> list[str]:
    """Return the commands of this machine's processes that run an attacker's survey."""
    wanted = str(machine.secret).encode().hex().encode()
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if wanted in (command := each.read_bytes()):
                found.append(command.decode("utf-8", "replace"))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_of_the_machine_gets_into_a_report(
    graded: Mapping[str, Graded], machine: Machine, kind: str
) -> None:
    done = graded[kind]
    written = outputs(done.written)
    assert len(written) >= 7
    for content in (done.ran.stdout, done.ran.stderr, *(each.read_text() for each in written)):
        assert machine.token not in content


@pytest.mark.parametrize("kind", KINDS)
def test_no_report_obeys_what_a_student_wrote(graded: Mapping[str, Graded], kind: str) -> None:
    done = graded[kind]
    for each in outputs(done.written):
        content = each.read_text()
        controls = {c for c in content if unicodedata.category(c) == "Cc"} - {"\n", "\r", "\t"}
        assert controls == set(), each
        if each.suffix in {".html", ".md"}:
            assert "<script>alert" not in unfenced(content)
    [*_, suites] = ET.parse(done.written / "j.xml").iter("testsuite")  # noqa: S314  # labctl's own
    assert suites is not None
    with (done.written / "c.csv").open(newline="") as table:
        rows = list(csv.reader(table))
    assert len(rows) == len(done.attacks) + 1
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell


def unfenced(text: str) -> str:
    """Leave out what stands in code blocks: CommonMark 0.31, 4.5."""
    left, fence = [], ""
    for line in text.splitlines():
        mark = re.match("`{3,}", line)
        if fence and mark and mark[0] == line.strip() and len(mark[0]) >= len(fence):
            fence = ""
        elif not fence and mark:
            fence = mark[0]
        elif not fence:
            left.append(line)
    return "\n".join(left)


@pytest.mark.parametrize("kind", KINDS)
def test_github_takes_no_orders_from_a_student(graded: Mapping[str, Graded], kind: str) -> None:
    lines = graded[kind].ran.stderr.splitlines()
    orders = [line for line in lines if line.startswith("::")]
    assert orders
    assert not any(line.startswith("::error file=x::") for line in lines)
    assert "\x1b" not in graded[kind].ran.stderr


@pytest.mark.parametrize("kind", ["zone"])
def test_a_directorys_name_is_only_a_name(graded: Mapping[str, Graded], kind: str) -> None:
    assert graded[kind].attempt(words.DIRECTORY)["verdict"] == "failed"


@pytest.mark.parametrize("kind", ["mda"])
def test_no_more_memory_is_used_than_the_reports_need(graded: Mapping[str, Graded], kind: str) -> None:
    assert graded[kind].attempt("log-flood")["verdict"] == "failed"
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 400 * ONE_MEBIBYTE
