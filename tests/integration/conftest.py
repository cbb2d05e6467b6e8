"""Real labs, labctl as a program, and the means to look at what it did."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import pytest

from labctl import resources
from labctl.engine import search
from labctl.engine.docker import DockerEngine
from labctl.errors import EngineUnavailable
from labctl.lab.mark import labels
from labctl.wait import eventually
from tests import documents

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

SERVICES: Final = ("dns", "mx-alpha", "mail-alpha", "mx-beta", "mail-beta")

SOON: Final = 30.0
"""Seconds that a fact has to show itself on a busy machine; what is there at once costs nothing of them."""

TO_GRADE: Final = "fix-the-mx"
"""The lab to grade that is there to be graded by any test."""

_LONGEST_RUN: Final = 900.0
"""Seconds for one run of labctl, which may have to build the images, or to grade a hundred attempts."""

_ENGINE: Final = Path(__file__)
_GATE: Final = Path(__file__).with_name("packages.py")
"""Files that tests lock: who waits for the engine holds the gate, past which nobody gets meanwhile."""

_FOR_TESTS_ONLY: Final = ("LABCTL_NAME", "LABCTL_LABS", "NO_COLOR", "COLUMNS")


def by_night(*values: Any) -> Any:
    """Have a parameter's values tried by night only."""
    return pytest.param(*values, marks=pytest.mark.nightly)


@dataclass(frozen=True)
class Ran:
    """What one run of labctl came to."""

    code: int
    stdout: str
    stderr: str


