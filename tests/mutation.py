"""Every night: what decides of scores and messages is changed in small ways, and the tests have to notice.

    python -m tests.mutation [--only 'labctl.grading.*'] [--jobs 2]

Changed code may write or delete what it should not, so all of it runs contained, on a copy in memory.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.fuzz import containment

if TYPE_CHECKING:
    from collections.abc import Sequence

_COPIED: Final = ("labctl", "tests", "labs", "compose", "pyproject.toml", "README.md", "CHANGELOG.md")
_TELL: Final = """
import sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
for each in sys.argv[1:]:
    lines = get_diff_for_mutant(each).splitlines()[2:]
    print(each, *(line for line in lines if line.startswith(("+", "-"))), sep="\\n    ")
"""
_UP: Final = struct.pack("16sH14x", b"lo", 1)
_SIOCSIFFLAGS: Final = 0x8914


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--only", action="append", default=[], metavar="GLOB", help="mutants by their names")
    parser.add_argument("--jobs", default=str(os.cpu_count()))
    parser.add_argument("--contained", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.contained:
        assert os.getpid() == 1, "only in a namespace of its own"
        return _contained(given.only, given.jobs)
    if lacking := containment.lacking():
        print(lacking, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as root:
        command = containment.contained("tests.mutation", ["--contained", *arguments], Path(root))
        return subprocess.run(command, check=False).returncode


def _contained(only: Sequence[str], jobs: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, _UP)
    work = Path(tempfile.mkdtemp())
    for each in _COPIED:
        source = containment.REPOSITORY / each
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, work / each)
    os.environ.pop("PYTHONPATH")
    os.environ["HOME"] = str(work)
    os.chdir(work)
    mutmut = [sys.executable, "-m", "mutmut"]
    ran = subprocess.run([*mutmut, "run", "--max-children", jobs, *only], check=False)
    if ran.returncode:
        return ran.returncode
    told = (each.strip().partition(": ") for each in _said(*mutmut, "results").splitlines())
    left = [name for name, _, how in told if how not in {"", "not checked"}]
    print(_said(sys.executable, "-c", _TELL, *left))
    print(f"{len(left)} mutants are left: tests/README.md says which were looked at")
    return 0


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
