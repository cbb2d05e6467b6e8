from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.engine import wire
from labctl.engine.endpoint import Endpoint
from labctl.engine.machine import Machine
from labctl.engine.search import Answer, find, look, look_around, ordered
from labctl.errors import EngineError, EngineUnavailable
from tests.unit.engine import misbehaving

if TYPE_CHECKING:
    from collections.abc import Iterator

PONG = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK"


@pytest.fixture
def home() -> Iterator[Path]:
    """A short path: that of a Unix socket has at most 107 bytes."""
    directory = Path(tempfile.mkdtemp(prefix="lab-", dir="/tmp"))  # where others may look, too
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def machine(home: Path) -> Machine:
    (home / "var/run").mkdir(parents=True)
    return Machine(root=home, uid=1000)


@contextmanager
def engine_at(path: Path, reply: bytes = PONG) -> Iterator[None]:
    """A server on a Unix socket that answers every request alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with misbehaving.serving(path, lambda _method, _path: misbehaving.Answer(reply)):
        yield


def write_context(home: Path, name: str, host: str, *, skip_verify: bool = False) -> Path:
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = home / ".docker/contexts/meta" / digest / "meta.json"
    meta.parent.mkdir(parents=True)
    content = {"Name": name, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": skip_verify}}}
    meta.write_text(json.dumps(content))
    return home / ".docker/contexts/tls" / digest / "docker"


@pytest.mark.parametrize(
    ("place", "runtime"),
    [
        pytest.param("var/run/docker.sock", "", id="Docker Engine"),
        pytest.param("run/user/1000/docker.sock", "", id="rootless"),
        pytest.param("x/docker.sock", "x", id="rootless with a runtime directory elsewhere"),
        pytest.param(".docker/run/docker.sock", "", id="Docker Desktop"),
        pytest.param(".docker/desktop/docker.sock", "", id="Docker Desktop on Linux"),
    ],
)
def test_an_engine_is_found_in_its_usual_place(
    home: Path, machine: Machine, place: str, runtime: str
) -> None:
    environ = {"XDG_RUNTIME_DIR": str(home / runtime)} if runtime else {}
    with engine_at(home / place):
        assert find(environ, home, machine=machine) == Endpoint(f"unix://{home / place}")


def test_docker_host_is_an_order_and_no_other_engine_is_tried(home: Path, machine: Machine) -> None:
    order = {"DOCKER_HOST": f"unix://{home}/absent.sock"}
    assert not look_around(order, home, machine=machine).vacant
    with engine_at(home / "var/run/docker.sock"), pytest.raises(EngineUnavailable) as caught:
        find(order, home, machine=machine)
    assert [each["ordered_by"] for each in caught.value.detail["looked"]] == ["DOCKER_HOST"]
    assert "absent.sock" in caught.value.message


def test_the_error_names_every_place_that_was_looked_at(home: Path, machine: Machine) -> None:
    assert look_around({}, home, machine=machine).vacant
    with pytest.raises(EngineUnavailable) as caught:
        find({}, home, machine=machine)
    looked = [each["url"] for each in caught.value.detail["looked"]]
    assert len(looked) == 4
    assert all(url in caught.value.message for url in looked)


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"DOCKER_HOST": "unix:///m.sock", "DOCKER_CONTEXT": "a"}, Endpoint("unix:///m.sock", "DOCKER_HOST")),
        ({"DOCKER_CONTEXT": "a"}, Endpoint("unix:///a.sock", "docker context a")),
        ({}, Endpoint("unix:///b.sock", "docker context b")),
        ({"DOCKER_CONTEXT": "default"}, None),
    ],
    ids=["of DOCKER_HOST", "of the environment's context", "of the configuration", "of none: taken back"],
)
@pytest.mark.parametrize("config", [".docker", "elsewhere"])
def test_the_first_order_counts(
    home: Path, environ: dict[str, str], found: Endpoint | None, config: str
) -> None:
    write_context(home, "a", "unix:///a.sock")
    write_context(home, "b", "unix:///b.sock")
    (home / ".docker/config.json").write_text('{"currentContext": "b"}')
    if config != ".docker":
        (home / ".docker").rename(home / config)
        environ = {**environ, "DOCKER_CONFIG": str(home / config)}
    assert ordered(environ, home) == found


@pytest.mark.parametrize("environ", [{}, {"DOCKER_HOST": ""}, {"DOCKER_CONTEXT": "default"}])
def test_without_a_choice_there_is_no_order(home: Path, environ: dict[str, str]) -> None:
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text('{"auths": {}}')
    assert ordered(environ, home) is None


def test_a_context_that_does_not_exist_is_named(home: Path) -> None:
    with pytest.raises(EngineUnavailable, match="docker context gone") as caught:
        ordered({"DOCKER_CONTEXT": "gone"}, home)
    assert caught.value.hint == "docker context use default"


def test_a_configuration_that_is_no_json_is_not_passed_over(home: Path) -> None:
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text("{")
    with pytest.raises(EngineUnavailable, match=r"config\.json"):
        ordered({}, home)


KEYS = st.sampled_from(["currentContext", "auths"]) | st.text(max_size=5)
VALUES = st.none() | st.booleans() | st.text(max_size=5)


@given(st.recursive(VALUES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=5))
def test_any_json_is_a_configuration_without_an_order_unless_it_names_a_context(content: object) -> None:
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "config.json").write_text(json.dumps(content))
        name = content.get("currentContext") if isinstance(content, dict) else None
        if not name or name == "default":
            assert ordered({"DOCKER_CONFIG": directory}, Path(directory)) is None


def test_the_certificates_of_docker_host_are_found(home: Path) -> None:
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (home / name).touch()
    environ = {
        "DOCKER_HOST": "tcp://127.0.0.1:2376",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(home),
    }
    endpoint = ordered(environ, home)
    assert endpoint is not None
    assert endpoint.tls is not None
    assert (endpoint.tls.ca, endpoint.tls.cert, endpoint.tls.key, endpoint.tls.verify) == (
        home / "ca.pem",
        home / "cert.pem",
        home / "key.pem",
        True,
    )


def test_the_certificates_of_a_context_are_found(home: Path) -> None:
    tls = write_context(home, "secure", "tcp://127.0.0.1:2376", skip_verify=True)
    tls.mkdir(parents=True)
    (tls / "ca.pem").touch()
    endpoint = ordered({"DOCKER_CONTEXT": "secure"}, home)
    assert endpoint is not None
    assert endpoint.tls is not None
    assert (endpoint.tls.ca, endpoint.tls.cert, endpoint.tls.verify) == (tls / "ca.pem", None, False)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("tcp://192.0.2.1:2375", "is on another machine"),
        ("tcp://docker.example:2376", "is on another machine"),
        ("192.0.2.1:2375", "is on another machine"),
        ("ssh://somebody@docker.example", "is reached by ssh"),
        ("npipe:////./pipe/docker_engine", "is no URL of a kind"),
        ("/var/run/docker.sock", "is no URL of a kind"),
        ("tcp://[::1", "is no URL of an engine"),
        ("tcp://127.0.0.1:port", "is no URL of an engine"),
    ],
)
def test_an_engine_that_labs_can_not_be_on_is_refused_with_the_reason(
    home: Path, url: str, reason: str
) -> None:
    with pytest.raises(EngineUnavailable, match=reason) as caught:
        find({"DOCKER_HOST": url}, home)
    assert url in caught.value.message
    assert caught.value.hint == "unset DOCKER_HOST"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_docker_host_is_an_order_or_an_error_of_ours(url: str) -> None:
    try:
        look_around({"DOCKER_HOST": f"npipe://{url}"}, Path("/nonexistent"))
    except EngineUnavailable as exc:
        assert exc.hint == "unset DOCKER_HOST"  # noqa: PT017  # either outcome is right, silence is not
    else:
        pytest.fail("a pipe of Windows was taken for an engine")


def test_a_tcp_engine_on_loopback_is_asked(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(4096)
                client.sendall(PONG)

        thread = threading.Thread(target=serve)
        thread.start()
        endpoint = find({"DOCKER_HOST": f"tcp://127.0.0.1:{port}"}, home)
        thread.join()
    assert endpoint.ordered_by == "DOCKER_HOST"


def test_a_socket_that_nobody_listens_at_is_absent(home: Path) -> None:
    path = home / "stale.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    assert look(Endpoint(f"unix://{path}")).answer is Answer.ABSENT


def test_an_engine_that_says_nothing_is_silent(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "ANSWER_TIMEOUT", 0.05)
    path = home / "hung.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        assert look(Endpoint(f"unix://{path}")).answer is Answer.SILENT


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops",
        b"220 mx.alpha.test ESMTP\r\n",
        b"",
    ],
)
def test_whoever_does_not_answer_as_an_engine_does_is_silent(home: Path, reply: bytes) -> None:
    with engine_at(home / "odd.sock", reply):
        assert look(Endpoint(f"unix://{home}/odd.sock")).answer is Answer.SILENT


def test_an_engine_that_does_not_answer_is_not_replaced(home: Path, machine: Machine) -> None:
    with engine_at(home / "var/run/docker.sock", b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"):
        search = look_around({}, home, machine=machine)
    assert not search.vacant
    assert "restart" in search.error().hint


def test_without_permission_the_hint_is_to_join_the_group(home: Path, machine: Machine) -> None:
    if os.geteuid() == 0:
        pytest.skip("nothing is forbidden to root: see the test in a child process")
    path = home / "var/run/docker.sock"
    with engine_at(path):
        path.chmod(0)
        search = look_around({}, home, machine=machine)
    assert search.error().hint.startswith("sudo usermod -aG docker $USER")


def test_root_without_its_powers_is_told_to_join_the_group(home: Path, machine: Machine) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    path = home / "var/run/docker.sock"
    with engine_at(path):
        path.chmod(0o600)
        home.chmod(0o755)
        read_end, write_end = os.pipe()
        if (child := os.fork()) == 0:
            try:
                os.setresuid(65534, 65534, 65534)
                search = look_around({}, home, machine=machine)
                error = search.error()
                os.write(write_end, f"{search.vacant} {error.hint} | {error.message}".encode())
            finally:
                os._exit(0)
        os.close(write_end)
        os.waitpid(child, 0)
        with os.fdopen(read_end) as said:
            words = said.read()
    assert words.startswith("False sudo usermod -aG docker $USER, then log in again")
    assert "permission denied" in words


def test_a_refusal_of_the_engine_is_an_error_with_its_words(home: Path) -> None:
    with (
        engine_at(home / "s", b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nno such x"),
        pytest.raises(EngineError, match="no such x"),
    ):
        wire.get_json(Endpoint(f"unix://{home}/s"), "/x")


def test_an_engine_that_went_away_is_unavailable(home: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"GET /info.*stopped answering"):
        wire.get_json(Endpoint(f"unix://{home}/gone"), "/info")
