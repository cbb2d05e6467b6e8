"""Images of Docker Engine."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Final

from labctl.engine.docker.connection import Connection, escaped, filters
from labctl.engine.logstream import moment
from labctl.engine.model import Image
from labctl.errors import EngineError, ImageUnavailable, NoSuchObject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path


_CHUNK: Final = 1 << 20


class Images(Connection):
    """The part of `labctl.engine.protocol.Engine` about images."""

    def image(self, tag: str) -> Image | None:
        """See `Engine.image`."""
        try:
            each = self._ask(f"image {tag}", "GET", f"/images/{escaped(tag)}/json")
        except NoSuchObject:
            return None
        return Image(
            id=each["Id"],
            tags=tuple(each["RepoTags"] or ()),
            size=each["Size"],
            labels=each["Config"].get("Labels") or {},
            created_at=moment(each["Created"]),
        )

    def images(self, labels: Mapping[str, str]) -> tuple[Image, ...]:
        """See `Engine.images`."""
        found = self._ask("list of images", "GET", "/images/json", filters=filters(labels))
        return tuple(
            Image(
                id=each["Id"],
                tags=tuple(tag for tag in each["RepoTags"] or () if tag != "<none>:<none>"),
                size=each["Size"],
                labels=each["Labels"] or {},
                created_at=datetime.fromtimestamp(each["Created"], UTC),
            )
            for each in found
        )

    def build(
        self,
        context: IO[bytes],
        *,
        tag: str,
        labels: Mapping[str, str],
        build_args: Mapping[str, str],
        dockerfile: str = "Dockerfile",
    ) -> Iterator[str]:
        """See `Engine.build`."""
        from labctl.engine.docker.sdk import translated  # noqa: PLC0415  # as `Connection.sdk`

        with translated(f"build of {tag}"):
            output = self.sdk.client().build(
                fileobj=context,
                custom_context=True,
                dockerfile=dockerfile,
                tag=tag,
                labels=dict(labels),
                buildargs=dict(build_args),
                network_mode="host",
                rm=True,
                forcerm=True,
                decode=True,
            )
            failed = ""
            for event in output:  # to its end, failed or not: only then is the connection given back
                failed = failed or str(event.get("error", ""))
                yield from str(event.get("stream", "")).rstrip("\n").splitlines()
            if failed:
                raise ImageUnavailable(f"build of {tag}: {failed.strip()}", hint="labctl images build")

    def pull(self, reference: str) -> None:
        """See `Engine.pull`."""
        from labctl.engine.docker.sdk import translated  # noqa: PLC0415  # as `Connection.sdk`

        repository, _, tag = reference.rpartition(":")
        try:
            with translated(f"pull of {reference}"):
                events = list(self.sdk.client().pull(repository, tag=tag, stream=True, decode=True))
        except EngineError as exc:
            raise ImageUnavailable(exc.message, hint="labctl images load FILE") from exc
        if errors := [event["error"] for event in events if "error" in event]:
            raise ImageUnavailable(f"pull of {reference}: {errors[0]}", hint="labctl images load FILE")

    def import_image(self, rootfs: Path, *, tag: str, changes: Sequence[str]) -> None:
        """See `Engine.import_image`."""
        from labctl.engine.docker.sdk import translated  # noqa: PLC0415  # as `Connection.sdk`

        repository, _, version = tag.rpartition(":")
        with rootfs.open("rb") as content, translated(f"import of {tag}"):
            # In pieces, since the SDK announces pieces; a file would be sent as a whole.
            pieces = iter(lambda: content.read(_CHUNK), b"")
            self.sdk.client().import_image_from_stream(
                pieces, repository=repository, tag=version, changes=list(changes)
            )

    def tag(self, image: str, tag: str) -> None:
        """See `Engine.tag`."""
        repository, _, version = tag.rpartition(":")
        self._ask(f"tag {tag}", "POST", f"/images/{escaped(image)}/tag", repo=repository, tag=version)

    def remove_image(self, tag: str) -> None:
        """See `Engine.remove_image`."""
        with suppress(NoSuchObject):
            self._ask(f"removal of image {tag}", "DELETE", f"/images/{escaped(tag)}")

    def save(self, tags: Sequence[str]) -> Iterator[bytes]:
        """See `Engine.save`."""
        from labctl.engine.docker.sdk import translated  # noqa: PLC0415  # as `Connection.sdk`

        client = self.sdk.client()
        with translated(f"save of {', '.join(tags)}"):
            # The SDK's own call takes one image; the engine's takes many, shared layers once.
            answer = client.get(client._url("/images/get"), params={"names": list(tags)}, stream=True)  # noqa: SLF001
            client._raise_for_status(answer)  # noqa: SLF001
            yield from answer.iter_content(_CHUNK)

    def load(self, archive: Iterable[bytes]) -> tuple[str, ...]:
        """See `Engine.load`."""
        from labctl.engine.docker.sdk import translated  # noqa: PLC0415  # as `Connection.sdk`

        tags: list[str] = []
        with translated("load of images"):
            for event in self.sdk.client().load_image(archive):
                if "error" in event:
                    raise ImageUnavailable(f"load of images: {event['error']}", hint="labctl images build")
                if loaded := re.match(r"Loaded image: (\S+)", str(event.get("stream", ""))):
                    tags.append(loaded[1])
        return tuple(tags)
