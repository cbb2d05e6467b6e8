"""Building images: what can go on at the same time does, and what fails or is called off leaves nothing."""

from __future__ import annotations

import re
import tempfile
from collections import deque
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labctl.engine.images import apt, context, coredns
from labctl.engine.images.children import TAIL, Children
from labctl.engine.images.debian import MADE_TAG, Debian
from labctl.engine.images.disk import room, says_full
from labctl.engine.images.spec import LABEL
from labctl.errors import EngineError, ImageUnavailable
from labctl.interruption import held_back, undone
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labctl.engine.images.context import Entry
    from labctl.engine.images.spec import ImageSpec
    from labctl.engine.protocol import Engine
    from labctl.progress import Progress

_PROXIES: Final = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
_ARGUMENTS: Final = re.compile(r"^\s*ARG\s+(.+)$", re.MULTILINE | re.IGNORECASE)
_STEP: Final = re.compile(r"Step (\d+/\d+) : (.*)")
_LAYER: Final = re.compile(r" ---> ([0-9a-f]{12})$")
_CONTAINER: Final = re.compile(r" ---> Running in ([0-9a-f]{12})$")
_PACKAGE: Final = re.compile(r"Setting up \S+")
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_STEP_WIDTH: Final = 120
_SHOWN: Final = 8
_LAYER_WITHIN: Final = 5.0
_SHARED: Final = "dependent child"
_ENGINE_ROOT: Final = Path("/var/lib/docker")


