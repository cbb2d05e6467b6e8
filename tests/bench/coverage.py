"""How much of each package the tests without containers run: ``python -m tests.bench.coverage``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

ENOUGH: Final = 90.0
"""Percent of a package's lines."""

TESTS: Final = ("tests/unit", "tests/contract")


def main() -> int:
    """Run the tests, and return 1 where they fail or run too little of a package."""
    coverage = [sys.executable, "-m", "coverage"]
    with tempfile.TemporaryDirectory(prefix="labctl-coverage-") as directory:
        environ = {**os.environ, "COVERAGE_FILE": f"{directory}/data"}  # in it, since processes end elsewhere
        ran = subprocess.run(
            [*coverage, "run", "-m", "pytest", *TESTS, "-n", "2", "-q", "-p", "no:cacheprovider"],
            env=environ,
            check=False,
        )
        report = f"{directory}/report.json"
        for command in (("combine", "-q"), ("json", "-qi", "--include=labctl/*", "-o", report)):
            subprocess.run([*coverage, *command], env=environ, check=True)
        files = json.loads(Path(report).read_text(encoding="utf-8"))["files"]
    lines, run = Counter[str](), Counter[str]()
    for path, found in files.items():
        package = str(Path(path).parent)
        lines[package] += found["summary"]["num_statements"]
        run[package] += found["summary"]["covered_lines"]
    little = []
    for package in sorted(each for each in lines if lines[each]):
        percent = 100 * run[package] / lines[package]
        print(f"{package:40}{percent:6.1f} % of {lines[package]}")
        if percent < ENOUGH:
            little.append(package)
    if little:
        print(f"less than {ENOUGH:.0f} %: {', '.join(little)}")
    return 1 if little or ran.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
