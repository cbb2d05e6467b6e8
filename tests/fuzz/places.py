"""The files that calls are made about: good ones, broken ones, and what is no file at all."""

from __future__ import annotations

import base64
import gzip
import json
import os
import socket
from pathlib import Path
from typing import Final

DATA: Final = Path(__file__).resolve().parents[1] / "data"

LAB: Final = """\
id = "mine"
title = "A lab"
topology = "two-domains"

[clock]
queue_run_delay = ["5m", "1s"]

[[accounts]]
address = "zoe@beta.test"
password = "zoe"

[[editable]]
path = "beta.test.zone"
service = "dns"
target = "/etc/coredns/zones/beta.test.zone"
check = ["true"]

[grading]
starter_score = 0

[grading.limits]
memory = "128m"
cpus = 1
pids = 60
file_size = "1m"
seconds = 40

[[checks]]
id = "mx"
points = 1
hint = "look"
needs = []
points_if_blocked = 0
"""
OVERLAY: Final = """\
services:
  mx-beta:
    environment: {MORE: 1}
"""
CHECK: Final = (
    'def test_mx(lab):\n    """It is there."""\n    lab.dig("beta.test", "MX").must_be("10 mx.beta.test.")\n'
)
JOB: Final = {
    "schema": "labctl/examination-job/v1",
    "attempt": "anna",
    "lab": "mine",
    "checks": None,
    "files": {"beta.test.zone": base64.b64encode(b"@ IN SOA").decode()},
    "seed": "00",
    "name": "job-1",
    "run": "",
}
GRADE: Final = {"schema": "labctl/grade/v1", "lab": "mine", "title": "A lab", "attempts": [], "seconds": 1.0}


def build(directory: Path) -> None:
    """Make the places, in an empty directory."""
    files = {
        "mail.log": (DATA / "logs/alpha.log").read_bytes(),
        "mail.log.gz": gzip.compress((DATA / "logs/beta.log").read_bytes()),
        "cut.gz": gzip.compress(b"x" * 9999)[:40],
        "bounce.eml": (DATA / "dsn/dsn-01.eml").read_bytes(),
        "raw.eml": b"From: =?utf-8?q?\xff=FF?= <a@b>\r\nSubject: =?\xfe?b?\xff?=\r\n\r\n\xff\x00",
        "bytes": bytes(range(256)) * 4,
        "empty": b"",
        "job.json": json.dumps(JOB).encode(),
        "odd.json": json.dumps({**JOB, "files": {"beta.test.zone": "===", "\0": 3}, "seed": 7}).encode(),
        "deep.json": b"[" * 100_000,
        "attempt/labctl.toml": b'lab = "mine"\nseed = "0000000000000000"\n',
        "attempt/beta.test.zone": b"@ IN SOA",
        "other/labctl.toml": b"lab = 3\n",
        "graded/grade.json": json.dumps(GRADE).encode(),
        "torn/grade.json": json.dumps({**GRADE, "attempts": [{"id": 3}], "lab": []}).encode(),
        "labs/mine/lab.toml": LAB.encode(),
        "labs/mine/compose.yaml": OVERLAY.encode(),
        "labs/mine/checks/test_mx.py": CHECK.encode(),
        "labs/mine/starter/beta.test.zone": b"@ IN SOA",
        "labs/mine/solution/beta.test.zone": b"@ IN SOA",
        "labs/mine/exercises/test_one.py": CHECK.encode(),
        "broken/lab.toml": LAB.replace("1s", "\\u0000").encode(),
        "bytes-lab/lab.toml": b'id = "bytes-lab"\ntitle = "\xff"\n',
        "over/lab.toml": LAB.replace('"mine"', '"over"').encode(),
        "over/compose.yaml": b"services:\n  dns: \x01\n",
        "test_own.py": CHECK.encode(),
        "test_torn.py": b"def test_x(:\n\0",
        "hidden/checks.toml": b'[[checks]]\nid = "more"\npoints = 1\n',
        "hidden/test_more.py": CHECK.replace("test_mx", "test_more").encode(),
    }
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    os.mkfifo(directory / "fifo")
    (directory / "labs/fifo").mkdir()
    os.mkfifo(directory / "labs/fifo/compose.yaml")
    (directory / "loop").symlink_to("loop")
    (directory / "dangling").symlink_to("nowhere")
    (directory / "to-log").symlink_to("mail.log")
    Path(os.fsdecode(os.fsencode(directory) + b"/\xff.log")).write_bytes(b"")
    Path(os.fsdecode(os.fsencode(directory) + b"/attempt\xff")).mkdir()
    (directory / "line\nend").touch()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(directory / "socket"))
