from __future__ import annotations

import gzip
import io
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.trace.finding.search import Found, search
from labctl.trace.finding.wanted import Wanted, WantedKind
from labctl.trace.logs.log import Log, open_logs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

NOW = datetime(2026, 11, 25, tzinfo=UTC)
RECORDED = {
    name: (Path(__file__).parents[2] / "data" / "logs" / name).read_bytes()
    for name in ("alpha.log", "beta.log")
}

SENDER = """\
Nov 24 10:00:00 mx1 postfix/smtpd[11]: connect from client.test[203.0.113.77]
Nov 24 10:00:00 mx1 postfix/smtpd[11]: AAAA000001: client=client.test[203.0.113.77]
Nov 24 10:00:00 mx1 postfix/cleanup[12]: AAAA000001: message-id=<one@a.test>
Nov 24 10:00:00 mx1 postfix/qmgr[2]: AAAA000001: from=<al@a.test>, size=300, nrcpt=1 (queue active)
Nov 24 10:00:01 mx1 postfix/smtpd[11]: disconnect from client.test[203.0.113.77]
Nov 24 10:00:30 mx1 postfix/smtp[13]: connect to mx2.b.test[203.0.113.20]:25: Connection refused
Nov 24 10:00:30 mx1 postfix/smtp[13]: AAAA000001: to=<bo@b.test>, relay=none, delay=30, delays=0/0/30/0, \
dsn=4.4.1, status=deferred (connect to mx2.b.test[203.0.113.20]:25: Connection refused)
Nov 24 15:00:00 mx1 postfix/qmgr[2]: AAAA000001: from=<al@a.test>, size=300, nrcpt=1 (queue active)
Nov 24 15:00:01 mx1 postfix/smtp[13]: AAAA000001: to=<bo@b.test>, relay=mx2.b.test[203.0.113.20]:25, \
delay=18001, delays=18000/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as BBBB000001)
Nov 24 15:00:01 mx1 postfix/qmgr[2]: AAAA000001: removed
Nov 24 16:00:00 mx1 postfix/smtpd[11]: AAAA000001: client=client.test[203.0.113.77]
Nov 24 16:00:00 mx1 postfix/cleanup[12]: AAAA000001: message-id=<two@a.test>
Nov 24 16:00:00 mx1 postfix/qmgr[2]: AAAA000001: removed
"""
RECEIVER = """\
Nov 24 10:00:00 mx2 postfix/cleanup[22]: AAAA000001: message-id=<other@b.test>
Nov 24 10:00:00 mx2 postfix/qmgr[2]: AAAA000001: removed
Nov 24 15:00:00 mx2 postfix/smtpd[21]: connect from mx1.a.test[203.0.113.10]
Nov 24 15:00:00 mx2 postfix/smtpd[21]: BBBB000001: client=mx1.a.test[203.0.113.10]
Nov 24 15:00:00 mx2 postfix/cleanup[22]: BBBB000001: message-id=<one@a.test>
Nov 24 15:00:00 mx2 postfix/qmgr[2]: BBBB000001: from=<al@a.test>, size=400, nrcpt=1 (queue active)
Nov 24 15:00:01 mx2 dovecot: lmtp(bo@b.test)<31><abcdefghijklmnop>: msgid=<one@a.test>: saved mail to INBOX
Nov 24 15:00:01 mx2 postfix/lmtp[23]: BBBB000001: to=<bo@b.test>, relay=mail[198.51.100.143]:24, delay=0.1, \
delays=0.05/0/0/0.05, dsn=2.0.0, status=sent (250 2.0.0 <bo@b.test> abcdefghijklmnop Saved)
Nov 24 15:00:01 mx2 postfix/qmgr[2]: BBBB000001: removed
Nov 24 17:00:00 mx2 dovecot: imap-login: Logged in: user=<bo@b.test>, method=PLAIN, rip=203.0.113.77, \
lip=198.51.100.143, mpid=41, TLS, session=<qrstuvwxyz>
Nov 24 17:00:00 mx2 dovecot: imap-login: Logged in: user=<eve@b.test>, method=PLAIN, rip=203.0.113.77, \
lip=198.51.100.143, mpid=42, TLS, session=<zyxwvutsrq>
"""
WORLD = {"mx1": SENDER.encode(), "mx2": RECEIVER.encode()}


