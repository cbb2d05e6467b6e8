"""The Debian that the images stand on: pulled where a registry answers, else made here by mmdebstrap(1)."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labctl.engine.images.disk import room, says_full
from labctl.errors import EngineError, ImageUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from labctl.engine.images.apt import Apt
    from labctl.engine.images.children import Children, Finished
    from labctl.engine.protocol import Engine
    from labctl.progress import Progress

SUITE: Final = "trixie"
REFERENCE: Final = "debian:trixie-slim"
MADE_TAG: Final = f"labctl/debian:{SUITE}-1"
"""The tag of what mmdebstrap makes; its number counts the changes of how it is made."""

PULL_WITHIN: Final = 45.0
PULL_ALONE_WITHIN: Final = 300.0
"""Seconds that a pull may take where mmdebstrap stands ready, and where there is nothing else to try."""

_LEFT_OUT: Final = ("doc", "man", "info", "locale", "i18n", "lintian", "bash-completion")
_PACKAGES: Final = ("mmdebstrap", "debian-archive-keyring")
_ROOM: Final = 400 << 20
"""Bytes that a tree of Debian, its packages and the tar of it take for a while."""

_FREE_ROOM: Final = "free 400 MB there, or name a larger disk: TMPDIR=/var/tmp labctl images build"

_SUBJECT: Final = "image base"


@dataclass(frozen=True, slots=True)
class Debian:
    """Gets a Debian into an engine.

    Args:
        engine: Where it is to be.
        children: Runs mmdebstrap and apt, and ends them when the work is called off.
        apt: Where this machine has Debian's packages from.
        environ: The environment of the programs that are run.
        scratch: An empty directory for what is made on the way.
        may_install: Whether mmdebstrap may be installed on this machine.
        progress: Told what is going on.
        made_tag: The tag of one that is made here.
    """

    engine: Engine
    children: Children
    apt: Apt
    environ: Mapping[str, str]
    scratch: Path
    may_install: bool
    progress: Progress
    made_tag: str = MADE_TAG

    def obtain(self, reference: str | None) -> str:
        """Return what to build on: the reference, pulled if need be, or the tag of one made here.

        Args:
            reference: The image to use; None stands for Debian's own, and then one that was made here
                before saves asking a registry.

        Raises:
            ImageUnavailable: Neither was to be had; the message tells both reasons.
        """
        if reference is None and self.engine.image(self.made_tag) is not None:
            return self.made_tag
        wanted = with_tag(reference or REFERENCE)
        if self.engine.image(wanted) is not None:
            return wanted
        refusal = self._pull(wanted)
        if not refusal:
            return wanted
        self.progress(_SUBJECT, f"{refusal}; making it from Debian's packages")
        if self.engine.image(self.made_tag) is None:
            self._make(refusal)
        return self.made_tag

    def _pull(self, reference: str) -> str:
        """Pull, and return why that failed; "" where it did not.

        The engine may wait for minutes for a registry that is silent, so the pull has a thread that can be
        left alone.
        """
        self.progress(_SUBJECT, f"pulling {reference}")
        outcome: list[str] = []
        settled = self.children.wake()

        def pull() -> None:
            try:
                self.engine.pull(reference)
                outcome.append("")
            except EngineError as exc:
                outcome.append(exc.message)
            settled.set()

        threading.Thread(target=pull, name=f"pull {reference}", daemon=True).start()
        within = PULL_WITHIN if self._mmdebstrap_is_near() else PULL_ALONE_WITHIN
        settled.wait(within)
        self.children.check()
        return outcome[0] if outcome else f"pull of {reference}: no answer for {within:.0f} s"

    def _mmdebstrap_is_near(self) -> bool:
        return self._program("mmdebstrap") or self._can_install()

    def _program(self, name: str) -> bool:
        return shutil.which(name, path=self.environ.get("PATH", "")) is not None

    def _can_install(self) -> bool:
        return self.may_install and os.geteuid() == 0 and self._program("apt-get")

    def _make(self, refusal: str) -> None:
        if not self._program("mmdebstrap"):
            self._install(refusal)
        self._require_room()
        rootfs = self.scratch / "rootfs.tar"
        self.progress(_SUBJECT, f"fetching Debian {SUITE} from {self.apt.archive}")
        finished = self.children.run(
            [*self._apart(), *mmdebstrap(self.apt, rootfs)],
            environ={**self.environ, "TMPDIR": str(self.scratch)},
            on_line=self._tell,
        )
        if finished.exit_code != 0:
            self.children.check()
            raise self._failure(finished, refusal)
        self.progress(_SUBJECT, "handing it to the engine")
        self.engine.import_image(
            rootfs, tag=self.made_tag, changes=('CMD ["/bin/sh"]', "LABEL labctl.image=debian")
        )
        rootfs.unlink()

    def _require_room(self) -> None:
        """Refuse a disk that is too small: on one that fills up apt may wait for its own helpers for ever."""
        where = self.scratch.parent
        if shutil.disk_usage(self.scratch).free < _ROOM:
            raise ImageUnavailable(
                f"image base: the disk of {room(where)} is full: to make Debian there takes {_ROOM >> 20} MB",
                hint=_FREE_ROOM,
            )

    def _apart(self) -> list[str]:
        """Return what gives root's mmdebstrap mounts of its own: they end with it, however it ends.

        It mounts /proc, /sys and /dev inside its tree, and killed it would leave them there, in the way of
        all who clean up.
        """
        apart = ["unshare", "--mount"]
        if os.geteuid() != 0 or not self._program(apart[0]):
            return []  # other users' mmdebstrap is in a namespace of its own anyway
        tried = subprocess.run([*apart, "true"], env=dict(self.environ), capture_output=True, check=False)
        return apart if tried.returncode == 0 else []

    def _tell(self, line: str) -> None:
        if line.startswith("I: ") and line.endswith("..."):
            self.progress(_SUBJECT, line.removeprefix("I: ").removesuffix("..."))

    def _install(self, refusal: str) -> None:
        if not self._can_install():
            raise ImageUnavailable(
                f"image base: {refusal}; and mmdebstrap, which would make it from Debian's packages, is not"
                " installed on this machine",
                hint="labctl images load FILE, or on Debian and Ubuntu: sudo apt-get install mmdebstrap",
            )
        self.progress(_SUBJECT, "installing mmdebstrap")
        environ = {**self.environ, "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
        install = ["apt-get", "install", "-yq", "--no-install-recommends", *_PACKAGES]
        finished = self.children.run(install, environ=environ, finish=True)
        if finished.exit_code != 0:  # the lists of packages may be missing or old
            self.children.run(["apt-get", "update", "-q"], environ=environ, finish=True)
            finished = self.children.run(install, environ=environ, finish=True)
        if finished.exit_code != 0:
            raise ImageUnavailable(
                f"image base: {refusal}; and mmdebstrap could not be installed: {finished.last}",
                hint="labctl images load FILE",
                detail={"output": list(finished.tail)},
            )

    def _failure(self, finished: Finished, refusal: str) -> ImageUnavailable:
        detail = {"output": list(finished.tail)}
        said = next((line for line in finished.tail if line.startswith("E: ")), finished.last)
        if any(says_full(line) for line in finished.tail):
            where = self.scratch.parent
            return ImageUnavailable(
                f"image base: the disk of {room(where)} is full, mmdebstrap says: {said}",
                hint=_FREE_ROOM,
                detail=detail,
            )
        return ImageUnavailable(
            f"image base: {refusal}; and mmdebstrap could not make it from {self.apt.archive}: {said}",
            hint="labctl images load FILE",
            detail=detail,
        )


def with_tag(reference: str) -> str:
    """Return a reference with its tag: an engine asked without one pulls every tag there is."""
    name = reference.rpartition("/")[2]
    return reference if ":" in name else f"{reference}:latest"


def mmdebstrap(apt: Apt, target: Path) -> list[str]:
    """Return the command that makes a minimal Debian with apt in it, as a tar.

    What is set for this machine's apt serves the making alone, and is taken out of the result.
    """
    made_for_here = "etc/apt/apt.conf.d/99mmdebstrap"
    return [
        "mmdebstrap",
        "--variant=apt",
        "--format=tar",
        *(f"--aptopt={line}" for line in (*apt.lines(), 'Acquire::Languages "none";')),
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        f'--customize-hook=rm -f "$1/{made_for_here}"',
        SUITE,
        str(target),
        *apt.sources(SUITE),
    ]
