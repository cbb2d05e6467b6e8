from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from labctl.errors import NoSuchLab
from labctl.lab import catalogue, origin
from labctl.lab.blueprint.plan import make_planner
from labctl.lab.mark import labels
from labctl.lab.running import instance, lifecycle

if TYPE_CHECKING:
    from pathlib import Path

    from labctl.lab.running.instance import Instance
    from tests.unit.conftest import Stage


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A lab's directory, which is in no catalogue."""
    directory = tmp_path / "own"
    directory.mkdir()
    (directory / "lab.toml").write_text('id = "own"\ntitle = "Mine"\ntopology = "two-domains"\n')
    return directory


def started(stage: Stage, directory: Path) -> Instance:
    planner = make_planner("mine", catalogue.find(str(directory), {}), images={}, publish=True)
    lifecycle.bring_up(stage.fake, planner)
    return instance.observe(stage.fake, "mine")


def test_a_lab_is_made_from_what_lay_where_it_was_started_from(stage: Stage, own: Path) -> None:
    assert catalogue.definition_of(started(stage, own), {}).directory == own


def test_a_lab_that_was_moved_is_found_by_its_id(stage: Stage, own: Path, tmp_path: Path) -> None:
    there = started(stage, own)
    moved = tmp_path / "labs" / "own"
    moved.parent.mkdir()
    own.rename(moved)
    assert catalogue.definition_of(there, {"LABCTL_LABS": str(moved.parent)}).directory == moved
    with pytest.raises(NoSuchLab):
        catalogue.definition_of(there, {})


def test_a_lab_without_its_network_is_found_by_its_id(stage: Stage) -> None:
    there = replace(stage.stand(), network=None)
    assert catalogue.definition_of(there, {}).id == "two-domains"


def test_the_planner_of_a_running_lab_plans_the_same_on_images_of_this_version(stage: Stage) -> None:
    there = stage.stand()
    specs = origin.image_specs()
    planner = origin.planner_of(there, {}, specs)
    assert (planner.name, planner.lab, planner.topology) == ("x", stage.planner.lab, stage.planner.topology)
    assert planner.publish is True
    assert planner.images == {spec.plain_tag: spec.tag for spec in specs}
    assert {spec.name for spec in specs} == {"dns", "mta", "mda"}


def test_a_lab_whose_ports_are_not_published_stays_so(stage: Stage) -> None:
    there = stage.stand()
    found = there.host("dns").running_container()
    bare = replace(
        found, labels={name: found.labels[name] for name in found.labels if name != labels.PUBLISHED}
    )
    unpublished = replace(there, hosts=(replace(there.host("dns"), container=bare),))
    assert not origin.planner_of(unpublished, {}, ()).publish
