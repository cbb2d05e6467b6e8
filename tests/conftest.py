"""What tests of every kind share."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from labctl.interruption import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.bed.bed import Bed


APART: Final = frozenset({"test_course", "test_hostile_attempts", "test_labs_to_grade"})
"""Files whose tests of one parameter share nothing with those of another: what stands first in an id, up to a
colon.
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true", help="run what takes long, too")


@pytest.fixture(scope="session")
def nightly(request: pytest.FixtureRequest) -> bool:
    """Whether there is a night's time: then what takes long is done whole."""
    return bool(request.config.getoption("--nightly"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only a night has time for, and let what takes longest begin first."""
    if not config.getoption("--nightly"):
        left_out = [each for each in items if each.get_closest_marker("nightly")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [each for each in items if not each.get_closest_marker("nightly")]
    items.sort(key=lambda each: (each.path.stem not in APART, "integration" not in each.path.parts))


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share tests out to workers by their file, and those that are apart by their first parameter, too."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415  # only where there are workers

    def scope(nodeid: str) -> str:
        path, _, name = nodeid.partition("::")
        first = name.partition("[")[2].rstrip("]").partition(":")[0]
        return f"{path}::{first}" if Path(path).stem in APART else path

    config.option.loadscopereorder = False
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = scope
    return scheduler


def pytest_configure() -> None:
    """Hear Ctrl-C, as do the programs that tests start, even where a shell runs this in its background."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "COVERAGE_PROCESS_CONFIG" in os.environ:  # else nothing is known of what runs checks
        from labctl.exercises.worker import children  # noqa: PLC0415  # only here

        vars(children)["_KNOWN_PREFIXES"] += ("COVERAGE_",)


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Leave to the next test, and to the programs that it starts, what signals do."""
    before = {each: signal.getsignal(each) for each in SIGNALS}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


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