def logs_of(contents: Mapping[str, bytes]) -> list[Log]:
    return [Log.of_bytes(name, content, newest=NOW, zone=UTC) for name, content in contents.items()]


def found(contents: Mapping[str, bytes], wanted: str) -> Found:
    return search(logs_of(contents), Wanted.parse(wanted))


def texts(what: Found) -> list[str]:
    return [entry.text for entry in what.entries]


def lines_of(text: str, *numbers: int) -> list[str]:
    lines = text.splitlines()
    return [lines[number] for number in numbers]


ANCIENT = b"0001-01-01T00:00:00Z mx postfix/qmgr[1]: AAAA000001: removed"
WHOLE = sorted([*lines_of(SENDER, *range(10)), *lines_of(RECEIVER, *range(2, 10))])
"""All that concerns the first message."""


def test_a_message_is_found_on_all_hosts_with_what_surrounds_it() -> None:
    result = found(WORLD, "<one@a.test>")
    assert sorted(texts(result)) == WHOLE
    assert result.message_ids == ("<one@a.test>",)
    assert set(result.queue_files) == {("mx1", "AAAA000001"), ("mx2", "BBBB000001")}
    assert result.complete


def test_a_later_host_s_queue_id_leads_back_to_the_first_host() -> None:
    assert sorted(texts(found(WORLD, "BBBB000001"))) == WHOLE


def test_an_id_that_is_used_again_and_elsewhere_names_each_of_its_messages() -> None:
    result = found(WORLD, "AAAA000001")
    assert set(result.message_ids) == {"<one@a.test>", "<two@a.test>", "<other@b.test>"}
    assert set(WHOLE) < set(texts(result))


def test_another_use_of_a_queue_id_does_not_belong_to_a_message() -> None:
    assert not {"<two@a.test>", "<other@b.test>"} & set(found(WORLD, "<one@a.test>").message_ids)


def test_what_caused_comes_before_what_was_caused() -> None:
    at = [text for text in texts(found(WORLD, "<one@a.test>")) if " 15:00:01 " in text]
    assert [text.split()[3] for text in at] == ["mx1", "mx1", "mx2", "mx2", "mx2"]


@settings(max_examples=40)
@given(cuts=st.lists(st.integers(0, 12), max_size=4), chance=st.randoms())
def test_rotated_files_in_any_order_tell_the_same(cuts: list[int], chance: Random) -> None:
    contents = {}
    for name, content in WORLD.items():
        lines = content.splitlines(keepends=True)
        edges = sorted({0, *(min(cut, len(lines)) for cut in cuts), len(lines)})
        for number, (begin, end) in enumerate(pairwise(edges)):
            contents[f"{name}.{number}"] = b"".join(lines[begin:end])
    names = list(contents)
    chance.shuffle(names)
    result = found({name: contents[name] for name in names}, "<one@a.test>")
    assert sorted(texts(result)) == WHOLE
    assert texts(result) == texts(found(dict(sorted(contents.items())), "<one@a.test>"))


@settings(max_examples=25)
@given(st.sampled_from(["3453C228645", "38993228644", "b1@nomx.test", "308ED228636"]), st.randoms())
def test_recorded_logs_tell_the_same_in_any_order(wanted: str, chance: Random) -> None:
    order = sorted(RECORDED)
    chance.shuffle(order)
    result = found({name: RECORDED[name] for name in order}, wanted)
    assert result.entries
    assert texts(result) == texts(found(RECORDED, wanted))


