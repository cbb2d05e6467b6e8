"""Images in a real engine: built, kept, pulled, saved, loaded, and what failure and interruption leave."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from labctl.engine import search
from labctl.engine.docker import DockerEngine
from labctl.engine.images import apt, archive, base_spec, coredns, ensure, image_specs, outdated
from labctl.engine.images.children import Children
from labctl.engine.images.debian import Debian
from labctl.errors import ImageUnavailable, OutputError
from labctl.progress import silent
from labctl.resources import compose_dir
from labctl.wait import eventually
from tests.integration.conftest import by_night

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labctl.engine.images import ImageSpec

SOON: Final = 60.0
"""Seconds that a fact has to show itself on a busy machine; what is there at once costs nothing of them."""

NOBODY: Final = "127.0.0.1:9/debian:trixie-slim"
"""A reference that is refused at once: nothing listens at the discard port of this machine."""

RECIPE: Final = "ARG BASE\nFROM ${BASE}\nCOPY greeting /greeting\nRUN cat /greeting\n"

wants_root = pytest.mark.skipif(os.geteuid() != 0, reason="wants root: it mounts, or installs packages")


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    found = DockerEngine(search.find(os.environ, Path.home()))
    with closing(found):
        yield found


@pytest.fixture
def images_dir(tmp_path: Path, engine: DockerEngine) -> Iterator[Path]:
    """Four small images like nobody else's; what was built of them, in any version, goes away again."""
    mark = uuid.uuid4().hex
    directory = tmp_path / mark
    for name in ("base", "mta", "mda", "dns"):
        (directory / name).mkdir(parents=True)
        (directory / name / "Dockerfile").write_text(f"{RECIPE}LABEL labctl.test={mark}\n")
        (directory / name / "greeting").write_text(f"{name} {mark}\n")
    yield directory
    for image in engine.images({"labctl.test": mark}):
        for tag in image.tags or (image.id,):
            engine.remove_image(tag)


