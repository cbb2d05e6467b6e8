from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from labctl.errors import ForbiddenFile, MissingFile, UsageError
from labctl.lab import attempt
from labctl.lab.definition import Editable, LabDefinition

ZONE = "/etc/coredns/zones/beta.test.zone"


def lab(path: str = "zones/beta/beta.zone") -> LabDefinition:
    return LabDefinition("demo", "A lab", "two-domains", Path("/"), editable=(Editable(path, "dns", ZONE),))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    found = tmp_path / "attempt"
    (found / "zones" / "beta").mkdir(parents=True)
    (found / "zones" / "beta" / "beta.zone").write_bytes(b"a zone\n")
    return found


@pytest.fixture
def file(directory: Path) -> Path:
    return directory / "zones" / "beta" / "beta.zone"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    found = tmp_path / "secret"
    (found / "beta").mkdir(parents=True)
    (found / "beta" / "beta.zone").write_bytes(b"nobody's business\n")
    return found


def forbidden(directory: Path) -> ForbiddenFile:
    with pytest.raises(ForbiddenFile) as caught:
        attempt.read(directory, lab())
    assert "zones/beta/beta.zone" in caught.value.message
    assert caught.value.exit_code == 1
    return caught.value


def test_a_declared_file_is_read(directory: Path) -> None:
    assert attempt.read(directory, lab()) == {("dns", ZONE): b"a zone\n"}


def test_what_is_not_declared_is_not_opened(directory: Path) -> None:
    os.mkfifo(directory / "trap")
    (directory / "zones" / "loop").symlink_to(directory)
    (directory / "main.cf").symlink_to("/etc/shadow")
    assert list(attempt.read(directory, lab())) == [("dns", ZONE)]


def test_the_attempt_itself_may_be_a_link(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(directory)
    assert attempt.read(tmp_path / "link", lab()) == {("dns", ZONE): b"a zone\n"}


def test_a_missing_file_is_named(directory: Path, file: Path) -> None:
    file.unlink()
    with pytest.raises(MissingFile, match=r"no zones/beta/beta\.zone"):
        attempt.read(directory, lab())


def test_a_missing_directory_on_the_way_is_a_missing_file(directory: Path) -> None:
    (directory / "zones").rename(directory / "other")
    with pytest.raises(MissingFile, match=r"no zones/beta/beta\.zone"):
        attempt.read(directory, lab())


def test_a_link_in_the_place_of_the_file_is_not_followed(directory: Path, file: Path, secret: Path) -> None:
    file.unlink()
    file.symlink_to(secret / "beta" / "beta.zone")
    assert "links are not followed" in forbidden(directory).message


def test_a_link_to_a_file_of_the_attempt_itself_is_not_followed(directory: Path, file: Path) -> None:
    file.rename(directory / "real")
    file.symlink_to(directory / "real")
    forbidden(directory)


def test_a_dangling_link_is_no_missing_file(directory: Path, file: Path) -> None:
    file.unlink()
    file.symlink_to("nowhere")
    forbidden(directory)


@pytest.mark.parametrize("level", ["zones", "zones/beta"])
def test_a_link_on_the_way_is_not_followed(directory: Path, secret: Path, level: str) -> None:
    (directory / level).rename(directory / "aside")
    (directory / level).symlink_to(secret / level.removeprefix("zones").lstrip("/"))
    assert (directory / "zones" / "beta" / "beta.zone").is_file()
    forbidden(directory)


def test_a_file_with_another_name_somewhere_is_refused(directory: Path, file: Path, secret: Path) -> None:
    file.unlink()
    file.hardlink_to(secret / "beta" / "beta.zone")
    assert "2 hard links" in forbidden(directory).message


def test_a_fifo_is_refused_without_waiting_for_its_writer(directory: Path, file: Path) -> None:
    file.unlink()
    os.mkfifo(file)
    assert "no regular file" in forbidden(directory).message


def test_a_socket_is_refused(directory: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.unlink()
    monkeypatch.chdir(file.parent)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(file.name)
        forbidden(directory)


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes devices")
def test_a_device_is_refused(directory: Path, file: Path) -> None:
    file.unlink()
    try:
        os.mknod(file, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero never ends
    except PermissionError:
        pytest.skip("root may not make devices here")
    forbidden(directory)


def test_a_directory_is_no_file(directory: Path, file: Path) -> None:
    file.unlink()
    file.mkdir()
    assert "no regular file" in forbidden(directory).message


def test_a_file_on_the_way_is_no_directory(directory: Path) -> None:
    (directory / "zones").rename(directory / "aside")
    (directory / "zones").write_text("")
    forbidden(directory)


@pytest.mark.parametrize("excess", [0, 1])
def test_only_what_is_larger_than_allowed_is_refused(directory: Path, file: Path, excess: int) -> None:
    file.write_bytes(b"x" * (attempt.LARGEST_FILE + excess))
    if excess:
        assert "larger than 1 MiB" in forbidden(directory).message
    else:
        assert len(attempt.read(directory, lab())["dns", ZONE]) == attempt.LARGEST_FILE


def test_a_hole_of_a_terabyte_is_not_read(directory: Path, file: Path) -> None:
    os.truncate(file, 1 << 40)
    assert "larger than" in forbidden(directory).message


def test_a_name_too_long_is_refused(directory: Path) -> None:
    with pytest.raises(ForbiddenFile, match="can't be opened"):
        attempt.read(directory, lab("x" * 300))


def test_an_attempt_that_is_no_directory_is_the_callers_mistake(directory: Path, file: Path) -> None:
    with pytest.raises(UsageError, match="not a directory"):
        attempt.read(directory / "none", lab())
    with pytest.raises(UsageError, match="not a directory"):
        attempt.read(file, lab())


def test_a_lab_without_editable_files_takes_no_attempt(directory: Path) -> None:
    with pytest.raises(UsageError, match="lets nothing be handed in"):
        attempt.read(directory, LabDefinition("demo", "A lab", "two-domains", Path("/")))


def test_no_descriptor_stays_open(directory: Path, file: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    attempt.read(directory, lab())
    file.unlink()
    with pytest.raises(MissingFile):
        attempt.read(directory, lab())
    os.mkfifo(file)
    forbidden(directory)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
