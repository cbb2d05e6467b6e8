"""Networks, volumes and containers of the engine in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from labctl.engine.fake.box import ALIVE, Box, Log
from labctl.engine.fake.images import Images
from labctl.engine.model import Container, ContainerState, ExecResult, LogLine, Network, PublishedPort, Volume
from labctl.engine.protocol import ENDED_WITHIN, MOST_SAID, carries
from labctl.errors import EngineError, NameInUse, NoSuchObject, SubnetInUse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from labctl.engine.fake.memory import Call
    from labctl.engine.model import ContainerSpec, File, NetworkSpec

Execute: TypeAlias = Callable[[Container, Sequence[str]], ExecResult]
Publish: TypeAlias = Callable[["ContainerSpec", PublishedPort], int]

_HINT: Final = "labctl doctor"


class Containers(Images):
    """The part of `labctl.engine.protocol.Engine` about networks, volumes and containers."""

    answer: Execute
    """Answers commands inside containers."""

    def __init__(self, hook: Callable[[Call], None]) -> None:
        super().__init__(hook)
        self._networks: dict[str, Network] = {}
        self._volumes: dict[str, Volume] = {}
        self._boxes: dict[str, Box] = {}
        free = itertools.count(49153)
        self.publish: Publish = lambda _spec, _port: next(free)

    def _called(self, method: str, subject: str = "") -> None:
        """Record a call, and by its name the container that it gave the id of."""
        first, space, rest = subject.partition(" ")
        with self._changed:
            boxes = self._boxes.values()
            named = next((box.spec.name for box in boxes if box.container.id == first), first)
        super()._called(method, f"{named}{space}{rest}")

    def say(self, name: str, *texts: str, at: datetime | None = None) -> None:
        """Append lines to a container's log, as its processes would."""
        with self._changed:
            self._box(name).log.extend(LogLine(at or datetime.now(UTC), text) for text in texts)
            self._changed.notify_all()

    def end(self, name: str, exit_code: int = 0) -> None:
        """End a container's first process, as it would by itself."""
        with self._changed:
            self._turn(self._box(name), ContainerState.EXITED, exit_code)

    def run_out_of_memory(self, name: str, *, first_process: bool = True) -> None:
        """Kill a process of a container as the kernel does, its first or another."""
        with self._changed:
            box = self._box(name, *ALIVE)
            box.container = replace(box.container, oom_killed=True)
            if first_process:
                self._turn(box, ContainerState.EXITED, 137)

    def networks(self, labels: Mapping[str, str]) -> tuple[Network, ...]:
        with self._calling("networks"):
            return tuple(each for each in self._networks.values() if carries(each.labels, labels))

    def create_network(self, spec: NetworkSpec) -> str:
        with self._calling("create_network", spec.name):
            if spec.name in self._networks:
                raise NameInUse(f"network with name {spec.name} already exists", hint=_HINT)
            for each in self._networks.values():
                if any(spec.subnet.overlaps(subnet) for subnet in each.subnets):
                    raise SubnetInUse(f"{spec.subnet} overlaps with network {each.name}", hint=_HINT)
            network = Network(self._new_id(), spec.name, (spec.subnet,), dict(spec.labels))
            self._networks[spec.name] = network
            return network.id

    def endpoints(self, network: str) -> int:
        with self._calling("endpoints", network):
            return sum(box.alive and box.spec.network == network for box in self._boxes.values())

    def disconnect(self, network: str, container: str) -> None:
        with self._calling("disconnect", f"{container} {network}"):
            if box := self._boxes.get(container):
                box.network_id = ""

    def remove_network(self, name: str) -> None:
        with self._calling("remove_network", name):
            for each in [each for each in self._networks.values() if name in {each.id, each.name}]:
                if any(box.alive and box.network_id == each.id for box in self._boxes.values()):
                    raise EngineError(f"network {each.name} has active endpoints", hint=_HINT)
                del self._networks[each.name]

    def volumes(self, labels: Mapping[str, str]) -> tuple[Volume, ...]:
        with self._calling("volumes"):
            return tuple(each for each in self._volumes.values() if carries(each.labels, labels))

    def create_volume(self, volume: Volume) -> None:
        with self._calling("create_volume", volume.name):
            self._volumes.setdefault(volume.name, volume)

    def remove_volume(self, name: str) -> None:
        with self._calling("remove_volume", name):
            self._volumes.pop(name, None)

    def containers(self, labels: Mapping[str, str]) -> tuple[Container, ...]:
        with self._calling("containers"):
            found = [box.container for box in self._boxes.values() if carries(box.spec.labels, labels)]
        return tuple(replace(each, exit_code=None, oom_killed=None) for each in found)

    def inspect(self, name: str) -> Container:
        with self._calling("inspect", name):
            return self._box(name).container

    def create_container(self, spec: ContainerSpec) -> str:
        """See `Engine.create_container`; its network need not be there before it is started."""
        with self._calling("create_container", spec.name):
            if spec.name in self._boxes:
                raise NameInUse(f"the container name {spec.name} is already in use", hint=_HINT)
            container = Container(
                id=self._new_id(),
                name=spec.name,
                state=ContainerState.CREATED,
                image_id=self._known(spec.image).id,
                labels=dict(spec.labels),
                created_at=datetime.now(UTC),
                address=spec.address,
                oom_killed=False,
            )
            self._boxes[spec.name] = Box(container, spec)
        return container.id

    def start(self, name: str) -> None:
        with self._calling("start", name):
            box = self._box(name)
            network = self._networks.get(box.spec.network)
            if network is None or box.network_id not in {"", network.id}:
                raise NoSuchObject(f"network {box.network_id or box.spec.network} not found", hint=_HINT)
            if not box.alive:
                box.network_id = network.id
                box.container = replace(box.container, oom_killed=False, started_at=datetime.now(UTC))
                self._turn(box, ContainerState.RUNNING)

    def stop(self, name: str, *, timeout: int) -> None:  # noqa: ARG002  # its process ends at once
        with self._calling("stop", name):
            if (box := self._box(name)).alive:
                self._turn(box, ContainerState.EXITED, 0)

    def pause(self, name: str) -> None:
        with self._calling("pause", name):
            self._turn(self._box(name, ContainerState.RUNNING), ContainerState.PAUSED)

    def unpause(self, name: str) -> None:
        with self._calling("unpause", name):
            self._turn(self._box(name, ContainerState.PAUSED), ContainerState.RUNNING)

    def signal(self, name: str, signal: str) -> None:
        """See `Engine.signal`; only KILL has an effect here."""
        with self._calling("signal", f"{name} {signal}"):
            box = self._box(name, *ALIVE)
            if signal == "KILL":
                self._turn(box, ContainerState.EXITED, 137)

    def remove_container(self, name: str) -> None:
        with self._calling("remove_container", name):
            for box in [each for each in self._boxes.values() if name in {each.spec.name, each.container.id}]:
                self._turn(box, ContainerState.REMOVING)
                del self._boxes[box.spec.name]

    def put_files(self, name: str, files: Sequence[File]) -> None:
        with self._calling("put_files", name):
            self._box(name).files.update({file.path: file.content for file in files})

    def get_file(self, name: str, path: str) -> bytes:
        with self._calling("get_file", f"{name} {path}"):
            content = self._box(name).files.get(path)
        if content is None:
            raise NoSuchObject(f"could not find the file {path} in container {name}", hint=_HINT)
        return content

    def execute(
        self,
        name: str,
        argv: Sequence[str],
        *,
        user: str = "",  # noqa: ARG002  # nobody is anybody here
        within: float | None = ENDED_WITHIN,  # noqa: ARG002  # it takes no time
        most: int = MOST_SAID,  # noqa: ARG002  # and says as much as `answer` returns
        again: bool = False,  # noqa: ARG002  # nothing is lost here
    ) -> ExecResult:
        with self._calling("execute", f"{name} {' '.join(argv)}"):
            container = self._box(name, ContainerState.RUNNING).container
        return self.answer(container, argv)

    def attach(self, name: str, argv: Sequence[str]) -> int:
        """See `Engine.attach`; the terminal stays untouched."""
        with self._calling("attach", f"{name} {' '.join(argv)}"):
            container = self._box(name, ContainerState.RUNNING).container
        return self.answer(container, argv).exit_code

    def logs(
        self, name: str, *, since: datetime | None = None, tail: int | None = None, follow: bool = False
    ) -> Log:
        with self._calling("logs", name):
            box = self._box(name)
            first = 0 if tail is None else max(len(box.log) - tail, 0)
            while since is not None and first < len(box.log) and box.log[first].at < since:
                first += 1
            return Log(box, first, self._changed, follow=follow)

    def read_log(self, name: str, *, since: datetime | None = None, tail: int | None = None) -> bytes:
        lines = self.logs(name, since=since, tail=tail)
        return b"".join(
            f"{line.at.astimezone(UTC):%FT%T.%f}000Z {line.text}\n".encode("utf-8", "surrogateescape")
            for line in lines
        )

    def log_files(self, name: str) -> tuple[Path, ...]:
        """See `Engine.log_files`: it has no files."""
        with self._calling("log_files", name):
            self._box(name)
        return ()

    def _box(self, name: str, *states: ContainerState) -> Box:
        for box in self._boxes.values():
            if name in {box.spec.name, box.container.id}:
                if states and box.container.state not in states:
                    raise EngineError(f"container {box.spec.name} is {box.container.state}", hint=_HINT)
                return box
        raise NoSuchObject(f"no such container: {name}", hint="labctl status")

    def _turn(self, box: Box, state: ContainerState, exit_code: int | None = None) -> None:
        """Change a container's state; its ports are published while it lives."""
        published = box.container.published
        if state not in ALIVE:
            published = ()
        elif not box.alive:
            published = tuple(
                replace(port, host_port=port.host_port or self.publish(box.spec, port))
                for port in box.spec.published
            )
        box.container = replace(box.container, state=state, exit_code=exit_code, published=published)
        self._changed.notify_all()
