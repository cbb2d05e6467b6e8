"""What tests of every kind share."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.bed.bed import Bed


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true", help="run what takes long, too")


@pytest.fixture(scope="session")
def nightly(request: pytest.FixtureRequest) -> bool:
    """Whether there is a night's time: then what takes long is done whole."""
    return bool(request.config.getoption("--nightly"))


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads which tests belong together
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only a night has time for, and let what takes longest begin first.

    The tests of a file share what they need, so they stay together, unless a mark says which ones do.
    """
    if not config.getoption("--nightly"):
        left_out = [each for each in items if each.get_closest_marker("nightly")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [each for each in items if not each.get_closest_marker("nightly")]
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items.sort(key=lambda each: "integration" not in each.path.parts)


def pytest_configure(config: pytest.Config) -> None:
    """Share tests out by what belongs together; and hear Ctrl-C, as do the programs that tests start, even
    where a shell runs this in its background.
    """
    if config.getoption("dist", "no") == "load":
        config.option.dist, config.option.loadscopereorder = "loadgroup", False
    if hasattr(config, "workerinput"):  # a worker, which knows the command line only
        config.option.loadgroup = True
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "COVERAGE_PROCESS_CONFIG" in os.environ:  # else nothing is known of what runs checks
        from labctl.exercises.worker import children  # noqa: PLC0415  # only here

        vars(children)["_KNOWN_PREFIXES"] += ("COVERAGE_",)


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