class Labctl:
    """The program labctl, run as its users run it."""

    def __init__(self, directory: Path, validate: Callable[[Mapping[str, Any]], None]) -> None:
        self._directory = directory
        self._validate = validate

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key not in _FOR_TESTS_ONLY}
        return kept | dict(extra or {})

    def __call__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        within: float = _LONGEST_RUN,
    ) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "labctl", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=within,
            env=self.environment(env),
            cwd=self._directory,
        )
        documents.check(arguments, done.stdout)
        return Ran(done.returncode, done.stdout, done.stderr)

    def json(
        self, command: str, *arguments: str, code: int = 0, env: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Run a command for its JSON document, valid by its schema; it has to end with this exit code."""
        ran = self(command, "--json", *arguments, env=env)
        assert ran.code == code, f"labctl {command} {arguments}: {ran}"
        return self.document_of(ran.stdout)

    def document_of(self, stdout: str) -> dict[str, Any]:
        """Return the one JSON document that was printed, valid by the schema that it names."""
        said: dict[str, Any] = json.loads(stdout)
        self._validate(said)
        return said

    @contextmanager
    def started(
        self, *arguments: str, env: Mapping[str, str] | None = None, stdin: IO[str] | int = subprocess.DEVNULL
    ) -> Iterator[subprocess.Popen[str]]:
        """Start labctl and go on; it is killed in the end if it still runs."""
        with subprocess.Popen(
            [sys.executable, "-u", "-m", "labctl", *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(env),
            cwd=self._directory,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)


class Lab:
    """One lab, by its name: labctl about it, and the engine's own view of it."""

    def __init__(self, name: str, labctl: Labctl, docker: Any) -> None:
        self.name = name
        self.labctl = labctl
        self.docker = docker

    def run(self, command: str, *arguments: str, stdin: str = "") -> Ran:
        return self.labctl(command, "--name", self.name, *arguments, stdin=stdin)

    def json(self, command: str, *arguments: str, code: int = 0) -> dict[str, Any]:
        return self.labctl.json(command, "--name", self.name, *arguments, code=code)

    def up(self, lab: str | Path = "two-domains", *options: str, code: int = 0) -> dict[str, Any]:
        return self.json("up", str(lab), *options, code=code)

    def container(self, service: str) -> Any:
        return self.docker.containers.get(f"labctl-{self.name}-{service}")

    def ids(self) -> dict[str, str]:
        """Each service's container, by the engine's own identifier."""
        return {service: self.container(service).id for service in SERVICES}

    def execute(self, service: str, *argv: str) -> tuple[int, str]:
        """Run a command in a container as root; standard error is left out.

        Not by the SDK, which may lose the beginning of what a command says: it passes over what came in
        together with the head of the engine's answer.
        """
        with closing(DockerEngine(search.find(os.environ, Path.home()))) as engine:
            done = engine.execute(f"labctl-{self.name}-{service}", list(argv))
        return done.exit_code, done.stdout.decode()

    def damaged(self) -> bool:
        """Whether a host is missing or does not run."""
        running = {"label": f"labctl.name={self.name}", "status": "running"}
        found = self.docker.containers.list(filters=running, ignore_removed=True)
        return len([each for each in found if each.status == "running"]) < len(SERVICES)

    def leftovers(self) -> list[str]:
        """Name all containers, networks and volumes that the engine has of this lab, by label or by name."""
        label = {"label": f"labctl.name={self.name}"}
        found = {
            each.name for each in self.docker.containers.list(all=True, filters=label, ignore_removed=True)
        }
        found |= {each.name for each in self.docker.networks.list(filters=label)}
        found |= {each.name for each in self.docker.networks.list(names=[f"labctl-{self.name}"])}
        found |= {each.name for each in self.docker.volumes.list(filters=label)}
        return sorted(found)

    def endpoint(self, service: str, protocol: str) -> tuple[str, int]:
        """Where a protocol is spoken, as `labctl status` tells everybody."""
        for each in self.json("status")["endpoints"]:
            if (each["service"], each["protocol"]) == (service, protocol):
                return each["host"], each["port"]
        raise AssertionError(f"no endpoint for {protocol} at {service}")

    def send(self, sender: str, *recipients: str, wait: str = "delivered") -> dict[str, Any]:
        """Send a letter and see it come to a state."""
        return self.json("send", sender, *recipients, "--wait", wait)

    def inbox(self, address: str, *options: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json("inbox", address, *options)["messages"]
        return found

    def received(
        self, address: str, wanted: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> dict[str, Any]:
        """Wait for a message in an account's INBOX."""
        found = eventually(
            lambda: next((each for each in self.inbox(address) if wanted(each)), None), within=SOON
        )
        assert found is not None, f"{address} has not got it: {self.inbox(address)}"
        return found

    def bounce(self, address: str, message_id: str) -> dict[str, Any]:
        """Wait for the report that a message could not be delivered, and return it."""

        def reports_it(message: dict[str, Any]) -> bool:
            return bool(message["is_dsn"]) and message["dsn"]["original_message_id"] == message_id

        found: dict[str, Any] = self.received(address, reports_it)["dsn"]
        return found

    def queued(self, service: str) -> dict[str, Any]:
        """What `labctl queue` tells of one MTA."""
        [host] = self.json("queue", service)["hosts"]
        return dict(host)

    def queued_soon(self, service: str) -> list[dict[str, Any]] | None:
        """Wait until something waits in one MTA's queue."""
        return eventually(lambda: self.queued(service)["messages"] or None, within=SOON)

    def log(self, service: str) -> str:
        return self.run("logs", service).stdout


@pytest.fixture(scope="session")
def labctl(
    tmp_path_factory: pytest.TempPathFactory, valid_document: Callable[[Mapping[str, Any]], None]
) -> Labctl:
    """The program, in a directory without a lab, on a machine whose engine answers."""
    program = Labctl(tmp_path_factory.mktemp("elsewhere"), valid_document)
    try:
        search.find(os.environ, Path.home())
    except EngineUnavailable as error:
        if os.environ.get("LABCTL_YES") != "1":
            pytest.fail(
                f"integration tests need a container engine: {error.message}; {error.hint}; "
                "or set LABCTL_YES=1, and labctl installs one",
                pytrace=False,
            )
        name = f"it-{uuid.uuid4().hex[:8]}"
        assert program("up", "--yes", "--name", name).code == 0
        assert program("down", "--name", name).code == 0
    return program


@pytest.fixture(scope="session")
def docker(labctl: Labctl) -> Iterator[Any]:
    """The engine's own SDK, to see and to do what labctl does not."""
    from docker import DockerClient  # noqa: PLC0415  # only where an engine is

    assert labctl("list").code == 0
    with closing(DockerClient(base_url=search.find(os.environ, Path.home()).url)) as client:
        yield client


@pytest.fixture(scope="session")
def standing_lab(labctl: Labctl, docker: Any) -> Iterator[Lab]:
    """The one lab that most tests share: every host up, with the mail that the test before left."""
    lab = Lab(f"it-{os.getpid()}-{uuid.uuid4().hex[:6]}", labctl, docker)
    try:
        lab.up()
        yield lab
    finally:
        removed = lab.run("down")
    assert removed.code == 0, removed
    assert lab.leftovers() == []


@pytest.fixture
def lab(standing_lab: Lab) -> Iterator[Lab]:
    """The shared lab, as new: no mail, every host up. What a test stopped is started again."""
    standing_lab.json("reset")
    yield standing_lab
    if standing_lab.damaged():
        standing_lab.up()


@pytest.fixture
def new_lab(labctl: Labctl, docker: Any) -> Iterator[Callable[[], Lab]]:
    """Names for labs of a test's own, which are gone after it."""
    labs: list[Lab] = []

    def named() -> Lab:
        labs.append(Lab(f"it-{os.getpid()}-{uuid.uuid4().hex[:6]}", labctl, docker))
        return labs[-1]

    yield named
    ends = [each.run("down") for each in labs]
    assert [end.code for end in ends] == [0] * len(labs), ends
    assert [each.leftovers() for each in labs] == [[]] * len(labs)


@pytest.fixture
def alone() -> None:
    """Ask that no other test runs beside this one: it prunes the engine, where others leave things."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Have a test that is to be alone wait for those of other workers, and those that come later for it."""
    alone = "alone" in getattr(item, "fixturenames", ())
    with _GATE.open() as gate, _ENGINE.open() as engine:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(engine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        return (yield)


class OwnLab:
    """The directory of a lab that a test writes itself."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.define()

    def define(self, more: str = "") -> None:
        """Write the lab.toml: Mail between two domains, and what is added."""
        self.file("lab.toml", f'id = "own"\ntitle = "A lab of one\'s own"\ntopology = "two-domains"\n{more}')

    def file(self, name: str, content: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    def __str__(self) -> str:
        return str(self.directory)


class DefinedLab(Lab):
    """A lab that a file's tests share and change, with its definition; its first `up` makes it."""

    def __init__(self, labctl: Labctl, docker: Any, directory: Path) -> None:
        super().__init__(f"it-{os.getpid()}-{uuid.uuid4().hex[:6]}", labctl, docker)
        self.own = OwnLab(directory / "own")

    def changed(self, *options: str) -> list[str]:
        """Bring it up as it is defined now; return what was done."""
        return list(self.up(str(self.own), *options)["changed"])


@pytest.fixture(scope="module")
def defined_lab(
    labctl: Labctl, docker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DefinedLab]:
    lab = DefinedLab(labctl, docker, tmp_path_factory.mktemp("defined"))
    yield lab
    assert lab.run("down").code == 0
    assert lab.leftovers() == []


@pytest.fixture
def own_lab(tmp_path: Path) -> OwnLab:
    return OwnLab(tmp_path / "own")


@dataclass(frozen=True)
class GradedLab:
    """A copy of a lab to grade under an id of its own, by which its laboratories are told from all others."""

    id: str
    directory: Path
    docker: Any

    def __str__(self) -> str:
        return str(self.directory)

    def laboratories(self) -> set[str]:
        """The names of its laboratories of which anything is there."""
        ours = {"label": f"{labels.LAB}={self.id}"}
        containers = self.docker.containers.list(all=True, filters=ours, ignore_removed=True)
        networks = self.docker.networks.list(filters=ours)
        found = [*(each.labels for each in containers), *(each.attrs["Labels"] for each in networks)]
        return {each[labels.NAME] for each in found}


@pytest.fixture
def graded_lab(tmp_path: Path, docker: Any) -> GradedLab:
    return graded_lab_in(tmp_path / "graded-lab", docker)


def graded_lab_in(directory: Path, docker: Any) -> GradedLab:
    """Copy the lab to a directory that is not there."""
    shutil.copytree(resources.labs_dir() / TO_GRADE, directory)
    lab_id = f"{TO_GRADE}-{uuid.uuid4().hex[:6]}"
    definition = directory / "lab.toml"
    definition.write_text(definition.read_text(encoding="utf-8").replace(f'"{TO_GRADE}"', f'"{lab_id}"'))
    return GradedLab(lab_id, directory, docker)


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """Each of a lab's hosts in turn."""
    return str(request.param)
