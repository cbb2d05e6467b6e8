"""A laboratory that one attempt after the other is lent: nothing of one is left for the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl import resources

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Labctl, OwnLab

LAB: Final = """
[[editable]]
path = "beta.test.zone"
service = "dns"
target = "/etc/coredns/zones/beta.test.zone"

[[checks]]
id = "nothing-is-left"
points = 1

[[checks]]
id = "all-is-planted"
points = 1
needs = ["nothing-is-left"]
"""

CHECKS: Final = '''
"""The first attempt plants whatever it can; the second looks for it everywhere."""

TOKEN = "xyzzy-planted"
SEARCH = ["grep", "-rlsaF", TOKEN, "/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/usr", "/var"]


def first(lab):
    return not any("search" in each for each in lab.dig("role.beta.test", "TXT").texts)


def test_nothing_is_left(lab, alice, bob):
    """Nothing of another attempt is here, though the host is the one that it was examined on."""
    if first(lab):
        return
    dns = lab.host("dns")
    log = [each.text for each in lab.engine.logs(dns.container.id)]
    assert any(TOKEN in each for each in log), "another laboratory: nothing would be proven"
    assert lab.dig(f"{TOKEN}.beta.test", "TXT").rcode == "NXDOMAIN"
    lab.expect_queue_empty(within=1)
    for person in (alice, bob):
        person.mailbox.must_be_empty()
    for host, person in (("mail-alpha", alice), ("mail-beta", bob)):
        assert "kept" not in lab.exec(host, "doveadm", "mailbox", "list", "-u", person.address)
    for host in lab.there.hosts:
        found = lab.engine.execute(host.container.id, SEARCH)
        assert found.stdout == b"", (host.service, found.stdout)
    scripts = lab.exec("mail-beta", "doveadm", "sieve", "list", "-u", "bob@beta.test", fails=True)
    assert "filter" not in scripts
    for host in ("mx-alpha", "mx-beta"):
        assert lab.exec(host, "find", "/var/lib/postfix/greylist", "-type", "f") == ""


def test_all_is_planted(lab, alice, amy, bob):
    """Mail waits, lies in mailboxes and in folders, and a filter works on it."""
    if not first(lab):
        return
    assert lab.dig(f"{TOKEN}.beta.test", "TXT").rcode == "NOERROR"
    bob.use_sieve('keep; # ' + TOKEN, TOKEN)
    letter = alice.send(bob, TOKEN, TOKEN)
    bob.expect_delivery(letter)
    mail = bob.mailbox.must_hold(letter)
    bob.mailbox.create_folder("kept")
    bob.mailbox.flag(mail, "\\\\Flagged")
    bob.mailbox.move(mail, "kept")
    bounced = alice.send(f"{TOKEN}@beta.test", TOKEN)
    alice.expect_bounce(bounced)
    waiting = alice.send("someone@later.beta.test", TOKEN, TOKEN)
    lab.expect_deferred(waiting)
    late = bob.send("someone@later.beta.test", TOKEN, TOKEN)
    lab.expect_deferred(late)
'''


def attempt(directory: Path, role: str) -> str:
    """Hand in the zone of beta.test and a few names more, one of them with a host that is never there."""
    directory.mkdir()
    zone = (resources.compose_dir() / "two-domains/dns/beta.test.zone").read_text(encoding="utf-8")
    zone += f'\nrole TXT "{role}"\nlater MX 10 gone\ngone A 203.0.113.99\n'
    zone += '\nxyzzy-planted TXT "xyzzy-planted"\n' if role == "plant" else ""
    (directory / "beta.test.zone").write_text(zone, encoding="utf-8")
    return str(directory)


def test_a_laboratory_that_was_lent_before_holds_nothing_of_what_was_planted_there(
    labctl: Labctl, own_lab: OwnLab, tmp_path: Path
) -> None:
    own_lab.define(LAB)
    own_lab.file("checks/test_reuse.py", CHECKS)
    attempts = [attempt(tmp_path / "1-plants", "plant"), attempt(tmp_path / "2-searches", "search")]
    document = labctl.json("grade", *attempts, "--lab", str(own_lab), "--jobs", "1")
    assert [each["verdict"] for each in document["attempts"]] == ["passed", "passed"]
