"""What labctl needs of a container engine, and no more."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from labctl.engine.model import (
        Container,
        ContainerSpec,
        EngineVersion,
        ExecResult,
        File,
        Image,
        LogLine,
        Network,
        NetworkSpec,
        Volume,
    )


ENDED_WITHIN: Final = 120.0
"""Seconds that a command inside a container has; on a busy machine a reset takes some."""

MOST_SAID: Final = 64 << 20
"""Bytes that a command may say: the headers of all messages of a queue are many."""


def carries(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Say whether an object has all the labels wanted; "" asks for presence only."""
    return all(key in labels and value in {"", labels[key]} for key, value in wanted.items())


class LogStream(Protocol):
    """Lines of a log as they come; `close` ends the iteration, from any thread."""

    def __iter__(self) -> Iterator[LogLine]:
        """Iterate over the lines."""

    def close(self) -> None:
        """End it."""


class Engine(Protocol):
    """A container engine. Every method may be called from several threads at once.

    All raise `EngineError`: `NoSuchObject` where the object named is not there, `NameInUse` and
    `SubnetInUse` on creation, `EngineUnavailable` where the engine stopped answering.
    """

    def version(self) -> EngineVersion:
        """Say who answers."""

    def identity(self) -> str:
        """Return what no other engine of this machine is called by, and this one by every address."""

    def enforces(self) -> frozenset[str]:
        """Name what it can bound: ``memory``, ``swap``, ``cpus``, ``pids`` and ``disk`` of a container."""

    # Networks, volumes and containers: lists are by label; a value of "" asks for the label's presence only.

    def networks(self, labels: Mapping[str, str]) -> tuple[Network, ...]:
        """List the networks that carry all these labels (all networks where there are none)."""

    def create_network(self, spec: NetworkSpec) -> str:
        """Create a bridge network and return its id."""

    def endpoints(self, network: str) -> int:
        """Count what is on a network, whether it runs already or is just being started."""

    def disconnect(self, network: str, container: str) -> None:
        """Take a container off a network at once; one that is not on it is no error."""

    def remove_network(self, name: str) -> None:
        """Remove a network; one that is not there is no error."""

    def volumes(self, labels: Mapping[str, str]) -> tuple[Volume, ...]:
        """List the volumes that carry all these labels."""

    def create_volume(self, volume: Volume) -> None:
        """Create an empty volume; one of that name that is there already keeps its own labels."""

    def remove_volume(self, name: str) -> None:
        """Remove a volume; one that is not there is no error."""

    def containers(self, labels: Mapping[str, str]) -> tuple[Container, ...]:
        """List the containers, running or not, that carry all these labels."""

    def inspect(self, name: str) -> Container:
        """Describe one container."""

    def create_container(self, spec: ContainerSpec) -> str:
        """Create a container and return its id."""

    def start(self, name: str) -> None:
        """Start a container; one that runs is no error."""

    def stop(self, name: str, *, timeout: int) -> None:
        """Ask it to stop, and kill it after `timeout` seconds."""

    def pause(self, name: str) -> None:
        """Freeze its processes."""

    def unpause(self, name: str) -> None:
        """Let them go on."""

    def signal(self, name: str, signal: str) -> None:
        """Send a signal (``HUP``) to its first process."""

    def remove_container(self, name: str) -> None:
        """Kill and remove it; one that is not there is no error."""

    # Looking inside

    def put_files(self, name: str, files: Sequence[File]) -> None:
        """Write files, as root's, making their directories; works on containers that do not run.

        Their modification time is an hour past: Postfix pauses where its configuration is fresh.
        """

    def get_file(self, name: str, path: str) -> bytes:
        """Read one regular file, of a container in any state; raises `NoSuchObject` where it is not there."""

    def execute(
        self,
        name: str,
        argv: Sequence[str],
        *,
        user: str = "",
        within: float | None = ENDED_WITHIN,
        most: int = MOST_SAID,
        again: bool = False,
    ) -> ExecResult:
        """Run a command inside a running container and wait for its end.

        Args:
            name: The container.
            argv: The command.
            user: As whom it runs; as the container's own user where it is empty.
            within: Seconds that it has; None for ever, as a person may wait.
            most: Bytes that it may say.
            again: Whether it does no harm to run it once more, where the engine lost what it said.

        Raises:
            EngineError: The engine lost what it said.
            ServiceCommandFailed: It came to no end within these bounds, and was killed if that user may.
        """

    def attach(self, name: str, argv: Sequence[str]) -> int:
        """Run a command in a running container on this process's terminal; return its exit code."""

    def logs(
        self, name: str, *, since: datetime | None = None, tail: int | None = None, follow: bool = False
    ) -> LogStream:
        """Read a container's log, oldest line first; with `follow` go on until it stops or is closed."""

    def read_log(self, name: str, *, since: datetime | None = None, tail: int | None = None) -> bytes:
        """Read a container's log at once, as lines of the engine's stamp, a space, and what was said."""

    def log_files(self, name: str) -> tuple[Path, ...]:
        """Name the files in which the engine keeps a container's log, the oldest first.

        None where this process can't read them: they are another machine's, or another user's.
        """

    # Images

    def image(self, tag: str) -> Image | None:
        """Describe an image, or None where there is none of that tag or id."""

    def images(self, labels: Mapping[str, str]) -> tuple[Image, ...]:
        """List the images that carry all these labels."""

    def build(
        self,
        context: IO[bytes],
        *,
        tag: str,
        labels: Mapping[str, str],
        build_args: Mapping[str, str],
        dockerfile: str = "Dockerfile",
    ) -> Iterator[str]:
        """Build an image from a tar with a Dockerfile; yields its output line by line as it comes."""

    def pull(self, reference: str) -> None:
        """Fetch an image from its registry; raises `ImageUnavailable` with the registry's words."""

    def import_image(self, rootfs: Path, *, tag: str, changes: Sequence[str]) -> None:
        """Make an image of one layer from a tar of a file system."""

    def tag(self, image: str, tag: str) -> None:
        """Give an image one more tag."""

    def remove_image(self, tag: str) -> None:
        """Take a tag away, and the image with its last one; one that is not there is no error."""

    def save(self, tags: Sequence[str]) -> Iterator[bytes]:
        """Read images as one tar, shared layers once."""

    def load(self, archive: Iterable[bytes]) -> tuple[str, ...]:
        """Take up images from such a tar; returns their tags."""

    def close(self) -> None:
        """Give the connections back."""
