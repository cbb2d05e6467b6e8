"""``labctl images``: list, build, save and load the images of the lab's hosts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from labctl.contract.value import Count, Word
from labctl.engine.images import archive, ensure, image_specs, outdated
from labctl.progress import silent
from labctl.resources import compose_dir

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from labctl.engine.protocol import Engine
    from labctl.progress import Progress


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image that labs need."""

    name: Word
    tag: Word
    size: Count
    """Bytes; 0 where it is not present."""
    present: bool


@dataclass(frozen=True, slots=True)
class Images:
    """The images that labs need, and what a command did about them."""

    SCHEMA: ClassVar = "labctl/images/v1"

    images: tuple[ImageRow, ...]
    built: tuple[Word, ...] = ()
    """Names of the images that were built just now."""
    file: Word | None = None
    """The file that was written or read."""
    tags: tuple[Word, ...] = ()
    """The tags in that file."""
    outdated: tuple[Word, ...] = ()
    """Images of other versions that the engine still has: tags, or ids where they have none."""
    note: Word | None = None
    """What else there is to know, in a sentence."""


def images_dir() -> Path:
    """Return the directory of what this labctl's images are made of."""
    return compose_dir() / "images"


def images_list(engine: Engine, *, directory: Path | None = None) -> Images:
    """List the images that labs need, whether they are there or not."""
    specs = image_specs(directory or images_dir())
    found = [(spec, engine.image(spec.tag)) for spec in specs]
    return Images(
        images=tuple(
            ImageRow(spec.name, spec.tag, image.size if image else 0, image is not None)
            for spec, image in found
        ),
        outdated=tuple((*image.tags, image.id)[0] for image in outdated(engine, specs)),
    )


def images_build(
    engine: Engine,
    *,
    environ: Mapping[str, str],
    base_reference: str | None = None,
    may_install: bool = False,
    progress: Progress = silent,
) -> Images:
    """Build the images that are not there.

    Args:
        engine: Where they are to be.
        environ: The environment whose proxies, ``GOPROXY`` and ``TMPDIR`` hold for the build.
        base_reference: The Debian to build on; None stands for Debian's own image, or one made here.
        may_install: Whether a missing mmdebstrap may be installed on this machine.
        progress: Told what is going on.
    """
    built = ensure(
        engine,
        image_specs(images_dir()),
        environ=environ,
        base_reference=base_reference,
        may_install=may_install,
        progress=progress,
    )
    return replace(images_list(engine), built=built)


def images_save(
    engine: Engine, file: Path, *, stdout: BinaryIO | None = None, progress: Progress = silent
) -> Images:
    """Write the images to one file; see `archive.save`."""
    tags = archive.save(engine, image_specs(images_dir()), file, stdout=stdout, progress=progress)
    return replace(images_list(engine), file=str(file), tags=tags)


def images_load(
    engine: Engine, file: Path, *, directory: Path | None = None, progress: Progress = silent
) -> Images:
    """Take up the images of a file, and say whether they are those that this labctl needs."""
    loaded = archive.load(engine, file, image_specs(directory or images_dir()), progress=progress)
    result = replace(images_list(engine, directory=directory), file=str(file), tags=loaded.tags)
    if loaded.current:
        return result
    return replace(
        result,
        note=f"{file} was saved by another version of labctl: its images are loaded, but this version needs"
        " others. Save the file with this version, or install the version that saved it.",
    )
