"""Which images the lab's hosts have, what each is made of, and which of them an engine lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labctl.engine.images.context import Entry, digest, read
from labctl.engine.images.coredns import BINARY
from labctl.engine.images.debian import MADE_TAG

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from labctl.engine.protocol import Engine

NAMES: Final = ("mta", "mda", "dns")
LABEL: Final = "labctl.image"
"""Every image that labctl made carries this label with the image's name."""

RECIPE: Final = "1"
"""Counts the changes of how images are built from the same files; it is part of every hash."""


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """An image as it should be.

    Its tag carries a hash of all it is made of: an image of that tag is up to date, whoever built it.
    """

    name: str
    tag: str
    plain_tag: str
    context: Path
    hash: str

    def entries(self) -> tuple[Entry, ...]:
        """Read the files it is built from."""
        return _entries(self.context)


def _entries(directory: Path) -> tuple[Entry, ...]:
    return read(directory, without=(BINARY,))  # one left from a build by hand is no source


def base_spec(images_dir: Path) -> ImageSpec:
    """Describe the image that all others are built on."""
    return _spec("base", images_dir, MADE_TAG)


def image_specs(images_dir: Path) -> tuple[ImageSpec, ...]:
    """Describe the images of the lab's hosts.

    Args:
        images_dir: The directory with one build context for each image, and ``base``.
    """
    base = base_spec(images_dir)
    return tuple(_spec(name, images_dir, base.hash) for name in NAMES)


def _spec(name: str, images_dir: Path, stands_on: str) -> ImageSpec:
    directory = images_dir / name
    content = digest(_entries(directory), RECIPE, stands_on)
    return ImageSpec(name, f"labctl/{name}:{content}", f"labctl/{name}:latest", directory, content)


def missing(engine: Engine, specs: Iterable[ImageSpec]) -> tuple[ImageSpec, ...]:
    """Return the images that the engine does not have."""
    return tuple(spec for spec in specs if engine.image(spec.tag) is None)
