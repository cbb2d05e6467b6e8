"""The images of the lab's hosts: made where they are missing, and told from those of other versions."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from labctl.engine import lockfile
from labctl.engine.holder import holder_of
from labctl.engine.images.debian import MADE_TAG
from labctl.engine.images.spec import LABEL, ImageSpec, base_spec, image_specs, missing
from labctl.errors import EngineError
from labctl.progress import silent
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from labctl.engine.model import Image
    from labctl.engine.protocol import Engine
    from labctl.progress import Progress

__all__ = ["ImageSpec", "alone", "base_spec", "ensure", "image_specs", "missing", "outdated"]

_BUILT_WITHIN: Final = 3600.0
"""Seconds that one labctl waits for another that builds images."""


def outdated(engine: Engine, specs: Sequence[ImageSpec]) -> tuple[Image, ...]:
    """List images of labctl that none of these are, nor stand on: of other versions, or half-built."""
    current = {MADE_TAG, *(spec.tag for spec in specs)}
    current.update(base_spec(spec.context.parent).tag for spec in specs[:1])
    return tuple(image for image in engine.images({LABEL: ""}) if current.isdisjoint(image.tags))


def ensure(
    engine: Engine,
    specs: Sequence[ImageSpec],
    *,
    environ: Mapping[str, str],
    base_reference: str | None = None,
    may_install: bool = False,
    plain_tags: bool = True,
    progress: Progress = silent,
) -> tuple[str, ...]:
    """Make the images be there; what is there already is left alone.

    Args:
        engine: Where they are to be.
        specs: The images.
        environ: The environment whose proxies, ``GOPROXY`` and ``TMPDIR`` hold for the build.
        base_reference: The Debian to build on; None stands for Debian's own image, or one made here.
        may_install: Whether a missing mmdebstrap may be installed on this machine.
        plain_tags: Whether the tags without a hash shall name these images too.
        progress: Told what is going on; the subjects are ``image mta`` and so on.

    Returns:
        The names of the images that were built.

    Raises:
        ImageUnavailable: An image could not be built; the message tells which step failed, and why.
    """
    if all(_complete(spec, engine.image(spec.tag), plain_tags=plain_tags) for spec in specs):
        return ()
    built: tuple[ImageSpec, ...] = ()
    if missing(engine, specs):
        # The builder pulls in a good deal that a lab whose images are there can do without.
        from labctl.engine.images.builder import Builder  # noqa: PLC0415

        with alone(engine, progress):
            built = missing(engine, specs)
            if built:
                builder = Builder(engine, environ=environ, may_install=may_install, progress=progress)
                builder.build(built, base_spec(built[0].context.parent), base_reference)
    for spec in specs if plain_tags else ():
        image = engine.image(spec.tag)
        if image is not None and spec.plain_tag not in image.tags:
            engine.tag(spec.tag, spec.plain_tag)
    return tuple(spec.name for spec in built)


def _complete(spec: ImageSpec, image: Image | None, *, plain_tags: bool) -> bool:
    return image is not None and (spec.plain_tag in image.tags or not plain_tags)


@contextmanager
def alone(engine: Engine, progress: Progress) -> Iterator[None]:
    """Be the only labctl that builds or removes images on an engine, after waiting for any other.

    Two would build the same, and one that removes old images would take another version's base away while
    that version builds on it.

    Raises:
        EngineError: The lock can't be had, or another has had it for all of `_BUILT_WITHIN`.
    """
    path = lockfile.path_of(engine, "images")

    def acquired() -> int | None:
        if (descriptor := lockfile.acquire(path)) is None:
            progress("images", f"waiting for {holder_of(path)}, which builds them")
        return descriptor

    if (descriptor := eventually(acquired, within=_BUILT_WITHIN, longest_pause=0.5)) is None:
        raise EngineError(f"{holder_of(path)} builds images without an end", hint="labctl images")
    try:
        yield
    finally:
        lockfile.release(descriptor, path)
