"""What the adapter asks an engine, and how it hears the answers: against a scripted engine on a socket."""

from __future__ import annotations

import io
import json
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from labctl.engine.docker import DockerEngine
from labctl.engine.endpoint import Endpoint
from labctl.engine.logstream import STDERR, STDOUT
from labctl.engine.model import ContainerSpec, ContainerState, ExecResult, File, NetworkSpec, PublishedPort
from labctl.errors import (
    EngineError,
    EngineUnavailable,
    ImageUnavailable,
    NameInUse,
    NoSuchObject,
    ServiceCommandFailed,
    SubnetInUse,
)
from tests.bed.answering import answering
from tests.unit.engine.misbehaving import frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12", "Platform": {"Name": "Test"}}
SUBNET = IPv4Network("198.18.0.0/27")
LISTED = {
    "Id": "c1",
    "Names": ["/labctl-x-dns"],
    "State": "running",
    "ImageID": "sha256:1",
    "Labels": {"labctl.name": "x"},
    "Created": 1767225600,
    "NetworkSettings": {
        "Networks": {"labctl-x": {"IPAMConfig": {"IPv4Address": "198.18.0.2"}, "IPAddress": "198.18.0.2"}}
    },
    "Ports": [
        {"PrivatePort": 53, "Type": "tcp"},
        {"IP": "127.0.0.1", "PrivatePort": 53, "PublicPort": 49153, "Type": "udp"},
    ],
}
INSPECTED = {
    "Id": "c1",
    "Name": "/labctl-x-dns",
    "Image": "sha256:1",
    "Created": "2026-01-01T00:00:00.123456789Z",
    "State": {
        "Status": "exited",
        "ExitCode": 137,
        "OOMKilled": True,
        "StartedAt": "2026-01-01T00:00:01.5Z",
    },
    "Config": {"Labels": None},
    "NetworkSettings": {
        "Networks": {"labctl-x": {"IPAMConfig": None, "IPAddress": "198.18.0.2"}},
        "Ports": {"53/tcp": None, "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "49153"}]},
    },
}


class Asked(NamedTuple):
    method: str
    path: str
    query: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Scripted:
    """An engine that answers as it is told to, by method and path."""

    def __init__(self, url: str) -> None:
        self.engine = DockerEngine(Endpoint(url))
        self.script: dict[tuple[str, str], tuple[int, Any]] = {}
        self.questions: list[Asked] = []
        self.answers("GET", "/_ping", b"OK")
        self.answers("GET", "/version", VERSION)

    def answers(self, method: str, path: str, content: Any, status: int = 200) -> None:
        self.script[method, path] = (status, content)

    def answer(self, *question: Any) -> tuple[int, Any]:
        self.questions.append(Asked(*question))
        method, path, *_ = question
        status, content = self.script.get((method, path), (404, {"message": f"no {path}"}))
        return status, iter(content) if isinstance(content, tuple) else content

    def asked(self) -> Asked:
        return self.questions[-1]


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Scripted]:
    path = tmp_path / "engine.sock"
    found = Scripted(f"unix://{path}")
    with answering(path, found.answer, version="1.41"), closing(found.engine):
        yield found


def test_nothing_is_asked_before_something_is_wanted(scripted: Scripted) -> None:
    assert scripted.questions == []
    version = scripted.engine.version()
    assert (version.version, version.api, version.platform) == ("20.10.24", "1.41", "Test")


@pytest.mark.parametrize(
    ("told", "enforced"),
    [
        (
            {"MemoryLimit": True, "SwapLimit": True, "CpuCfsQuota": True, "PidsLimit": True},
            {"memory", "swap", "cpus", "pids"},
        ),
        ({"MemoryLimit": True, "SwapLimit": False, "Driver": "overlay2"}, {"memory"}),
        ({"Driver": "btrfs"}, {"disk"}),
        ({}, set()),
    ],
)
def test_an_engine_tells_what_it_can_bound(
    scripted: Scripted, told: dict[str, Any], enforced: set[str]
) -> None:
    scripted.answers("GET", "/info", told)
    assert scripted.engine.enforces() == enforced


def test_the_version_of_the_api_is_asked_for_once_and_spoken_from_then_on(scripted: Scripted) -> None:
    scripted.answers("GET", "/volumes", {"Volumes": []})
    scripted.engine.volumes({})
    scripted.engine.volumes({})
    assert scripted.engine.api_version == "1.41"
    assert [each.path for each in scripted.questions] == ["/_ping", "/volumes", "/volumes"]


