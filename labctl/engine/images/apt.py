"""How this machine gets Debian's packages: apt's mirrors, proxies and time checks (apt.conf(5))."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ARCHIVE: Final = "http://deb.debian.org/debian"
SECURITY: Final = "http://deb.debian.org/debian-security"

_OPTION: Final = re.compile(r'^(?P<name>[\w:.+/-]+) "(?P<value>.*)";$')
_PASSED_ON: Final = re.compile(
    r"Acquire::(Check-Valid-Until|Check-Date|Max-FutureTime|Min-ValidTime|Max-ValidTime|Retries"
    r"|https?::(Proxy(::.+)?|Proxy-Auto-Detect|Timeout|Dl-Limit|CAInfo|Verify-Peer)"
    r"|Proxy-Auto-Detect|ForceIPv[46])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Apt:
    """What of a machine's apt holds for packages fetched on its behalf."""

    archive: str = ARCHIVE
    security: str = SECURITY
    options: Mapping[str, str] = field(default_factory=dict)

    def option(self, name: str) -> str:
        """Return an option's value, "" where it is not set; names are of any case, as apt has it."""
        wanted = name.casefold()
        return next((value for key, value in self.options.items() if key.casefold() == wanted), "")

    def sources(self, suite: str) -> tuple[str, ...]:
        """Return the lines of a sources.list(5) for a suite of Debian."""
        return (
            f"deb {self.archive} {suite} main",
            f"deb {self.archive} {suite}-updates main",
            f"deb {self.security} {suite}-security main",
        )

    def lines(self) -> tuple[str, ...]:
        """Return the options as lines of an apt.conf(5)."""
        return tuple(f'{name} "{value}";' for name, value in self.options.items())


def of_machine(environ: Mapping[str, str]) -> Apt:
    """Ask this machine's apt; where there is none, Debian's own mirrors serve."""
    archive, security = mirrors(
        _ask(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], environ)
    )
    return Apt(archive, security, options(_ask(["apt-config", "dump", "Acquire"], environ)))


def options(dump: str) -> dict[str, str]:
    """Pick from the output of ``apt-config dump`` what fetching depends on: proxies, time checks."""
    found = (_OPTION.match(line) for line in dump.splitlines())
    return {
        match["name"]: match["value"]
        for match in found
        if match and match["value"] and _PASSED_ON.fullmatch(match["name"])
    }


def mirrors(uris: str) -> tuple[str, str]:
    """Pick Debian's archive and security archive from the URIs of a machine's sources, one a line.

    Only plain http serves: a slim Debian has no certificates to check https with, and apt trusts signatures,
    not connections. Another distribution's mirror says nothing about where Debian is.
    """
    http = [uri.rstrip("/") for uri in uris.split() if uri.startswith("http://")]
    return _first(http, "/debian", ARCHIVE), _first(http, "/debian-security", SECURITY)


def _first(uris: Iterable[str], ending: str, default: str) -> str:
    return next((uri for uri in uris if uri.endswith(ending)), default)


def _ask(argv: list[str], environ: Mapping[str, str]) -> str:
    if shutil.which(argv[0], path=environ.get("PATH", "")) is None:
        return ""
    said = subprocess.run(
        argv, env=dict(environ), capture_output=True, text=True, errors="replace", check=False
    )
    return said.stdout if said.returncode == 0 else ""