@pytest.fixture(scope="module")
def debian(engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Debian to build small images on."""
    return debian_of(engine, tmp_path_factory.mktemp("debian")).obtain(None)


def debian_of(engine: DockerEngine, scratch: Path, **settings: Any) -> Debian:
    machine = apt.of_machine(os.environ)
    return Debian(engine, Children(), machine, os.environ, scratch, True, silent, **settings)  # noqa: FBT003


def build(
    engine: DockerEngine, specs: tuple[ImageSpec, ...], reference: str | None = None
) -> tuple[str, ...]:
    return ensure(engine, specs, environ=os.environ, base_reference=reference, plain_tags=False)


def ids(engine: DockerEngine, specs: tuple[ImageSpec, ...]) -> list[str | None]:
    return [image.id if (image := engine.image(spec.tag)) else None for spec in specs]


def remains(engine: DockerEngine, **label: str) -> list[str]:
    """Name the images that nobody could name: layers of builds that did not end."""
    wanted = {f"labctl.{key}": value for key, value in label.items()}
    return [image.id for image in engine.images(wanted) if not image.tags]


def output_of(docker: Any, tag: str, *command: str) -> str:
    done: bytes = docker.containers.run(
        tag, list(command), entrypoint=[], network_mode="none", remove=True, stderr=True
    )
    return done.decode()


@pytest.fixture
def docker(engine: DockerEngine) -> Iterator[Any]:
    """The engine's own SDK, for what labctl does not do."""
    from docker import DockerClient  # noqa: PLC0415  # only where an engine is

    with closing(DockerClient(base_url=engine.endpoint.url)) as client:
        yield client


def test_labctls_own_images_hold_the_daemons(engine: DockerEngine, docker: Any) -> None:
    specs = {spec.name: spec for spec in image_specs(compose_dir() / "images")}
    build(engine, tuple(specs.values()))
    assert "= 3.10" in output_of(docker, specs["mta"].tag, "postconf", "mail_version")
    assert output_of(docker, specs["mda"].tag, "dovecot", "--version").startswith("2.4.")
    assert "CoreDNS-1." in output_of(docker, specs["dns"].tag, "coredns", "-version")
    current = {base_spec(compose_dir() / "images").tag, *(spec.tag for spec in specs.values())}
    assert not [image for image in outdated(engine, tuple(specs.values())) if current & set(image.tags)]


@pytest.mark.usefixtures("debian")
def test_a_second_time_nothing_is_built(engine: DockerEngine, images_dir: Path) -> None:
    specs = image_specs(images_dir)
    assert build(engine, specs) == ("mta", "mda", "dns")
    before = ids(engine, specs)
    assert None not in before
    assert build(engine, specs) == ()
    assert ids(engine, specs) == before


@pytest.mark.usefixtures("debian")
def test_a_changed_file_builds_its_image_alone(engine: DockerEngine, images_dir: Path) -> None:
    old = image_specs(images_dir)
    build(engine, old)
    (images_dir / "mda" / "greeting").write_text("changed\n")
    new = image_specs(images_dir)
    assert build(engine, new) == ("mda",)
    assert [one.tag == other.tag for one, other in zip(old, new, strict=True)] == [True, False, True]
    assert None not in ids(engine, old), "the old version's images stay until they are pruned"
    assert (old[1].tag,) in [image.tags for image in outdated(engine, new)]


@pytest.mark.usefixtures("debian")
def test_plain_tags_move_only_if_asked(engine: DockerEngine, images_dir: Path) -> None:
    specs = image_specs(images_dir)
    before = [engine.image(spec.plain_tag) for spec in specs]
    build(engine, specs)
    assert [engine.image(spec.plain_tag) for spec in specs] == before


@pytest.mark.usefixtures("debian")
def test_saved_images_come_back_after_they_were_removed_and_their_base_is_not_needed(
    engine: DockerEngine, docker: Any, images_dir: Path, tmp_path: Path
) -> None:
    specs = image_specs(images_dir)
    build(engine, specs)
    before, file = ids(engine, specs), tmp_path / "labctl.tar.gz"
    archive.save(engine, specs, file)
    for spec in (*specs, base_spec(images_dir)):
        engine.remove_image(spec.tag)
    assert ids(engine, specs) == [None, None, None]

    loaded = archive.load(engine, file, specs)

    assert loaded.current
    assert ids(engine, specs) == before
    assert engine.image(base_spec(images_dir).tag) is None
    assert ensure(engine, specs, environ={"PATH": ""}, plain_tags=False) == ()
    assert output_of(docker, specs[0].tag, "cat", "/greeting") == (images_dir / "mta/greeting").read_text()
    layers = sum(image.size for spec in specs if (image := engine.image(spec.tag)))
    assert file.stat().st_size < layers / 3, "what the images share is in the file once"


def test_the_engines_own_save_of_the_images_is_taken_too(
    engine: DockerEngine, debian: str, images_dir: Path, tmp_path: Path
) -> None:
    specs = image_specs(images_dir)
    build(engine, specs, debian)
    file = tmp_path / "saved-by-docker.tar"
    file.write_bytes(b"".join(engine.save([spec.tag for spec in specs])))
    engine.remove_image(specs[2].tag)
    assert archive.load(engine, file, specs).current
    assert engine.image(specs[2].tag) is not None


@contextmanager
def registry(directory: Path) -> Iterator[str]:
    """Debian's docker-registry on a free port of 127.0.0.1."""
    program = shutil.which("docker-registry")
    if program is None:
        environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "install", "-yq", "docker-registry"], env=environ, check=True)
        program = shutil.which("docker-registry")
        assert program is not None
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = directory / "registry.yml"
    config.write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {directory}\nhttp:\n  addr: {address}\n"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    with (directory / "registry.log").open("wb") as log:
        process = subprocess.Popen([program, "serve", config], stdout=log, stderr=log, env=environ)
        try:
            assert eventually(lambda: answers(address), within=SOON), (directory / "registry.log").read_text()
            yield address
        finally:
            process.terminate()
            process.wait()


def answers(address: str) -> bool | None:
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return None
    return True


