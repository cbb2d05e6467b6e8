"""What people read of the machine: ``images``, ``engine``, ``doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl.report.layout.plain import one_line
from labctl.report.layout.table import size, table

if TYPE_CHECKING:
    from labctl.commands.doctor import Doctor
    from labctl.commands.engine import EngineReport
    from labctl.commands.images import Images

_SIGNS: Final = {"ok": "ok  ", "warning": "warn", "failed": "FAIL"}


def images(result: Images) -> str:
    """Show the images, and what was done about them."""
    rows = [
        (each.name, each.tag, size(each.size) if each.present else "", "" if each.present else "not there")
        for each in result.images
    ]
    parts = [table(("IMAGE", "TAG", "SIZE", ""), rows)]
    if result.built:
        parts.append(f"Built: {', '.join(result.built)}")
    if result.file is not None:
        parts.append(f"{result.file}: {', '.join(result.tags)}")
    if result.note is not None:
        parts.append(one_line(result.note, 1000))
    if result.outdated:
        parts.append(f"Images of other versions: {len(result.outdated)}. Remove them: labctl prune")
    return "\n\n".join(parts)


def engine(result: EngineReport) -> str:
    """Show the engine."""
    lines = [f"This machine's own engine is {result.state}."]
    if result.endpoint is not None:
        order = f", ordered by {result.ordered_by}" if result.ordered_by else ""
        lines.append(f"Commands use {result.endpoint} (version {result.version}{order}).")
    if result.installed_by_labctl:
        lines.append(f"labctl installed it: {', '.join(result.packages)}")
    elif result.started_by_labctl:
        lines.append("labctl started it.")
    elif result.state != "absent":
        lines.append("labctl did not install it, and will not stop or remove it.")
    if result.log is not None:
        lines.append(f"Its log is {result.log}" + (f", its process {result.pid}." if result.pid else "."))
    return "\n".join(lines)


def doctor(result: Doctor) -> str:
    """Show each check, with the next step."""
    lines = []
    for each in result.checks:
        lines.append(f"{_SIGNS[each.state]}  {each.id}: {one_line(each.text, 1000)}")
        if each.hint is not None:
            lines.append(f"      next: {one_line(each.hint, 1000)}")
    end = "No lab can run here until what FAILed is mended." if result.failed else "Labs can run here."
    return "\n".join((*lines, end))