def test_threads_share_an_engine(scripted: Scripted) -> None:
    scripted.answers("GET", "/containers/json", [LISTED])
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = list(pool.map(lambda _: scripted.engine.containers({}), range(40)))
    assert found == [found[0]] * 40


def test_labels_are_asked_for_by_value_or_by_presence(scripted: Scripted) -> None:
    scripted.answers("GET", "/volumes", {"Volumes": []})
    scripted.engine.volumes({"a": "1", "b": ""})
    assert json.loads(scripted.asked().query["filters"]) == {"label": ["a=1", "b"]}
    scripted.engine.volumes({})
    assert json.loads(scripted.asked().query["filters"]) == {}


def test_a_name_can_not_be_more_than_a_name(scripted: Scripted) -> None:
    with pytest.raises(NoSuchObject):
        scripted.engine.inspect("x?all=1#y")
    assert scripted.asked().path == "/containers/x?all=1#y/json"


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "said", "kind"),
        [
            (404, "No such container: x", NoSuchObject),
            (409, 'Conflict. The container name "/x" is already in use by container "1"', NameInUse),
            (409, "network with name labctl-x already exists", NameInUse),
            (403, "Pool overlaps with other one on this address space", SubnetInUse),
            (400, "invalid pool request: Pool overlaps with other one on this address space", SubnetInUse),
            (500, "write /var/lib/docker: no space left on device", EngineError),
            (500, "Bind for 127.0.0.1:25 failed: port is already allocated", EngineError),
            (500, "anything else", EngineError),
        ],
    )
    def test_an_engines_refusal_is_one_of_labctls_own_errors(
        self, scripted: Scripted, status: int, said: str, kind: type[EngineError]
    ) -> None:
        scripted.answers("POST", "/containers/x/start", {"message": said}, status)
        with pytest.raises(EngineError) as caught:
            scripted.engine.start("x")
        assert type(caught.value) is kind
        assert "start of x" in caught.value.message
        assert said in caught.value.message
        assert caught.value.hint

    def test_an_engine_that_is_not_there_is_unavailable(self, tmp_path: Path) -> None:
        engine = DockerEngine(Endpoint(f"unix://{tmp_path}/none.sock"))
        with closing(engine), pytest.raises(EngineUnavailable, match=r"none\.sock|stopped answering"):
            engine.containers({})

    def test_what_is_gone_already_need_not_be_removed(self, scripted: Scripted) -> None:
        scripted.engine.remove_container("x")
        scripted.engine.remove_network("x")
        scripted.engine.remove_volume("x")
        scripted.engine.remove_image("x")

    def test_an_image_is_missing_only_where_the_engine_says_so(self, scripted: Scripted) -> None:
        scripted.answers("GET", "/images/x/json", {"message": "No such image: x"}, 404)
        assert scripted.engine.image("x") is None
        scripted.answers("GET", "/images/x/json", {"message": "page not found"}, 404)
        with pytest.raises(EngineError, match="image x: page not found"):
            scripted.engine.image("x")

    def test_what_somebody_else_is_removing_is_removed_when_it_is_gone(self, scripted: Scripted) -> None:
        said = "removal of container x is already in progress"
        scripted.answers("DELETE", "/containers/x", {"message": said}, 409)
        scripted.engine.remove_container("x")
        assert scripted.asked().path == "/containers/x/json"

    def test_what_somebody_else_is_removing_has_left_its_network(self, scripted: Scripted) -> None:
        said = "Container x is marked for removal and cannot be connected or disconnected to the network"
        scripted.answers("POST", "/networks/n/disconnect", {"message": said}, 403)
        scripted.engine.disconnect("n", "x")
        assert scripted.asked().path == "/networks/n/disconnect"

    def test_what_can_not_be_removed_is_told(self, scripted: Scripted) -> None:
        scripted.answers("DELETE", "/containers/x", {"message": "device or resource busy"}, 500)
        with pytest.raises(EngineError, match="busy"):
            scripted.engine.remove_container("x")


