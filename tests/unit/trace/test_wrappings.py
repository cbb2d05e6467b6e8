from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
from datetime import UTC
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from labctl.mail.log import undated
from labctl.mail.state import MessageState
from labctl.trace.finding.search import search
from labctl.trace.finding.wanted import Wanted
from labctl.trace.listing.table import rows
from labctl.trace.logs.legibility import check
from labctl.trace.logs.log import Log, open_logs
from labctl.trace.logs.unpacking import unpacked

WRAPPINGS = sorted((Path(__file__).parents[2] / "data" / "wrappings").iterdir())
PLAIN = next(each for each in WRAPPINGS if each.name == "classic.log").read_text().splitlines()
UNDATED = {"journalctl_-o_cat.log", "mailu_no_date.log", "journalctl_short-monotonic.log"}
TELLING = 6
"""Lines of the message: its session, queue file and mailbox, without the two of the connection."""


@pytest.mark.parametrize("path", WRAPPINGS, ids=lambda path: path.stem)
def test_a_message_is_listed_in_any_wrapping(path: Path) -> None:
    with open_logs([str(path)], zone=UTC) as logs:
        assert [check(log) for log in logs] == [""]
        (row,) = rows(logs)

    assert (row.message_id, row.mail_from) == ("<1@example.org>", "ann@example.org")
    assert [(each.address, each.state) for each in row.recipients] == [
        ("bob@example.com", MessageState.DELIVERED)
    ]
    assert [each.queue_id for each in row.queue_ids] == ["4ABCD12345"]
    assert undated.is_known(row.first_at) is (path.name not in UNDATED)


@pytest.mark.parametrize("wanted", ["4ABCD12345", "<1@example.org>", "bob@example.com", "ann@example.org"])
@pytest.mark.parametrize("path", WRAPPINGS, ids=lambda path: path.stem)
def test_a_message_is_found_in_any_wrapping(path: Path, wanted: str) -> None:
    with open_logs([str(path)], zone=UTC) as logs:
        found = search(logs, Wanted.parse(wanted))

    assert [queue_id for _, queue_id in found.queue_files] == ["4ABCD12345"]
    assert len([entry for entry in found.entries if entry.event is not None]) >= TELLING


def listed(content: bytes, tmp_path: Path) -> list[tuple[str | None, MessageState]]:
    path = tmp_path / "log"
    path.write_bytes(content)
    with open_logs([str(path)], zone=UTC) as logs:
        found = [(row.message_id, row.state) for row in rows(logs)]
        assert all(search(logs, Wanted.parse("4ABCD12345")).entries for _ in found)
        return found


ONE = [("<1@example.org>", MessageState.DELIVERED)]
TEXTS = [line.partition("]: ")[2] or line.partition("dovecot: ")[2] for line in PLAIN]
NAMES = [line.split()[4].partition("[")[0].rstrip(":") for line in PLAIN]
RECORDS = [
    {"timestamp": 1795168800 + number, "host": "mx", "short_message": text, "_application_name": name}
    for number, (name, text) in enumerate(zip(NAMES, TEXTS, strict=True))
]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(RECORDS),
        json.dumps(RECORDS, indent=2),
        json.dumps({"took": 5, "hits": {"hits": [{"_id": 1, "_source": each} for each in RECORDS]}}),
        json.dumps({"events": [{"timestamp": 1795168800000, "message": line} for line in PLAIN]}),
        json.dumps({"data": {"result": [{"values": [["1795168800000000000", line] for line in PLAIN]}]}}),
        "\n".join(
            json.dumps({"log": {"original": "x"}, "message": line, "@timestamp": "x"}) for line in PLAIN
        ),
        "\n".join(json.dumps({"_time": "2026-11-20T10:00:00Z", "_raw": line}) for line in PLAIN),
        "@timestamp,host.name,message\n"
        + "\n".join(f'"Nov 20, 2026 @ 10:00:00.000","mx","{line}"' for line in PLAIN),
        "time;program;msg\n"
        + "\n".join(f'2026-11-20 10:00:00;{a};"{b}"' for a, b in zip(NAMES, TEXTS, strict=True)),
        "\n".join(f"2026-11-20T10:00:00Z,mx,{json.dumps(line)}" for line in PLAIN),
        "\n".join(f"mail-1  | {json.dumps({'message': line})}" for line in PLAIN),
    ],
    ids=[
        "array",
        "indented",
        "hits",
        "events",
        "values",
        "lines",
        "raw",
        "head",
        "semicolons",
        "no head",
        "in",
    ],
)
def test_records_of_any_shipper_are_lines(content: str, tmp_path: Path) -> None:
    assert listed(content.encode(), tmp_path) == ONE


