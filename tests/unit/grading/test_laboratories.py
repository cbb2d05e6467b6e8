"""A laboratory that is lent to one attempt after the other, and when it is not lent again."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from labctl import resources
from labctl.engine.images import image_specs
from labctl.grading import gradedlab
from labctl.grading.job import Job
from labctl.grading.laboratories import Laboratories
from labctl.lab import catalogue
from labctl.lab.running import instance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labctl.engine.fake import FakeEngine
    from labctl.grading.gradedlab import GradedLab
    from labctl.lab.running.instance import Instance
    from tests.unit.conftest import Stage

ZONE = "beta.test.zone"
PUBLISHING = "unix:///run/user/1/docker.sock"


@pytest.fixture
def lab() -> GradedLab:
    return gradedlab.load(catalogue.find("fix-the-mx", {}))


@pytest.fixture
def laboratories(fake: FakeEngine, lab: GradedLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Laboratories]:
    """A pool on an engine whose resolvers take up what they are told to, and say so."""
    specs = image_specs(resources.compose_dir() / "images")
    fake.stock(spec.tag for spec in specs)
    signal = fake.signal

    def heeded(name: str, number: str) -> None:
        signal(name, number)
        fake.say(name, "[INFO] Reloading complete")

    monkeypatch.setattr(fake, "signal", heeded)
    with closing(Laboratories(fake, PUBLISHING, lab.lab, specs)) as found:
        yield found


def job(lab: GradedLab, name: str) -> Job:
    return Job(name, lab.lab.directory, None, {ZONE: name.encode()}, "00", f"grade-{name}")


def lent(laboratories: Laboratories, lab: GradedLab, name: str) -> str:
    """Return the name of the laboratory that an attempt is given."""
    with laboratories.laboratory(job(lab, name)) as found:
        return found.there.name


def test_one_that_is_as_new_is_lent_again(laboratories: Laboratories, lab: GradedLab) -> None:
    assert lent(laboratories, lab, "anna") == lent(laboratories, lab, "bert") == "grade-anna"


def out_of_memory(stage: Stage, there: Instance) -> None:
    stage.fake.run_out_of_memory(there.host("mx-beta").running_container().name, first_process=False)


def ended(stage: Stage, there: Instance) -> None:
    stage.fake.end(there.host("mx-beta").running_container().name)


def not_emptied(stage: Stage, there: Instance) -> None:
    stage.inside.failed[there.host("mx-beta").running_container().name] = "the queue is busy"


def faulty(stage: Stage, there: Instance) -> None:
    stage.named(there.name).apply("mx-null", "dns")


def made_again(stage: Stage, there: Instance) -> None:
    name = there.host("mx-beta").running_container().name
    spec = stage.fake._box(name).spec
    stage.fake.remove_container(name)
    stage.fake.create_container(spec)
    stage.fake.start(name)


@pytest.mark.parametrize("harm", [out_of_memory, ended, not_emptied, faulty, made_again])
def test_one_that_is_not_proven_to_be_as_new_is_taken_down_and_not_lent_again(
    laboratories: Laboratories, lab: GradedLab, stage: Stage, harm: Callable[[Stage, Instance], None]
) -> None:
    with laboratories.laboratory(job(lab, "anna")) as found:
        harm(stage, found.there)
    assert not instance.observe(stage.fake, "grade-anna").exists
    assert lent(laboratories, lab, "bert") == "grade-bert"