class TestContainers:
    def test_a_list_tells_all_but_the_exit_code(self, scripted: Scripted) -> None:
        scripted.answers("GET", "/containers/json", [LISTED])
        (found,) = scripted.engine.containers({"labctl.name": "x"})
        assert (found.id, found.name, found.state) == ("c1", "labctl-x-dns", ContainerState.RUNNING)
        assert found.created_at == datetime(2026, 1, 1, tzinfo=UTC)
        assert found.address == IPv4Address("198.18.0.2")
        assert found.published == (PublishedPort(53, "udp", 49153),)
        assert found.exit_code is None
        assert json.loads(scripted.asked().query["filters"]) == {"label": ["labctl.name=x"]}
        assert scripted.asked().query["all"] == "1"

    def test_a_description_tells_the_exit_code(self, scripted: Scripted) -> None:
        scripted.answers("GET", "/containers/x/json", INSPECTED)
        found = scripted.engine.inspect("x")
        assert (found.state, found.exit_code, found.labels) == (ContainerState.EXITED, 137, {})
        assert found.oom_killed is True
        assert found.started_at == datetime(2026, 1, 1, 0, 0, 1, 500000, tzinfo=UTC)
        assert found.created_at == datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)
        assert found.address == IPv4Address("198.18.0.2")
        assert found.published == (PublishedPort(53, "udp", 49153),)

    def test_one_that_was_never_started_has_no_time_of_that(self, scripted: Scripted) -> None:
        state = {"Status": "created", "ExitCode": 0, "StartedAt": "0001-01-01T00:00:00Z"}
        scripted.answers("GET", "/containers/x/json", {**INSPECTED, "State": state})
        assert scripted.engine.inspect("x").started_at is None

    def test_one_on_no_network_has_no_address(self, scripted: Scripted) -> None:
        cut_off = {**INSPECTED, "NetworkSettings": {"Networks": {}, "Ports": None}}
        scripted.answers("GET", "/containers/x/json", cut_off)
        assert scripted.engine.inspect("x").address is None

    def test_one_is_made_with_its_address_and_without_a_health_check(self, scripted: Scripted) -> None:
        scripted.answers("POST", "/containers/create", {"Id": "c1"}, 201)
        spec = ContainerSpec(
            "labctl-x-dns",
            "labctl/dns:1",
            "dns.lab.test",
            "labctl-x",
            SUBNET[2],
            "02:42:c6:12:00:02",
            cap_drop=("ALL",),
            memory=1 << 20,
            cpus=0.5,
            pids_limit=99,
            ulimits={"fsize": 1 << 20},
            published=(PublishedPort(53, "udp"), PublishedPort(25, host_port=40025)),
        )
        assert scripted.engine.create_container(spec) == "c1"
        asked = scripted.asked()
        assert asked.query["name"] == "labctl-x-dns"
        body = asked.json()
        assert body["MacAddress"] == "02:42:c6:12:00:02"
        assert body["Healthcheck"]["Test"] == ["NONE"]
        endpoint = body["NetworkingConfig"]["EndpointsConfig"]["labctl-x"]
        assert endpoint["IPAMConfig"] == {"IPv4Address": "198.18.0.2"}
        host = body["HostConfig"]
        assert (host["NetworkMode"], host["CapDrop"]) == ("labctl-x", ["ALL"])
        assert host["Memory"] == host["MemorySwap"] == 1 << 20
        assert (host["CpuQuota"] / host["CpuPeriod"], host["PidsLimit"]) == (0.5, 99)
        assert host["Ulimits"] == [{"Name": "fsize", "Soft": 1 << 20, "Hard": 1 << 20}]
        assert host["LogConfig"]["Type"] == "json-file"
        assert set(host["LogConfig"]["Config"]) == {"max-size", "max-file"}
        assert host["PortBindings"] == {
            "53/udp": [{"HostIp": "127.0.0.1", "HostPort": ""}],
            "25/tcp": [{"HostIp": "127.0.0.1", "HostPort": "40025"}],
        }

    def test_files_travel_as_roots_and_an_hour_old(self, scripted: Scripted) -> None:
        scripted.answers("PUT", "/containers/x/archive", b"")
        scripted.engine.put_files("x", [File("/etc/a", b"one"), File("/b/c", b"", 0o600)])
        assert scripted.asked().query["path"] == "/"
        with tarfile.open(fileobj=io.BytesIO(scripted.asked().body)) as tar:
            members = {member.name: member for member in tar}
            assert set(members) == {"etc/a", "b/c"}
            content = tar.extractfile("etc/a")
            assert content is not None
            assert content.read() == b"one"
        assert (members["etc/a"].mode, members["b/c"].mode) == (0o644, 0o600)
        assert {member.uid for member in members.values()} == {0}
        assert all(member.mtime < time.time() - 3000 for member in members.values())

    @pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE])
    def test_only_a_regular_file_is_read(self, scripted: Scripted, kind: bytes) -> None:
        for type_, name in ((tarfile.REGTYPE, "file"), (kind, "other")):
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w") as tar:
                member = tarfile.TarInfo("a")
                member.type, member.size = type_, 3 if type_ == tarfile.REGTYPE else 0
                tar.addfile(member, io.BytesIO(b"one"))
            scripted.answers("GET", f"/containers/{name}/archive", buffer.getvalue())
        assert scripted.engine.get_file("file", "/a") == b"one"
        with pytest.raises(NoSuchObject, match="no regular file"):
            scripted.engine.get_file("other", "/a")

    def test_a_network_is_made_without_masquerading(self, scripted: Scripted) -> None:
        scripted.answers("POST", "/networks/create", {"Id": "n1"}, 201)
        assert scripted.engine.create_network(NetworkSpec("labctl-x", SUBNET, SUBNET[1], {"a": "b"})) == "n1"
        body = scripted.asked().json()
        assert body["IPAM"]["Config"][0]["Subnet"] == "198.18.0.0/27"
        assert body["Options"] == {"com.docker.network.bridge.enable_ip_masquerade": "false"}
        assert body["Labels"] == {"a": "b"}

    def test_of_a_network_the_ipv4_subnets_are_told(self, scripted: Scripted) -> None:
        pools = [{"Subnet": "198.18.0.0/27"}, {"Subnet": "fd00::/64"}, {}]
        scripted.answers(
            "GET",
            "/networks",
            [
                {"Id": "1", "Name": "a", "IPAM": {"Config": pools}, "Labels": None},
                {"Id": "2", "Name": "host", "IPAM": {"Config": None}, "Labels": {}},
            ],
        )
        assert [each.subnets for each in scripted.engine.networks({})] == [(SUBNET,), ()]

    def test_an_engine_without_volumes_lists_none(self, scripted: Scripted) -> None:
        scripted.answers("GET", "/volumes", {"Volumes": None})
        assert scripted.engine.volumes({"labctl.name": ""}) == ()
        assert json.loads(scripted.asked().query["filters"]) == {"label": ["labctl.name"]}


