"""What tests of every kind share."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.bed.bed import Bed


def pytest_configure() -> None:
    """Hear Ctrl-C, as do the programs that tests start, even where a shell runs this in its background."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def valid_document() -> Callable[[Mapping[str, Any]], None]:
    """Return a check that a document is what the schema that it names wants; it raises ValidationError."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415  # most tests do without

    from labctl.contract import published  # noqa: PLC0415  # as above

    validators = {name: Draft202012Validator(published.load(name)) for name in published.names()}

    def check(document: Mapping[str, Any]) -> None:
        validators[document["schema"]].validate(document)

    return check


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    """An engine in memory whose labs' hosts answer, for what else needs containers."""
    from tests.bed.bed import made  # noqa: PLC0415  # as above

    with made(tmp_path) as there:
        yield there