RED, END = "\x1b[01;31m\x1b[K", "\x1b[m\x1b[K"
VERBOSE = (
    "Fri 2026-11-20 10:00:00.123456 UTC [s=1;i=2;b=3]\n    _HOSTNAME=mx\n    SYSLOG_IDENTIFIER={}\n"
    "    MESSAGE={}"
)
FLUENT = '2026-11-20T10:00:00+00:00\tmail\t{{"host": "mx", "ident": "{}", "message": {}}}'


@pytest.mark.parametrize(
    "lines",
    [
        [f"7:{line}" for line in PLAIN],
        [f"/var/log/mail.log-7-{line}" for line in PLAIN],
        [f"     7\t{line}" for line in PLAIN],
        [f"> {line}" for line in PLAIN],
        ["```", *PLAIN, "```"],
        ["-- Logs begin at Thu 2026-11-01 --", *PLAIN, "==> mail.err <=="],
        [json.dumps(line) + "," for line in PLAIN],
        [
            line.replace(" mx ", "\tmx\t").replace("]: ", "]:\t").replace("dovecot: ", "dovecot:\t")
            for line in PLAIN
        ],
        [line.replace("4ABCD", f"{RED}4ABC{END}D") for line in PLAIN],
        [VERBOSE.format(name, text) for name, text in zip(NAMES, TEXTS, strict=True)],
        [FLUENT.format(name, json.dumps(text)) for name, text in zip(NAMES, TEXTS, strict=True)],
        [f"{name}: {text}" for name, text in zip(NAMES, TEXTS, strict=True)],
    ],
    ids=[
        "number",
        "context",
        "numbered",
        "mail",
        "fence",
        "journalctl",
        "quoted",
        "tabs",
        "colours",
        "verbose",
        "fluentd",
        "undated",
    ],
)
def test_what_programs_print_around_lines_makes_no_difference(lines: list[str], tmp_path: Path) -> None:
    assert listed("\n".join(lines).encode() + b"\n", tmp_path) == ONE


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress],
    ids=["gzip", "bzip2", "xz", "zstd"],
)
def test_a_packed_log_is_unpacked_and_a_cut_one_is_told(pack: object, tmp_path: Path) -> None:
    assert callable(pack)
    content = "\n".join(PLAIN).encode() + b"\n"
    packed = pack(content) + pack(b"\n")
    assert listed(packed, tmp_path) == ONE

    (tmp_path / "cut").write_bytes(pack(content)[:-9])
    with open_logs([str(tmp_path / "cut")], zone=UTC) as (log,):
        assert log.damage == "It was cut off while it was packed, and its end is missing."


def test_what_unpacks_to_very_much_is_unpacked_in_pieces() -> None:
    # A few kilobytes stand for a hundred megabytes.
    bomb = zstandard.ZstdCompressor().compress(bytes(100_000_000))
    sizes = [len(piece) for piece in unpacked(bomb[:64], iter([bomb]), [])]

    assert sum(sizes) == 100_000_000
    assert max(sizes) < 20_000_000


@pytest.mark.parametrize("mark", [b"", b"\xff\xfe"])
def test_utf_16_is_read_with_and_without_its_mark(mark: bytes, tmp_path: Path) -> None:
    assert listed(mark + "\r\n".join(PLAIN).encode("utf-16-le"), tmp_path) == ONE


@given(st.binary(max_size=2000))
def test_any_bytes_are_a_log_or_none(content: bytes) -> None:
    log = Log.of_bytes("log", content, newest=undated.at_place(0).replace(year=2026), zone=UTC)
    list(rows([log]))
    search([log], Wanted.parse("4ABCD12345"))


@given(
    st.sampled_from(["{", '[{"message": "', "a,message\n", "__CURSOR=", '"x","', "=&lt;a&gt;"]),
    st.binary(max_size=500),
)
def test_any_bytes_behind_the_beginning_of_an_export_are_a_log(begin: str, rest: bytes) -> None:
    with open_logs(["-"], zone=UTC, stdin=io.BytesIO(begin.encode() + rest)) as logs:
        list(rows(logs))
