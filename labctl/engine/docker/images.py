"""Images of Docker Engine."""

from __future__ import annotations

import json
import re
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.message import Message
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any, Final

from labctl.engine.answer import Answer
from labctl.engine.docker import credentials
from labctl.engine.docker.connection import Connection, escaped, filters, labels_in, text
from labctl.engine.logstream import moment
from labctl.engine.model import Image
from labctl.errors import EngineError, EngineUnavailable, ImageUnavailable, NoSuchObject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from labctl.engine.wire import Body


_CHUNK: Final = 1 << 20


class Images(Connection):
    """The part of `labctl.engine.protocol.Engine` about images."""

    def image(self, tag: str) -> Image | None:
        try:
            return self._ask(f"image {tag}", f"GET /images/{escaped(tag)}/json", read=_inspected)
        except NoSuchObject as exc:
            if "no such image" in exc.message.lower():
                return None
            raise  # nothing was said of the image: that it is not there is not known

    def images(self, labels: Mapping[str, str]) -> tuple[Image, ...]:
        return self._ask("list of images", "GET /images/json", read=_listed, filters=filters(labels))

    def build(
        self,
        context: IO[bytes],
        *,
        tag: str,
        labels: Mapping[str, str],
        build_args: Mapping[str, str],
        dockerfile: str = "Dockerfile",
    ) -> Iterator[str]:
        events = self._events(
            f"build of {tag}",
            "POST /build",
            context,
            headers=credentials.for_build(),
            hint="labctl images build",
            dockerfile=dockerfile,
            t=tag,
            labels=json.dumps(dict(labels)),
            buildargs=json.dumps(dict(build_args)),
            networkmode="host",
            rm=1,
            forcerm=1,
        )
        for event in events:
            yield from str(event.get("stream", "")).rstrip("\n").splitlines()

    def pull(self, reference: str) -> None:
        doing, hint = f"pull of {reference}", "labctl images load FILE"
        repository, _, tag = reference.rpartition(":")
        headers = credentials.for_registry(repository)
        query = {"fromImage": repository, "tag": tag}
        try:
            _exhaust(self._events(doing, "POST /images/create", headers=headers, hint=hint, **query))
        except (EngineUnavailable, ImageUnavailable):
            raise
        except EngineError as exc:
            raise ImageUnavailable(exc.message, hint=hint) from exc

    def import_image(self, rootfs: Path, *, tag: str, changes: Sequence[str]) -> None:
        repository, _, version = tag.rpartition(":")
        query: dict[str, Any] = {"fromSrc": "-", "repo": repository, "tag": version, "changes": list(changes)}
        with rootfs.open("rb") as content:
            pieces = iter(lambda: content.read(_CHUNK), b"")
            hint = "labctl images build"
            _exhaust(self._events(f"import of {tag}", "POST /images/create", pieces, hint=hint, **query))

    def tag(self, image: str, tag: str) -> None:
        repository, _, version = tag.rpartition(":")
        self._order(f"tag {tag}", f"POST /images/{escaped(image)}/tag", repo=repository, tag=version)

    def remove_image(self, tag: str) -> None:
        with suppress(NoSuchObject):
            self._order(f"removal of image {tag}", f"DELETE /images/{escaped(tag)}")

    def save(self, tags: Sequence[str]) -> Iterator[bytes]:
        with closing(self._work(f"save of {', '.join(tags)}", "GET /images/get", names=list(tags))) as tar:
            yield from tar.pieces()

    def load(self, archive: Iterable[bytes]) -> tuple[str, ...]:
        events = self._events("load of images", "POST /images/load", archive, hint="labctl images build")
        found = (re.match(r"Loaded image: (\S+)", str(event.get("stream", ""))) for event in events)
        return tuple(loaded[1] for loaded in found if loaded)

    def _events(
        self,
        doing: str,
        asked: str,
        body: Body | None = None,
        /,
        *,
        hint: str,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Iterator[dict[str, Any]]:
        """Yield the signs of work on an image.

        Raises:
            ImageUnavailable: The last of them says that it failed.
        """
        failed = ""
        with closing(self._work(doing, asked, body, headers, **query)) as stream:
            for line in stream.lines():
                event = Answer(HTTPStatus.OK, Message(), line).read(doing, lambda said: {**(said or {})})
                failed = failed or str(event.get("error", "")).strip()
                yield event
        if failed:
            raise ImageUnavailable(f"{doing}: {failed}", hint=hint)


def _exhaust(events: Iterator[object]) -> None:
    for _ in events:
        pass


def _inspected(each: Any) -> Image:
    return Image(
        id=text(each["Id"]),
        tags=tuple(text(tag) for tag in each["RepoTags"] or ()),
        size=int(each["Size"]),
        labels=labels_in(each["Config"].get("Labels")),
        created_at=moment(each["Created"]),
    )


def _listed(said: Any) -> tuple[Image, ...]:
    return tuple(
        Image(
            id=text(each["Id"]),
            tags=tuple(text(tag) for tag in each["RepoTags"] or () if tag != "<none>:<none>"),
            size=int(each["Size"]),
            labels=labels_in(each["Labels"]),
            created_at=datetime.fromtimestamp(each["Created"], UTC),
        )
        for each in said
    )
