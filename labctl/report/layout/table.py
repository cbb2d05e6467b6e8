"""Columns of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.report.layout.plain import LONGEST, one_line
from labctl.report.layout.wrap import columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows under a head, each column as wide as its widest cell; a cell is one harmless line."""
    lines = [tuple(head), *(tuple(one_line(cell, LONGEST) for cell in row) for row in rows)]
    widths = [max(columns(line[n]) for line in lines) for n in range(len(head))]
    return "\n".join(
        "  ".join(
            cell + " " * (width - columns(cell)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def size(count: int) -> str:
    """Return a number of bytes as a person writes it."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":  # noqa: PLR2004  # the step between units
            break
        value /= 1000
    return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"  # noqa: PLR2004
