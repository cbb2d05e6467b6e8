from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.mail.log.logline import LineReader

NEWEST = datetime(2026, 11, 24, 17, tzinfo=UTC)
ZONE = timezone(timedelta(hours=1))
TEXT = "308ED228636: from=<a1@alpha.test>, size=265, nrcpt=1 (queue active)"
BARE = f"postfix/qmgr[268]: {TEXT}"
CLASSIC = f"Nov 24 04:06:15 mx {BARE}"
ENGINE = "2026-11-24T16:09:56.031277488Z"
INNER_AT = datetime(2026, 11, 24, 3, 6, 15, tzinfo=UTC)
PRECISE = INNER_AT.replace(microsecond=123456)
ENGINE_AT = datetime(2026, 11, 24, 16, 9, 56, 31277, tzinfo=UTC)
JOURNAL = {
    "__REALTIME_TIMESTAMP": str(int(PRECISE.timestamp()) * 1_000_000 + 123456),
    "_HOSTNAME": "mx",
    "SYSLOG_IDENTIFIER": "postfix/qmgr",
    "_PID": "268",
}
DOCKER = json.dumps({"log": CLASSIC + "\n", "stream": "stdout", "time": ENGINE})


def reader(newest: datetime = NEWEST) -> LineReader:
    return LineReader(newest=newest, zone=ZONE)


@pytest.mark.parametrize(
    ("line", "at", "host"),
    [
        (CLASSIC, INNER_AT, "mx"),
        (f"<22>{CLASSIC}", INNER_AT, "mx"),
        (f"\0\0\0{CLASSIC}\r\n", INNER_AT, "mx"),
        (f"2026 {CLASSIC}", INNER_AT, "mx"),
        (CLASSIC.replace("Nov 24", "Nov 24 2026"), INNER_AT, "mx"),
        (CLASSIC.replace(":15", ":15.123456"), PRECISE, "mx"),
        (f"2026-11-24T04:06:15.123456+01:00 mx {BARE}", PRECISE, "mx"),
        (f"2026-11-24T04:06:15+0100 mx {BARE}", INNER_AT, "mx"),
        (f"<22>1 2026-11-24T03:06:15.123456Z mx postfix/qmgr 268 - - {TEXT}", PRECISE, "mx"),
        (f'<22>1 2026-11-24T03:06:15Z mx postfix/qmgr 268 I [a b="]\\""][c] {TEXT}', INNER_AT, "mx"),
        (json.dumps(JOURNAL | {"MESSAGE": TEXT}), PRECISE, "mx"),
        (json.dumps(JOURNAL | {"MESSAGE": list(TEXT.encode())}), PRECISE, "mx"),
        (DOCKER, ENGINE_AT, "mx"),
        (DOCKER.replace("<", "\\u003c").replace(">", "\\u003e"), ENGINE_AT, "mx"),
        (f"{ENGINE} {CLASSIC}", ENGINE_AT, "mx"),
        (f"{ENGINE} stdout F {CLASSIC}", ENGINE_AT, "mx"),
        (f"mx-beta-1  | {CLASSIC}", INNER_AT, "mx-beta"),
        (f"\x1b[36mmx-beta-1  | \x1b[0m{ENGINE} {CLASSIC}", ENGINE_AT, "mx-beta"),
        (f"[pod/mx-0/postfix] {CLASSIC}", INNER_AT, "mx-0"),
        (f"03:06:15.123456 mx-beta    {CLASSIC}", INNER_AT, "mx-beta"),
        (f"{ENGINE} {BARE}", ENGINE_AT, ""),
    ],
)
def test_a_line_is_the_same_whatever_wraps_it(line: str, at: datetime, host: str) -> None:
    read = reader().read(line)

    assert read is not None
    assert (read.at, read.host, read.name, read.pid, read.text) == (at, host, "postfix/qmgr", 268, TEXT)
    assert reader().time_of(line.lstrip("\0")) == at


@pytest.mark.parametrize("line", [DOCKER, f"{ENGINE} {CLASSIC}", f"mx-1  | {ENGINE} {CLASSIC}"])
def test_people_see_a_line_without_what_an_engine_put_around_it(line: str) -> None:
    read = reader().read(line)

    assert read is not None
    assert read.body == CLASSIC


@pytest.mark.parametrize(
    ("line", "host", "name", "text"),
    [
        ("lmtp(1331): Info: Connect from 10.9.0.20", "", "lmtp(1331)", "Info: Connect from 10.9.0.20"),
        ("imap(b@x)<24><a/b+>: Info: Logged out", "", "imap(b@x)<24><a/b+>", "Info: Logged out"),
        ("master: Warning: SIGHUP received", "", "master", "Warning: SIGHUP received"),
        ("mda dovecot: imap(b@x): Logged out", "mda", "dovecot", "imap(b@x): Logged out"),
        ("2001:db8::1 cron[1]: x", "2001:db8::1", "cron", "x"),
    ],
)
def test_dovecots_own_file_has_no_host_and_syslog_has_one(line: str, host: str, name: str, text: str) -> None:
    read = reader().read(f"Nov 24 04:08:47 {line}")

    assert read is not None
    assert (read.host, read.name, read.text) == (host, name, text)


@pytest.mark.parametrize(
    ("stamp", "newest", "year"),
    [
        ("Dec 31 23:59:59", datetime(2026, 1, 1, tzinfo=UTC), 2025),
        ("Nov 24 04:06:15", NEWEST, 2026),
        ("Nov 25 10:00:00", NEWEST, 2026),
        ("Nov 26 10:00:00", NEWEST, 2025),
        ("Jan  1 00:30:00", datetime(2025, 12, 31, 23, 59, tzinfo=UTC), 2026),
        ("Feb 29 12:00:00", NEWEST, 2024),
    ],
)
def test_a_missing_year_is_the_latest_that_is_not_after_the_log(
    stamp: str, newest: datetime, year: int
) -> None:
    at = reader(newest).time_of(f"{stamp} mx {BARE}")

    assert at is not None
    assert at.astimezone(ZONE).year == year


