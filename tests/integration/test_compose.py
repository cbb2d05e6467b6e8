"""The topology is plain Compose: Docker's own program starts it, too."""

from __future__ import annotations

import shutil
import smtplib
import subprocess
from email.message import EmailMessage
from imaplib import IMAP4
from typing import TYPE_CHECKING, Any

import pytest

from labctl import resources
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import Lab, Labctl

FILE = resources.compose_dir() / "two-domains.yaml"

SOURCES = """\
deb http://deb.debian.org/debian trixie main
"""


def _plugin_from_debian(directory: Path) -> Path:
    """Unpack Debian 13's docker-compose without installing it, whatever release this machine runs."""
    lists = directory / "lists"
    (lists / "partial").mkdir(parents=True)
    (directory / "sources.list").write_text(SOURCES, encoding="ascii")
    apt = [
        "apt-get",
        "-q",
        f"-oDir::Etc::SourceList={directory}/sources.list",
        "-oDir::Etc::SourceParts=-",
        f"-oDir::State::Lists={lists}",
        "-oAPT::Sandbox::User=root",
    ]
    for command in ([*apt, "update"], [*apt, "download", "docker-compose"]):
        subprocess.run(command, cwd=directory, check=True, capture_output=True)
    [package] = directory.glob("docker-compose_*.deb")
    subprocess.run(["dpkg", "-x", str(package), str(directory / "root")], check=True)
    return directory / "root/usr/libexec/docker/cli-plugins/docker-compose"


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory, standing_lab: Lab) -> Iterator[list[str]]:  # noqa: ARG001  # the images
    """The program `docker compose`, about the topology's file; what it started is taken down again."""
    installed = shutil.which("docker")
    if (
        installed
        and subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    ):
        program = ["docker", "compose"]
    else:
        program = [str(_plugin_from_debian(tmp_path_factory.mktemp("compose")))]
    command = [*program, "-f", str(FILE)]
    try:
        yield command
    finally:
        subprocess.run([*command, "down", "-t", "0"], check=True, capture_output=True)


def test_docker_compose_accepts_the_file(compose: list[str]) -> None:
    checked = subprocess.run([*compose, "config", "-q"], capture_output=True, text=True, check=False)

    assert (checked.returncode, checked.stderr) == (0, "")


def test_docker_compose_starts_the_lab_and_a_letter_crosses_it(compose: list[str]) -> None:
    subprocess.run([*compose, "up", "-d", "--wait"], check=True, capture_output=True)
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "alice@alpha.test", "bob@beta.test", "By Compose"
    with smtplib.SMTP("198.18.0.3", 587, timeout=10) as submission:
        submission.login("alice@alpha.test", "alice")
        submission.send_message(letter)

    def subject_in_inbox() -> bytes | None:
        with IMAP4("198.18.0.6", 143, timeout=10) as reader:
            reader.login("bob@beta.test", "bob")
            reader.select(readonly=True)
            if reader.search(None, "ALL")[1] == [b""]:
                return None
            found: Any = reader.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0]
        return bytes(found[1])

    assert eventually(subject_in_inbox, within=30) == b"Subject: By Compose\r\n\r\n"


def test_docker_compose_lists_the_labs_that_labctl_started(compose: list[str], lab: Lab) -> None:
    listed = subprocess.run([*compose[:-2], "ls"], capture_output=True, text=True, check=True).stdout

    [line] = [each for each in listed.splitlines() if each.startswith(f"labctl-{lab.name} ")]
    assert "running(5)" in line
    assert str(FILE) in line


@pytest.mark.usefixtures("alone")
def test_labctl_leaves_a_lab_of_compose_alone(compose: list[str], labctl: Labctl) -> None:
    subprocess.run([*compose, "up", "-d"], check=True, capture_output=True)

    labctl.json("prune")

    still = subprocess.run([*compose, "ps", "-q"], capture_output=True, text=True, check=True).stdout
    assert len(still.split()) == 5
