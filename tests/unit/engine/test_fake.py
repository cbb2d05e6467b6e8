from __future__ import annotations

import inspect
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

import pytest

from labctl.engine.docker import DockerEngine
from labctl.engine.fake import Call, FakeEngine
from labctl.engine.model import (
    Container,
    ContainerSpec,
    ContainerState,
    ExecResult,
    File,
    NetworkSpec,
    PublishedPort,
)
from labctl.engine.protocol import Engine
from labctl.errors import EngineError, ImageUnavailable, NameInUse, NoSuchObject

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

METHODS = sorted(name for name in vars(Engine) if not name.startswith("_"))
ADAPTERS: tuple[type, ...] = (FakeEngine, DockerEngine)


def network(name: str = "labctl-x", subnet: str = "198.18.0.0/27") -> NetworkSpec:
    found = IPv4Network(subnet)
    return NetworkSpec(name, found, found[1], {"labctl.name": "x"})


def container(name: str = "labctl-x-dns", **more: Any) -> ContainerSpec:
    given: dict[str, Any] = {
        "image": "labctl/dns:1",
        "hostname": "dns.lab.test",
        "network": "labctl-x",
        "address": IPv4Address("198.18.0.2"),
        "mac_address": "02:42:c6:12:00:02",
        "labels": {"labctl.name": "x", "labctl.service": "dns"},
        **more,
    }
    return ContainerSpec(name=name, **given)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(["labctl/dns:1"])


@pytest.fixture
def running(engine: FakeEngine) -> FakeEngine:
    engine.create_network(network())
    engine.create_container(container())
    engine.start("labctl-x-dns")
    return engine


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("method", METHODS)
def test_each_adapter_takes_the_parameters_that_the_protocol_names(adapter: type, method: str) -> None:
    wanted = inspect.signature(getattr(Engine, method)).parameters
    there = inspect.signature(getattr(adapter, method)).parameters
    assert [(each.name, each.kind, each.default) for each in there.values()] == [
        (each.name, each.kind, each.default) for each in wanted.values()
    ]


def test_names_are_taken_once(running: FakeEngine) -> None:
    with pytest.raises(NameInUse):
        running.create_network(network(subnet="198.18.1.0/27"))
    with pytest.raises(NameInUse):
        running.create_container(container())


def test_lists_are_by_all_labels_and_an_empty_value_asks_for_presence(running: FakeEngine) -> None:
    assert len(running.containers({"labctl.name": "", "labctl.service": "dns"})) == 1
    assert running.containers({"labctl.name": "x", "labctl.service": "mx"}) == ()
    assert running.containers({"labctl.other": ""}) == ()
    assert len(running.networks({"labctl.name": "x"})) == 1


def test_a_container_is_made_before_its_network_and_started_after_it(engine: FakeEngine) -> None:
    engine.create_container(container())
    with pytest.raises(NoSuchObject, match="labctl-x not found"):
        engine.start("labctl-x-dns")
    engine.create_network(network())
    engine.start("labctl-x-dns")
    assert engine.inspect("labctl-x-dns").state == ContainerState.RUNNING


def test_a_container_starts_on_no_other_network_than_its_first(running: FakeEngine) -> None:
    running.stop("labctl-x-dns", timeout=1)
    running.remove_network("labctl-x")
    running.create_network(network())
    with pytest.raises(NoSuchObject, match="network"):
        running.start("labctl-x-dns")


def test_a_network_in_use_stays(running: FakeEngine) -> None:
    with pytest.raises(EngineError, match="active endpoints"):
        running.remove_network("labctl-x")
    running.remove_container("labctl-x-dns")
    running.remove_network("labctl-x")
    assert running.networks({}) == ()


def test_what_is_not_there_can_be_removed(engine: FakeEngine) -> None:
    for remove in (engine.remove_network, engine.remove_container, engine.remove_image):
        remove("nothing")


def test_states_follow_the_calls(running: FakeEngine) -> None:
    name = "labctl-x-dns"
    running.pause(name)
    assert running.inspect(name).state == ContainerState.PAUSED
    with pytest.raises(EngineError, match="paused"):
        running.execute(name, ["true"])
    running.unpause(name)
    running.signal(name, "HUP")
    assert running.inspect(name).state == ContainerState.RUNNING
    running.signal(name, "KILL")
    assert running.inspect(name).exit_code == 137
    with pytest.raises(EngineError, match="exited"):
        running.signal(name, "HUP")
    running.start(name)
    assert running.inspect(name).exit_code is None
    running.end(name, 3)
    assert (running.inspect(name).state, running.inspect(name).exit_code) == (ContainerState.EXITED, 3)


def test_a_container_of_an_unknown_image_is_refused(engine: FakeEngine) -> None:
    with pytest.raises(NoSuchObject, match="labctl/none"):
        engine.create_container(container(image="labctl/none:1"))


def test_ports_are_published_while_a_container_lives() -> None:
    engine = FakeEngine(["labctl/dns:1"], publish=lambda _spec, port: 1000 + port.port)
    engine.create_network(network())
    engine.create_container(container(published=(PublishedPort(53, "udp"), PublishedPort(25, host_port=9))))
    assert engine.inspect("labctl-x-dns").published == ()
    engine.start("labctl-x-dns")
    chosen = (PublishedPort(53, "udp", 1053), PublishedPort(25, "tcp", 9))
    assert engine.containers({})[0].published == chosen
    engine.stop("labctl-x-dns", timeout=1)
    assert engine.containers({})[0].published == ()


