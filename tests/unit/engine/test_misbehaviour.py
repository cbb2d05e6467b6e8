"""An engine that falls silent, hangs up or talks nonsense at any of its answers is told as such, and soon."""

from __future__ import annotations

import io
import os
import signal
import sys
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from labctl.engine.docker import DockerEngine
from labctl.engine.docker.connection import Patience
from labctl.engine.endpoint import Endpoint
from labctl.engine.logstream import STDERR, STDOUT
from labctl.engine.model import ContainerSpec, File, NetworkSpec, Volume
from labctl.engine.protocol import Engine, LogStream
from labctl.errors import EngineError, EngineUnavailable, ServiceCommandFailed
from tests.unit.engine import misbehaving
from tests.unit.engine.misbehaving import Answer, frame

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping

    from tests.unit.engine.misbehaving import Misbehaviour

SOON: Final = 30.0
"""Seconds until a wait counts as one without a bound; those of these tests take a hundredth of that."""

HASTY: Final = Patience(answer=0.15, log=0.15, silence=0.05, work=0.1, image=0.15)
NETWORK: Final = IPv4Network("198.18.0.0/27")
STAMPED: Final = b"2026-01-01T00:00:01.5Z one\n"
CONTAINER: Final = {
    "Id": "c1",
    "Name": "/x",
    "Names": ["/x"],
    "State": "running",
    "Image": "i1",
    "ImageID": "i1",
    "Labels": {},
    "Created": 1767225600,
    "NetworkSettings": {"Networks": {}},
    "Ports": [],
}
IMAGE: Final = {"Id": "i1", "RepoTags": ["x:1"], "Size": 5, "Labels": None, "Created": 0}


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("a")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"one"))
    return buffer.getvalue()


MARK: Final = b"LABCTL_COMMAND=" + b"00" * 16
"""What stands at the end of all that a command says."""

ANSWERS: Final[dict[tuple[str, str], Answer]] = {
    ("GET", "/_ping"): Answer.whole(b"OK", "text/plain"),
    ("GET", "/version"): Answer.of({"Version": "1", "ApiVersion": "1.41"}),
    ("GET", "/info"): Answer.of({"MemoryLimit": True}),
    ("GET", "/networks"): Answer.of([{"Id": "n1", "Name": "n", "IPAM": {"Config": None}, "Labels": None}]),
    ("GET", "/networks/none"): Answer.of({"Id": "n0"}),
    ("POST", "/networks/create"): Answer.of({"Id": "n1"}),
    ("GET", "/networks/n"): Answer.of({"Containers": {"c1": {}}}),
    ("GET", "/volumes"): Answer.of({"Volumes": [{"Name": "v", "Labels": None}]}),
    ("POST", "/volumes/create"): Answer.of({"Name": "v"}),
    ("GET", "/containers/json"): Answer.of([CONTAINER]),
    ("GET", "/containers/x/json"): Answer.of(
        {
            **CONTAINER,
            "Created": "2026-01-01T00:00:00Z",
            "State": {"Status": "running", "ExitCode": 0, "Pid": 0},
            "Config": {"Labels": None},
            "LogPath": "/nowhere/x-json.log",
            "HostConfig": {"LogConfig": {"Type": "json-file"}},
        }
    ),
    ("POST", "/containers/create"): Answer.of({"Id": "c1"}),
    ("GET", "/containers/x/archive"): Answer.whole(tar()),
    ("POST", "/containers/x/exec"): Answer.of({"Id": "e1"}),
    ("POST", "/exec/e1/start"): Answer.raw(frame(STDOUT, b"one" + MARK) + frame(STDERR, b"and two" + MARK)),
    ("GET", "/exec/e1/json"): Answer.of({"ExitCode": 0}),
    ("GET", "/containers/x/logs"): Answer.chunked(frame(STDOUT, STAMPED), frame(STDERR, STAMPED)),
    ("GET", "/images/x:1/json"): Answer.of({**IMAGE, "Config": {}, "Created": "2026-01-01T00:00:00Z"}),
    ("GET", "/images/json"): Answer.of([IMAGE]),
    ("POST", "/build"): Answer.chunked(b'{"stream": "one\\n"}\r\n', b'{"stream": "two\\n"}\r\n'),
    ("POST", "/images/create"): Answer.chunked(b'{"status": "one"}\r\n', b'{"status": "two"}\r\n'),
    ("GET", "/images/get"): Answer.chunked(tar()),
    ("POST", "/images/load"): Answer.chunked(b'{"stream": "Loaded image: x:1\\n"}\r\n'),
}
NOTHING: Final = Answer(b"HTTP/1.1 204 No Content\r\nApi-Version: 1.41\r\n\r\n")