def test_a_notification_s_own_journey_is_found_and_is_not_the_message() -> None:
    result = found(RECORDED, "3453C228645")
    ids = {entry.queue_id for entry in result.entries if entry.queue_id}
    assert ids == {"3453C228645", "38993228644", "3A495228647", "42487228648"}
    assert set(result.queue_files) == {("mx/alpha", "3453C228645"), ("mx/beta", "38993228644")}


def test_a_notification_leads_to_what_it_is_about() -> None:
    result = found(RECORDED, "42487228648")
    assert {"3453C228645", "38993228644"} <= {entry.queue_id for entry in result.entries}
    assert set(result.queue_files) == {("mx/beta", "3A495228647"), ("mx/alpha", "42487228648")}


def test_a_notification_does_not_lead_to_others_about_the_same_message() -> None:
    def written(queue_id: str, at: str) -> str:
        return (
            f"Nov 24 {at} mx1 postfix/cleanup[12]: {queue_id}: message-id=<{queue_id}@mx1>\n"
            f"Nov 24 {at} mx1 postfix/qmgr[2]: {queue_id}: from=<>, size=300, nrcpt=1 (queue active)\n"
            f"Nov 24 {at} mx1 postfix/qmgr[2]: {queue_id}: removed\n"
        )

    log = (
        "Nov 24 10:00:00 mx1 postfix/cleanup[12]: AAAA000001: message-id=<one@a.test>\n"
        + written("DDDD000001", "10:00:03")
        + "Nov 24 10:00:03 mx1 postfix/bounce[9]: AAAA000001: sender delay notification: DDDD000001\n"
        + written("EEEE000001", "10:00:09")
        + "Nov 24 10:00:09 mx1 postfix/bounce[9]: AAAA000001: sender non-delivery notification: EEEE000001\n"
        + "Nov 24 10:00:09 mx1 postfix/qmgr[2]: AAAA000001: removed\n"
    )
    result = found({"mx1": log.encode()}, "<EEEE000001@mx1>")
    assert result.message_ids == ("<EEEE000001@mx1>",)
    assert result.queue_files == (("mx1", "EEEE000001"),)


def test_packed_logs_and_the_standard_input_are_looked_through(tmp_path: Path) -> None:
    path = tmp_path / "mx1.log.1.gz"
    path.write_bytes(gzip.compress(WORLD["mx1"]))
    with open_logs([str(path), "-"], zone=UTC, stdin=io.BytesIO(WORLD["mx2"])) as logs:
        assert sorted(texts(search(logs, Wanted.parse("<one@a.test>")))) == WHOLE


def test_docker_s_own_files_escape_the_brackets_of_an_id() -> None:
    escaped = {
        name: b"".join(
            b'{"log":"%b\\n","stream":"stdout","time":"2026-11-24T%b.000000000Z"}\n'
            % (line.replace(b"<", b"\\u003c").replace(b">", b"\\u003e"), line[7:15])
            for line in content.splitlines()
        )
        for name, content in WORLD.items()
    }
    assert sorted(texts(found(escaped, "<one@a.test>"))) == WHOLE


def test_an_address_may_be_a_message_id_first() -> None:
    assert found(WORLD, "one@a.test").message_ids == ("<one@a.test>",)
    assert found(WORLD, "bo@b.test").message_ids == ("<one@a.test>",)


def test_of_an_address_the_messages_from_it_are_found_too() -> None:
    assert sorted(texts(found(WORLD, "al@a.test"))) == WHOLE


@given(word=st.sampled_from(["a", "id", "%s", "100%", "x?y", "méthode", "to", "a&b", 'q"q']))
def test_message_ids_may_be_short_or_odd_words(word: str) -> None:
    logged = "".join(letter if letter.isascii() else "?" for letter in word)
    log = f"Nov 24 10:00:00 mx postfix/cleanup[1]: AAAA000001: message-id=<{logged}>\n"
    log += "Nov 24 10:00:00 mx postfix/cleanup[1]: AAAA000002: message-id=<toad>\n"
    assert found({"mx": log.encode()}, f"<{word}>").queue_files == (("mx", "AAAA000001"),)