class Output:
    """What a build has said so far: its last layer, its step, who runs it, and its words."""

    def __init__(self) -> None:
        self.step = "the files it is made of"
        self.layer = ""
        self.container = ""
        self.tail: deque[str] = deque(maxlen=TAIL)

    def take(self, line: str) -> str:
        """Take one more line, and return what in it is news to whoever watches; "" for the rest."""
        if match := _STEP.match(line):
            self.step = f"step {match[1]} ({match[2][:_STEP_WIDTH].strip()})"
            self.tail.clear()
            return f"step {match[1]}" if match[2].startswith(("RUN", "COPY")) else ""
        if match := _LAYER.match(line):
            self.layer = match[1]
            return ""
        if match := _CONTAINER.match(line):
            self.container = match[1]
            return ""
        said = _COLOUR.sub("", line).strip()
        if said and not said.startswith("Removing intermediate container"):
            self.tail.append(said)
        return match[0] if (match := _PACKAGE.match(line)) else ""


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds images that are missing.

    Args:
        engine: Where they are to be.
        environ: The environment whose proxies, ``GOPROXY`` and ``TMPDIR`` hold for the build.
        may_install: Whether a missing mmdebstrap may be installed on this machine.
        progress: Told what is going on.
        made_tag: What mmdebstrap makes gets this tag.
    """

    engine: Engine
    environ: Mapping[str, str]
    may_install: bool
    progress: Progress
    made_tag: str = MADE_TAG
    children: Children = field(default_factory=Children, init=False)
    _outputs: list[Output] = field(default_factory=list, init=False)

    def build(self, specs: Sequence[ImageSpec], base: ImageSpec, reference: str | None) -> None:
        """Build images, and what they stand on where that is missing too.

        CoreDNS compiles while the base is fetched, then the images build side by side. The first failure
        calls everything else off, and so does an interrupt.

        Args:
            specs: The images.
            base: The image they stand on.
            reference: The Debian to build the base on; None leaves the choice.
        """
        try:
            self._build(specs, base, reference)
        except OSError as exc:
            directory = Path(self.environ.get("TMPDIR") or tempfile.gettempdir())
            raise ImageUnavailable(
                f"images can't be built in {room(directory)}: {exc.strerror}: {exc.filename}",
                hint="name another directory: TMPDIR=/var/tmp labctl images build",
            ) from exc

    def _build(self, specs: Sequence[ImageSpec], base: ImageSpec, reference: str | None) -> None:
        settings = apt.of_machine(self.environ)
        with (
            tempfile.TemporaryDirectory(prefix="labctl-images-", dir=self.environ.get("TMPDIR")) as scratch,
            ThreadPoolExecutor(max_workers=len(specs) + 2, thread_name_prefix="images") as pool,
        ):
            directory = Path(scratch)
            directory.chmod(0o755)  # apt fetches as a user of its own, who has to get in
            with undone(self._stop):
                with held_back():
                    compiled = {
                        spec.name: pool.submit(self._compile, spec, directory / coredns.BINARY)
                        for spec in specs
                        if (spec.context / "go.mod").is_file()
                    }
                    ready = pool.submit(self._base, base, reference, directory, settings)
                    hosts = [
                        pool.submit(self._host, spec, base, ready, compiled.get(spec.name), settings)
                        for spec in specs
                    ]
                jobs: list[Future[Any]] = [ready, *compiled.values(), *hosts]
                done = wait(jobs, return_when=FIRST_EXCEPTION).done
                for job in jobs:  # a cause comes before what failed because of it
                    if job in done:
                        job.result()

    def _stop(self) -> None:
        """End what is at work: programs here, and steps on the engine."""
        self.children.stop()
        for output in self._outputs:
            self._break_off(output)

    def _compile(self, spec: ImageSpec, target: Path) -> Entry | None:
        """Build CoreDNS here; None leaves it to a build stage."""
        go = coredns.machine_go(spec.context, self.environ)
        if go is None:
            return None
        return coredns.build(
            go, spec.context, target, children=self.children, environ=self.environ, progress=self.progress
        )

    def _base(self, spec: ImageSpec, reference: str | None, scratch: Path, settings: apt.Apt) -> None:
        if self.engine.image(spec.tag) is not None:
            return
        debian = Debian(
            self.engine,
            children=self.children,
            apt=settings,
            environ=self.environ,
            scratch=scratch,
            may_install=self.may_install,
            progress=self.progress,
            made_tag=self.made_tag,
        ).obtain(reference)
        self._image(spec, spec.entries(), self._arguments(debian, settings))

    def _host(
        self,
        spec: ImageSpec,
        base: ImageSpec,
        ready: Future[None],
        compiled: Future[Entry | None] | None,
        settings: apt.Apt,
    ) -> None:
        """Build one host's image, once what it needs is there."""
        binary = compiled.result() if compiled is not None else None
        ready.result()
        entries, arguments = spec.entries(), self._arguments(base.tag, settings)
        if compiled is None:
            self._image(spec, entries, arguments)
        elif binary is not None:
            self._image(spec, (*entries, binary), arguments)
        else:
            try:
                self._image(spec, coredns.staged(entries, self.environ), arguments)
            finally:
                self._remove_stages()

    def _arguments(self, base: str, settings: apt.Apt) -> dict[str, str]:
        """Return all that the Dockerfiles may ask for; the engine knows the proxies without being asked.

        The engine keeps the proxies out of an image's history, and they may hold a password: so apt's own
        proxy goes the same way.
        """
        found = {
            "BASE": base,
            "APT_CONF": "\n".join(settings.lines()),
            "APT_CHECK_VALID_UNTIL": settings.option("Acquire::Check-Valid-Until"),
            "APT_MIRROR": settings.archive if settings.archive != apt.ARCHIVE else "",
            "APT_SECURITY_MIRROR": settings.security if settings.security != apt.SECURITY else "",
            **{name: self.environ.get(name, "") for name in coredns.GO_SETTINGS},
        }
        for name in _PROXIES:
            value = self.environ.get(name) or self.environ.get(name.upper(), "")
            if not value and name in {"http_proxy", "https_proxy"}:
                value = settings.option(f"Acquire::{name.removesuffix('_proxy')}::Proxy")
            found |= {name: value, name.upper(): value}
        return {name: value for name, value in found.items() if value}

    def _image(
        self,
        spec: ImageSpec,
        entries: tuple[Entry, ...],
        arguments: Mapping[str, str],
    ) -> None:
        """Build one image; one that fails leaves neither a tag nor its layers."""
        subject = f"image {spec.name}"
        self.children.check()
        self.progress(subject, "building")
        recipe = next(entry.content.decode() for entry in entries if entry.path == "Dockerfile")
        asked = declared(recipe) | {name for name in arguments if name.lower() in _PROXIES}
        output = Output()
        self._outputs.append(output)
        lines = self.engine.build(
            context.pack(entries),
            tag=spec.tag,
            labels={LABEL: spec.name},
            build_args={name: value for name, value in arguments.items() if name in asked},
        )
        try:
            for line in lines:
                if news := output.take(line):
                    self.progress(subject, news)
                if self.children.stopped:
                    self._break_off(output)
        except EngineError as exc:
            self._remove_layer(output.layer)
            self.children.check()
            raise _failure(subject, output, exc) from exc
        self.progress(subject, "built")

    def _break_off(self, output: Output) -> None:
        """End a build by taking away the container of its step: the engine then gives it up in good order."""
        if output.container:
            with suppress(EngineError):
                self.engine.remove_container(output.container)

    def _remove_layer(self, layer: str) -> None:
        """Remove the last layer of a build that did not end, unless it is an image of its own."""

        def removed() -> bool | None:
            try:
                image = self.engine.image(layer)
                if image is not None and not image.tags:
                    self.engine.remove_image(image.id)
            except EngineError as exc:
                return True if _SHARED in exc.message else None
            return True

        if layer:  # the engine may be at the removal of the container that stands on it
            eventually(removed, within=_LAYER_WITHIN)

    def _remove_stages(self) -> None:
        with suppress(EngineError):
            for image in self.engine.images({coredns.STAGE_LABEL: ""}):
                if not image.tags:
                    self.engine.remove_image(image.id)


def declared(dockerfile: str) -> set[str]:
    """Return the names of the build arguments that a Dockerfile asks for (its ``ARG`` lines)."""
    words = (word for line in _ARGUMENTS.findall(dockerfile) for word in line.split())
    return {word.partition("=")[0] for word in words}


def _failure(subject: str, output: Output, exc: EngineError) -> ImageUnavailable:
    detail = {"step": output.step, "output": list(output.tail)}
    if says_full("\n".join((exc.message, *output.tail))):
        return ImageUnavailable(
            f"{subject}: {output.step}: the engine's disk is full: {room(_ENGINE_ROOT)}",
            hint="docker system prune",
            detail=detail,
        )
    said = "".join(f"\n  {line}" for line in list(output.tail)[-_SHOWN:])
    return ImageUnavailable(
        f"{subject}: {output.step} failed: {exc.message}{said}", hint="labctl images build", detail=detail
    )
