"""CoreDNS, built from its Go module: by this machine's Go, or else in a build stage by Debian's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from labctl.engine.images.context import Entry
from labctl.engine.images.disk import room, says_full
from labctl.errors import ImageUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.engine.images.children import Children
    from labctl.progress import Progress

BINARY: Final = "coredns"
"""The built program's name in the context of the image."""

BUILD_RECIPE: Final = "Dockerfile.build"
"""The Dockerfile of an image that holds the program, built with Debian's Go, as /coredns."""

STAGE_LABEL: Final = "labctl.stage"
"""Marks the image of the build stage, which nobody needs afterwards."""

GO_SETTINGS: Final = ("GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOINSECURE")

_PROXY: Final = "https://proxy.golang.org,direct"
_FROM: Final = re.compile(r"^FROM (\S+)$", re.MULTILINE)
_MODULE_NEEDS: Final = re.compile(r"^go (\d+)\.(\d+)", re.MULTILINE)
_GO_SAYS: Final = re.compile(r"^go(\d+)\.(\d+)")
_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian and its kin, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora and its kin
    "/etc/ssl/cert.pem",  # macOS
)
_RECIPES: Final = ("Dockerfile", BUILD_RECIPE)
_SUBJECT: Final = "image dns"


@dataclass(frozen=True, slots=True)
class Go:
    """The machine's Go: where it is and where it gets modules from."""

    program: str
    proxy: str


def machine_go(module: Path, environ: Mapping[str, str]) -> Go | None:
    """Return this machine's Go where it is new enough for a module (its go.mod's ``go`` line), else None."""
    program = shutil.which("go", path=environ.get("PATH", ""))
    if program is None:
        return None
    said = subprocess.run(
        [program, "env", "GOVERSION", "GOPROXY"],
        env={**environ, "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    ).stdout.splitlines()
    needs = _version(_MODULE_NEEDS, (module / "go.mod").read_text("utf-8"))
    has = _version(_GO_SAYS, said[0]) if said else None
    if needs is None or has is None or has < needs:
        return None
    return Go(program, said[1] if len(said) > 1 else _PROXY)


def _version(pattern: re.Pattern[str], text: str) -> tuple[int, int] | None:
    match = pattern.search(text)
    return (int(match[1]), int(match[2])) if match else None


def build(
    go: Go,
    module: Path,
    target: Path,
    *,
    children: Children,
    environ: Mapping[str, str],
    progress: Progress,
) -> Entry:
    """Build the program for Linux, static, and return it as a file for the image's context.

    Raises:
        ImageUnavailable: It did not compile, or its modules could not be fetched.
    """
    progress(_SUBJECT, "building CoreDNS")
    settings = {name: value for name, value in environ.items() if name not in {"GOARCH", "GOFLAGS"}}
    finished = children.run(
        [go.program, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", str(target), "."],
        environ=settings | {"CGO_ENABLED": "0", "GOOS": "linux", "GOTOOLCHAIN": "local", "GOWORK": "off"},
        cwd=module,
        on_line=lambda line: progress(_SUBJECT, line) if line.startswith("go: downloading") else None,
    )
    if finished.exit_code != 0:
        children.check()
        raise _failure(go, target.parent, finished.tail)
    return Entry(BINARY, target.read_bytes(), executable=True)


def _failure(go: Go, scratch: Path, tail: tuple[str, ...]) -> ImageUnavailable:
    said = tail[-1] if tail else "go build said nothing"
    detail = {"output": list(tail)}
    if any(says_full(line) for line in tail):
        return ImageUnavailable(
            f"image dns: a disk is full, go build says: {said}; it writes to {room(scratch.parent)} and"
            f" {room(Path.home())}",
            hint="free 500 MB there, or name a larger disk: TMPDIR=/var/tmp labctl images build",
            detail=detail,
        )
    return ImageUnavailable(
        f"image dns: CoreDNS could not be built by {go.program} with modules from {go.proxy}: {said}",
        hint="labctl images load FILE",
        detail=detail,
    )


def staged(entries: tuple[Entry, ...], environ: Mapping[str, str]) -> tuple[Entry, ...]:
    """Return the context of the image with the build of the program as its first stage.

    Args:
        entries: The image's own context, with both recipes.
        environ: Says where this machine's certificate authorities are.
    """
    recipes = {entry.path: entry.content.decode() for entry in entries if entry.path in _RECIPES}
    stage = _FROM.sub(rf"FROM \1 AS build\nLABEL {STAGE_LABEL}=build", recipes[BUILD_RECIPE], count=1)
    image = recipes["Dockerfile"].replace(f"COPY {BINARY} ", f"COPY --from=build /{BINARY} ")
    others = (entry for entry in entries if entry.path not in _RECIPES)
    return (Entry("Dockerfile", f"{stage}\n{image}".encode()), _certificates(environ), *others)


def _certificates(environ: Mapping[str, str]) -> Entry:
    """Return this machine's certificate authorities, for a build stage that has none of its own.

    A network whose proxy opens TLS has an authority of its own, which only the machine knows.
    """
    for candidate in (environ.get("SSL_CERT_FILE", ""), *_BUNDLES):
        if candidate and os.access(candidate, os.R_OK):
            return Entry("ca-certificates.crt", Path(candidate).read_bytes())
    raise ImageUnavailable(
        f"image dns: this machine has no list of certificate authorities ({', '.join(_BUNDLES)}), and"
        " without one CoreDNS's modules can't be fetched",
        hint="labctl images load FILE",
    )
