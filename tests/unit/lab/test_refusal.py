"""What Postfix 3.10.13, Dovecot 2.4.1 and CoreDNS 1.14.1 said of mistakes that students make."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.lab.attempt.refusal import Refusal, refusal, shown

ZONE = "/etc/coredns/zones/beta.test.zone"
UNPARSED = f'plugin/file: failed to parse file "{ZONE}" for origin beta.test. with error '
DOVECOT = "/etc/dovecot/dovecot.conf"
UNREAD = f"doveconf: Fatal: Error in configuration file {DOVECOT}"
MAIN = "/etc/postfix/main.cf"
MASTER = "/etc/postfix/master.cf"
CONFIG_D = "/etc/dovecot/conf.d/a.conf"
UNHEEDED = "Nov 24 20:11:00 master: Error: Failed to read configuration: Failed to read config: "
ON = " - doveconf execution fallback is disabled"

WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
"""What a daemon might say: no white space at its ends, and none of the words that its own lines end with."""

PATHS = st.from_regex(r"/[a-z]{1,8}(/[a-z0-9._-]{1,12}){1,4}", fullmatch=True)
LINES = st.integers(1, 10**6)


@pytest.mark.parametrize(
    ("said", "path", "line"),
    [
        (f'{UNPARSED}{ZONE}: «dns: bad A A: "203.0.113.299"» at line: 10:29', ZONE, 10),
        (f'{UNPARSED}{ZONE}: «dns: not a TTL: "MXX"» at line: 8:12', ZONE, 8),
        (f'{UNPARSED}{ZONE}: «dns: bad MX Pref: "mx.beta.test."» at line: 8:29', ZONE, 8),
        (f'{UNPARSED}{ZONE}: «dns: bad SOA zone parameter: "@"» at line: 5:2', ZONE, 5),
        (f'{UNPARSED}{ZONE}: «dns: not a TTL: "Mail"» at line: 7:7', ZONE, 7),
        (f'{UNPARSED}/etc/passwd: «dns: not a TTL: "root:x:0:0:"» at line: 1:31', ZONE, None),
        (f'plugin/file: file "{ZONE}" «has no SOA record for origin beta.test.»', ZONE, None),
        (f'[ERROR] Restart failed: {UNPARSED}{ZONE}: «dns: bad A A: "203.0.113.9"» at line: 10:29', ZONE, 10),
        ("/etc/coredns/Corefile:13 - «Error during parsing: Unknown directive»", "/etc/coredns/Corefile", 13),
        (f"{UNREAD} line 20: «Unexpected '}}'»", DOVECOT, 20),
        (f"{UNREAD} line 36: «service {{ .. }} not allowed under namespace {{ .. }}»", DOVECOT, 36),
        (f"{UNREAD} line 9: «mail_diver: Unknown setting: mail_diver»", DOVECOT, 9),
        (f"{UNREAD} line 9: «Expecting '{{'»", DOVECOT, 9),
        (f"{UNREAD} line 3: «The first setting must be dovecot_config_version»", DOVECOT, 3),
        (f"{UNREAD} line 87: «port: Invalid port number imap»", DOVECOT, 87),
        (f"{UNREAD} line 70: «No matches»", DOVECOT, 70),
        (f"{UNREAD}: «Missing '}}' (section started at {CONFIG_D}:4)»", CONFIG_D, 4),
        (f"{UNREAD}: «protocols: Unknown protocol: pop»", DOVECOT, None),
        ("doveconf: Fatal: «dovecot_storage_version setting must be set»", DOVECOT, None),
        (f"{UNHEEDED}Error in configuration file {DOVECOT} line 36: «service not allowed»{ON}", DOVECOT, 36),
        (f"{UNHEEDED}«dovecot_storage_version setting must be set»{ON}", DOVECOT, None),
        (f"postmap: fatal: {MAIN}, line 12: «missing '=' after attribute name: \"mydestination\"»", MAIN, 12),
        (f"postmap: fatal: file {MAIN}: «parameter myhostname: bad parameter value: mx_b..test»", MAIN, None),
        ("postmap: fatal: «dictionary mail_dict: macro processing error»", MAIN, None),
        ("postconf: fatal: «macro processing error»", MAIN, None),
        (f"postconf: fatal: file {MASTER}: line 43: «bad field count»", MASTER, 43),
        ('postconf: fatal: «invalid type field "inett" in "smtp inett  n       -       n"»', MASTER, None),
        (f"Nov 24 20:11:02 mx postfix/master[1]: fatal: {MAIN}, line 12: «missing '=' after»", MAIN, 12),
        ("Nov 24 20:00:09 mx postfix/qmgr[14]: fatal: «invalid queue_run_delay: 0 (min 1)»", None, None),
    ],
)
def test_a_daemons_words_tell_file_line_and_reason(said: str, path: str | None, line: int | None) -> None:
    """The reason is what stands between the marks, which the daemon does not write."""
    _, reason, _ = re.split("[«»]", said)
    said = re.sub("[«»]", "", said)
    assert refusal(["maxprocs: Honoring GOMAXPROCS", said, "CoreDNS-1.14.1"]) == Refusal(
        reason, path, line, said
    )


@pytest.mark.parametrize(
    "said",
    [
        "Nov 24 20:00:04 mx postfix/master[1]: daemon started -- version 3.10.13, configuration /etc/postfix",
        "Nov 24 20:00:06 mx postfix/smtpd[15]: error: open database /etc/postfix/mailboxs: No such file",
        "Nov 24 20:00:29 mx postfix/qmgr[14]: warning: /etc/postfix/main.cf: logical line must not start",
        "Nov 24 20:00:53 mx postfix/smtpd[15]: warning: /etc/postfix/mailboxes, line 1: expected format: key",
        "/usr/sbin/postconf: warning: /etc/postfix/main.cf: unused parameter: mydestinations=",
        "Nov 24 19:59:32 master: Info: Dovecot v2.4.1-4 (7d8c0e5759) starting up for imap, pop3, lmtp",
        "[INFO] Reloading complete",
        '{"time":"2026-11-24T20:02:20Z","name":"fatal.","type":"SOA","rcode":"NXDOMAIN"}',
    ],
)
def test_a_warning_and_whatever_else_a_daemon_says_are_no_refusal(said: str) -> None:
    assert refusal([said]) is None


def test_a_check_that_failed_may_have_said_why_in_a_warning() -> None:
    said = "postmap: warning: /etc/postfix/mailboxes, line 2: expected format: key whitespace value"
    found = refusal([said], warnings=True)
    assert found is not None
    assert (found.path, found.line) == ("/etc/postfix/mailboxes", 2)
    assert found.reason == "expected format: key whitespace value"


def test_postfix_tells_in_a_warning_what_its_last_words_are_about() -> None:
    log = ['postmap: warning: truncated macro reference: "${foo"', "postmap: fatal: macro processing error"]
    found = refusal(["other: warning: x", *log])
    assert found is not None
    assert found.said.splitlines() == log


def test_of_several_lives_of_a_container_the_last_one_counts() -> None:
    found = refusal([f"{UNREAD} line 9: Expecting '{{'", f"{UNREAD} line 7: Expecting '{{'"])
    assert found is not None
    assert found.line == 7


@given(PATHS, LINES, WORDS)
def test_whatever_the_file_the_line_and_the_reason_they_are_found(path: str, line: int, reason: str) -> None:
    for said in (
        f"doveconf: Fatal: Error in configuration file {path} line {line}: {reason}",
        f"postmap: fatal: {path}, line {line}: {reason}",
        (
            f'plugin/file: failed to parse file "{path}" for origin x. with error {path}: {reason}'
            f" at line: {line}:7"
        ),
    ):
        found = refusal([said])
        assert found is not None
        assert (found.path, found.line, found.reason) == (path, line, reason)


@given(st.lists(st.text(max_size=300), max_size=5))
def test_nothing_that_is_said_breaks_the_reader(log: list[str]) -> None:
    found = refusal(log)
    assert found is None or (found.said.isprintable() or "\n" in found.said)


@given(st.binary(max_size=900))
def test_what_is_shown_is_printable_short_and_can_be_written(raw: bytes) -> None:
    text = shown(raw.decode("utf-8", "surrogateescape"))
    assert text.isprintable()
    assert len(text) <= 404
    assert text.encode().decode() == text


@pytest.mark.parametrize("letter", ["a", "a/", ": fatal: ", "Fatal: ", '"', " with error "])
def test_a_line_without_end_takes_no_time(letter: str) -> None:
    assert refusal([letter * 100_000] * 40) is None
