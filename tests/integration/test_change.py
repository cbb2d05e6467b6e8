"""A lab whose definition changes while it is up, and students' files laid over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl import resources
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Lab, OwnLab

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


def test_a_changed_definition_reaches_the_running_daemons(
    new_lab: Callable[[], Lab], own_lab: OwnLab
) -> None:
    lab = new_lab()
    lab.up(own_lab.directory)
    sent = lab.send("alice@alpha.test", "bob@beta.test")
    before = lab.ids()
    assert lab.json("send", "carol@beta.test", "bob@beta.test", code=2)["code"] == "no-such-account"

    own_lab.define('[clock]\nmaximal_queue_lifetime = ["5d", "77s"]\n' + CAROL)
    changed = lab.up(own_lab.directory)["changed"]

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
    assert lab.up(own_lab.directory)["changed"] == []


def test_another_lab_of_the_same_name_replaces_what_differs(
    new_lab: Callable[[], Lab], own_lab: OwnLab
) -> None:
    own_lab.file(
        "compose.yaml",
        "services:\n  mx-beta:\n    environment:\n      EXTRA: one\n",
    )
    lab = new_lab()
    lab.up(own_lab.directory)
    before = lab.ids()
    own_lab.file(
        "compose.yaml",
        "services:\n  mx-beta:\n    environment:\n      EXTRA: two\n",
    )
    changed = lab.up(own_lab.directory)["changed"]
    assert [each.split()[:2] for each in changed] == [["mx-beta", "recreated"]]
    assert "queue is lost" in changed[0]
    after = lab.ids()
    assert {each for each in before if before[each] != after[each]} == {"mx-beta"}
    assert lab.execute("mx-beta", "printenv", "EXTRA") == (0, "two\n")


def test_an_attempt_is_laid_over_the_lab(new_lab: Callable[[], Lab], own_lab: OwnLab, tmp_path: Path) -> None:
    own_lab.define(ZONE_IS_EDITABLE)
    lab = new_lab()
    lab.up(own_lab.directory)
    assert exchangers(lab) == ["10 mx.beta.test."]
    before = lab.ids()

    attempt = tmp_path / "attempt"
    attempt.mkdir()
    (attempt / "beta.test.zone").write_text(zone_with_another_mx())
    changed = lab.up(own_lab.directory, "--attempt", str(attempt))["changed"]

    assert changed == ["dns given new files (/etc/coredns/zones/beta.test.zone)"]
    assert lab.ids() == before
    assert eventually(lambda: exchangers(lab) == ["10 mail.beta.test."] or None, within=10)


def test_an_attempt_that_is_a_link_is_refused_before_anything_is_done(
    new_lab: Callable[[], Lab], own_lab: OwnLab, tmp_path: Path
) -> None:
    own_lab.define(ZONE_IS_EDITABLE)
    attempt = tmp_path / "attempt"
    attempt.mkdir()
    (attempt / "beta.test.zone").symlink_to("/etc/passwd")
    lab = new_lab()
    error = lab.up(own_lab.directory, "--attempt", str(attempt), code=1)
    assert error["code"] == "forbidden-file"
    assert "beta.test.zone" in error["message"]
    assert lab.leftovers() == []


def test_an_attempt_without_the_file_is_told_which_one(
    new_lab: Callable[[], Lab], own_lab: OwnLab, tmp_path: Path
) -> None:
    own_lab.define(ZONE_IS_EDITABLE)
    (tmp_path / "attempt").mkdir()
    lab = new_lab()
    error = lab.up(own_lab.directory, "--attempt", str(tmp_path / "attempt"), code=1)
    assert error["code"] == "missing-file"
    assert "beta.test.zone" in error["message"]
    assert lab.leftovers() == []
