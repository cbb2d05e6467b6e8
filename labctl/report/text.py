"""Results as the text that a person reads."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from labctl.report.layout.plain import harmless, one_line

if TYPE_CHECKING:
    from labctl.errors import LabctlError

# By name, since all of them together take longer to import than a lab that runs takes to be looked at.
_WRITERS: Final = {
    "labctl/up/v1": "lab.up",
    "labctl/reset/v1": "lab.reset",
    "labctl/status/v1": "lab.status",
    "labctl/list/v1": "lab.running",
    "labctl/labs/v1": "catalogue.labs",
    "labctl/labs-test/v1": "catalogue.labs_test",
    "labctl/init/v1": "catalogue.init",
    "labctl/down/v1": "lab.down",
    "labctl/prune/v1": "lab.prune",
    "labctl/send/v1": "mail.send",
    "labctl/dig/v1": "mail.dig",
    "labctl/explain/v1": "explain.explain",
    "labctl/exercises/v1": "run.exercises",
    "labctl/fault-list/v1": "fault.faults",
    "labctl/fault-apply/v1": "fault.applied",
    "labctl/fault-revert/v1": "fault.reverted",
    "labctl/images/v1": "engine.images",
    "labctl/engine/v1": "engine.engine",
    "labctl/doctor/v1": "engine.doctor",
}


_LAID_OUT: Final = {
    "labctl/inbox/v1": "mail.inbox",
    "labctl/queue/v1": "queue.queue",
    "labctl/run/v1": "run.run",
    "labctl/grade/v1": "grading.text.grade",
    "labctl/schema/v1": "schema.schemas",
    "labctl/trace/v1": "tracing.journey.text",
}
"""Those of which some is cut or wrapped to fit."""


def text(result: Any, width: int | None = 80) -> str:
    """Return a command's result as text, without a line end behind it and harmless to a terminal.

    Args:
        result: The result.
        width: Columns of a line; where it is None, a row of a table is one line, as long as it needs.
    """
    laid_out = _LAID_OUT.get(result.SCHEMA)
    module, _, name = (laid_out or _WRITERS[result.SCHEMA]).rpartition(".")
    write = getattr(import_module(f"labctl.report.{module}"), name)
    return harmless(write(result, width) if laid_out else write(result))


def error_text(error: LabctlError) -> str:
    """Return an error as text: what failed, what the daemon said where it said something, the next step."""
    first, *others = harmless(error.message).splitlines() or [""]
    lines = [f"labctl: {first}", *(f"    {each}" for each in others)]
    for key in ("log", "said"):
        lines.extend(f"  | {each}" for each in harmless(str(error.detail.get(key) or "")).splitlines())
    lines.append(f"  next: {one_line(error.hint, 1000)}")
    return "\n".join(lines)
