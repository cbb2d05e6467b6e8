"""All images in one file, for a classroom without network: written and read in one stream."""

from __future__ import annotations

import gzip
import json
import tarfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from labctl import plainfile
from labctl.engine.images.spec import missing
from labctl.errors import ImageUnavailable, UsageError
from labctl.output import writing
from labctl.progress import silent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from labctl.engine.images.spec import ImageSpec
    from labctl.engine.protocol import Engine
    from labctl.progress import Progress

_GZIP: Final = b"\x1f\x8b"
_CHUNK: Final = 1 << 20
_LARGEST_MANIFEST: Final = 1 << 20
_MEGABYTE: Final = 10**6
_SUBJECT: Final = "images"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came out of a file; `current` says whether this labctl's images are among it."""

    tags: tuple[str, ...]
    current: bool


def save(
    engine: Engine,
    specs: Sequence[ImageSpec],
    file: Path,
    *,
    stdout: BinaryIO | None = None,
    progress: Progress = silent,
) -> tuple[str, ...]:
    """Write images to one gzip file, what they share once; a file half-written never has its name.

    Args:
        engine: Where the images are.
        specs: The images.
        file: The file, see `output.writing`.
        stdout: What ``-`` in its place stands for.
        progress: Told what is going on.

    Returns:
        The tags that are in the file: each image's own, and its plain one where it names the same image.

    Raises:
        ImageUnavailable: An image is not here.
        OutputError: The file can't be written.
    """
    if absent := missing(engine, specs):
        names = ", ".join(spec.tag for spec in absent)
        raise ImageUnavailable(
            f"{file} is not written: the engine has no {names}", hint="labctl images build"
        )
    tags = tuple(tag for spec in specs for tag in _tags(engine, spec))
    with writing(file, stdout=stdout) as target:
        for chunk in _compressed(engine.save(tags), progress):
            target.write(chunk)
    return tags


def _tags(engine: Engine, spec: ImageSpec) -> tuple[str, ...]:
    image = engine.image(spec.tag)
    plain = image is not None and spec.plain_tag in image.tags
    return (spec.tag, spec.plain_tag) if plain else (spec.tag,)


def _compressed(chunks: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    """Compress at the level that keeps up with a disk: higher ones save little and take thrice as long."""
    squeeze = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)  # | 16: with gzip's header and sum
    done = 0
    for chunk in chunks:
        yield squeeze.compress(chunk)
        done += len(chunk)
        progress(_SUBJECT, f"saving, {done // _MEGABYTE} MB")
    yield squeeze.flush()


def load(engine: Engine, file: Path, specs: Sequence[ImageSpec], *, progress: Progress = silent) -> Loaded:
    """Give an engine the images of a file, gzip or plain tar; of a file that is not labctl's, none.

    Args:
        engine: Where they are to be.
        file: What `save` wrote, or the engine's own ``docker save`` of labctl's images.
        specs: The images of this labctl, to compare.
        progress: Told what is going on.

    Raises:
        UsageError: The file can't be read, is damaged, or holds something else.
    """
    progress(_SUBJECT, f"checking {file}")
    tags = held(file)
    foreign = sorted(tag for tag in tags if not tag.startswith("labctl/"))
    if foreign or not tags:
        raise _not_ours(file, f"it holds {', '.join(foreign) or 'images without a name'}")
    engine.load(_chunks(file, progress))
    return Loaded(tags, all(spec.tag in tags for spec in specs))


def held(file: Path) -> tuple[str, ...]:
    """Return the tags of the images in a file, after reading it to its end: a damaged one is found out.

    Raises:
        UsageError: The file can't be read, is damaged, or is no archive of images.
    """
    manifest: Any = None
    try:
        with _opened(file) as content:
            with tarfile.open(fileobj=content, mode="r|") as tar:
                for member in tar:
                    listed = member.name == "manifest.json" and member.size <= _LARGEST_MANIFEST
                    if listed and (found := tar.extractfile(member)) is not None:
                        manifest = json.loads(found.read())
            while content.read(_CHUNK):  # gzip checks its sum at the very end
                pass
        return tuple(tag for image in manifest for tag in image["RepoTags"] or ())
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as exc:
        raise _not_ours(file, f"it is damaged or no tar ({exc})") from exc
    except (ValueError, TypeError, KeyError) as exc:
        raise _not_ours(file, "it has no list of images (manifest.json)") from exc
    except OSError as exc:
        raise UsageError(f"{file} can't be read: {exc.strerror}", hint="labctl images load FILE") from exc


def _opened(file: Path) -> BinaryIO | gzip.GzipFile:
    with plainfile.opened(file) as raw:
        packed = raw.read(len(_GZIP)) == _GZIP
    return gzip.GzipFile(file) if packed else plainfile.opened(file)


def _chunks(file: Path, progress: Progress) -> Iterator[bytes]:
    """Read the file as it is: the engine unpacks gzip itself."""
    size, done = file.stat().st_size, 0
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK):
            yield chunk
            done += len(chunk)
            progress(_SUBJECT, f"loading, {done // _MEGABYTE} of {size // _MEGABYTE} MB")


def _not_ours(file: Path, why: str) -> UsageError:
    return UsageError(
        f"{file} is not a file of labctl's images: {why}",
        hint="labctl images save FILE writes one, on a machine that has the images",
    )