class TestInside:
    @pytest.fixture
    def mark(self, monkeypatch: pytest.MonkeyPatch) -> bytes:
        """What stands at the end of all that a command says."""
        monkeypatch.setattr("secrets.token_hex", lambda size: "00" * size)
        return b"LABCTL_COMMAND=" + b"00" * 16

    def test_what_a_command_says_is_told_apart_by_stream(self, scripted: Scripted, mark: bytes) -> None:
        scripted.answers("POST", "/containers/x/exec", {"Id": "e1"}, 201)
        whole = frame(STDOUT, b"one ") + frame(STDERR, b"oh" + mark) + frame(STDOUT, b"two" + mark + b"!")
        scripted.answers("POST", "/exec/e1/start", (whole[:5], whole[5:11], whole[11:]))
        scripted.answers("GET", "/exec/e1/json", {"ExitCode": 3})
        said = scripted.engine.execute("x", ["true"], user="somebody")
        assert (said.exit_code, said.stdout, said.stderr) == (3, b"one two!", b"oh")
        assert scripted.questions[-3].json()["User"] == "somebody"

    @pytest.mark.parametrize("lost", [STDOUT, STDERR])
    def test_what_the_engine_lost_of_a_command_is_not_taken_for_silence(
        self, scripted: Scripted, mark: bytes, lost: int
    ) -> None:
        scripted.answers("POST", "/containers/x/exec", {"Id": "e1"}, 201)
        scripted.answers("POST", "/exec/e1/start", (frame(STDOUT + STDERR - lost, mark),))
        scripted.answers("GET", "/exec/e1/json", {"ExitCode": 0})
        with pytest.raises(EngineError, match="true in x: the engine lost what it said"):
            scripted.engine.execute("x", ["true"])

    def test_a_command_that_may_be_run_again_is_where_the_engine_lost_what_it_said(
        self, scripted: Scripted, mark: bytes
    ) -> None:
        def lost() -> Iterator[bytes]:
            whole = (frame(STDOUT, b"one" + mark), frame(STDERR, mark))
            scripted.answers("POST", "/exec/e1/start", whole)
            yield b""

        scripted.answers("POST", "/containers/x/exec", {"Id": "e1"}, 201)
        scripted.answers("POST", "/exec/e1/start", lost())
        scripted.answers("GET", "/exec/e1/json", {"ExitCode": 0})
        assert scripted.engine.execute("x", ["true"], again=True).stdout == b"one"

    def test_a_command_that_was_killed_has_said_what_it_said(self, scripted: Scripted) -> None:
        scripted.answers("POST", "/containers/x/exec", {"Id": "e1"}, 201)
        scripted.answers("POST", "/exec/e1/start", (frame(STDOUT, b"one"),))
        scripted.answers("GET", "/exec/e1/json", {"ExitCode": 137})
        assert scripted.engine.execute("x", ["true"]) == ExecResult(137, b"one", b"")

    def test_a_command_runs_without_a_shell_where_there_is_none(self, scripted: Scripted) -> None:
        scripted.answers("POST", "/containers/x/exec", {"Id": "e1"}, 201)
        scripted.answers("POST", "/exec/e1/start", (frame(STDOUT, b"no such file"),))
        scripted.answers("GET", "/exec/e1/json", {"ExitCode": 127})
        assert scripted.engine.execute("x", ["/busy"]).stdout == b"no such file"
        assert scripted.questions[-3].json()["Cmd"] == ["/busy"]

    def test_a_command_that_comes_to_no_end_in_time_is_an_error(self, scripted: Scripted) -> None:
        endless = threading.Event()

        def kills() -> Iterator[bytes]:
            scripted.answers("GET", "/exec/e1/json", {"ExitCode": 0})
            yield b""

        def says() -> Iterator[bytes]:
            scripted.answers("POST", "/exec/e1/start", kills())
            yield frame(STDOUT, b"one")
            endless.wait(10)

        scripted.answers("POST", "/containers/x/exec", {"Id": "e1"}, 201)
        scripted.answers("POST", "/exec/e1/start", says())
        scripted.answers("GET", "/exec/e1/json", {"ExitCode": None})
        with pytest.raises(ServiceCommandFailed, match="true in x came to no end"):
            scripted.engine.execute("x", ["true"], within=0.05)
        endless.set()

    def test_a_command_that_says_too_much_is_an_error(self, scripted: Scripted) -> None:
        scripted.answers("POST", "/containers/x/exec", {"Id": "e1"}, 201)
        scripted.answers("POST", "/exec/e1/start", (frame(STDOUT, b"x" * 1000),) * 3)
        scripted.answers("GET", "/exec/e1/json", {"ExitCode": None})
        with pytest.raises(ServiceCommandFailed, match="2000 bytes"):
            scripted.engine.execute("x", ["yes"], within=60, most=1999)

    def test_a_log_comes_as_lines_with_their_times(self, scripted: Scripted) -> None:
        lines = (b"2026-01-01T00:00:01.5Z one\n", b"2026-01-01T00:00:02.5Z two\n")
        scripted.answers("GET", "/containers/x/logs", tuple(frame(STDOUT, each) for each in lines))
        with closing(scripted.engine.logs("x", tail=5)) as log:
            assert [line.text for line in log] == ["one", "two"]
        assert scripted.asked().query["tail"] == "5"

    def test_a_log_of_nobody_is_an_error(self, scripted: Scripted) -> None:
        with pytest.raises(NoSuchObject, match="log of x"):
            scripted.engine.logs("x")

    def test_a_log_that_is_packed_is_followed_by_asking_for_its_end(self, scripted: Scripted) -> None:
        packed = {"Type": "json-file", "Config": {"compress": "true"}}
        told = {"HostConfig": {"LogConfig": packed}, "State": {"Running": False}}
        scripted.answers("GET", "/containers/x/json", told)
        lines = (b"2026-01-01T00:00:01.5Z one\n", b"2026-01-01T00:00:02.5Z two\n")
        scripted.answers("GET", "/containers/x/logs", tuple(frame(STDOUT, each) for each in lines))
        since = datetime(2026, 1, 1, 0, 0, 2, tzinfo=UTC)
        with closing(scripted.engine.logs("x", since=since, tail=5, follow=True)) as log:
            assert [line.text for line in log] == ["two"]
        asked = scripted.asked().query
        assert (asked["tail"], {"since", "follow"} & {*asked}) == ("5", set())

    def test_a_log_that_is_cut_off_is_an_error_behind_its_last_line(self, scripted: Scripted) -> None:
        whole = frame(STDOUT, b"2026-01-01T00:00:01.5Z one\n")
        scripted.answers("GET", "/containers/x/logs", (whole, whole[:-3]))
        with closing(scripted.engine.logs("x")) as log:
            lines = iter(log)
            assert next(lines).text == "one"
            with pytest.raises(EngineUnavailable, match=r"log of x: .*broke off"):
                next(lines)

    def test_a_whole_log_comes_as_bytes(self, scripted: Scripted) -> None:
        lines = b"2026-01-01T00:00:01.5Z one\n", b"2026-01-01T00:00:02.5Z caf\xe9\n"
        scripted.answers("GET", "/containers/x/logs", b"".join(frame(STDOUT, each) for each in lines))
        since = datetime(2026, 1, 1, microsecond=5, tzinfo=UTC)
        assert scripted.engine.read_log("x", since=since, tail=5) == b"".join(lines)
        asked = scripted.asked().query
        assert (asked["since"], asked["tail"]) == ("1767225600.000005", "5")
        assert "follow" not in asked

    def test_a_whole_log_of_nobody_is_an_error(self, scripted: Scripted) -> None:
        with pytest.raises(NoSuchObject, match="log of x"):
            scripted.engine.read_log("x")