@wants_root
def test_the_base_is_pulled_where_a_registry_answers(
    engine: DockerEngine, docker: Any, debian: str, images_dir: Path, tmp_path: Path
) -> None:
    with registry(tmp_path) as address:
        reference = f"{address}/debian:trixie-slim"
        engine.tag(debian, reference)
        pushed = docker.images.push(f"{address}/debian", tag="trixie-slim")
        assert '"error"' not in pushed
        engine.remove_image(reference)
        try:
            told: list[str] = []
            specs = image_specs(images_dir)
            ensure(
                engine,
                specs,
                environ=os.environ,
                base_reference=reference,
                plain_tags=False,
                progress=lambda subject, state: told.append(f"{subject}: {state}"),
            )
            assert engine.image(reference) is not None
        finally:
            engine.remove_image(reference)
    assert f"image base: pulling {reference}" in told
    assert not [line for line in told if "making it" in line]
    assert None not in ids(engine, specs)


@pytest.mark.nightly
def test_without_a_registry_debian_is_made_here(engine: DockerEngine, docker: Any, tmp_path: Path) -> None:
    tag = f"labctl/debian:test-{uuid.uuid4().hex[:8]}"
    try:
        assert debian_of(engine, tmp_path, made_tag=tag).obtain(NOBODY) == tag
        assert "VERSION_CODENAME=trixie" in output_of(docker, tag, "cat", "/etc/os-release")
        kept = output_of(docker, tag, "apt-config", "dump", "Acquire")
        assert "Check-Valid-Until" not in kept, "what the making needed is not in the result"
        assert "Proxy" not in kept
    finally:
        engine.remove_image(tag)
    assert list(tmp_path.iterdir()) == []


def test_a_step_that_fails_is_told_and_leaves_nothing(
    engine: DockerEngine, debian: str, images_dir: Path
) -> None:
    recipe = images_dir / "mta" / "Dockerfile"
    recipe.write_text(f"{recipe.read_text()}RUN echo this went wrong >&2; exit 3\n")
    specs = image_specs(images_dir)
    with pytest.raises(ImageUnavailable, match="this went wrong") as caught:
        build(engine, specs, debian)
    assert caught.value.message.startswith("image mta: step 6/7 (RUN echo this went wrong")
    assert caught.value.detail["output"] == ["this went wrong"]
    assert engine.image(specs[0].tag) is None
    assert remains(engine, test=images_dir.name) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "small"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


@wants_root
def test_a_full_disk_is_named_and_left_empty(
    engine: DockerEngine, images_dir: Path, small_disk: Path
) -> None:
    script = SCRIPT.format(url=engine.endpoint.url, images_dir=images_dir, reference=NOBODY)
    environ = os.environ | {"TMPDIR": str(small_disk)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False
    )
    assert f"the disk of {small_disk} (" in done.stderr
    assert "free of 20 MB) is full" in done.stderr
    assert list(small_disk.iterdir()) == []


@wants_root
def test_a_file_that_does_not_fit_is_not_left_behind(
    engine: DockerEngine, debian: str, images_dir: Path, small_disk: Path
) -> None:
    specs = image_specs(images_dir)
    build(engine, specs, debian)
    with pytest.raises(OutputError, match="No space left on device"):
        archive.save(engine, specs, small_disk / "labctl.tar.gz")
    assert list(small_disk.iterdir()) == []


SCRIPT: Final = """
import os, sys
from pathlib import Path
from labctl.engine.images.builder import Builder
from labctl.engine.images import base_spec, image_specs
from labctl.engine.docker import DockerEngine
from labctl.engine.endpoint import Endpoint
from labctl.errors import LabctlError

def tell(subject, state):
    print(f"{{subject}}: {{state}}", flush=True)

directory = Path("{images_dir}")
builder = Builder(
    DockerEngine(Endpoint("{url}")),
    environ=os.environ,
    may_install=True,
    progress=tell,
    made_tag="labctl/debian:never",
)
try:
    builder.build(image_specs(directory), base_spec(directory), "{reference}")
except KeyboardInterrupt:
    sys.exit(130)
except LabctlError as exc:
    sys.exit(f"{{exc.message}} ({{exc.hint}})")
"""
"""A program that builds, to be interrupted; it makes its Debian anew, or builds on the one it is given."""


