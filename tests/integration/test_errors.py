"""What goes wrong is told: its exit code, what and where, one next step; and nothing is left behind."""

from __future__ import annotations

import re
import select
import socket
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labctl.engine import search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import Lab, Labctl, OwnLab


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("logs", "mx-gamma"), "no-such-host", "mx-gamma"),
        (("exec", "gamma", "--", "true"), "no-such-host", "gamma"),
        (("queue", "mail-beta"), "no-such-host", "mail-beta"),
        (("inbox", "carol@beta.test"), "no-such-account", "carol@beta.test"),
        (("send", "carol@beta.test", "bob@beta.test"), "no-such-account", "carol@beta.test"),
        (("send", "alice@alpha.test", "bob"), "usage", "bob"),
        (("send", "alice@alpha.test", "bob @beta.test"), "usage", "bob @beta.test"),
        (("send", "alice@alpha.test", "bob@beta.test", "--file", "/no/such.eml"), "usage", "/no/such.eml"),
        (("send", "alice@alpha.test", "bob@beta.test", "--wait", "eaten"), "usage", "eaten"),
        (("dig", "beta.test", "NONSENSE"), "usage", "NONSENSE"),
        (("exec", "mx-alpha"), "usage", "command"),
    ],
)
def test_an_argument_that_names_nothing_is_named(
    standing_lab: Lab, arguments: tuple[str, ...], code: str, named: str
) -> None:
    command, *rest = arguments
    as_text = standing_lab.run(command, *rest)
    assert as_text.code == 2
    assert named in as_text.stderr
    assert as_text.stdout == ""
    if command != "logs":  # it has no JSON
        error = standing_lab.json(command, *rest, code=2)
        assert error["code"] == code
        assert named in error["message"]
        assert error["message"] in as_text.stderr
        assert error["hint"] in as_text.stderr


@pytest.mark.parametrize("command", ["reset", "inbox", "queue", "dig", "send", "exec"])
def test_a_command_about_a_lab_that_is_not_up_says_how_to_start_it(labctl: Labctl, command: str) -> None:
    arguments = {
        "inbox": ("bob@beta.test",),
        "dig": ("beta.test",),
        "send": ("alice@alpha.test", "bob@beta.test"),
        "exec": ("dns", "--", "true"),
    }
    error = labctl.json(command, "--name", "never-there", *arguments.get(command, ()), code=2)
    assert error["code"] == "lab-not-up"
    assert "never-there" in error["message"]
    assert error["hint"] == "labctl up --name never-there"


def test_an_unknown_lab_is_told_with_those_there_are(new_lab: Callable[[], Lab]) -> None:
    lab = new_lab()
    error = lab.up("no-such-lab", code=2)
    assert error["code"] == "no-such-lab"
    assert "no-such-lab" in error["message"]
    assert "two-domains" in error["message"]
    assert lab.leftovers() == []


def test_a_malformed_name_is_refused(labctl: Labctl) -> None:
    error = labctl.json("up", "--name", "Not_A_Name", code=2)
    assert "Not_A_Name" in error["message"]


def test_a_key_that_is_not_supported_is_told_with_file_and_line(
    new_lab: Callable[[], Lab], own_lab: OwnLab
) -> None:
    overlay = own_lab.file("compose.yaml", "services:\n  dns:\n    privileged: true\n")
    lab = new_lab()
    error = lab.up(own_lab.directory, code=3)
    assert error["code"] == "invalid-lab-file"
    assert error["message"].startswith(f"{overlay}:3:")
    assert "privileged" in error["message"]
    assert error["detail"] == {"path": str(overlay), "line": 3}
    assert lab.leftovers() == []


def test_an_unknown_key_of_a_lab_is_told_with_file_and_line(
    new_lab: Callable[[], Lab], own_lab: OwnLab
) -> None:
    own_lab.define('colour = "green"\n')
    lab = new_lab()
    error = lab.up(own_lab.directory, code=3)
    assert error["message"].startswith(f"{own_lab.directory}/lab.toml:4:")
    assert "colour" in error["message"]
    assert lab.leftovers() == []


