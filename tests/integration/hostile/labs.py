"""Small labs that let a student hand in what a daemon executes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl import resources

if TYPE_CHECKING:
    from pathlib import Path

_HEAD: Final = """\
id = "{id}"
title = "A lab to attack"
topology = "two-domains"

[grading]
limits = {{ memory = "128m", pids = 60, seconds = 40 }}
"""

_EDITABLE: Final = """
[[editable]]
path = "{path}"
"""

_PLACE: Final = """\
service = "{service}"
target = "{target}"
"""

_CHECKS: Final = {
    "main.cf": 'check = ["postconf", "-n"]\n',
    "dovecot.conf": 'check = ["doveconf", "-n"]\n',
}

_LETTER: Final = '''\
def test_a_letter_arrives(alice, bob):
    """A letter from alice@alpha.test arrives at bob@beta.test."""
    bob.expect_delivery(alice.send(bob, "Hello"), within=8)
'''

_RECORDS: Final = '''\
def test_the_mx_is_there(lab):
    """The MX of beta.test is mx.beta.test."""
    lab.dig("beta.test", "MX").must_be("10 mx.beta.test.")


def test_nothing_else_is_said(lab):
    """The zone has no texts."""
    lab.dig("beta.test", "TXT").must_be()
'''

_ANSWER: Final = '''\
def test_the_answer_is_right(lab, attempt):
    """The answer names the host."""
    host = attempt.toml("answers.toml").get("host")
    if host != "mx.beta.test":
        raise lab.fail("mx.beta.test", str(host))
'''


def zone_lab(directory: Path, name: str) -> Path:
    """Write a lab that takes only data: a zone, and answers."""
    files = {
        "beta.test.zone": ("dns", "/etc/coredns/zones/beta.test.zone"),
        "answers.toml": ("", ""),
    }
    solution = {
        "beta.test.zone": _topology("dns/beta.test.zone"),
        "answers.toml": 'host = "mx.beta.test"\n',
    }
    return _lab(directory, name, files, solution, f"{_RECORDS}\n\n{_LETTER}\n\n{_ANSWER}")


def resolver_lab(directory: Path, name: str) -> Path:
    """Write a lab that takes CoreDNS' configuration."""
    files = {"Corefile": ("dns", "/etc/coredns/Corefile")}
    return _lab(directory, name, files, {"Corefile": _topology("dns/Corefile")}, _RECORDS)


def mta_lab(directory: Path, name: str) -> Path:
    """Write a lab that takes all of Postfix's configuration."""
    files = {each: ("mx-beta", f"/etc/postfix/{each}") for each in ("main.cf", "master.cf", "aliases")}
    solution = {
        "main.cf": _topology("mx-beta/main.cf"),
        "master.cf": (resources.compose_dir() / "images" / "mta" / "master.cf").read_text(),
        "aliases": _topology("mx-beta/aliases"),
    }
    return _lab(directory, name, files, solution, _LETTER)


def mda_lab(directory: Path, name: str) -> Path:
    """Write a lab that takes Dovecot's configuration and a filter in Sieve."""
    files = {each: ("mail-beta", f"/etc/dovecot/{each}") for each in ("dovecot.conf", "filter.sieve")}
    solution = {"dovecot.conf": _topology("dovecot.conf"), "filter.sieve": "keep;\n"}
    return _lab(directory, name, files, solution, _LETTER)


def solution(lab: Path) -> dict[str, str]:
    """Return the files of a lab's solution."""
    return {each.name: each.read_text() for each in (lab / "solution").iterdir()}


def _topology(path: str) -> str:
    return (resources.compose_dir() / "two-domains" / path).read_text()


def _lab(
    directory: Path, name: str, files: dict[str, tuple[str, str]], solved: dict[str, str], checks: str
) -> Path:
    text = _HEAD.format(id=name)
    for path, (service, target) in files.items():
        text += _EDITABLE.format(path=path)
        text += _PLACE.format(service=service, target=target) if service else ""
        text += _CHECKS.get(path, "")
    ids = [each.split("(")[0].replace("_", "-") for each in checks.split("def test_")[1:]]
    text += "".join(f'\n[[checks]]\nid = "{each}"\npoints = 1\n' for each in ids)
    for sub in ("solution", "checks"):
        (directory / sub).mkdir(parents=True)
    (directory / "lab.toml").write_text(text)
    (directory / "checks" / "test_what_is_asked.py").write_text(checks)
    for path, content in solved.items():
        (directory / "solution" / path).write_text(content)
    return directory