def lines_of(log: LogStream) -> list[str]:
    with closing(log):
        return [line.text for line in log]


def rootfs(directory: Path) -> Path:
    found = directory / "rootfs.tar"
    found.write_bytes(tar())
    return found


CALLS: Final[dict[str, Callable[[DockerEngine, Path], object]]] = {
    "version": lambda engine, _: engine.version(),
    "identity": lambda engine, _: engine.identity(),
    "enforces": lambda engine, _: engine.enforces(),
    "networks": lambda engine, _: engine.networks({}),
    "create_network": lambda engine, _: engine.create_network(NetworkSpec("n", NETWORK, NETWORK[1], {})),
    "endpoints": lambda engine, _: engine.endpoints("n"),
    "disconnect": lambda engine, _: engine.disconnect("n", "x"),
    "remove_network": lambda engine, _: engine.remove_network("n"),
    "volumes": lambda engine, _: engine.volumes({}),
    "create_volume": lambda engine, _: engine.create_volume(Volume("v", {})),
    "remove_volume": lambda engine, _: engine.remove_volume("v"),
    "containers": lambda engine, _: engine.containers({}),
    "inspect": lambda engine, _: engine.inspect("x"),
    "create_container": lambda engine, _: engine.create_container(
        ContainerSpec("x", "x:1", "x", "n", NETWORK[2], "02:42:c6:12:00:02")
    ),
    "start": lambda engine, _: engine.start("x"),
    "stop": lambda engine, _: engine.stop("x", timeout=0),
    "pause": lambda engine, _: engine.pause("x"),
    "unpause": lambda engine, _: engine.unpause("x"),
    "signal": lambda engine, _: engine.signal("x", "HUP"),
    "remove_container": lambda engine, _: engine.remove_container("x"),
    "put_files": lambda engine, _: engine.put_files("x", [File("/a", b"one")]),
    "get_file": lambda engine, _: engine.get_file("x", "/a"),
    "execute": lambda engine, _: engine.execute("x", ["true"]),
    "logs": lambda engine, _: lines_of(engine.logs("x")),
    "read_log": lambda engine, _: engine.read_log("x"),
    "log_files": lambda engine, _: engine.log_files("x"),
    "image": lambda engine, _: engine.image("x:1"),
    "images": lambda engine, _: engine.images({}),
    "build": lambda engine, _: list(engine.build(io.BytesIO(tar()), tag="x:1", labels={}, build_args={})),
    "pull": lambda engine, _: engine.pull("x:1"),
    "import_image": lambda engine, at: engine.import_image(rootfs(at), tag="x:1", changes=[]),
    "tag": lambda engine, _: engine.tag("x", "x:2"),
    "remove_image": lambda engine, _: engine.remove_image("x:1"),
    "save": lambda engine, _: list(engine.save(["x:1"])),
    "load": lambda engine, _: engine.load(iter([tar()])),
}

