"""The JSON Schemas made anew from all results: ``python -m labctl.report.schemawriter``."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from labctl import commands
from labctl.contract import published, schema
from labctl.grading import job
from labctl.report import document

if TYPE_CHECKING:
    from collections.abc import Mapping

DIRECTORY: Final = Path(published.__file__).parent / "schemas"


def results() -> Mapping[str, type]:
    """Return every dataclass that is a document, by the name of its schema."""
    names = (f"{commands.__name__}.{each.name}" for each in pkgutil.iter_modules(commands.__path__))
    modules = (document, job, *map(import_module, names))
    return {
        each.SCHEMA: each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and hasattr(each, "SCHEMA")
    }


def texts() -> Mapping[str, str]:
    """Return each schema as it is to be written, by the name of its file."""
    return {
        published.file_name(name): f"{schema.written(schema.of(each))}\n" for name, each in results().items()
    }


def main() -> None:
    """Write all of them, and remove those of results that there are no more."""
    written = texts()
    for path in DIRECTORY.glob("*.json"):
        if path.name not in written:
            path.unlink()
    for name, text in written.items():
        (DIRECTORY / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