class TestLogFiles:
    @staticmethod
    def described(scripted: Scripted, path: Path, driver: str = "json-file") -> None:
        told = {"LogPath": str(path), "HostConfig": {"LogConfig": {"Type": driver}}}
        scripted.answers("GET", "/containers/x/json", told)

    def test_the_oldest_comes_first(self, scripted: Scripted, tmp_path: Path) -> None:
        names = ["x-json.log.10", "x-json.log.2", "x-json.log.1", "x-json.log"]
        for name in (*names, "config.v2.json"):
            (tmp_path / name).touch()
        self.described(scripted, tmp_path / "x-json.log")
        assert scripted.engine.log_files("x") == tuple(tmp_path / each for each in names)

    def test_another_driver_has_none(self, scripted: Scripted, tmp_path: Path) -> None:
        (tmp_path / "x.log").touch()
        self.described(scripted, tmp_path / "x.log", "local")
        assert scripted.engine.log_files("x") == ()

    def test_those_of_another_machine_are_none(self, scripted: Scripted, tmp_path: Path) -> None:
        self.described(scripted, tmp_path / "not-here" / "x-json.log")
        assert scripted.engine.log_files("x") == ()

    def test_what_was_removed_meanwhile_is_none(self, scripted: Scripted, tmp_path: Path) -> None:
        self.described(scripted, tmp_path / "x-json.log")
        assert scripted.engine.log_files("x") == ()

    def test_compressed_ones_are_none(self, scripted: Scripted, tmp_path: Path) -> None:
        for name in ("x-json.log", "x-json.log.1.gz"):
            (tmp_path / name).touch()
        self.described(scripted, tmp_path / "x-json.log")
        assert scripted.engine.log_files("x") == ()

    def test_those_of_nobody_are_an_error(self, scripted: Scripted) -> None:
        with pytest.raises(NoSuchObject, match="container x"):
            scripted.engine.log_files("x")


