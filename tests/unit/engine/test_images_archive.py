"""Images in one file: what is written, what is taken, and what is refused before anything is loaded."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.commands.images import images_load
from labctl.engine.images import image_specs
from labctl.engine.images.archive import held, load, save
from labctl.engine.model import Image
from labctl.errors import ImageUnavailable, OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from labctl.engine.images import ImageSpec
    from labctl.engine.protocol import Engine


def archive(*tags: str, manifest: bytes | None = None) -> bytes:
    """Make what an engine saves: layers first, the manifest after them."""
    buffer = io.BytesIO()
    listed = manifest or json.dumps([{"RepoTags": [tag], "Layers": ["a/layer.tar"]} for tag in tags]).encode()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in (("a/layer.tar", os.urandom(100_000)), ("manifest.json", listed)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class Shelf:
    """An engine that has some images, saves them and remembers what it was given to load."""

    def __init__(self, *tags: tuple[str, ...]) -> None:
        self.here = [Image(str(tags), tags, 1, {}, datetime(2026, 1, 1, tzinfo=UTC)) for tags in tags]
        self.loaded = b""
        self.fails = False

    def image(self, tag: str) -> Image | None:
        return next((image for image in self.here if tag in image.tags), None)

    def images(self, _: object) -> tuple[Image, ...]:
        return ()

    def save(self, tags: Sequence[str]) -> Iterator[bytes]:
        content = archive(*tags)
        yield content[:5000]
        if self.fails:
            raise ImageUnavailable("the engine stopped answering", hint="-")
        yield content[5000:]

    def load(self, chunks: Iterable[bytes]) -> tuple[str, ...]:
        self.loaded = b"".join(chunks)
        return ()


def engine(shelf: Shelf) -> Engine:
    return cast("Engine", shelf)  # it has the part of an engine that saving and loading need


@pytest.fixture
def specs(tmp_path: Path) -> tuple[ImageSpec, ...]:
    for name in ("base", "mta", "mda", "dns"):
        (tmp_path / "images" / name).mkdir(parents=True)
    return image_specs(tmp_path / "images")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "labctl.tar.gz"


def all_tags(specs: tuple[ImageSpec, ...]) -> list[str]:
    return [tag for spec in specs for tag in (spec.tag, spec.plain_tag)]


def test_a_saved_file_holds_hashed_and_plain_tags(specs: tuple[ImageSpec, ...], file: Path) -> None:
    shelf = Shelf(*((spec.tag, spec.plain_tag) for spec in specs))
    assert list(save(engine(shelf), specs, file)) == all_tags(specs)
    assert list(held(file)) == all_tags(specs)
    assert os.listdir(file.parent) == ["images", file.name]  # noqa: PTH208  # the hidden ones too


def test_a_plain_tag_that_names_another_image_is_not_saved(specs: tuple[ImageSpec, ...], file: Path) -> None:
    save(engine(Shelf(*((spec.tag,) for spec in specs))), specs, file)
    assert list(held(file)) == [spec.tag for spec in specs]


def test_a_save_without_all_images_writes_nothing(specs: tuple[ImageSpec, ...], file: Path) -> None:
    with pytest.raises(ImageUnavailable, match=specs[2].tag):
        save(engine(Shelf((specs[0].tag,), (specs[1].tag,))), specs, file)
    assert not file.exists()


def test_a_save_that_breaks_leaves_the_old_file_and_no_other(
    specs: tuple[ImageSpec, ...], file: Path
) -> None:
    file.write_bytes(b"older")
    shelf = Shelf(*((spec.tag,) for spec in specs))
    shelf.fails = True
    with pytest.raises(ImageUnavailable):
        save(engine(shelf), specs, file)
    assert file.read_bytes() == b"older"
    assert len(list(file.parent.iterdir())) == 2


def test_a_file_in_a_directory_that_is_not_there_is_refused(
    specs: tuple[ImageSpec, ...], tmp_path: Path
) -> None:
    shelf = Shelf(*((spec.tag,) for spec in specs))
    with pytest.raises(OutputError, match="No such file or directory"):
        save(engine(shelf), specs, tmp_path / "nowhere" / "file")


def test_a_full_disk_is_told(specs: tuple[ImageSpec, ...]) -> None:
    shelf = Shelf(*((spec.tag,) for spec in specs))
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        pytest.raises(OutputError, match="No space left on device"),
    ):
        save(engine(shelf), specs, Path("-"), stdout=full)


@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gzip", "plain tar"])
def test_what_was_saved_is_given_to_the_engine_as_it_is(
    pack: type[bytes], specs: tuple[ImageSpec, ...], file: Path
) -> None:
    file.write_bytes(pack(archive(*all_tags(specs))))
    shelf = Shelf()
    loaded = load(engine(shelf), file, specs)
    assert shelf.loaded == file.read_bytes()
    assert loaded.current
    assert list(loaded.tags) == all_tags(specs)


def test_images_of_another_version_are_loaded_and_told_apart(
    specs: tuple[ImageSpec, ...], file: Path
) -> None:
    file.write_bytes(archive("labctl/mta:0123456789ab", specs[1].tag, specs[2].tag))
    shelf = Shelf()
    result = images_load(engine(shelf), file, directory=specs[0].context.parent)
    assert shelf.loaded
    assert result.note is not None
    assert "another version of labctl" in result.note


BROKEN = {
    "another image": (archive("nginx:latest"), "nginx:latest"),
    "one of ours and another": (archive("labctl/mta:1", "evil/labctl/mta:1"), "evil/labctl/mta:1"),
    "no names": (archive(manifest=b'[{"RepoTags": null}]'), "images without a name"),
    "no images": (archive(manifest=b"[]"), "images without a name"),
    "a manifest of another kind": (archive(manifest=b'{"a": 1}'), "no list of images"),
    "a manifest that is not JSON": (archive(manifest=b"{"), "no list of images"),
    "nothing": (b"", "damaged or no tar"),
    "text": (b"hello\n" * 200, "damaged or no tar"),
    "gzip of text": (gzip.compress(b"hello\n" * 200), "damaged or no tar"),
    "gzip cut short": (gzip.compress(archive("labctl/mta:1"))[:-2000], "damaged or no tar"),
    "gzip with a wrong sum": (gzip.compress(archive("labctl/mta:1"))[:-8] + b"12345678", "damaged or no tar"),
    "tar cut short": (archive("labctl/mta:1")[:50_000], "damaged or no tar"),
}


@pytest.mark.parametrize(("content", "why"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_not_labctls_is_refused_and_not_loaded(
    content: bytes, why: str, specs: tuple[ImageSpec, ...], file: Path
) -> None:
    file.write_bytes(content)
    shelf = Shelf()
    with pytest.raises(UsageError, match=why):
        load(engine(shelf), file, specs)
    assert shelf.loaded == b""


@pytest.mark.parametrize(("name", "why"), [("nothing", "No such file"), (".", "Is a directory")])
def test_a_file_that_can_not_be_read_is_a_usage_error(
    specs: tuple[ImageSpec, ...], tmp_path: Path, name: str, why: str
) -> None:
    with pytest.raises(UsageError, match=f"can't be read: {why}"):
        load(engine(Shelf()), tmp_path / name, specs)


@given(st.binary(max_size=2000), st.sampled_from((gzip.compress, bytes)))
def test_any_bytes_are_either_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, pack: type[bytes]
) -> None:
    file = tmp_path_factory.mktemp("any") / "file"
    file.write_bytes(pack(content))
    with suppress(UsageError):
        assert isinstance(held(file), tuple)
