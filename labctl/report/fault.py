"""What people read of faults: ``fault list``, ``fault apply``, ``fault revert``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from labctl.report.layout.plain import one_line

if TYPE_CHECKING:
    from labctl.commands.fault import FaultApplied, FaultRow, Faults, FaultsReverted, ParameterRow


def faults(result: Faults) -> str:
    """Show all faults: each in words, and indented in the daemon's own terms, with its parameters."""
    width = max((len(each.name) for each in result.faults), default=0)
    active = [each.name for each in result.faults if each.active]
    lines = [line for each in result.faults for line in _rows(each, width)]
    return "\n".join([*lines, *([f"\nActive: {', '.join(active)}"] if active else [])])


def applied(result: FaultApplied) -> str:
    """Tell what is applied, and how it ends."""
    named = "" if result.name == result.lab else f" --name {result.name}"
    done = f"Applied {result.fault}: {one_line(result.title, 500)}"
    return f"{done}\n  undo it: labctl fault revert{named} {result.fault}"


def reverted(result: FaultsReverted) -> str:
    """Tell what was undone."""
    if not result.reverted:
        return f"Nothing to undo in lab {result.name}."
    return f"Reverted: {', '.join(result.reverted)}"


def _rows(row: FaultRow, width: int) -> list[str]:
    sign = "*" if row.active else " "
    margin = " " * (width + 6)
    lines = [f"{sign} {row.name:<{width}}  {one_line(row.title, 500)}", f"{margin}{row.setting}"]
    if row.parameters:
        lines.append(f"{margin}{'  '.join(_parameter(each) for each in row.parameters)}")
    return lines


def _parameter(parameter: ParameterRow) -> str:
    others = [each for each in parameter.choices if each != parameter.default]
    return f"{parameter.name}={'|'.join((shlex.quote(parameter.default), *others))}"
