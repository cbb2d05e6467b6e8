"""Which images there should be, and what is done about those that are missing."""

from __future__ import annotations

import tarfile
from typing import IO, TYPE_CHECKING, Any

import pytest

from labctl.commands.images import images_list
from labctl.engine.fake import FakeEngine
from labctl.engine.images import base_spec, ensure, image_specs, missing, outdated
from labctl.engine.images.builder import Builder, Output, declared
from labctl.engine.images.children import Stopped
from labctl.engine.images.debian import MADE_TAG
from labctl.errors import EngineError, ImageUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

RECIPE = "ARG BASE\nFROM ${BASE}\nARG GOPROXY\nCOPY hello /hello\n"


class Recorder(FakeEngine):
    """An engine that remembers what it was asked to build, with which arguments, in which order."""

    failing: str | None = None

    def __init__(self, *tags: str) -> None:
        super().__init__(tags)
        self.arguments: dict[str, Mapping[str, str]] = {}
        self.contexts: dict[str, list[str]] = {}

    @property
    def built(self) -> list[str]:
        return list(self.arguments)

    @property
    def pulled(self) -> list[str]:
        return [call.subject for call in self.calls if call.method == "pull"]

    def build(
        self,
        context: IO[bytes],
        *,
        tag: str,
        labels: Mapping[str, str],
        build_args: Mapping[str, str],
        dockerfile: str = "Dockerfile",
    ) -> Iterator[str]:
        name = labels["labctl.image"]
        yield "Step 1/2 : FROM ${BASE}"
        yield "Step 2/2 : RUN make hello"
        if self.failing == name:
            yield "hello.c:1: no such thing"
            raise ImageUnavailable("the command returned a non-zero code: 2", hint="-")
        if self.image(build_args["BASE"]) is None:
            raise EngineError(f"no {build_args['BASE']} to build {tag} on", hint="-")
        with tarfile.open(fileobj=context) as tar:
            self.contexts[name] = tar.getnames()
        context.seek(0)
        more = super().build(context, tag=tag, labels=labels, build_args=build_args, dockerfile=dockerfile)
        yield from more
        self.arguments[name] = dict(build_args)


@pytest.fixture
def images_dir(tmp_path: Path) -> Path:
    for name in ("base", "mta", "mda", "dns"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text(RECIPE)
        (tmp_path / name / "hello").write_text(f"I am {name}")
    return tmp_path


def test_the_hosts_have_three_images_with_a_hashed_and_a_plain_tag(images_dir: Path) -> None:
    specs = image_specs(images_dir)
    assert [spec.name for spec in specs] == ["mta", "mda", "dns"]
    assert [spec.plain_tag for spec in specs] == [
        "labctl/mta:latest",
        "labctl/mda:latest",
        "labctl/dns:latest",
    ]
    assert all(spec.tag == f"labctl/{spec.name}:{spec.hash}" for spec in specs)
    assert all(len(spec.hash) == 12 and int(spec.hash, 16) >= 0 for spec in specs)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda images: (images / "mda/hello").write_text("I am another"), {"mda"}),
        (lambda images: (images / "dns/hello").chmod(0o755), {"dns"}),
        (lambda images: (images / "mta/more").write_text(""), {"mta"}),
        (lambda images: (images / "base/hello").write_text("I am another"), {"base", "mta", "mda", "dns"}),
        (lambda images: (images / "dns/coredns").write_bytes(b"\x7fELF"), set()),
    ],
    ids=["another content", "it becomes executable", "a new file", "the base's", "left from a build by hand"],
)
def test_a_changed_file_changes_the_tag_of_its_image_and_of_what_stands_on_it(
    images_dir: Path, change: Callable[[Path], object], names: set[str]
) -> None:
    def tags() -> dict[str, str]:
        return {spec.name: spec.tag for spec in (*image_specs(images_dir), base_spec(images_dir))}

    before = tags()
    change(images_dir)
    assert {name for name, tag in tags().items() if tag != before[name]} == names


def test_only_images_that_the_engine_lacks_are_missing(images_dir: Path) -> None:
    specs = image_specs(images_dir)
    recorder = Recorder(specs[0].tag, specs[1].plain_tag)
    assert [spec.name for spec in missing(recorder, specs)] == ["mda", "dns"]