class TestImages:
    def test_a_build_that_fails_is_told_with_the_engines_words(self, scripted: Scripted) -> None:
        told = ({"stream": "Step 1/2 : FROM x\n"}, {"error": "returned a non-zero code: 1\n"})
        scripted.answers("POST", "/build", tuple(json.dumps(each).encode() + b"\r\n" for each in told))
        context = io.BytesIO(b"tar")
        build = scripted.engine.build(context, tag="labctl/mta:1", labels={"a": "b"}, build_args={})
        lines: list[str] = []
        with pytest.raises(ImageUnavailable, match="non-zero code: 1"):
            lines.extend(build)
        assert lines == ["Step 1/2 : FROM x"]
        assert json.loads(scripted.asked().query["labels"]) == {"a": "b"}

    def test_an_image_that_no_registry_has_is_told(self, scripted: Scripted) -> None:
        scripted.answers("POST", "/images/create", {"message": "no such host"}, 500)
        with pytest.raises(ImageUnavailable, match=r"pull of debian:trixie-slim.*no such host"):
            scripted.engine.pull("debian:trixie-slim")

    def test_an_image_without_tags_has_none(self, scripted: Scripted) -> None:
        listed = {"Id": "sha256:1", "RepoTags": ["<none>:<none>"], "Size": 5, "Labels": None, "Created": 0}
        scripted.answers("GET", "/images/json", [listed, {**listed, "RepoTags": None}])
        assert [each.tags for each in scripted.engine.images({})] == [(), ()]