HTML: Final = Answer.whole(b"<html>\x1b[2J bad \xff gateway</html>", "text/html", "502 Bad Gateway")
NONSENSE: Final = {
    "garbage": misbehaving.saying(b"\xff\x00garbage\r\n\r\n"),
    "html": misbehaving.saying(HTML.head + HTML.body),
    "cut JSON": misbehaving.framed(b'[{"Id": "c'),
    "deep JSON": misbehaving.framed(b"[" * 100_000),
    "other frames": misbehaving.saying(Answer.raw(frame(9, b"one") + b"\xff" * 100).head + b"\xff" * 100),
    **{each: misbehaving.framed(each.encode()) for each in ("null", "[]", "{}", "5", '"text"', "[null]")},
    **{each: misbehaving.framed(each.encode()) for each in ('{"Id": []}', '{"ExitCode": "x"}', "[[]]")},
}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[misbehaving.Engine]:
    with misbehaving.serving(tmp_path / "s", answer) as found:
        yield found


@pytest.fixture(autouse=True)
def _nobody_has_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


@pytest.fixture(autouse=True)
def _commands_have_one_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda size: "00" * size)


def answer(method: str, path: str) -> Answer:
    return ANSWERS.get((method, path), NOTHING)


def called(url: str, method: str, directory: Path, patience: Patience) -> BaseException | None:
    """Call a method, and return what it raised; ``version`` is the first question of all."""
    known = None if method == "version" else "1.41"
    with closing(DockerEngine(Endpoint(url, api_version=known), patience)) as engine:
        try:
            CALLS[method](engine, directory)
        except BaseException as error:  # noqa: BLE001  # whatever it is
            return error
        return None


def answers_to(method: str, directory: Path) -> list[Answer]:
    """Return all that an engine answers while a method does what it should."""
    seen: list[Answer] = []

    def noted(verb: str, path: str) -> Answer:
        seen.append(answer(verb, path))
        return seen[-1]

    with misbehaving.serving(directory / "good", noted) as served:
        assert called(served.url, method, directory, Patience()) is None
    return seen


def outcomes(
    method: str, directory: Path, patience: Patience, ways: Mapping[tuple[int, str], Misbehaviour]
) -> dict[tuple[int, str], BaseException | None]:
    """Call a method of engines each of which misbehaves at one answer; all at once, and for a while."""

    def one(number: int, nth: int, behave: Misbehaviour) -> BaseException | None:
        with misbehaving.serving(directory / str(number), answer) as served:
            served.misbehaves(nth, behave)
            return called(served.url, method, directory, patience)

    pool = ThreadPoolExecutor(max_workers=len(ways))
    try:
        done = {
            (nth, way): pool.submit(one, number, nth, behave)
            for number, ((nth, way), behave) in enumerate(ways.items())
        }
        return {each: future.result(timeout=SOON) for each, future in done.items()}
    finally:
        pool.shutdown(wait=False)


def test_no_method_of_an_engine_is_left_out() -> None:
    declared = {name for name, each in vars(Engine).items() if callable(each) and not name.startswith("_")}
    assert declared - CALLS.keys() == {"attach", "close"}  # a person's, and one that asks nothing


@pytest.mark.parametrize("method", CALLS)
def test_an_engine_that_stops_within_an_answer_is_unavailable(tmp_path: Path, method: str) -> None:
    ways: dict[tuple[int, str], Misbehaviour] = {}
    for nth, whole in enumerate(answers_to(method, tmp_path)):
        ways[nth, "trickles"] = misbehaving.trickling
        ways[nth, "floods"] = misbehaving.flooding
        for point in misbehaving.parts(whole):
            ways[nth, f"falls silent {point}"] = misbehaving.falling_silent(point)
            # What a command says ends with the connection: that nothing came of it is an error like others.
            if whole != ANSWERS["POST", "/exec/e1/start"] or point != "before the body":
                ways[nth, f"hangs up {point}"] = misbehaving.hanging_up(point)
    for way, error in outcomes(method, tmp_path, HASTY, ways).items():
        assert isinstance(error, EngineUnavailable), f"{way}: {error!r}"
        assert str(tmp_path) in error.message


