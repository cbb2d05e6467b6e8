"""Images of the engine in memory: tags of contents that are known by their hashes."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Final

from labctl.engine.fake.memory import Memory
from labctl.engine.model import Image
from labctl.engine.protocol import carries
from labctl.errors import ImageUnavailable, NoSuchObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from labctl.engine.fake.memory import Call

_MANIFEST: Final = "manifest.json"


class Images(Memory):
    """The part of `labctl.engine.protocol.Engine` about images."""

    def __init__(self, hook: Callable[[Call], None]) -> None:
        super().__init__(hook)
        self._images: dict[str, Image] = {}
        self._registry: set[str] = set()

    def stock(self, tags: Iterable[str]) -> None:
        """Give it images, and its registry too."""
        for tag in tags:
            self._registry.add(tag)
            self._add(tag, tag.encode(), {})

    def image(self, tag: str) -> Image | None:
        with self._calling("image", tag):
            return self._image(tag)

    def images(self, labels: Mapping[str, str]) -> tuple[Image, ...]:
        with self._calling("images"):
            return tuple(each for each in self._images.values() if carries(each.labels, labels))

    def build(
        self,
        context: IO[bytes],
        *,
        tag: str,
        labels: Mapping[str, str],
        build_args: Mapping[str, str],
        dockerfile: str = "Dockerfile",
    ) -> Iterator[str]:
        """See `Engine.build`: one context and the same arguments are the same image."""
        self._called("build", tag)
        recipe = json.dumps([dict(labels), dict(build_args), dockerfile], sort_keys=True)
        image = self._add(tag, context.read() + recipe.encode(), labels)
        yield f"Successfully built {image.id}"

    def pull(self, reference: str) -> None:
        """See `Engine.pull`; its registry has the tags that it was made with."""
        self._called("pull", reference)
        if reference not in self._registry:
            raise ImageUnavailable(
                f"pull of {reference}: not found in the registry", hint="labctl images load FILE"
            )
        self._add(reference, reference.encode(), {})

    def import_image(self, rootfs: Path, *, tag: str, changes: Sequence[str]) -> None:
        self._called("import_image", tag)
        self._add(tag, rootfs.read_bytes() + "\n".join(changes).encode(), {})

    def tag(self, image: str, tag: str) -> None:
        with self._calling("tag", tag):
            self._point(tag, self._known(image))

    def remove_image(self, tag: str) -> None:
        with self._calling("remove_image", tag):
            image = self._image(tag)
            if image is not None:
                left = tuple(each for each in image.tags if each != tag)
                if left and tag != image.id:
                    self._images[image.id] = replace(image, tags=left)
                else:
                    del self._images[image.id]

    def save(self, tags: Sequence[str]) -> Iterator[bytes]:
        """See `Engine.save`: a tar with the list that Docker Engine writes, and without layers."""
        with self._calling("save", " ".join(tags)):
            chosen = {tag: self._known(tag) for tag in tags}
        listed = [
            {"Config": image.id, "Labels": dict(image.labels), "RepoTags": [tag]}
            for tag, image in chosen.items()
        ]
        content = json.dumps(listed).encode()
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            member = tarfile.TarInfo(_MANIFEST)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        yield buffer.getvalue()

    def load(self, archive: Iterable[bytes]) -> tuple[str, ...]:
        """See `Engine.load`; it takes up what `save` wrote."""
        self._called("load")
        try:
            with tarfile.open(fileobj=io.BytesIO(b"".join(archive))) as tar:
                content = tar.extractfile(_MANIFEST)
                assert content is not None
                listed = json.load(content)
        except (tarfile.TarError, KeyError, ValueError) as exc:
            raise ImageUnavailable(f"load of images: {exc}", hint="labctl images build") from exc
        tags = [(tag, each) for each in listed for tag in each["RepoTags"]]
        with self._changed:
            for tag, each in tags:
                known = self._images.get(each["Config"])
                self._point(tag, known or Image(each["Config"], (), 0, each["Labels"], datetime.now(UTC)))
        return tuple(tag for tag, _ in tags)

    def _image(self, tag: str) -> Image | None:
        return next((each for each in self._images.values() if tag in {each.id, *each.tags}), None)

    def _known(self, tag: str) -> Image:
        image = self._image(tag)
        if image is None:
            raise NoSuchObject(f"no such image: {tag}", hint="labctl images build")
        return image

    def _add(self, tag: str, content: bytes, labels: Mapping[str, str]) -> Image:
        image_id = f"sha256:{hashlib.sha256(content).hexdigest()}"
        with self._changed:
            known = self._images.get(image_id)
            return self._point(
                tag, known or Image(image_id, (), len(content), dict(labels), datetime.now(UTC))
            )

    def _point(self, tag: str, image: Image) -> Image:
        """Give an image a tag, which whatever had it before loses."""
        for other in self._images.values():
            if tag in other.tags:
                self._images[other.id] = replace(other, tags=tuple(t for t in other.tags if t != tag))
        now = self._images.get(image.id, image)
        self._images[image.id] = replace(now, tags=(*now.tags, tag))
        return self._images[image.id]