@pytest.mark.parametrize(
    "stamp", ["Nov 24 24:00:00", "Nov 31 10:00:00", "Foo 24 10:00:00", "2025 Feb 29 10:00:00"]
)
def test_a_time_that_never_was_is_none_and_the_rest_is_read(stamp: str) -> None:
    read = reader().read(f"{stamp} mx {BARE}")

    assert read is not None
    assert (read.at, read.host, read.pid) == (None, "mx", 268)


@pytest.mark.parametrize(
    "line", ["", "\n", "\0\0", "garbage: x", "   at Foo.bar(Foo.java:12)", "[1, 2]", "{"]
)
def test_what_is_no_line_of_a_log_is_none(line: str) -> None:
    assert reader().read(line) is None


PIECES = [
    CLASSIC,
    DOCKER,
    ENGINE,
    "mx-1  | ",
    "<22>1 ",
    '{"log"',
    '{"__REALTIME_TIMESTAMP":',
    "[pod/a/b] ",
    "",
]


@given(st.sampled_from(PIECES), st.integers(0, 60), st.text())
def test_any_text_behind_any_beginning_is_a_line_or_none(start: str, cut: int, text: str) -> None:
    reader().read(start[:cut] + text)
    reader().time_of(start[:cut] + text)
    reader().read(start + text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=9,
)


@given(JSON, JSON, JSON, JSON)
def test_any_json_is_a_line_or_none(one: object, two: object, three: object, four: object) -> None:
    keys = ("__REALTIME_TIMESTAMP", "MESSAGE", "_PID", "SYSLOG_IDENTIFIER")
    reader().read(json.dumps(dict(zip(keys, (one, two, three, four), strict=True))))
    reader().read(json.dumps({"log": one, "time": two}))


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 11, 24)),  # noqa: DTZ001  # hypothesis wants them naive
    st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True),
    st.integers(1, 9_999_999_999),
    st.text(st.characters(exclude_characters="\r\n")),
)
def test_a_line_made_of_parts_is_read_back(at: datetime, host: str, pid: int, text: str) -> None:
    moment = at.replace(microsecond=0)

    read = reader().read(f"{moment:%b %d %H:%M:%S} {host} postfix/smtpd[{pid}]: {text}")

    assert read is not None
    assert read.at == moment.replace(tzinfo=ZONE)
    assert (read.host, read.name, read.pid, read.text) == (host, "postfix/smtpd", pid, text)


@pytest.mark.parametrize("start", PIECES)
@pytest.mark.parametrize(
    "repeated", ["a", " ", "(", "<>", "a: ", "[", '[a="', "\\", "mx | ", "2026-11-24T04:06:15Z "]
)
def test_a_line_of_a_megabyte_is_read_without_backtracking(start: str, repeated: str) -> None:
    # What is not linear here takes minutes, so that no clock is needed to see it.
    reader().read(start + repeated * (1_000_000 // len(repeated)))


AT_NOON = datetime(2026, 11, 20, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        ("2026-11-20 11:00:00", AT_NOON),
        ("2026-11-20 10:00:00.000 UTC", AT_NOON),
        ("2026/11/20 11:00:00,000", AT_NOON),
        ("20.11.2026 11:00:00", AT_NOON),
        ("11/20/2026 11:00:00 AM", AT_NOON),
        ("20/Nov/2026:10:00:00 +0000", AT_NOON),
        ("Fri, 20 Nov 2026 10:00:00 +0000", AT_NOON),
        ("Fri 20 Nov 2026 05:00:00 AM EST", AT_NOON),
        ("Fri Nov 20 11:00:00 CET 2026", AT_NOON),
        ("Nov 20, 2026 @ 11:00:00.000", AT_NOON),
        ("20. November 2026 11:00:00", AT_NOON),
        ("20 нояб. 2026 11:00:00", None),
        ("20 ноя 2026 11:00:00", AT_NOON),
        ("11月 20 11:00:00", AT_NOON),
        ("ven. 20 nov. 2026 11:00:00", AT_NOON),
        ("20261120T100000Z", AT_NOON),
        ("1795168800.000000", AT_NOON),
        ("[1795168800]", AT_NOON),
        ("1795168800000", AT_NOON),
        ("@400000006b001a2a00000000", AT_NOON),
    ],
)
def test_times_are_read_as_programs_write_them(stamp: str, at: datetime | None) -> None:
    read = reader().read(f"{stamp} mx {BARE}")

    assert read is not None
    assert (read.at, read.host, read.name, read.text) == (at, "mx", "postfix/qmgr", TEXT)


@given(
    st.lists(
        st.sampled_from(
            [
                "/var/log/mail.log:",
                "mail.log-12-",
                "    ",
                "> ",
                "mx-1  | ",
                "\x1b[32m",
                "2026-11-20T10:00:00Z ",
                "[pod/mx-0/postfix] ",
                "`",
            ]
        ),
        max_size=4,
    ),
    st.sampled_from(["", "INFO    ", "[mail.info] ", "<mail.info> ", "mail.warn "]),
)
def test_a_line_is_itself_in_several_wrappings(around: list[str], level: str) -> None:
    read = reader().read("".join(around) + CLASSIC.replace("mx ", f"mx {level}"))

    assert read is not None
    assert (read.name, read.pid, read.text) == ("postfix/qmgr", 268, TEXT)