def descendants(pid: int) -> set[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [line.split() for line in listed.splitlines()]
    parents = {int(each): int(parent) for each, parent in pairs}
    found: set[int] = set()
    while more := {each for each, parent in parents.items() if parent in found | {pid}} - found:
        found |= more
    return found


def interrupted(
    engine: DockerEngine, images_dir: Path, scratch: Path, reference: str, *, at: str
) -> set[int]:
    """Interrupt a build when it says `at`, see it end as interrupted, and return what it had started."""
    script = SCRIPT.format(url=engine.endpoint.url, images_dir=images_dir, reference=reference)
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env=os.environ | {"TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if at in line:
                break
        else:
            pytest.fail(f"it never came to {at!r}: {''.join(said)}")
        started = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(SOON) == 130
    return started


@wants_root
@pytest.mark.parametrize("at", ["extracting archives", by_night("installing essential packages")])
def test_an_interrupt_while_debian_is_made_leaves_nothing(
    engine: DockerEngine, images_dir: Path, tmp_path: Path, at: str
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    started = interrupted(engine, images_dir, scratch, NOBODY, at=at)
    assert started
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert list(scratch.iterdir()) == []
    assert str(scratch) not in Path("/proc/self/mounts").read_text()
    assert engine.image("labctl/debian:never") is None


def test_an_interrupt_while_a_step_runs_ends_the_step_and_leaves_nothing(
    engine: DockerEngine, docker: Any, debian: str, images_dir: Path, tmp_path: Path
) -> None:
    recipe = images_dir / "base" / "Dockerfile"
    recipe.write_text(f"{recipe.read_text()}RUN echo Setting up a nap; exec sleep 600\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    interrupted(engine, images_dir, scratch, debian, at="Setting up a")
    assert not [each for each in docker.containers.list() if "a nap" in " ".join(each.attrs["Args"])]
    assert engine.image(base_spec(images_dir).tag) is None
    assert remains(engine, test=images_dir.name) == []
    assert list(scratch.iterdir()) == []


PROGRAM: Final = """\
package main

import (
	"fmt"
	"runtime"
)

func main() { fmt.Println("MARK", runtime.Version()) }
"""


@pytest.fixture
def own_dns(tmp_path: Path, engine: DockerEngine) -> Iterator[Callable[[], ImageSpec]]:
    """The real resolver's context with a small program for CoreDNS, quick to build and without modules."""
    directory = tmp_path / "images"
    for name in ("base", "mta", "mda"):
        shutil.copytree(compose_dir() / "images" / name, directory / name)
    dns = directory / "dns"
    dns.mkdir()
    for name in ("Dockerfile", "Dockerfile.build", "ready", "reset"):
        shutil.copy(compose_dir() / "images" / "dns" / name, dns / name)
    mark = uuid.uuid4().hex
    (dns / "go.mod").write_text("module labctl/coredns\n\ngo 1.24.0\n")
    (dns / "go.sum").write_text("")
    (dns / "querylog").mkdir()
    (dns / "querylog" / "querylog.go").write_text("package querylog\n")
    (dns / "main.go").write_text(PROGRAM.replace("MARK", mark))
    spec = image_specs(directory)[2]
    yield lambda: spec
    engine.remove_image(spec.tag)


@pytest.mark.parametrize("how", ["the machine's Go", by_night("a build stage")])
def test_the_resolver_is_built_by_the_machines_go_or_else_in_a_stage(
    engine: DockerEngine,
    docker: Any,
    own_dns: Callable[[], ImageSpec],
    tmp_path: Path,
    how: str,
) -> None:
    spec = own_dns()
    environ = dict(os.environ)
    if how == "a build stage":
        environ["PATH"] = without_go(tmp_path / "bin")
    elif coredns.machine_go(spec.context, environ) is None:
        pytest.skip("this machine has no Go that is new enough")
    assert ensure(engine, (spec,), environ=environ, plain_tags=False) == ("dns",)
    assert "go1." in output_of(docker, spec.tag, "/usr/local/bin/coredns")
    image = engine.image(spec.tag)
    assert image is not None
    assert image.size < 150e6, "the compiler is not in the image"
    assert remains(engine, stage="build") == []


def without_go(directory: Path) -> str:
    """Return a PATH with this machine's programs but for Go."""
    directory.mkdir()
    for name in ("apt-get", "apt-config", "mmdebstrap", "unshare"):
        if found := shutil.which(name):
            (directory / name).symlink_to(found)
    return str(directory)