def test_files_are_kept_in_any_state(engine: FakeEngine) -> None:
    engine.create_container(container())
    engine.put_files("labctl-x-dns", [File("/etc/a/b", b"1"), File("/etc/c", b"2")])
    engine.put_files("labctl-x-dns", [File("/etc/c", b"3")])
    assert engine.get_file("labctl-x-dns", "/etc/c") == b"3"
    with pytest.raises(NoSuchObject, match="/etc/none"):
        engine.get_file("labctl-x-dns", "/etc/none")


def test_commands_are_answered_by_the_script() -> None:
    def answer(where: Container, argv: Sequence[str]) -> ExecResult:
        return ExecResult(5, f"{where.name}: {argv[0]}".encode(), b"")

    engine = FakeEngine(["labctl/dns:1"], execute=answer)
    engine.create_network(network())
    engine.create_container(container())
    engine.start("labctl-x-dns")
    assert engine.execute("labctl-x-dns", ["id"]) == ExecResult(5, b"labctl-x-dns: id", b"")
    assert engine.attach("labctl-x-dns", ["sh"]) == 5


def test_a_log_is_read_from_a_time_or_from_its_tail(running: FakeEngine) -> None:
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    for n in range(4):
        running.say("labctl-x-dns", f"line {n}", at=noon + timedelta(seconds=n))
    assert [line.text for line in running.logs("labctl-x-dns", tail=2)] == ["line 2", "line 3"]
    later = running.logs("labctl-x-dns", since=noon + timedelta(seconds=3))
    assert [(line.at.second, line.text) for line in later] == [(3, "line 3")]
    assert [line.text for line in running.logs("labctl-x-dns", tail=0)] == []


def test_a_whole_log_is_read_as_lines_with_their_stamps(running: FakeEngine) -> None:
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    running.say("labctl-x-dns", "one", at=noon)
    running.say("labctl-x-dns", "caf\udce9", at=noon + timedelta(microseconds=5))
    last = b"2024-01-01T12:00:00.000005000Z caf\xe9\n"
    assert running.read_log("labctl-x-dns") == b"2024-01-01T12:00:00.000000000Z one\n" + last
    assert running.read_log("labctl-x-dns", tail=1) == last
    assert running.log_files("labctl-x-dns") == ()


@pytest.mark.parametrize("how", ["close", "removal"])
def test_a_followed_log_is_ended_from_another_thread(running: FakeEngine, how: str) -> None:
    stream = running.logs("labctl-x-dns", tail=0, follow=True)
    with ThreadPoolExecutor() as pool:
        lines = pool.submit(list, stream)
        if how == "close":
            stream.close()
        else:
            running.remove_container("labctl-x-dns")
        assert lines.result(timeout=10) == []


def test_calls_by_id_are_recorded_by_name(running: FakeEngine) -> None:
    running.signal(running.inspect("labctl-x-dns").id, "HUP")
    assert running.calls[-1] == Call("signal", "labctl-x-dns HUP")


def test_images_are_found_by_tag_and_by_id(engine: FakeEngine) -> None:
    image = engine.image("labctl/dns:1")
    assert image is not None
    assert engine.image(image.id) == image
    assert engine.image("labctl/dns:2") is None


def test_an_image_goes_with_its_last_tag(engine: FakeEngine) -> None:
    engine.tag("labctl/dns:1", "labctl/dns:latest")
    engine.remove_image("labctl/dns:1")
    assert [image.tags for image in engine.images({})] == [("labctl/dns:latest",)]
    engine.remove_image("labctl/dns:latest")
    assert engine.images({}) == ()


def test_a_tag_moves_from_image_to_image(engine: FakeEngine) -> None:
    for content in (b"one", b"two"):
        list(engine.build(io.BytesIO(content), tag="labctl/mta:1", labels={"l": "mta"}, build_args={}))
    assert sorted(image.tags for image in engine.images({"l": "mta"})) == [(), ("labctl/mta:1",)]


def test_the_same_content_is_the_same_image(engine: FakeEngine) -> None:
    arguments = {"A": "1"}
    said = [
        list(engine.build(io.BytesIO(b"one"), tag=tag, labels={}, build_args=arguments))
        for tag in ("a:1", "b:1")
    ]
    assert said[0] == said[1]
    image = engine.image("a:1")
    assert image is not None
    assert image.tags == ("a:1", "b:1")


def test_images_travel_in_one_file(engine: FakeEngine, tmp_path: Path) -> None:
    rootfs = tmp_path / "rootfs.tar"
    rootfs.write_bytes(b"a file system")
    engine.import_image(rootfs, tag="labctl/base:1", changes=["CMD sh"])
    archive = b"".join(engine.save(["labctl/dns:1", "labctl/base:1"]))
    other = FakeEngine()
    assert other.load([archive]) == ("labctl/dns:1", "labctl/base:1")
    there, here = other.image("labctl/base:1"), engine.image("labctl/base:1")
    assert there is not None
    assert here is not None
    assert there.id == here.id


def test_what_is_no_archive_is_not_loaded(engine: FakeEngine) -> None:
    with pytest.raises(ImageUnavailable, match="load of images"):
        engine.load([b"no tar"])
    with pytest.raises(NoSuchObject):
        list(engine.save(["labctl/none:1"]))


def test_the_engine_says_who_answers(engine: FakeEngine) -> None:
    assert engine.version().platform == "an engine in memory"
    engine.close()
    assert engine.calls == [Call("version"), Call("close")]
