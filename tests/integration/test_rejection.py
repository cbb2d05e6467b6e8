"""Mistakes that students make, and what the real daemons say of them."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labctl import resources
from labctl.engine import search
from labctl.engine.docker import DockerEngine
from labctl.engine.model import File
from labctl.lab.attempt import rejection
from labctl.lab.attempt.rejection import reloaded
from labctl.lab.blueprint import definition
from labctl.lab.running import instance
from tests.integration.conftest import DefinedLab, by_night

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labctl.errors import ConfigRejected
    from tests.integration.conftest import Labctl

SOURCE = resources.compose_dir() / "two-domains"
CASES = Path(__file__).parents[1] / "cases" / "faults"
ZONE = "/etc/coredns/zones/beta.test.zone"
EDITABLE = f"""
[[editable]]
path = "zones/beta.zone"
service = "dns"
target = "{ZONE}"

[[editable]]
path = "main.cf"
service = "mx-beta"
target = "/etc/postfix/main.cf"

[[editable]]
path = "users"
service = "mx-beta"
target = "/etc/postfix/mailboxes"
check = ["sh", "-c", "! postmap -q x texthash:/etc/postfix/mailboxes 2>&1 | grep warning"]

[[editable]]
path = "dovecot.conf"
service = "mail-beta"
target = "/etc/dovecot/dovecot.conf"
check = ["doveconf", "-n"]

