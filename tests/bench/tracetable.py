"""How fast all messages of large logs are listed, and in how much memory.

``python -m tests.bench.maillogs make DIR --bytes 1000000000`` writes the logs, and
``python -m tests.bench.tracetable DIR`` lists them, beside a bare loop over the same lines.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections import Counter
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.report.tracing import table as tracetable
from labctl.trace.listing.table import Filters, rows
from labctl.trace.logs.log import open_logs
from tests.bench.maillogs import files_of

if TYPE_CHECKING:
    from collections.abc import Callable


def measured(what: str, lines: int, work: Callable[[], object]) -> object:
    """Do some work, and print its seconds and how many lines it went through in one."""
    wall, cpu = time.monotonic(), time.process_time()
    result = work()
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    rate = f"{lines / cpu:,.0f} lines a second of CPU" if lines else ""
    print(f"| {what} | {wall:.2f} s | {cpu:.2f} s CPU | {rate} |", flush=True)
    return result


def bare(paths: list[str]) -> int:
    """Count the lines, as the quickest loop of Python does."""
    count = 0
    for path in paths:
        with Path(path).open("rb") as file:
            for _ in file:
                count += 1
    return count


def main() -> None:
    """Measure the logs of one directory."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tracetable")
    parser.add_argument("directory", type=Path)
    paths = files_of(parser.parse_args().directory)
    print(f"{len(paths)} files, {sum(Path(path).stat().st_size for path in paths) / 1e6:.0f} MB")
    lines = bare(paths)
    measured("bare loop", lines, lambda: bare(paths))
    with open_logs(paths, zone=UTC) as logs:
        states = measured("rows", lines, lambda: Counter(row.state.value for row in rows(logs, Filters())))
        print(states)
        written = measured(
            "rows, written as text",
            lines,
            lambda: sum(len(line) for line in tracetable.lines(rows(logs), 80)),
        )
        print(f"{written} characters")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{peak:.0f} MB of memory at most")


if __name__ == "__main__":
    main()
