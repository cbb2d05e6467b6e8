"""What labctl is started with: closed streams, paths and variables of any kind; none of it is a bug."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.conftest import Labctl

    Fails = Callable[..., dict[str, Any]]

LONG = "a" * 300


@pytest.mark.parametrize(
    ("arguments", "closed", "code"),
    [
        ("explain hello", "<&-", 2),
        ("explain - --json", "<&-", 2),
        ("explain 4.4.1", "<&-", 0),
        ("examine", "<&-", 4),
        ("trace --logs -", "<&-", 0),
        ("engine remove", "<&-", 2),
        ("labs", ">&-", 2),
        ("labs --json", ">&-", 2),
        ("labs --help", ">&-", 2),
        ("explain 4.4.1", "2>&-", 0),
        ("labs nonsense", "2>&-", 2),
        ("labs", "<&- >&- 2>&-", 2),
        ("nonsense --json", "<&- >&- 2>&-", 2),
    ],
)
def test_a_stream_that_is_closed_is_empty_or_can_not_be_written(
    labctl: Labctl, arguments: str, closed: str, code: int
) -> None:
    ran = labctl.program(*arguments.split(), script=f'"$@" {closed}')
    assert (ran.code, "Traceback" in ran.stderr) == (code, False)
    if code and "2>&-" not in closed:
        assert ran.stderr.startswith("labctl: ") or '"labctl/error/v1"' in ran.stdout


def test_a_file_that_is_opened_does_not_become_what_is_printed_to(labctl: Labctl) -> None:
    log = labctl.home / "mail.log"
    log.write_bytes(b"")
    assert labctl.program("trace", "--logs", "mail.log", "--json", script='"$@" >&- <&-').code == 2
    assert log.read_bytes() == b""


@pytest.mark.parametrize(
    "arguments",
    [
        f"init bounces {LONG}",
        f"init fix-the-mx {LONG}",
        "init fix-the-mx FILE/x",
        f"grade {LONG} --lab fix-the-mx",
        "grade FILE/x --lab fix-the-mx",
        f"grade . --lab fix-the-mx --junit {LONG}",
        f"grade . --lab fix-the-mx --out {LONG}",
        f"grade . --lab fix-the-mx --checks {LONG}",
        f"merge {LONG}",
        "merge FILE",
        f"run {LONG}/test_x.py",
        f"run --junit {LONG}",
        f"trace --logs {LONG}",
        "trace --logs FILE/x",
        "trace --logs LOOP",
        f"explain ./{LONG}",
        f"images load {LONG}",
        f"up {LONG}",
        "up FILE/x",
        "up LOOP",
        f"labs test {LONG}",
        "trace --logs FIFO",
        "explain FIFO",
        "trace --logs /dev/zero",
    ],
)
def test_a_path_that_can_not_be_what_it_should_is_a_matter_of_usage(labctl: Labctl, arguments: str) -> None:
    (labctl.home / "FILE").touch()
    (labctl.home / "LOOP").symlink_to("LOOP")
    os.mkfifo(labctl.home / "FIFO")
    ran = labctl(*arguments.split())
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr.startswith("labctl: ")
    assert {each.name for each in labctl.home.iterdir()} == {"FILE", "LOOP", "FIFO"}


@pytest.mark.parametrize("file", ["", ".", "/"])
def test_images_are_saved_to_a_file_with_a_name(labctl: Labctl, file: str) -> None:
    ran = labctl("images", "save", file)
    assert (ran.code, ran.stdout) == (2, "")
    assert "is a directory" in ran.stderr


@pytest.mark.parametrize(
    "since",
    ["0001-01-01", "0001-01-01T00:00+14:00", "9999-12-31T23:59:59-23:00", "9999-12-31"],
)
def test_the_ends_of_the_calendar_are_times(labctl: Labctl, since: str) -> None:
    (labctl.home / "mail.log").touch()
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Honolulu"):
        environ = {"TZ": zone}
        assert labctl("trace", "--logs", "mail.log", "--since", since, environ=environ).code == 0


@pytest.mark.parametrize("since", ["0000-01-01", "10000-01-01", "-1d", "1e9d", "nan", "", "9999999999w"])
def test_what_no_calendar_has_is_no_time(labctl: Labctl, since: str) -> None:
    (labctl.home / "mail.log").touch()
    ran = labctl("trace", "--logs", "mail.log", "--since", since)
    assert (ran.code, ran.stdout) == (2, "")
    assert "is no time" in ran.stderr


@pytest.mark.parametrize(
    "environ",
    [
        {"DOCKER_CONTEXT": "a\udcff"},
        {"DOCKER_CONTEXT": "x" * 5000},
        {"DOCKER_CONFIG": "\udcff"},
        {"DOCKER_CONFIG": LONG},
        {"DOCKER_HOST": "unix:///\udcff"},
        {"DOCKER_HOST": f"unix:///{LONG}"},
        {"DOCKER_HOST": "tcp://[::1"},
        {"DOCKER_HOST": "tcp://localhost:99999"},
        {"DOCKER_HOST": "tcp://localhost:1", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "\udcff"},
        {"HOME": ""},
        {"HOME": "\udcff"},
        {"COLUMNS": "-1"},
        {"TZ": "\udcff"},
        {"TERM": "\udcff"},
        {"LC_ALL": "xx_XX.nonsense"},
    ],
)
def test_a_variable_of_any_value_is_no_bug(labctl: Labctl, environ: dict[str, str]) -> None:
    order = {"DOCKER_HOST": ""} if "DOCKER_CONTEXT" in environ else {}  # which stands above a context
    ran = labctl.program("list", environ={**order, **environ})
    assert ran.code == 4
    assert ran.stderr.startswith("labctl: ")
    assert len(ran.stderr) < 1000


@pytest.mark.parametrize("labs", ["~nobody-of-that-name", "\udcff", LONG, "FILE", ":::", "/proc/self/mem"])
def test_directories_of_labs_that_are_none_are_passed_over(labctl: Labctl, labs: str) -> None:
    (labctl.home / "FILE").touch()
    assert labctl("labs", environ={"LABCTL_LABS": labs}).code in {0, 2}


@pytest.mark.parametrize("arguments", ["labs", "grade .", "up .", "run x.py", "init fix-the-mx x"])
def test_a_directory_that_is_gone_is_no_bug(labctl: Labctl, arguments: str) -> None:
    path = {"PYTHONPATH": str(Path(__file__).parents[2])}
    ran = labctl.program(*arguments.split(), environ=path, script='mkdir x; cd x && rmdir ../x && exec "$@"')
    assert ran.code in {0, 2}, ran
    assert "Traceback" not in ran.stderr