def test_messages_of_one_id_are_all_found() -> None:
    log = "".join(
        f"Nov {day:2} 10:00:00 mx postfix/cleanup[1]: AAAA00000{day}: message-id=<same@a.test>\n"
        for day in (1, 5, 9)
    )
    assert len(found({"mx": log.encode()}, "<same@a.test>").queue_files) == 3


def test_a_message_without_an_id_is_followed_by_its_queue_ids() -> None:
    anonymous = {name: content.replace(b"<one@a.test>", b"<>") for name, content in WORLD.items()}
    result = found(anonymous, "BBBB000001")
    assert set(result.queue_files) == {("mx1", "AAAA000001"), ("mx2", "BBBB000001")}


def test_nothing_is_found_where_nothing_is() -> None:
    assert found({}, "<one@a.test>").entries == ()
    assert found({"empty": b""}, "AAAA000001") == Found((), (), (), complete=True)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=80),
            st.sampled_from([*WORLD["mx1"].splitlines(), *WORLD["mx2"].splitlines()]),
            st.sampled_from(
                [
                    b"AAAA000001",
                    ANCIENT,
                    b"<one@a.test>",
                    b"message-id=<one@a.test>",
                    b'{"log":"',
                ]
            ),
        ),
        max_size=30,
    ),
    st.sampled_from(list(WantedKind)),
)
def test_byte_soup_is_looked_through_without_harm(lines: list[bytes], kind: WantedKind) -> None:
    value = {
        WantedKind.MESSAGE_ID: "<one@a.test>",
        WantedKind.QUEUE_ID: "AAAA000001",
        WantedKind.ADDRESS: "bo@b.test",
    }[kind]
    result = search(logs_of({"one": b"\n".join(lines), "two": b"".join(lines)}), Wanted(kind, value))
    assert list(result.entries) == sorted(result.entries, key=lambda entry: entry.at)


def test_lookups_are_found_with_all_that_they_may_have_been_for() -> None:
    answer = (
        '{{"time":"2026-11-24T10:00:{:02}Z","client":"203.0.113.10","id":1,"name":"b.test.","type":"MX",'
        '"rcode":"NOERROR","records":[],"duration":0.001}}\n'
    )
    other = "Nov 24 10:00:{:02} mx1 postfix/smtp[14]: CCCC0000{:02}: to=<x@b.test>, relay=none, delay=1, \
delays=0/0/1/0, dsn=4.4.1, status=deferred (no)\n"
    contents = {
        "dns": "".join(answer.format(second) for second in (0, 15, 30, 45)).encode(),
        "mx1": "".join(
            [
                *SENDER.splitlines(keepends=True)[:6],
                other.format(20, 20),
                SENDER.splitlines(keepends=True)[6],
                other.format(50, 50),
            ]
        ).encode(),
    }
    result = found(contents, "AAAA000001")
    assert [entry.at.second for entry in result.entries if entry.source == "dns"] == [0, 15, 30]
    assert "CCCC000020" in {entry.queue_id for entry in result.entries}
    assert "CCCC000050" not in {entry.queue_id for entry in result.entries}
    assert result.queue_files == (("mx1", "AAAA000001"),)


def test_a_refusal_by_the_next_host_is_found_by_its_sender_and_recipient() -> None:
    refusal = "Nov 24 10:00:{} mx2 postfix/smtpd[9]: NOQUEUE: reject: RCPT from mx1[203.0.113.10]: 450 4.2.0 \
<{}>: Greylisted; from=<al@a.test> to=<{}> proto=ESMTP helo=<mx1>\n"
    contents = {
        "mx1": SENDER.encode(),
        "mx2": "".join(
            refusal.format(second, to, to)
            for second, to in ((20, "bo@b.test"), (21, "x@b.test"), (59, "bo@b.test"))
        ).encode(),
    }
    here = [entry.at.second for entry in found(contents, "<one@a.test>").entries if entry.host == "mx2"]
    assert here == [20]
