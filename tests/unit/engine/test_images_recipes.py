"""The commands and recipes that make Debian and CoreDNS."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.images.apt import Apt
from labctl.engine.images.context import Entry, read
from labctl.engine.images.coredns import machine_go, staged
from labctl.engine.images.debian import mmdebstrap, with_tag
from labctl.engine.images.disk import room, says_full
from labctl.errors import ImageUnavailable
from labctl.resources import compose_dir


@pytest.mark.parametrize(
    ("reference", "full"),
    [
        ("debian", "debian:latest"),
        ("debian:trixie-slim", "debian:trixie-slim"),
        ("127.0.0.1:5000/debian", "127.0.0.1:5000/debian:latest"),
        ("127.0.0.1:5000/debian:13", "127.0.0.1:5000/debian:13"),
    ],
)
def test_a_reference_gets_its_tag(reference: str, full: str) -> None:
    assert with_tag(reference) == full


def test_mmdebstrap_gets_the_machines_mirrors_and_options() -> None:
    apt = Apt("http://a.test/debian", "http://s.test/debian-security", {"Acquire::Check-Date": "false"})
    argv = mmdebstrap(apt, Path("/scratch/rootfs.tar"))
    assert argv[0] == "mmdebstrap"
    assert '--aptopt=Acquire::Check-Date "false";' in argv
    assert argv[argv.index("trixie") + 1 :] == ["/scratch/rootfs.tar", *apt.sources("trixie")]


def go(directory: Path, version: str) -> dict[str, str]:
    program = directory / "go"
    program.write_text(f"#!/bin/sh\necho {version}\necho http://goproxy.test\n")
    program.chmod(stat.S_IRWXU)
    return {"PATH": f"{directory}:/bin:/usr/bin"}


@pytest.mark.parametrize(
    ("version", "serves"),
    [("go1.24.4", True), ("go1.26.8", True), ("go1.30rc1", True), ("go2.0", True), ("go1.23.9", False),
     ("go1.9", False), ("devel", False), ("", False)],
)  # fmt: skip
def test_the_machines_go_serves_where_it_is_new_enough(tmp_path: Path, version: str, serves: bool) -> None:
    (tmp_path / "go.mod").write_text("module labctl/coredns\n\ngo 1.24.0\n")
    found = machine_go(tmp_path, go(tmp_path, version))
    assert (found is not None) == serves
    if found is not None:
        assert (found.program, found.proxy) == (str(tmp_path / "go"), "http://goproxy.test")


def test_a_machine_without_go_leaves_it_to_the_build_stage(tmp_path: Path) -> None:
    assert machine_go(tmp_path, {"PATH": str(tmp_path)}) is None


def test_the_image_with_a_build_stage_takes_the_program_from_there(tmp_path: Path) -> None:
    authorities = tmp_path / "authorities.pem"
    authorities.write_text("CERTIFICATE")
    context = read(compose_dir() / "images" / "dns")
    made = {entry.path: entry.content for entry in staged(context, {"SSL_CERT_FILE": str(authorities)})}
    recipe = made["Dockerfile"].decode()
    assert "FROM ${BASE} AS build\nLABEL labctl.stage=build\n" in recipe
    assert "COPY --from=build /coredns /usr/local/bin/\n" in recipe
    assert "COPY coredns " not in recipe
    assert made["ca-certificates.crt"] == b"CERTIFICATE"
    assert "Dockerfile.build" not in made
    assert "go.mod" in made


def test_without_certificate_authorities_the_build_stage_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labctl.engine.images.coredns._BUNDLES", ("/nonexistent/bundle",))
    recipes = (Entry("Dockerfile", b"FROM x\n"), Entry("Dockerfile.build", b"FROM x\n"))
    with pytest.raises(ImageUnavailable, match="/nonexistent/bundle"):
        staged(recipes, {})


@pytest.mark.parametrize(
    "words",
    [
        "E: You don't have enough free space in /var/cache/apt/archives/.",
        "dpkg: error processing archive: failed to write (No space left on device)",
        "write /a: no space left on device",
        "OSError: [Errno 122] Disk quota exceeded",
    ],
)
def test_the_words_for_a_full_disk_are_known(words: str) -> None:
    assert says_full(words)


@given(st.text(st.characters(codec="ascii", categories=("Ll", "Zs"))))
def test_other_words_are_not(words: str) -> None:
    known = ("no space left on device", "enough free space", "disk quota exceeded")
    assert not says_full(words) or any(known_words in words for known_words in known)


def test_a_disk_is_told_with_its_room(tmp_path: Path) -> None:
    usage = os.statvfs(tmp_path)
    assert room(tmp_path).startswith(f"{tmp_path} (")
    assert f"free of {usage.f_blocks * usage.f_frsize // 2**20} MB)" in room(tmp_path)
    assert room(tmp_path / "nowhere") == str(tmp_path / "nowhere")
