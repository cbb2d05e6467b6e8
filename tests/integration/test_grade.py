"""Many attempts, good, broken and hostile, graded as one command: what comes out, and what is left."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from labctl import resources
from labctl.engine import search
from labctl.engine.docker import DockerEngine
from labctl.lab.running import leftovers
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import Labctl

LAB: Final = "fix-the-mx"
ZONE: Final = "beta.test.zone"


def directory_of_lab() -> Path:
    return resources.labs_dir() / LAB


def zone(which: str) -> str:
    return (directory_of_lab() / which / ZONE).read_text(encoding="utf-8")


def write(directory: Path, text: str) -> Path:
    """Make an attempt that hands in this zone."""
    directory.mkdir(parents=True)
    (directory / ZONE).write_text(text, encoding="utf-8")
    return directory


def a_link(directory: Path) -> None:
    directory.mkdir()
    (directory / ZONE).symlink_to("/etc/shadow")


def a_fifo(directory: Path) -> None:
    directory.mkdir()
    os.mkfifo(directory / ZONE)


def a_sparse_file(directory: Path) -> None:
    directory.mkdir()
    with (directory / ZONE).open("wb") as file:
        file.truncate(5 << 30)


def nothing(directory: Path) -> None:
    directory.mkdir()


def planted(directory: Path) -> None:
    """A wrong zone among what other graders would take for their own."""
    write(directory, zone("mutants/no-mx"))
    (directory / "conftest.py").write_text("import os; os._exit(0)\n", encoding="utf-8")
    (directory / "pytest.ini").write_text("[pytest]\naddopts = --co\n", encoding="utf-8")
    (directory / "grade.json").write_text('{"score": 100}', encoding="utf-8")
    (directory / "examinations").mkdir()


def escapes(directory: Path) -> None:
    text = zone("solution") + 'x TXT "\\027]0;owned\\007" "::error::owned"\n; \x1b[31m::error::owned\n'
    write(directory, text)


def zone_of(which: str) -> Callable[[Path], object]:
    """Return what makes an attempt with a zone that comes with the lab, and a comment of its own."""
    return lambda directory: write(directory, f"{zone(which)}\n; {directory.name}\n")


KINDS: Final[dict[str, Callable[[Path], object]]] = {
    "solution": zone_of("solution"),
    "starter": zone_of("starter"),
    "mutants-no-mx": zone_of("mutants/no-mx"),
    "mutants-wrong-address": zone_of("mutants/wrong-address"),
    "good": lambda directory: write(directory, f"; {directory.name}\n{zone('solution')}"),
    "no-zone": lambda directory: write(directory, f"this is no zone, says {directory.name}\n"),
    "a-sum": lambda directory: write(directory, f"{zone('solution')}\n$GENERATE 1-70000 x$ A 203.0.113.20\n"),
    "includes": lambda directory: write(directory, f"{zone('solution')}\n$INCLUDE /etc/shadow\n"),
    "planted": planted,
    "escapes": escapes,
    "a-link": a_link,
    "a-fifo": a_fifo,
    "a-sparse-file": a_sparse_file,
    "nothing": nothing,
}

REJECTED: Final = {"no-zone", "a-link", "a-fifo", "a-sparse-file", "nothing"}


def attempts(directory: Path, number: int) -> list[str]:
    """Make attempts of every kind in turn, no two with the same content where they have any."""
    kinds = list(KINDS)
    made = []
    for index in range(number):
        kind = kinds[index % len(kinds)]
        path = directory / f"{index:03}-{kind}"
        KINDS[kind](path)
        made.append(str(path))
    return made


def verdicts(document: dict[str, Any]) -> dict[str, Any]:
    """Return what a grading came to, without what no two runs have in common."""
    return {
        each["id"]: (each["verdict"], each["score"], [(c["id"], c["verdict"]) for c in each["checks"]])
        for each in document["attempts"]
    }


def left_behind() -> tuple[str, ...]:
    """Name what gradings that are over have left on the engine."""
    with closing(DockerEngine(search.find(os.environ, Path.home()))) as engine:
        found = leftovers.of_runs(engine)
        return (*found.removable, *found.unknown)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, nightly: bool) -> Iterator[list[str]]:
    """Attempts, good, broken and hostile: two of each kind, by night a hundred."""
    directory = tmp_path_factory.mktemp("attempts")
    yield attempts(directory, 100 if nightly else 2 * len(KINDS))
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def one_by_one(labctl: Labctl, many: list[str]) -> dict[str, Any]:
    """What they come to, one after the other."""
    return labctl.json("grade", *many, "--lab", LAB, "--jobs", "1", code=1)


def test_each_kind_of_attempt_comes_to_what_it_deserves(one_by_one: dict[str, Any]) -> None:
    by_kind: dict[str, set[tuple[str, float]]] = {}
    for each in one_by_one["attempts"]:
        by_kind.setdefault(each["id"].partition("-")[2], set()).add((each["verdict"], each["score"]))
    most = one_by_one["attempts"][0]["max_score"]
    assert by_kind["solution"] == by_kind["good"] == by_kind["escapes"] == {("passed", most)}
    assert {kind: by_kind[kind] for kind in REJECTED} == {each: {("rejected", 0)} for each in REJECTED}
    assert all(len(found) == 1 for found in by_kind.values())
    assert by_kind["planted"] == by_kind["mutants-no-mx"] < {("failed", each) for each in range(int(most))}


def test_four_at_a_time_come_to_the_same_as_one_by_one(
    labctl: Labctl, many: list[str], one_by_one: dict[str, Any]
) -> None:
    together = labctl.json("grade", *many, "--lab", LAB, "--jobs", "4", code=1)
    assert verdicts(together) == verdicts(one_by_one)
    assert left_behind() == ()


@pytest.mark.usefixtures("alone")
def test_a_run_that_was_killed_is_taken_up_by_the_next(
    labctl: Labctl, many: list[str], one_by_one: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "graded"
    order = ("grade", *many, "--lab", LAB, "--jobs", "4", "--out", str(out))

    def kept() -> list[Path]:
        return list(out.glob("examinations/*.json"))

    with labctl.started(*order) as process:
        assert eventually(lambda: len(kept()) >= 5 or None, within=120)
        os.killpg(process.pid, signal.SIGKILL)
    before = len(kept())

    finished = labctl.json(order[0], *order[1:], code=1)
    assert verdicts(finished) == verdicts(one_by_one)
    assert sum(each["cached"] for each in finished["attempts"]) >= before
    assert left_behind() == ()
    assert {each.name for each in out.iterdir()} == {"examinations", "grade.json", "grades.csv", "index.html"}


@contextmanager
def a_door_to(engine: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """Open a second socket of the engine's; closing it is, for whoever came by it, an engine that ends."""
    path = f"/tmp/labctl-door-{os.getpid()}.sock"  # noqa: S108  # a socket's path is short
    with suppress(FileNotFoundError):
        Path(path).unlink()
    door = socket.socket(socket.AF_UNIX)
    door.bind(path)
    door.listen(64)
    passing: list[socket.socket] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def open_up() -> None:
        with suppress(OSError):
            while True:
                inside, _ = door.accept()
                outside = socket.socket(socket.AF_UNIX)
                outside.connect(engine)
                passing.extend((inside, outside))
                for pair in ((inside, outside), (outside, inside)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    def close() -> None:
        with suppress(OSError):
            door.shutdown(socket.SHUT_RDWR)
        door.close()
        Path(path).unlink(missing_ok=True)
        for each in passing:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    threading.Thread(target=open_up, daemon=True).start()
    try:
        yield f"unix://{path}", close
    finally:
        close()


@pytest.mark.usefixtures("alone")
def test_an_engine_that_ends_makes_errors_and_no_zeros_of_what_is_left(
    labctl: Labctl, tmp_path: Path
) -> None:
    made = attempts(tmp_path / "attempts", 28)
    out = tmp_path / "graded"
    order = ("grade", "--json", *made, "--lab", LAB, "--jobs", "2", "--out", str(out))
    url = search.find(os.environ, Path.home()).url
    with (
        a_door_to(url.removeprefix("unix://")) as (door, close),
        labctl.started(*order, env={"DOCKER_HOST": door}) as process,
    ):
        assert eventually(lambda: len(list(out.glob("examinations/*.json"))) >= 4 or None, within=120)
        close()
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 4
    broken = labctl.document_of(said)
    found = {each["verdict"] for each in broken["attempts"]}
    assert len(broken["attempts"]) == 28
    assert found <= {"passed", "failed", "rejected", "error"}
    errors = {each["id"] for each in broken["attempts"] if each["verdict"] == "error"}
    assert errors
    assert len(errors) < 28
    assert all(each["explanation"] for each in broken["attempts"] if each["id"] in errors)

    again = labctl.json(order[0], *order[2:], code=1)
    assert "error" not in {each["verdict"] for each in again["attempts"]}
    kept = {each["id"]: each["score"] for each in broken["attempts"] if each["id"] not in errors}
    assert {each["id"]: each["score"] for each in again["attempts"] if each["id"] in kept} == kept
    assert left_behind() == ()


def test_shards_join_to_what_one_machine_would_have_found(labctl: Labctl, tmp_path: Path) -> None:
    made = attempts(tmp_path / "attempts", 14)
    for part in ("1", "2", "3"):
        out = str(tmp_path / part)
        labctl("grade", *made, "--lab", LAB, "--shard", f"{part}/3", "--out", out)
    joined = labctl.json("merge", *(str(tmp_path / part) for part in ("1", "2", "3")), code=1)
    assert verdicts(joined) == verdicts(labctl.json("grade", *made, "--lab", LAB, code=1))


@pytest.mark.usefixtures("alone")
def test_ctrl_c_leaves_nothing_but_what_was_seen(labctl: Labctl, tmp_path: Path) -> None:
    out = tmp_path / "graded"
    made = attempts(tmp_path / "attempts", 40)
    with labctl.started("grade", *made, "--lab", LAB, "--jobs", "2", "--out", str(out)) as process:
        assert eventually(lambda: list(out.glob("examinations/*.json")) or None, within=120)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert left_behind() == ()


def test_hidden_checks_are_graded_and_never_told_of_in_a_container(labctl: Labctl, tmp_path: Path) -> None:
    """A hidden check counts as its author says; while it runs, no container holds a word of it."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "checks.toml").write_text('[[checks]]\nid = "no-more-hosts"\npoints = 5\n', encoding="utf-8")
    (hidden / "test_hidden.py").write_text(
        "import subprocess\n\n\n"
        "def test_no_more_hosts(lab):\n"
        '    """Nothing of xyzzy-hidden is in a container."""\n'
        "    for host in lab.there.hosts:\n"
        '        command = ["grep", "-rlsF", "xyzzy-hidden", "/etc", "/var", "/run", "/tmp", "/usr/local"]\n'
        "        found = lab.engine.execute(host.container.id, command)\n"
        '        assert found.stdout == b"", found.stdout\n',
        encoding="utf-8",
    )
    attempt = write(tmp_path / "anna", zone("solution"))
    document = labctl.json("grade", str(attempt), "--lab", LAB, "--checks", str(hidden))
    [graded] = document["attempts"]
    last = graded["checks"][-1]
    assert (last["id"], last["verdict"], last["score"], last["hidden"]) == (
        "no-more-hosts",
        "passed",
        5,
        True,
    )
    assert left_behind() == ()


def test_an_engine_door_is_closed_in_the_end() -> None:
    """The second socket of these tests really ends what passes through it."""
    url = search.find(os.environ, Path.home()).url
    with a_door_to(url.removeprefix("unix://")) as (door, close):
        with closing(socket.socket(socket.AF_UNIX)) as visitor:
            visitor.connect(door.removeprefix("unix://"))
            visitor.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            assert visitor.recv(12).startswith(b"HTTP/1")
        close()
        with closing(socket.socket(socket.AF_UNIX)) as visitor, pytest.raises(OSError, match="No such file"):
            visitor.connect(door.removeprefix("unix://"))