@pytest.mark.parametrize("method", CALLS)
def test_nonsense_is_an_error_of_the_engine_at_most(tmp_path: Path, method: str) -> None:
    count = len(answers_to(method, tmp_path))
    ways = {(nth, what): behave for nth in range(count) for what, behave in NONSENSE.items()}
    for (nth, what), error in outcomes(method, tmp_path, Patience(), ways).items():
        assert error is None or isinstance(error, EngineError), f"{what} as {nth}: {error!r}"
        assert error is not None or what not in {"garbage", "html"}


def test_a_command_that_is_silent_for_longer_than_an_engine_may_be_is_waited_for(
    served: misbehaving.Engine,
) -> None:
    asked = threading.Semaphore(0)
    ended = threading.Event()

    def running(method: str, path: str) -> Answer:
        if path != "/exec/e1/json":
            return answer(method, path)
        asked.release()
        return Answer.of({"ExitCode": 0 if ended.is_set() else None})

    def pausing(_engine: misbehaving.Engine, connection: socket.socket, whole: Answer) -> None:
        connection.sendall(whole.head)
        for _ in range(2):
            asked.acquire(timeout=SOON)
        connection.sendall(whole.body)
        ended.set()

    served.answers = running
    served.misbehaves(2, pausing)
    patience = Patience(silence=HASTY.silence)
    with closing(DockerEngine(Endpoint(served.url), patience)) as engine:
        assert engine.execute("x", ["sleep"], within=None).stdout == b"one"


def test_a_command_that_runs_on_beyond_its_time_is_killed(served: misbehaving.Engine) -> None:
    runs = iter([None])
    started: list[str] = []

    def counting(method: str, path: str) -> Answer:
        if path == "/exec/e1/json":
            return Answer.of({"ExitCode": next(runs, 0)})
        started.extend(["one more"] if path == "/containers/x/exec" else [])
        return answer(method, path)

    served.answers = counting
    served.misbehaves(2, misbehaving.falling_silent("within the body"))
    with (
        closing(DockerEngine(Endpoint(served.url))) as engine,
        pytest.raises(ServiceCommandFailed, match=r"came to no end: [0-9]+ bytes in 0\.1 s") as caught,
    ):
        engine.execute("x", ["sleep"], within=0.1)
    assert caught.value.detail["said"].startswith("one")
    assert len(started) == 2  # itself, and what ends it


@contextmanager
def _limit() -> Iterator[None]:
    signal.alarm(int(SOON))
    try:
        yield
    finally:
        signal.alarm(0)


@pytest.mark.parametrize("nth", range(4))
def test_a_terminal_is_not_opened_by_an_engine_that_falls_silent(
    served: misbehaving.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    served.misbehaves(nth, misbehaving.falling_silent("within the head"))
    (tmp_path / "out").touch()
    with (tmp_path / "out").open("r+") as out, Path(os.devnull).open() as nobody, _limit():
        monkeypatch.setattr(sys, "stdin", nobody)
        monkeypatch.setattr(sys, "stdout", out)
        with closing(DockerEngine(Endpoint(served.url), HASTY)) as engine, pytest.raises(EngineUnavailable):
            engine.attach("x", ["bash"])


def test_a_log_that_is_followed_is_waited_for_until_it_is_closed(served: misbehaving.Engine) -> None:
    served.misbehaves(2, misbehaving.falling_silent("within the body"))
    with closing(DockerEngine(Endpoint(served.url), HASTY)) as engine, ThreadPoolExecutor() as pool:
        log = engine.logs("x", follow=True)
        lines = pool.submit(lambda: [line.text for line in log])
        with pytest.raises(TimeoutError):
            lines.result(timeout=HASTY.answer * 3)
        log.close()
        assert lines.result(timeout=SOON) == ["one"]