[[editable]]
path = "more.conf"
service = "mail-beta"
target = "/etc/dovecot/conf.d/50-more.conf"
"""
TEXTS = {
    "zones/beta.zone": (SOURCE / "dns/beta.test.zone").read_text(),
    "main.cf": (SOURCE / "mx-beta/main.cf").read_text(),
    "users": (SOURCE / "mx-beta/mailboxes").read_text(),
    "dovecot.conf": (SOURCE / "dovecot.conf").read_text(),
    "more.conf": "# more\n",
}


class Tried(DefinedLab):
    """A lab whose files may be handed in, for one attempt after the other."""

    def __init__(self, labctl: Labctl, docker: Any, directory: Path) -> None:
        super().__init__(labctl, docker, directory)
        self.own.define(EDITABLE)
        self.attempt = directory / "attempt"

    def hand_in(self, path: str, old: str, new: str, code: int = 0) -> dict[str, Any]:
        """Hand all files in, with one thing changed in one of them."""
        (self.attempt / "zones").mkdir(parents=True, exist_ok=True)
        for each, text in TEXTS.items():
            (self.attempt / each).write_text(text)
        assert old in TEXTS[path]
        (self.attempt / path).write_text(TEXTS[path].replace(old, new, 1))
        return self.up(str(self.own), "--attempt", str(self.attempt), code=code)


def line_of(path: str, text: str) -> int:
    return TEXTS[path][: TEXTS[path].index(text)].count("\n") + 1


@pytest.fixture(scope="module")
def tried(labctl: Labctl, docker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    lab = Tried(labctl, docker, tmp_path_factory.mktemp("tried"))
    try:
        lab.up(str(lab.own))
        yield lab
    finally:
        assert lab.run("down").code == 0


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("zones/beta.zone", "203.0.113.20", "203.0.113.299", 'bad A A: "203.0.113.299"'),
        by_night("zones/beta.zone", "; Mail", "# Mail", 'not a TTL: "Mail"'),
        ("main.cf", "mydestination =", "mydestination", "missing '=' after attribute name"),
        ("dovecot.conf", "mail_driver =", "mail_diver =", "Unknown setting: mail_diver"),
        by_night("dovecot.conf", "first_valid_uid = 5000", "first_valid_uid = many", "Invalid number many"),
        ("more.conf", "# more", "protocol imap {", "Missing '}'"),
        by_night("more.conf", "# more", "mail_diver = maildir", "Unknown setting: mail_diver"),
        ("users", "bob@beta.test OK", "bob@beta.test", "expected format: key whitespace value"),
    ],
)
def test_a_mistake_is_named_with_the_students_file_and_line(
    tried: Tried, path: str, old: str, new: str, said: str
) -> None:
    error = tried.hand_in(path, old, new, code=1)
    assert (error["code"], error["detail"]["file"]) == ("config-rejected", path)
    assert said in error["detail"]["said"]
    assert error["detail"]["line"] == line_of(path, old)


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("zones/beta.zone", "@       SOA", ";       SOA", "has no SOA record"),
        ("main.cf", "myhostname = mx.", "myhostname = mx..", "bad parameter value"),
        by_night("main.cf", "\nmydomain =", "\n  mydomain =", "bad parameter value"),
        ("dovecot.conf", "protocols = imap pop3", "protocols = imap pop", "Unknown protocol: pop"),
    ],
)
def test_a_mistake_without_a_line_is_named_with_the_students_file(
    tried: Tried, path: str, old: str, new: str, said: str
) -> None:
    error = tried.hand_in(path, old, new, code=1)
    assert (error["detail"]["file"], error["detail"]["line"]) == (path, None)
    assert said in error["detail"]["said"]


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("zones/beta.zone", "10 mx.beta.test.", "10 mx.beta.test"),  # a name below its own zone
        ("main.cf", "mydestination =", "mydestinations ="),  # Postfix only warns
        ("main.cf", "virtual_transport = lmtp:", "virtual_transport = lmpt:"),
    ],
)
def test_what_a_daemon_takes_is_not_refused_however_wrong_it_is(
    tried: Tried, path: str, old: str, new: str
) -> None:
    assert tried.hand_in(path, old, new)["status"]["state"] == "ready"


@pytest.mark.parametrize(
    ("path", "old", "new", "service"),
    [
        ("zones/beta.zone", "@       MX", ";       MX", "dns"),
        ("dovecot.conf", "port = 143", "port = 144", "mail-beta"),
    ],
)
def test_a_daemon_that_runs_and_does_not_answer_as_it_should_is_there_to_be_seen(
    tried: Tried, path: str, old: str, new: str, service: str
) -> None:
    status = tried.hand_in(path, old, new)["status"]
    assert status["state"] == "degraded"
    states = {each["service"]: each["state"] for each in status["hosts"]}
    assert {name for name, state in states.items() if state != "ready"} == {service}


def test_a_right_attempt_mends_what_a_wrong_one_left(tried: Tried) -> None:
    tried.hand_in("dovecot.conf", "mail_driver =", "mail_diver =", code=1)
    assert tried.hand_in("dovecot.conf", "", "")["status"]["state"] == "ready"
    assert tried.hand_in("dovecot.conf", "", "")["changed"] == []


def test_an_attempt_that_is_refused_leaves_nothing_of_a_lab_that_was_not_there(
    labctl: Labctl, docker: Any, tmp_path: Path
) -> None:
    lab = Tried(labctl, docker, tmp_path)
    error = lab.hand_in("dovecot.conf", "mail_driver =", "mail_diver =", code=1)
    assert error["detail"]["line"] == line_of("dovecot.conf", "mail_driver =")
    assert lab.leftovers() == []


@contextmanager
def replacing(tried: Tried) -> Iterator[Callable[[str], ConfigRejected | None]]:
    """Return what replaces a zone while its resolver runs, and waits for what that says."""
    lab = definition.load(tried.own.directory)
    with closing(DockerEngine(search.find(os.environ, Path.home()))) as engine:
        there = instance.observe(engine, tried.name)

        def replaced(content: str) -> ConfigRejected | None:
            container = there.host("dns").running_container().id
            since = datetime.now(UTC)
            engine.put_files(container, [File(ZONE, content.encode())])
            engine.signal(container, "USR1")
            return reloaded(engine, there, lab, "dns", since)

        yield replaced


def test_a_resolver_says_of_zones_that_are_replaced_while_it_runs_which_line_is_wrong(tried: Tried) -> None:
    tried.hand_in("zones/beta.zone", "", "")
    right = TEXTS["zones/beta.zone"]
    with replacing(tried) as replaced:
        error = replaced(right.replace("203.0.113.20", "203.0.113.299"))
        assert error is not None
        assert (error.detail["file"], error.detail["line"]) == (
            "zones/beta.zone",
            line_of("zones/beta.zone", "203.0.113.20"),
        )
        assert replaced(right.replace("10 mx", "20 mx")) is None
    assert tried.json("dig", "beta.test", "MX")["records"] == ["20 mx.beta.test."]


def test_zones_that_keep_a_resolver_busy_are_refused(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    tried.hand_in("zones/beta.zone", "", "")
    monkeypatch.setattr(rejection, "_RELOADED_WITHIN", 1.0)
    with replacing(tried) as replaced:
        error = replaced((CASES / "zone-slow" / "beta.test.zone").read_text() * 20)
    assert error is not None
    assert error.detail["file"] == "zones/beta.zone"
    assert "had not read its zones" in error.message
    tried.run("down")
