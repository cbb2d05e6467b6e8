"""Attempts whose directories are hostile; each is an attempt at `labs.zone_lab`."""

from __future__ import annotations

import os
import socket
from contextlib import chdir
from typing import TYPE_CHECKING, Final

from tests.integration.hostile.attack import Attack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ZONE: Final = "beta.test.zone"

_FORGED: Final = '{"schema": "labctl/grade/v1", "attempts": [{"verdict": "passed", "score": 99}]}'

_PLUGIN: Final = """\
import pathlib, pytest
pathlib.Path({mark!r}).touch()
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    report.outcome = "passed"
def pytest_collection_modifyitems(items):
    items.clear()
"""


def attacks(secret: Path, mark: Path) -> Iterator[Attack]:
    """Yield the attacks.

    Args:
        secret: A file of the machine's that nobody may learn of.
        mark: What a Python program of an attempt would make if it ran.
    """

    def link(directory: Path) -> None:
        (directory / ZONE).unlink()
        (directory / ZONE).symlink_to(secret)

    def second_name(directory: Path) -> None:
        (directory / ZONE).unlink()
        (directory / ZONE).hardlink_to(secret)

    def device(directory: Path) -> None:
        (directory / ZONE).unlink()
        os.mknod(directory / ZONE, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero never ends

    def elsewhere(directory: Path) -> None:
        directory.rename(directory.with_name("another-students"))
        directory.symlink_to("another-students")

    outside = 'lab = "../../../lab"\nseed = "../seed"\n'
    yield Attack("traversal", "passed", "", {"labctl.toml": outside})
    yield Attack("elsewhere", "rejected", "the attempt is a link", build=elsewhere)
    yield Attack("symlink", "rejected", r"beta\.test\.zone is a link", build=link)
    yield Attack("hardlink", "rejected", r"has 2 hard links", build=second_name)
    yield Attack("fifo", "rejected", "no regular file", build=_fifo)
    yield Attack("socket", "rejected", "no regular file", build=_socket)
    if os.geteuid() == 0:
        yield Attack("device", "rejected", "no regular file", build=device)
    yield Attack("directory", "rejected", "no regular file", build=_directory)
    yield Attack("sparse", "rejected", "larger than 1 MiB", build=_sparse)
    yield Attack("nothing", "rejected", r"has no beta\.test\.zone", build=_nothing)
    yield Attack("crowd", "passed", "at least 1000 other files were ignored", build=_crowd)
    yield Attack("forged", "failed", "4 other files were ignored", {"answers.toml": ""}, _forged)
    yield Attack(
        "plugins",
        "failed",
        "other files were ignored",
        {
            "answers.toml": "",
            "pytest.ini": "[pytest]\npython_files = nothing.py\naddopts = -p plugin\n",
            "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-p plugin'\n",
            **{
                name: _PLUGIN.format(mark=str(mark))
                for name in (
                    "conftest.py",
                    "plugin.py",
                    "sitecustomize.py",
                    "usercustomize.py",
                    "pytest.py",
                    "test_what_is_asked.py",
                )
            },
        },
    )


def _fifo(directory: Path) -> None:
    (directory / ZONE).unlink()
    os.mkfifo(directory / ZONE)


def _socket(directory: Path) -> None:
    (directory / ZONE).unlink()
    with chdir(directory), socket.socket(socket.AF_UNIX) as listener:  # a socket's path is short
        listener.bind(ZONE)


def _directory(directory: Path) -> None:
    (directory / ZONE).unlink()
    (directory / ZONE).mkdir()


def _sparse(directory: Path) -> None:
    os.truncate(directory / ZONE, 5 << 30)


def _nothing(directory: Path) -> None:
    (directory / ZONE).unlink()


def _crowd(directory: Path) -> None:
    for n in range(100_000):
        os.close(os.open(directory / f"{n}", os.O_CREAT | os.O_WRONLY))


def _forged(directory: Path) -> None:
    for name in ("grade.json", "results/results.json", ".labctl/examination.json", "examinations/x.json"):
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(_FORGED)
