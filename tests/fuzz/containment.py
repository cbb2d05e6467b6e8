"""A place in which a program reaches nothing: a root of its own, read-only but for memory; no network.

It has what a Python program needs to start, a ``/dev`` of four harmless devices, a ``/proc`` of its own
processes, and a ``/tmp`` and a ``/dev/shm`` in memory. What is not listed here is not there: no home, no
socket of an engine.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY: Final = Path(__file__).resolve().parents[2]

_DEVICES: Final = ("null", "zero", "full", "urandom")

_SCRIPT: Final = """
set -eu
mount --make-rprivate /
mount -t tmpfs -o size=256m,mode=755 tmpfs {root}
cd {root}
for each in bin sbin lib lib64; do [ ! -L "/$each" ] || ln -s "$(readlink "/$each")" "$each"; done
mkdir -p dev/shm proc tmp
mount -t tmpfs -o size=192m,mode=1777 tmpfs tmp
mount -t tmpfs -o size=16m,mode=1777 tmpfs dev/shm
for each in {seen}; do
    mkdir -p ".$each"
    mount --bind "$each" ".$each"
    mount -o remount,bind,ro,nosuid,nodev ".$each"
done
for each in {devices}; do touch "dev/$each"; mount --bind "/dev/$each" "dev/$each"; done
ln -s /proc/self/fd dev/fd
mount -t proc -o ro proc proc
mount -o remount,ro .
exec chroot . /usr/bin/env -i "$@"
"""


def lacking() -> str:
    """Say why nothing can be contained here; empty where it can."""
    if os.geteuid() != 0:
        return "only root may make namespaces of mounts"
    if missing := [each for each in ("unshare", "mount", "chroot") if shutil.which(each) is None]:
        return f"there is no {', '.join(missing)}"
    done = subprocess.run(["unshare", *_SPACES, "true"], check=False, capture_output=True, text=True)
    return "" if done.returncode == 0 else f"unshare: {done.stderr.strip()}"


_SPACES: Final = ("--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child")


def contained(module: str, arguments: Sequence[str], root: Path) -> list[str]:
    """Return the command that runs a module of the tests contained.

    Args:
        module: The module, as ``tests.fuzz.session``.
        arguments: What it is given.
        root: An empty directory, for the mount.
    """
    places = {"/usr", "/etc", sys.prefix, sys.base_prefix, str(REPOSITORY)}
    seen = [each for each in sorted(places) if Path(each).is_dir() and not _below(each, places)]
    script = _SCRIPT.format(root=shlex.quote(str(root)), seen=shlex.join(seen), devices=shlex.join(_DEVICES))
    python = ["PATH=/usr/bin:/bin", f"PYTHONPATH={REPOSITORY}", sys.executable, "-B", "-m", module]
    return ["unshare", *_SPACES, "/bin/sh", "-c", script, "contained", *python, *arguments]


def _below(place: str, places: set[str]) -> bool:
    return any(each != place and Path(place).is_relative_to(each) for each in places)
