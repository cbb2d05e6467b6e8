"""What people read of the catalogue: ``labs``, ``labs test`` and ``init``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from labctl.report.layout.plain import one_line
from labctl.report.layout.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.commands.init import HandedOut
    from labctl.commands.labs import Catalogue
    from labctl.commands.labstest import Case, LabTested


def labs(result: Catalogue) -> str:
    """Show the catalogue."""
    return table(
        ("LAB", "EXERCISES", "POINTS", "TITLE"),
        [
            (each.id, str(each.exercises), f"{each.max_score:g}" if each.gradable else "-", each.title)
            for each in result.labs
        ],
    )


def init(result: HandedOut) -> str:
    """Tell what was handed out, and what comes next."""
    directory, lab = one_line(result.directory, 1000), one_line(result.lab)
    written = "".join(f"\n  {one_line(each, 500)}" for each in result.written)
    parts = [f"Lab {lab} is in {directory}{f':{written}' if written else ' already: nothing was written.'}"]
    if result.note is not None:
        parts.append(one_line(result.note, 500))
    following = f"cd {shlex.quote(directory)} && labctl grade ."
    parts.append(f"Read README.md there, change what it asks for, and: {following}")
    return "\n\n".join(parts)


def labs_test(result: LabTested) -> str:
    """Show each case of a lab's own tests; of one that is not as declared, all that is known."""
    rows = [
        ("ok" if each.ok else "NOT OK", f"{each.kind} {each.name}" if each.title else each.name, each.seen)
        for each in result.cases
    ]
    good = sum(each.ok for each in result.cases)
    total = (
        f"Lab {one_line(result.lab)}: {good} of {len(result.cases)} cases are as declared,"
        f" in {result.seconds:.1f} s."
    )
    wrong = ["\n".join(_wrong(each)) for each in result.cases if not each.ok]
    return "\n\n".join((table(("", "CASE", "SEEN"), rows), *wrong, total))


def _wrong(case: Case) -> Iterator[str]:
    title = f": {one_line(case.title, 500)}" if case.title else ""
    yield f"{case.kind} {one_line(case.name)}{title}"
    yield f"  expected: {one_line(case.expected, 500)}"
    yield f"  seen:     {one_line(case.seen, 500)}"
    yield f"  seed:     {one_line(case.seed)}"
    yield from (f"  {one_line(each, 500)}" for each in case.evidence)