def test_the_base_is_built_first_and_the_others_stand_on_it(images_dir: Path) -> None:
    recorder = Recorder(MADE_TAG)
    assert ensure(recorder, image_specs(images_dir), environ={}) == ("mta", "mda", "dns")
    assert recorder.built[0] == "base"
    assert sorted(recorder.built[1:]) == ["dns", "mda", "mta"]
    assert recorder.arguments["base"]["BASE"] == MADE_TAG
    assert {recorder.arguments[name]["BASE"] for name in ("mta", "mda", "dns")} == {base_spec(images_dir).tag}


def test_with_all_images_there_nothing_is_built_and_no_base_is_needed(images_dir: Path) -> None:
    specs = image_specs(images_dir)
    recorder = Recorder(*(spec.tag for spec in specs))
    assert ensure(recorder, specs, environ={}) == ()
    assert recorder.built == []


def test_a_base_that_is_there_is_not_built_again(images_dir: Path) -> None:
    specs = image_specs(images_dir)
    recorder = Recorder(base_spec(images_dir).tag, specs[0].tag, specs[2].tag)
    assert ensure(recorder, specs, environ={}) == ("mda",)
    assert recorder.built == ["mda"]


def test_the_plain_tags_follow_the_hashed_ones(images_dir: Path) -> None:
    specs = image_specs(images_dir)
    recorder = Recorder(*(spec.tag for spec in specs))
    ensure(recorder, specs, environ={})
    assert sorted(image.tags for image in recorder.images({})) == sorted((s.tag, s.plain_tag) for s in specs)


def test_the_plain_tags_stay_where_they_are_if_asked(images_dir: Path) -> None:
    specs = image_specs(images_dir)
    recorder = Recorder(*(spec.tag for spec in specs))
    ensure(recorder, specs, environ={}, plain_tags=False)
    assert [image.tags for image in recorder.images({})] == [(spec.tag,) for spec in specs]


def test_a_reference_that_was_ordered_is_pulled_even_if_a_base_was_made_here_before(images_dir: Path) -> None:
    recorder = Recorder(MADE_TAG, "registry.test/debian:latest")
    recorder.remove_image("registry.test/debian:latest")
    ensure(recorder, image_specs(images_dir), environ={}, base_reference="registry.test/debian")
    assert recorder.pulled == ["registry.test/debian:latest"]
    assert recorder.arguments["base"]["BASE"] == "registry.test/debian:latest"


def test_a_reference_that_the_engine_has_is_not_pulled(images_dir: Path) -> None:
    recorder = Recorder("debian:trixie-slim")
    ensure(recorder, image_specs(images_dir), environ={})
    assert recorder.pulled == []
    assert recorder.arguments["base"]["BASE"] == "debian:trixie-slim"


