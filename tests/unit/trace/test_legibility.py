from __future__ import annotations

from datetime import UTC, datetime

import pytest

from labctl.errors import UsageError
from labctl.trace.logs.legibility import check
from labctl.trace.logs.log import Log

POSTFIX = "Nov 20 10:00:00 mx postfix/qmgr[13]: 4ABCD12345: removed"


def log(*lines: str) -> Log:
    content = "\n".join(lines).encode() + b"\n"
    return Log.of_bytes("mail.log", content, newest=datetime(2026, 11, 24, tzinfo=UTC), zone=UTC)


@pytest.mark.parametrize(
    ("line", "guess"),
    [
        ("2026-11-20 10:00:01 1tDqXa-0001Ab-2C => bob <bob@example.com> R=localuser", "looks like Exim's"),
        ("2026-11-20T10:00:01Z 1tDqXa-00000000abc-2C25 Completed", "looks like Exim's"),
        ("Nov 20 10:00:00 mx sendmail[12]: 4AKA00xx001234: from=<a@b.c>, size=1", "looks like sendmail's"),
        ("@400000003f0b2c1a14a2b3cc starting delivery 1: msg 5 to local bob", "looks like qmail's"),
        ('192.0.2.1 - - [20/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5', "looks like a web server's"),
        ("From ann@example.org Fri Nov 20 10:00:00 2026", "looks like a message"),
        ("Dear Ann, what became of my letter?", "does not look like a mail log"),
    ],
)
def test_what_can_t_be_read_is_named_with_a_guess_and_its_first_such_line(line: str, guess: str) -> None:
    with pytest.raises(UsageError, match=guess) as caught:
        check(log(line))

    assert caught.value.message.startswith("mail.log is no log of Postfix or Dovecot")
    assert line[:20] in caught.value.message


def test_lines_that_can_t_be_read_are_counted_once() -> None:
    some = log("--", POSTFIX, "what is this?", "", POSTFIX, "and this?", POSTFIX, "==> mail.err <==")

    assert check(some) == ""
    list(some.entries())
    list(some.entries())

    assert some.unread.warning("mail.log") == (
        "mail.log: 2 lines can't be read, and the first is 'what is this?'"
    )


def test_a_log_of_other_daemons_is_warned_of() -> None:
    assert "no line is one of Postfix" in check(log("Nov 20 10:00:00 mx cron[1]: (root) CMD (true)"))


def test_what_containers_print_besides_is_no_fault() -> None:
    some = log("mx-1  | starting", f"mx-1  | {POSTFIX}", "2026-11-20T10:00:00Z linux/amd64, go1.22")

    list(some.entries())

    assert some.unread.warning("mail.log") == ""


def test_an_empty_log_is_no_fault() -> None:
    assert check(log("", "")) == ""
