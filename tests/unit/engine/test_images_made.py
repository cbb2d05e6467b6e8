"""Images where there is no registry: Debian from its packages, CoreDNS by this machine's Go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labctl.engine.fake import FakeEngine
from labctl.engine.images import ensure
from labctl.engine.images.debian import MADE_TAG
from labctl.engine.images.spec import image_specs
from labctl.errors import ImageUnavailable

MAKES = 'for each; do case $each in *.tar) echo tree > "$each";; esac; done; echo "I: running apt..."'
INSTALLS = f"""echo "$@" >> "$0.log"
case "$*" in *update*) touch "$0.updated";; *install*) [ -e "$0.updated" ] || exit 100
printf '#!/bin/sh\\n{MAKES}\\n' > "${{0%/*}}/mmdebstrap"; chmod +x "${{0%/*}}/mmdebstrap";; esac"""
GO = """if [ "$1" = env ]; then echo go1.99; echo http://proxy.test; exit; fi
echo "go: downloading coredns" >&2; while [ "$1" != -o ]; do shift; done; echo program > "$2"
"""
MODULE = "module labctl\n\ngo 1.20\n"


class Machine:
    """A machine without a registry's Debian, and its programs."""

    def __init__(self, directory: Path) -> None:
        self.bin = directory / "bin"
        self.images = directory / "images"
        self.bin.mkdir()
        for name in ("base", "mta", "mda", "dns"):
            (self.images / name).mkdir(parents=True)
            (self.images / name / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\n")
        self.engine = FakeEngine()
        self.told: list[tuple[str, str]] = []
        for name in ("chmod", "sh", "touch", "true", "unshare"):
            (self.bin / name).symlink_to(
                next(p for p in (Path("/bin", name), Path("/usr/bin", name)) if p.exists())
            )

    def has(self, name: str, script: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)

    def builds(self, *, may_install: bool = False) -> tuple[str, ...]:
        return ensure(
            self.engine,
            image_specs(self.images),
            environ={"PATH": str(self.bin), "GOPROXY": "off"},
            may_install=may_install,
            progress=lambda subject, news: self.told.append((subject, news)),
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_debian_is_made_from_its_packages_and_the_images_stand_on_it(machine: Machine) -> None:
    machine.has("mmdebstrap", MAKES)
    assert set(machine.builds()) == {"mta", "mda", "dns"}
    assert machine.engine.image(MADE_TAG) is not None
    assert ("image base", "running apt") in machine.told
    assert machine.builds() == ()


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("E: no mirror; exit 1", r"mmdebstrap could not make it from \S+: E: no mirror"),
        ("E: x: No space left on device; exit 1", "the disk of .* is full, mmdebstrap says: E: x"),
    ],
)
def test_debian_that_can_not_be_made_is_told_with_the_programs_words(
    machine: Machine, says: str, told: str
) -> None:
    words, _, rest = says.partition(";")
    machine.has("mmdebstrap", f'echo "{words}" >&2\n{rest}')
    with pytest.raises(ImageUnavailable, match=told):
        machine.builds()
    assert machine.engine.image(MADE_TAG) is None


def test_mmdebstrap_is_installed_by_root_where_it_may_be_and_lists_are_read_where_they_are_old(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    machine.has("apt-get", INSTALLS)
    with pytest.raises(ImageUnavailable, match="is not installed on this machine"):
        machine.builds()
    assert len(machine.builds(may_install=True)) == 3
    orders = [line.split()[0] for line in (machine.bin / "apt-get.log").read_text().splitlines()]
    assert [each for each in orders if each in {"install", "update"}] == ["install", "update", "install"]


def test_coredns_is_built_by_the_machines_go_and_handed_to_its_image(machine: Machine) -> None:
    machine.has("mmdebstrap", MAKES)
    machine.has("go", GO)
    (machine.images / "dns" / "go.mod").write_text(MODULE)
    assert "dns" in machine.builds()
    assert ("image dns", "go: downloading coredns") in machine.told


@pytest.mark.parametrize(
    ("words", "told"),
    [("no such module", "could not be built by"), ("no space left on device", "disk is full")],
)
def test_coredns_that_does_not_compile_is_told_and_nothing_is_built(
    machine: Machine, words: str, told: str
) -> None:
    machine.has("mmdebstrap", MAKES)
    machine.has("go", f'{GO.splitlines()[0]}\necho "{words}" >&2; exit 1')
    (machine.images / "dns" / "go.mod").write_text(MODULE)
    with pytest.raises(ImageUnavailable, match=f"image dns: .*{told}"):
        machine.builds()
    assert not machine.engine.images({"labctl.image": "dns"})
