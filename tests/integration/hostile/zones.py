"""Hostile zones and answers, for `labs.zone_lab`, and hostile Corefiles, for `labs.resolver_lab`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.hostile import words
from tests.integration.hostile.attack import Attack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def zone_attacks(secret: Path, solution: Mapping[str, str]) -> Iterator[Attack]:
    """Yield hostile zones and answers."""
    zone = solution["beta.test.zone"]
    yield Attack("include", "rejected", "beta.test.zone", {"beta.test.zone": f"{zone}$INCLUDE {secret}\n"})
    crowd = "".join(f"$GENERATE 1-65535 {n:x}-$ A 203.0.113.20\n" for n in range(20_000))
    yield Attack(
        "generate", "(failed|rejected)", "memory|beta.test.zone", {"beta.test.zone": f"{zone}{crowd}"}
    )
    text = words.MARKED.replace(";", r"\;").replace('"', r"\"")
    escaped = "".join(f"\\{ord(each):03d}" for each in words.ESCAPES)
    yield Attack(
        "texts", "failed", "HYPERLINK", {"beta.test.zone": f'{zone}; {words.ALL}\n@ TXT "{escaped}{text}"\n'}
    )
    name = "".join(f"\\{ord(each):03d}" for each in words.ALL[:60])
    yield Attack("names", "failed", "MX", {"beta.test.zone": zone.replace("mx.beta.test.\n", f"{name}.\n")})
    spoken = "".join(f"\\u{ord(each):04x}" for each in f"{words.ALL}\n```\n\n{words.ALL}")
    yield Attack("answers", "failed", "HYPERLINK", {"answers.toml": f'host = "{spoken}"\n'})
    yield Attack("no-answers", "failed", r"answers\.toml:1", {"answers.toml": f"{words.ALL}\n"})
    yield Attack(words.DIRECTORY, "failed", "", {"answers.toml": ""})


def resolver_attacks(secret: Path, address: str, port: int, solution: Mapping[str, str]) -> Iterator[Attack]:
    """Yield hostile Corefiles.

    Args:
        secret: A file of the machine's.
        address: An address of the machine.
        port: Where it listens there.
        solution: The good one.
    """
    good = solution["Corefile"]
    yield Attack("import", "rejected", "Corefile", {"Corefile": f"import {secret}\n{good}"})
    yield Attack(
        "forward",
        "rejected",
        "forward",
        {"Corefile": good.replace("template ANY ANY", f"forward . {address}:{port}\n    template ANY ANY")},
    )
    yield Attack("environment", "rejected", "Corefile", {"Corefile": f"{{$TOKEN}} {{%SECRET%}} {{\n{good}"})
    yield Attack("words", "rejected", "Corefile", {"Corefile": f"{good}\n. {{\n    {words.ALL}\n}}\n"})
    yield Attack(
        "elsewhere",
        "failed",
        "",
        {"Corefile": good.replace(". {", ".:5353 {").replace("test {", "test:5353 {")},
    )
