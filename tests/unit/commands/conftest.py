"""Labs of one's own, and an engine in memory that has the images of this version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl import resources
from labctl.engine.images import image_specs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.engine.fake import FakeEngine
    from tests.unit.conftest import Stage


@pytest.fixture
def make_lab(tmp_path: Path) -> Callable[[str, str], Path]:
    """Return a function that writes a lab with some more lines of definition, and returns its directory."""

    def make(lab_id: str, more: str = "") -> Path:
        directory = tmp_path / "labs" / lab_id
        (directory / "exercises").mkdir(parents=True)
        lines = f'id = "{lab_id}"\ntitle = "The lab {lab_id}"\ntopology = "two-domains"\n'
        (directory / "lab.toml").write_text(lines + more)
        return directory

    return make


@pytest.fixture
def up(stage: Stage) -> Stage:
    """A lab that is there."""
    stage.stand()
    return stage


@pytest.fixture
def ready(fake: FakeEngine) -> FakeEngine:
    """The engine with the images that `labctl up` wants."""
    fake.stock(spec.tag for spec in image_specs(resources.compose_dir() / "images"))
    return fake
