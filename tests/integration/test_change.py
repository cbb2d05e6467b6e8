"""A lab whose definition changes while it is up, and students' files laid over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from labctl import resources
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import DefinedLab, Lab, OwnLab

CAROL: Final = '[[accounts]]\naddress = "carol@beta.test"\n'

ZONE_IS_EDITABLE: Final = """
[[editable]]
path = "beta.test.zone"
service = "dns"
target = "/etc/coredns/zones/beta.test.zone"
"""


def zone_of_beta() -> str:
    path = resources.compose_dir() / "two-domains" / "dns" / "beta.test.zone"
    return path.read_text(encoding="utf-8")


def zone_with_another_mx() -> str:
    return (
        zone_of_beta()
        .replace("MX      10 mx.beta.test.", "MX      10 mail.beta.test.")
        .replace(" 1 3600", " 2 3600")
    )


def exchangers(lab: Lab) -> list[str]:
    return [str(each) for each in lab.json("dig", "beta.test", "MX")["records"]]


@pytest.fixture
def lab(defined_lab: DefinedLab) -> DefinedLab:
    """A lab that is up, whatever was changed in it before."""
    defined_lab.changed()
    return defined_lab


def test_a_changed_definition_reaches_the_running_daemons(lab: DefinedLab) -> None:
    sent = lab.send("alice@alpha.test", "bob@beta.test")
    before = lab.ids()
    assert lab.json("send", "carol@beta.test", "bob@beta.test", code=2)["code"] == "no-such-account"

    lab.own.define('[clock]\nmaximal_queue_lifetime = ["5d", "77s"]\n' + CAROL)
    changed = lab.changed()

    said = {each.split()[0]: each for each in changed}
    assert said.keys() == {"mx-alpha", "mx-beta", "mail-beta"}
    assert "/etc/postfix/main.cf" in said["mx-alpha"]
    assert "/etc/postfix/mailboxes" in said["mx-beta"]
    assert "/etc/dovecot/users" in said["mail-beta"]
    assert lab.ids() == before
    assert lab.execute("mx-alpha", "postconf", "-h", "maximal_queue_lifetime") == (0, "77s\n")
    assert [each["message_id"] for each in lab.inbox("bob@beta.test")] == [sent["message_id"]]
    assert {"address": "carol@beta.test", "password": "carol"} in lab.json("status")["accounts"]
    to_carol = lab.send("alice@alpha.test", "carol@beta.test")
    assert [each["message_id"] for each in lab.inbox("carol@beta.test")] == [to_carol["message_id"]]
    lab.send("carol@beta.test", "alice@alpha.test")
    assert lab.changed() == []


def test_another_lab_of_the_same_name_replaces_what_differs(lab: DefinedLab) -> None:
    before = lab.ids()
    lab.own.file("compose.yaml", "services:\n  mx-beta:\n    environment:\n      EXTRA: two\n")
    changed = lab.changed()
    assert [each.split()[:2] for each in changed] == [["mx-beta", "recreated"]]
    assert "queue is lost" in changed[0]
    after = lab.ids()
    assert {each for each in before if before[each] != after[each]} == {"mx-beta"}
    assert lab.execute("mx-beta", "printenv", "EXTRA") == (0, "two\n")


def test_an_attempt_is_laid_over_the_lab(lab: DefinedLab, tmp_path: Path) -> None:
    lab.own.define(ZONE_IS_EDITABLE)
    lab.changed()
    assert exchangers(lab) == ["10 mx.beta.test."]
    before = lab.ids()

    (tmp_path / "beta.test.zone").write_text(zone_with_another_mx())
    changed = lab.changed("--attempt", str(tmp_path))

    assert changed == ["dns given new files (/etc/coredns/zones/beta.test.zone)"]
    assert lab.ids() == before
    assert eventually(lambda: exchangers(lab) == ["10 mail.beta.test."] or None, within=10)


def test_a_lab_whose_directory_is_gone_can_be_used_and_removed(lab: DefinedLab) -> None:
    lab.own.directory.rename(lab.own.directory.with_name("elsewhere"))
    lab.send("alice@alpha.test", "bob@beta.test")
    assert lab.json("status")["state"] == "ready"
    assert len(lab.json("down")["removed"]) == 6
    assert lab.leftovers() == []
    lab.own.directory.with_name("elsewhere").rename(lab.own.directory)


@pytest.mark.parametrize(("link", "code"), [("/etc/passwd", "forbidden-file"), (None, "missing-file")])
def test_an_attempt_without_the_file_or_with_a_link_is_refused_before_anything_is_done(
    new_lab: Callable[[], Lab], own_lab: OwnLab, tmp_path: Path, link: str | None, code: str
) -> None:
    own_lab.define(ZONE_IS_EDITABLE)
    attempt = tmp_path / "attempt"
    attempt.mkdir()
    if link:
        (attempt / "beta.test.zone").symlink_to(link)
    lab = new_lab()
    error = lab.up(str(own_lab), "--attempt", str(attempt), code=1)
    assert error["code"] == code
    assert "beta.test.zone" in error["message"]
    assert lab.leftovers() == []