@pytest.mark.usefixtures("alone")
def test_a_daemon_that_ends_at_its_start_is_shown_with_its_last_words(
    new_lab: Callable[[], Lab], own_lab: OwnLab
) -> None:
    own_lab.file("broken.conf", "dovecot_config_version = 2.4.1\nno_such_setting = yes\n")
    own_lab.file("compose.yaml", "configs:\n  dovecot.conf: {file: ./broken.conf}\n")
    lab = new_lab()
    error = lab.up(own_lab.directory, code=4)
    assert error["code"] == "service-not-ready"
    assert re.search(r"mail-(alpha|beta)", error["message"])
    assert "no_such_setting" in error["detail"]["log"]
    assert error["hint"].startswith("labctl logs mail-")
    assert "no_such_setting" in lab.run("up", str(own_lab.directory)).stderr
    assert lab.json("status")["state"] == "degraded"
    assert "no_such_setting" in lab.run("logs", error["detail"]["service"]).stdout
    lab.json("down")
    assert lab.leftovers() == []


@pytest.mark.usefixtures("alone")
def test_a_lab_is_mended_by_an_up_with_the_right_file(new_lab: Callable[[], Lab], own_lab: OwnLab) -> None:
    own_lab.file("main.cf", "compatibility_level = nonsense\n")
    overlay = own_lab.file("compose.yaml", "configs:\n  mx-beta-main.cf: {file: ./main.cf}\n")
    lab = new_lab()
    assert lab.up(own_lab.directory, code=4)["detail"]["service"] == "mx-beta"
    overlay.unlink()
    assert lab.up(own_lab.directory)["status"]["state"] == "ready"
    lab.send("alice@alpha.test", "bob@beta.test")


def test_an_engine_that_was_ordered_and_is_not_there_is_told_and_none_other_is_tried(
    labctl: Labctl, tmp_path: Path
) -> None:
    url = f"unix://{tmp_path}/no.sock"
    error = labctl.json("up", "--name", "never-there", code=4, env={"DOCKER_HOST": url})
    assert error["code"] == "engine-unavailable"
    assert url in error["message"]
    assert labctl.json("status", "--name", "never-there")["state"] == "absent"


class Proxy:
    """Stands between labctl and the engine, and may be cut at any moment."""

    def __init__(self, path: Path, engine: str) -> None:
        self.url = f"unix://{path}"
        self._engine = engine
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._open: list[socket.socket] = []
        self._path = path
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """The engine is gone: its socket, and every connection to it."""
        self._path.unlink(missing_ok=True)
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):  # it was cut
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._engine)
                self._open += [near, far]
                threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError, ValueError), closing(near), closing(far):
            while True:
                for source in select.select([near, far], [], [])[0]:
                    said = source.recv(65536)
                    if not said:
                        return
                    (far if source is near else near).sendall(said)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    engine = search.find({}, Path("/nonexistent")).url.removeprefix("unix://")
    proxy = Proxy(tmp_path / "engine.sock", engine)
    yield proxy
    proxy.cut()


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("stage", [2, 6, 9])
def test_an_engine_that_goes_away_in_the_middle_is_told_and_the_next_up_repairs(
    new_lab: Callable[[], Lab], proxy: Proxy, stage: int
) -> None:
    lab = new_lab()
    arguments = ("up", "--json", "--name", lab.name)
    with lab.labctl.started(*arguments, env={"DOCKER_HOST": proxy.url}) as process:
        assert process.stderr is not None
        for _ in range(stage):
            process.stderr.readline()
        proxy.cut()
        stdout, said = process.communicate(timeout=60)
    assert process.returncode == 4, said
    error = lab.labctl.document_of(stdout)
    assert error["code"] == "engine-unavailable"
    assert error["hint"]
    assert "Traceback" not in said
    assert lab.up()["status"]["state"] == "ready"
    assert len(lab.leftovers()) == 6


def test_a_lab_that_loses_a_container_while_mail_is_awaited_is_told(lab: Lab) -> None:
    lab.container("mx-beta").kill()
    arguments = ("alice@alpha.test", "bob@beta.test", "--wait", "delivered", "--timeout", "60")
    with lab.labctl.started("send", "--json", "--name", lab.name, *arguments) as process:
        assert lab.queued_soon("mx-alpha")
        lab.container("mx-alpha").kill()
        stdout, said = process.communicate(timeout=90)
    assert process.returncode == 1, said
    assert lab.labctl.document_of(stdout)["state"] in {"queued", "deferred"}