def test_a_build_gets_the_arguments_it_declares_and_the_proxies(images_dir: Path) -> None:
    (images_dir / "mta" / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\n")
    recorder = Recorder(MADE_TAG)
    environ = {"GOPROXY": "http://goproxy.test", "GOSUMDB": "off", "HTTPS_PROXY": "http://proxy.test:3128"}
    ensure(recorder, image_specs(images_dir), environ=environ)
    proxies = {"https_proxy": "http://proxy.test:3128", "HTTPS_PROXY": "http://proxy.test:3128"}
    base = base_spec(images_dir).tag
    assert recorder.arguments["mda"] == {"BASE": base, "GOPROXY": "http://goproxy.test"} | proxies
    assert recorder.arguments["mta"] == {"BASE": base} | proxies


def test_a_step_that_fails_is_told_with_what_it_said(images_dir: Path) -> None:
    recorder = Recorder(MADE_TAG)
    recorder.failing = "mda"
    with pytest.raises(ImageUnavailable, match=r"hello\.c:1: no such thing") as caught:
        ensure(recorder, image_specs(images_dir), environ={})
    assert caught.value.message.startswith("image mda: step 2/2 (RUN make hello) failed:")
    assert caught.value.detail["output"] == ["hello.c:1: no such thing"]


def test_a_base_that_fails_is_the_reason_and_nothing_is_built_on_it(images_dir: Path) -> None:
    recorder = Recorder(MADE_TAG)
    recorder.failing = "base"
    with pytest.raises(ImageUnavailable, match=r"^image base: "):
        ensure(recorder, image_specs(images_dir), environ={})
    assert recorder.built == []


def test_without_registry_and_mmdebstrap_both_are_named(images_dir: Path) -> None:
    with pytest.raises(ImageUnavailable) as caught:
        ensure(Recorder(), image_specs(images_dir), environ={"PATH": "/nonexistent"})
    assert "pull of debian:trixie-slim: not found in the registry" in caught.value.message
    assert "mmdebstrap" in caught.value.message
    assert "labctl images load" in caught.value.hint


def test_a_full_disk_of_the_engine_is_named_with_its_cure(images_dir: Path) -> None:
    class Full(Recorder):
        def build(self, *_: Any, **__: Any) -> Iterator[str]:
            yield "Step 4/9 : RUN apt-get install postfix"
            yield "dpkg: error: failed to write (No space left on device)"
            raise ImageUnavailable("the command returned a non-zero code: 100", hint="-")

    with pytest.raises(ImageUnavailable, match=r"engine's disk is full: /var/lib/docker") as caught:
        ensure(Full(MADE_TAG), image_specs(images_dir), environ={})
    assert caught.value.hint == "docker system prune"


def test_a_directory_for_scratch_that_is_not_there_is_named(images_dir: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    with pytest.raises(ImageUnavailable, match=str(nowhere)):
        ensure(Recorder(MADE_TAG), image_specs(images_dir), environ={"TMPDIR": str(nowhere)})


def test_images_of_other_versions_are_outdated(images_dir: Path) -> None:
    recorder = Recorder(MADE_TAG)
    old = image_specs(images_dir)
    ensure(recorder, old, environ={}, plain_tags=False)
    (images_dir / "mta" / "hello").write_text("I am newer")
    new = image_specs(images_dir)
    ensure(recorder, new, environ={}, plain_tags=False)
    assert [image.tags for image in outdated(recorder, new)] == [(old[0].tag,)]
    assert [image.tags for image in outdated(recorder, old)] == [(new[0].tag,)]


def test_the_list_says_which_images_are_present(images_dir: Path) -> None:
    specs = image_specs(images_dir)
    rows = images_list(Recorder(specs[1].tag), directory=images_dir).images
    assert [(row.name, row.tag, row.size > 0, row.present) for row in rows] == [
        ("mta", specs[0].tag, False, False),
        ("mda", specs[1].tag, True, True),
        ("dns", specs[2].tag, False, False),
    ]


def test_a_build_that_was_called_off_starts_no_more(images_dir: Path) -> None:
    recorder = Recorder(MADE_TAG)

    def interrupt(subject: str, state: str) -> None:
        if subject == "image base" and state == "built":
            builder.children.stop()

    builder = Builder(recorder, environ={}, may_install=False, progress=interrupt)
    with pytest.raises(Stopped):
        builder.build(image_specs(images_dir), base_spec(images_dir), None)
    assert recorder.built == ["base"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Step 3/9 : RUN apt-get update", "step 3/9"),
        ("Step 4/9 : COPY a b", "step 4/9"),
        ("Step 5/9 : LABEL a=b", ""),
        ("Setting up postfix (3.10.2-1) ...", "Setting up postfix"),
        (" ---> Running in 0123456789ab", ""),
        ("", ""),
    ],
)
def test_of_a_builds_output_what_takes_time_is_told(line: str, told: str) -> None:
    assert Output().take(line) == told


def test_the_output_tells_layer_and_container() -> None:
    output = Output()
    for line in ("Step 2/2 : RUN true", " ---> Running in 0123456789ab", " ---> ba9876543210", "last words"):
        output.take(line)
    assert (output.container, output.layer) == ("0123456789ab", "ba9876543210")
    assert list(output.tail) == ["last words"]


def test_declared_arguments_are_found_in_all_their_forms() -> None:
    text = "ARG BASE=x:1\nFROM ${BASE}\narg ONE\n  ARG TWO='a' THREE\n# ARG FOUR\nRUN echo ARG FIVE\n"
    assert declared(text) == {"BASE", "ONE", "TWO", "THREE"}


def test_the_context_holds_the_files(images_dir: Path) -> None:
    recorder = Recorder(MADE_TAG)
    ensure(recorder, image_specs(images_dir), environ={})
    assert recorder.contexts["mta"] == ["Dockerfile", "hello"]
